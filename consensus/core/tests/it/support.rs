//! Reading vector files: cases, and the values in them as protobuf structs.
use guts_abci::proto::google::protobuf::Timestamp;
use guts_abci::proto::{self, crypto, types};
use guts_consensus::types::{Invalid, Validator, ValidatorSet};
use guts_genesis::{Power, PublicKey};
use serde_json::Value;

pub use crate::cases::*;

pub fn int32(value: &Value) -> i32 {
    i32::try_from(int(value)).unwrap()
}

/// Compares a result with `{"ok", "error_kind"}`.
pub fn expect<T>(result: Result<T, Invalid>, expected: &Value, what: &str) -> Option<T> {
    let want = expected["error_kind"].as_str();
    match result {
        Ok(value) => {
            assert_eq!(want, None, "{what}");
            Some(value)
        }
        Err(error) => {
            assert_eq!(Some(error.kind()), want, "{what}: {error}");
            None
        }
    }
}

pub fn time(value: &Value) -> Option<Timestamp> {
    let nanos = int32(&value["nanos"]);
    Some(Timestamp { seconds: int(&value["seconds"]), nanos })
}

pub fn block_id(value: &Value) -> types::BlockId {
    types::BlockId {
        hash: bytes(&value["hash"]),
        part_set_header: Some(types::PartSetHeader {
            total: u32::try_from(int(&value["total"])).unwrap(),
            hash: bytes(&value["parts_hash"]),
        }),
    }
}

pub fn vote(value: &Value) -> types::Vote {
    types::Vote {
        r#type: int32(&value["type"]),
        height: int(&value["height"]),
        round: int32(&value["round"]),
        block_id: Some(block_id(&value["block_id"])),
        timestamp: time(&value["timestamp"]),
        validator_address: bytes(&value["validator_address"]),
        validator_index: int32(&value["validator_index"]),
        signature: bytes(&value["signature"]),
        extension: bytes(&value["extension"]),
        extension_signature: bytes(&value["extension_signature"]),
    }
}

pub fn proposal(value: &Value) -> types::Proposal {
    types::Proposal {
        r#type: int32(&value["type"]),
        height: int(&value["height"]),
        round: int32(&value["round"]),
        pol_round: int32(&value["pol_round"]),
        block_id: Some(block_id(&value["block_id"])),
        timestamp: time(&value["timestamp"]),
        signature: bytes(&value["signature"]),
    }
}

pub fn commit(value: &Value) -> types::Commit {
    let sig = |sig: &Value| types::CommitSig {
        block_id_flag: int32(&sig["flag"]),
        validator_address: bytes(&sig["validator_address"]),
        timestamp: time(&sig["timestamp"]),
        signature: bytes(&sig["signature"]),
    };
    types::Commit {
        height: int(&value["height"]),
        round: int32(&value["round"]),
        block_id: Some(block_id(&value["block_id"])),
        signatures: value["signatures"].as_array().unwrap().iter().map(sig).collect(),
    }
}

pub fn extended_commit(value: &Value) -> types::ExtendedCommit {
    let sig = |sig: &Value| types::ExtendedCommitSig {
        block_id_flag: int32(&sig["flag"]),
        validator_address: bytes(&sig["validator_address"]),
        timestamp: time(&sig["timestamp"]),
        signature: bytes(&sig["signature"]),
        extension: bytes(&sig["extension"]),
        extension_signature: bytes(&sig["extension_signature"]),
    };
    let signatures = value["extended_signatures"].as_array().unwrap();
    types::ExtendedCommit {
        height: int(&value["height"]),
        round: int32(&value["round"]),
        block_id: Some(block_id(&value["block_id"])),
        extended_signatures: signatures.iter().map(sig).collect(),
    }
}

pub fn header(value: &Value) -> types::Header {
    types::Header {
        version: Some(proto::version::Consensus {
            block: uint(&value["version_block"]),
            app: uint(&value["version_app"]),
        }),
        chain_id: text(&value["chain_id"]).to_owned(),
        height: int(&value["height"]),
        time: time(&value["time"]),
        last_block_id: Some(block_id(&value["last_block_id"])),
        last_commit_hash: bytes(&value["last_commit_hash"]),
        data_hash: bytes(&value["data_hash"]),
        validators_hash: bytes(&value["validators_hash"]),
        next_validators_hash: bytes(&value["next_validators_hash"]),
        consensus_hash: bytes(&value["consensus_hash"]),
        app_hash: bytes(&value["app_hash"]),
        last_results_hash: bytes(&value["last_results_hash"]),
        evidence_hash: bytes(&value["evidence_hash"]),
        proposer_address: bytes(&value["proposer_address"]),
    }
}

pub fn proof(value: &Value) -> crypto::Proof {
    crypto::Proof {
        total: int(&value["total"]),
        index: int(&value["index"]),
        leaf_hash: bytes(&value["leaf_hash"]),
        aunts: value["aunts"].as_array().unwrap().iter().map(bytes).collect(),
    }
}

fn key(value: &Value) -> PublicKey {
    let name = value["pub_key_type"].as_str().unwrap_or(PublicKey::ED25519);
    PublicKey::from_type_name(name, &bytes(&value["pub_key"])).unwrap()
}

/// A validator; a negative power is an error.
pub fn validator(value: &Value) -> Result<Validator, Invalid> {
    let power = Power::from_wire(int(&value["power"]))?;
    let priority = if value["priority"].is_null() { 0 } else { int(&value["priority"]) };
    Ok(Validator { priority, ..Validator::new(key(value), power) })
}

pub fn validators(value: &Value) -> Result<Vec<Validator>, Invalid> {
    value.as_array().unwrap().iter().map(validator).collect()
}

/// The proposer record names no key: it is that of the validator with its address, or, if that
/// has left, one of the `others`.
pub fn set_with(value: &Value, others: &[Validator]) -> ValidatorSet {
    let members = validators(&value["validators"]).unwrap();
    let record = &value["proposer"];
    let proposer = record["address"].as_str().map(|address| {
        let named = |v: &&Validator| hex::encode(v.address.as_bytes()) == address;
        let found = members.iter().chain(others).find(named).unwrap();
        Validator {
            power: Power(uint(&record["power"])),
            priority: int(&record["priority"]),
            ..*found
        }
    });
    ValidatorSet::from_parts(members, proposer).unwrap()
}

pub fn set(value: &Value) -> ValidatorSet {
    set_with(value, &[])
}
