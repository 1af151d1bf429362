//! The genesis document: what a chain starts from.
use std::collections::BTreeSet;

use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::json::{self, JsonError, Object};
use crate::{
    Address, ChainId, ChainIdError, ConsensusParams, Height, ParamsError, Power, PublicKey, Time,
};

/// Why a genesis document is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum GenesisError {
    /// Not the JSON of a genesis document.
    #[error("genesis: {0}")]
    Json(#[from] JsonError),
    /// A chain id that is empty or too long.
    #[error("genesis: {0}")]
    ChainId(#[from] ChainIdError),
    /// No genesis time, or the zero time. CometBFT takes the moment at which each node reads the
    /// document, so that no two nodes start from the same chain; here it must be written down.
    #[error(
        "genesis: genesis_time is missing or zero: write the time of the first block, as all \
         nodes must agree on it"
    )]
    TimeMissing,
    /// A negative first height.
    #[error("genesis: initial_height is {0}, it must not be negative")]
    InitialHeight(i64),
    /// Consensus parameters that are not valid.
    #[error("genesis: consensus_params: {0}")]
    Params(#[from] ParamsError),
    /// A validator without power.
    #[error("genesis: validators[{0}].power is 0")]
    PowerZero(usize),
    /// A validator with negative power.
    #[error("genesis: validators[{0}].power is {1}, it must be positive")]
    PowerNegative(usize, i64),
    /// Power above what all validators together may have.
    #[error("genesis: validators[{0}].power: the sum is above {max}", max = Power::MAX_TOTAL)]
    PowerTooLarge(usize),
    /// An address that is not the key's.
    #[error("genesis: validators[{0}].address is not that of its pub_key")]
    Address(usize),
    /// A key that is there twice.
    #[error("genesis: validators[{0}].pub_key is that of an earlier validator")]
    Duplicate(usize),
}

impl GenesisError {
    /// A short, stable name of the reason.
    pub fn kind(&self) -> &'static str {
        match self {
            GenesisError::Json(error) => error.kind(),
            GenesisError::ChainId(ChainIdError::Empty) => "chain-id-empty",
            GenesisError::ChainId(ChainIdError::TooLong(_)) => "chain-id-too-long",
            GenesisError::TimeMissing => "time-missing",
            GenesisError::InitialHeight(_) => "initial-height-negative",
            GenesisError::Params(_) => "params-invalid",
            GenesisError::PowerZero(_) => "power-zero",
            GenesisError::PowerNegative(..) => "power-negative",
            GenesisError::PowerTooLarge(_) => "power-too-large",
            GenesisError::Address(_) => "address-mismatch",
            GenesisError::Duplicate(_) => "duplicate-validator",
        }
    }
}

/// A validator the chain starts with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenesisValidator {
    /// Its key.
    pub key: PublicKey,
    /// Its voting power, positive.
    pub power: Power,
    /// A name for people.
    pub name: String,
}

impl GenesisValidator {
    /// The address of the key.
    pub fn address(&self) -> Address {
        self.key.address()
    }
}

/// A genesis document that has been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenesisDoc {
    /// Time of the first block.
    pub genesis_time: Time,
    /// The chain's name.
    pub chain_id: ChainId,
    /// Height of the first block, usually 1.
    pub initial_height: Height,
    /// Rules all nodes share.
    pub consensus_params: ConsensusParams,
    /// Who validates first; may be empty if the application names them.
    pub validators: Vec<GenesisValidator>,
    /// The application's hash before the first block; usually empty.
    pub app_hash: Vec<u8>,
    /// The application's own part: raw JSON, byte for byte as in the file; empty if there is none.
    pub app_state: String,
}

impl GenesisDoc {
    /// Parses and checks the text of a genesis file. Parameters that are missing as a whole are
    /// the defaults; a missing or zero first height is 1. A missing or zero time is refused
    /// ([`GenesisError::TimeMissing`]).
    pub fn parse(text: &str) -> Result<GenesisDoc, GenesisError> {
        let (doc, app_state) = GenesisDoc::parse_apart(text)?;
        Ok(GenesisDoc { app_state: app_state.to_owned(), ..doc })
    }

    /// Does the same, but leaves `app_state`, which may be large, where it is: the document's is
    /// empty, and the piece of `text` that it is comes beside it.
    pub fn parse_apart(text: &str) -> Result<(GenesisDoc, &str), GenesisError> {
        let doc = Object::parse("", text)?;
        let app_state = doc.raw("app_state").unwrap_or_default();
        let genesis_time = doc.time("genesis_time")?.filter(|time| !time.is_zero());
        let chain_id = doc.string("chain_id")?;
        let initial_height = doc.int64("initial_height")?;
        let consensus_params = match doc.raw("consensus_params") {
            Some(text) => ConsensusParams::from_json(text)?,
            None => ConsensusParams::default(),
        };
        let listed = doc.objects("validators")?;
        let listed = listed.iter().map(read_validator).collect::<Result<Vec<_>, _>>()?;
        let app_hash = doc.hex("app_hash")?;
        let doc = GenesisDoc {
            chain_id: ChainId::new(chain_id)?,
            initial_height: Height::from_wire(initial_height.max(1))
                .map_err(|_| GenesisError::InitialHeight(initial_height))
                .and_then(|height| match initial_height < 0 {
                    true => Err(GenesisError::InitialHeight(initial_height)),
                    false => Ok(height),
                })?,
            consensus_params,
            validators: check_validators(listed)?,
            genesis_time: genesis_time.ok_or(GenesisError::TimeMissing)?,
            app_hash,
            app_state: String::new(),
        };
        doc.consensus_params.check()?;
        Ok((doc, app_state))
    }

    /// The text of a genesis file. `app_state` is spread over lines with the rest.
    pub fn to_json(&self) -> String {
        json::indent(&self.to_compact_json())
    }

    /// The document as compact JSON.
    pub fn to_compact_json(&self) -> String {
        let (before, after) = self.around(!self.app_state.is_empty());
        [before.as_str(), &json::compact(&self.app_state), after].concat()
    }

    /// SHA-256 of the compact document with `app_state` as it stands: equal on two nodes only if
    /// their applications get equal bytes.
    pub fn hash(&self) -> [u8; 32] {
        self.hash_with(&self.app_state)
    }

    /// The same with an `app_state` that was parsed apart.
    pub fn hash_with(&self, app_state: &str) -> [u8; 32] {
        let (before, after) = self.around(!app_state.is_empty());
        let pieces = [before.as_str(), app_state, after].into_iter();
        pieces.fold(Sha256::new(), Digest::chain_update).finalize().into()
    }

    /// The compact document before and after an `app_state`, or in two pieces without one.
    pub fn around(&self, has_app_state: bool) -> (String, &'static str) {
        let mut out = format!(
            "{{\"genesis_time\":\"{}\",\"chain_id\":{},\"initial_height\":\"{}\",\
             \"consensus_params\":{}",
            self.genesis_time,
            json::quote(self.chain_id.as_str()),
            self.initial_height,
            self.consensus_params.to_json(),
        );
        let validator = |v: &GenesisValidator| {
            let (address, key, name) =
                (v.address(), json::public_key(&v.key), json::quote(&v.name));
            format!(
                "{{\"address\":\"{address}\",\"pub_key\":{key},\"power\":\"{}\",\"name\":{name}}}",
                v.power
            )
        };
        if !self.validators.is_empty() {
            let list: Vec<String> = self.validators.iter().map(validator).collect();
            out.push_str(&format!(",\"validators\":[{}]", list.join(",")));
        }
        out.push_str(&format!(",\"app_hash\":\"{}\"", hex::encode_upper(&self.app_hash)));
        if has_app_state {
            out.push_str(",\"app_state\":");
        }
        (out, "}")
    }
}

struct Listed {
    key: PublicKey,
    address: Vec<u8>,
    power: i64,
    name: String,
}

fn read_validator(validator: &Object) -> Result<Listed, GenesisError> {
    Ok(Listed {
        address: validator.hex("address")?,
        key: validator.public_key("pub_key")?,
        power: validator.int64("power")?,
        name: validator.string("name")?,
    })
}

fn check_validators(listed: Vec<Listed>) -> Result<Vec<GenesisValidator>, GenesisError> {
    let mut total = Power::ZERO;
    let mut seen = BTreeSet::new();
    let mut out = Vec::with_capacity(listed.len());
    for (index, listed) in listed.into_iter().enumerate() {
        if listed.power == 0 {
            return Err(GenesisError::PowerZero(index));
        }
        if !listed.address.is_empty() && listed.address != listed.key.address().as_bytes() {
            return Err(GenesisError::Address(index));
        }
        let power = Power::from_wire(listed.power)
            .map_err(|_| GenesisError::PowerNegative(index, listed.power))?;
        total = total.saturating_add(power);
        if total > Power::MAX_TOTAL {
            return Err(GenesisError::PowerTooLarge(index));
        }
        if !seen.insert(listed.key) {
            return Err(GenesisError::Duplicate(index));
        }
        out.push(GenesisValidator { key: listed.key, power, name: listed.name });
    }
    Ok(out)
}
