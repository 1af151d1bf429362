//! 10-evidence: duplicate votes and light-client attacks.
use bytes::Bytes;
use guts_abci::proto::{Message, types};
use guts_consensus::types::{
    BlockId, DuplicateVote, Evidence, Hash, Invalid, LightBlock, ValidatorSet, Vote, VoteKind,
    encode_evidence_list, evidence_hash, is_evidence_expired,
};
use guts_genesis::{Address, Height, Round, Signature, Time, Zip215};
use serde_json::Value;

use crate::support::*;

fn decode(value: &Value) -> Result<Evidence, Invalid> {
    Evidence::from_proto(types::Evidence::decode(bytes(value).as_slice()).unwrap())
}

fn check_abci(case: &Value, evidence: &Evidence) {
    let ours = evidence.to_abci();
    let theirs = case["abci"].as_array().unwrap();
    assert_eq!(ours.len(), theirs.len(), "{}", name(case));
    for (ours, theirs) in ours.iter().zip(theirs) {
        assert_eq!(ours.encode_to_vec(), bytes(&theirs["proto"]), "{}", name(case));
    }
}

#[test]
fn evidence_is_encoded_checked_and_expires_as_recorded() {
    each_case("10-evidence.json", 77, |kind, case| match kind {
        "duplicate_vote" => check_duplicate_vote(case),
        "duplicate_vote_new_error" => check_new_error(case),
        // Seen beside the code: the function is not public.
        "light_attack_hash" => {}
        "duplicate_vote_check" => {
            let wire = types::DuplicateVoteEvidence::decode(bytes(&case["bytes"]).as_slice());
            let read = DuplicateVote::from_proto(wire.unwrap());
            let read = expect(read, &case["validate_basic"], name(case));
            if let (Some(evidence), true) = (read, case["verify"].is_object()) {
                let validators = set(&case["validators"]);
                let verified = evidence.verify(&Zip215, text(&case["chain_id"]), &validators);
                expect(verified, &case["verify"], name(case));
            }
        }
        "expired" => {
            let at = |height: &str, at: &str| {
                (int(&case[height]), Time::from_proto(time(&case[at]).as_ref()).unwrap())
            };
            let limits = (int(&case["max_age_num_blocks"]), int(&case["max_age_duration_ns"]));
            let now = at("height_now", "time_now");
            let expired = is_evidence_expired(now, at("height_evidence", "time_evidence"), limits);
            assert_eq!(Some(expired), case["expired"].as_bool(), "{}", name(case));
        }
        "light_client_attack" => check_light_attack(case),
        "list" => {
            let list = case["evidence_protos"].as_array().unwrap();
            let list: Vec<Evidence> = list.iter().map(|one| decode(one).unwrap()).collect();
            let hashes = case["evidence_hashes"].as_array().unwrap();
            for (evidence, hash) in list.iter().zip(hashes) {
                assert_eq!(evidence.hash().as_bytes(), bytes(hash), "{}", name(case));
            }
            assert_eq!(evidence_hash(&list).as_bytes(), bytes(&case["hash"]), "{}", name(case));
            assert_eq!(encode_evidence_list(&list), bytes(&case["list_proto"]));
        }
        "decode" => {
            expect(decode(&case["evidence_proto"]), &case["result"], name(case));
        }
        other => panic!("unknown kind {other}"),
    });
}

fn check_duplicate_vote(case: &Value) {
    let read = decode(&case["evidence_proto"]);
    let read = expect(read, &case["validate_basic"], name(case));
    let Some(Evidence::DuplicateVote(evidence)) = read else { return };
    let validators = set(&case["validators"]);
    let (one, two) = (Vote::from_proto(vote(&case["vote_1"])), vote(&case["vote_2"]));
    let time = Time::from_proto(time(&case["block_time"]).as_ref()).unwrap();
    if let (Ok(one), Ok(two)) = (one, Vote::from_proto(two)) {
        let made = DuplicateVote::new(one, two, time, &validators);
        assert_eq!(made.as_ref(), Ok(evidence.as_ref()), "{}", name(case));
    }
    let verified = evidence.verify(&Zip215, text(&case["chain_id"]), &validators);
    expect(verified, &case["verify"], name(case));
    let evidence = Evidence::DuplicateVote(evidence);
    assert_eq!(evidence.hash().as_bytes(), bytes(&case["hash"]), "{}", name(case));
    assert_eq!(evidence.to_proto().encode_to_vec(), bytes(&case["evidence_proto"]));
    assert_eq!(evidence.height().wire(), int(&case["height"]));
    check_abci(case, &evidence);
}

/// What cannot be made into evidence. A missing vote is one that is not on the wire; a missing set
/// does not exist here, and nobody is in an empty one.
fn check_new_error(case: &Value) {
    let vote = |block: &[u8]| Vote {
        kind: VoteKind::Prevote,
        height: Height(1),
        round: Round(0),
        block_id: BlockId { hash: Hash::of(block), ..BlockId::NIL },
        time: Time::EPOCH,
        validator_address: Address([7; 20]),
        validator_index: 0,
        signature: Signature::NONE,
        extension: Bytes::new(),
        extension_signature: Signature::NONE,
    };
    let present = |name: &str, block: &[u8]| (case[name] == true).then(|| vote(block));
    let votes = (present("vote_1_present", b"a"), present("vote_2_present", b"b"));
    let made = match votes {
        (Some(one), Some(other)) => {
            let nobody = case["validators"].is_null();
            let set = if nobody { ValidatorSet::default() } else { set(&case["validators"]) };
            DuplicateVote::new(one, other, Time::EPOCH, &set).map_err(|error| match nobody {
                true => Invalid::ValidatorsMissing,
                false => error,
            })
        }
        (a, b) => DuplicateVote::from_proto(types::DuplicateVoteEvidence {
            vote_a: a.map(|vote| vote.to_proto()),
            vote_b: b.map(|vote| vote.to_proto()),
            ..types::DuplicateVoteEvidence::default()
        }),
    };
    expect(made, &case["result"], name(case));
}

fn check_light_attack(case: &Value) {
    let read = decode(&case["evidence_proto"]);
    // Named validators are checked when they are read.
    if case["verify"]["error_kind"] == "byzantine-key" {
        assert_eq!(read, Err(Invalid::AddressMismatch));
        return;
    }
    let Some(evidence) = expect(read, &case["validate_basic"], name(case)) else { return };
    assert_eq!(evidence.hash().as_bytes(), bytes(&case["hash"]), "{}", name(case));
    assert_eq!(evidence.to_proto().encode_to_vec(), bytes(&case["evidence_proto"]));
    check_abci(case, &evidence);
    // An empty list and none differ only in the memory of CometBFT.
    if case["name"] == "light-attack/amnesia-empty-not-nil-list" {
        return;
    }
    let Evidence::LightClientAttack(attack) = evidence else { panic!("{}", name(case)) };
    let block = |value: &Value| {
        let wire = types::LightBlock::decode(bytes(value).as_slice()).unwrap();
        LightBlock::from_proto(wire).unwrap()
    };
    let (trusted, common) =
        (block(&case["trusted_block_proto"]), block(&case["common_block_proto"]));
    // The common block is our block at the common height.
    let is_same = attack.common_height == trusted.header().height;
    let common = if is_same { &trusted } else { &common };
    let (common, trusted) = (&common.validators, &trusted.signed_header);
    let signed = attack.check_signed(&Zip215, &trusted.header.chain_id, common);
    let verified = signed.and_then(|()| attack.check_against(common, trusted));
    expect(verified, &case["verify"], name(case));
}
