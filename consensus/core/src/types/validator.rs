//! A validator: key, power and its place in the rotation of proposers.
use std::cmp::Ordering;

use guts_abci::proto::{self, crypto::public_key::Sum};
use guts_genesis::{Address, Power, PublicKey};

use super::{Invalid, wire};

/// A validator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validator {
    /// Address of the key.
    pub address: Address,
    /// The key it signs with.
    pub key: PublicKey,
    /// Its voting power.
    pub power: Power,
    /// Its proposer priority: the highest proposes next.
    pub priority: i64,
}

impl Validator {
    /// A validator with priority zero.
    pub fn new(key: PublicKey, power: Power) -> Validator {
        Validator { address: key.address(), key, power, priority: 0 }
    }

    /// Falling power, then rising address: the order in a set.
    pub(crate) fn order_in_set(&self, other: &Validator) -> Ordering {
        other.power.cmp(&self.power).then_with(|| self.address.cmp(&other.address))
    }

    /// Rising priority; on ties, falling address: the greatest proposes.
    pub(crate) fn order_to_propose(&self, other: &Validator) -> Ordering {
        self.priority.cmp(&other.priority).then_with(|| other.address.cmp(&self.address))
    }

    /// What the hash of the set covers: key and power.
    pub(crate) fn leaf(&self) -> Vec<u8> {
        let mut key = Vec::with_capacity(36);
        let field = match self.key {
            PublicKey::Ed25519(_) => 1,
            PublicKey::Secp256k1(_) => 2,
        };
        wire::put_message(&mut key, field, self.key.as_bytes());
        let mut out = Vec::with_capacity(48);
        wire::put_message(&mut out, 1, &key);
        wire::put_int(&mut out, 2, self.power.wire());
        out
    }

    /// Reads and checks the wire form.
    pub fn from_proto(validator: &proto::types::Validator) -> Result<Validator, Invalid> {
        let key = key_from_proto(validator.pub_key.as_ref())?;
        let power = Power::from_wire(validator.voting_power)?;
        if validator.address != key.address().as_bytes() {
            return Err(Invalid::AddressMismatch);
        }
        let priority = validator.proposer_priority;
        Ok(Validator { address: key.address(), key, power, priority })
    }

    /// The wire form.
    pub fn to_proto(&self) -> proto::types::Validator {
        proto::types::Validator {
            address: self.address.as_bytes().to_vec(),
            pub_key: Some(key_to_proto(&self.key)),
            voting_power: self.power.wire(),
            proposer_priority: self.priority,
        }
    }
}

/// Reads the wire form of a key.
pub fn key_from_proto(key: Option<&proto::crypto::PublicKey>) -> Result<PublicKey, Invalid> {
    match key.and_then(|key| key.sum.as_ref()) {
        Some(Sum::Ed25519(bytes)) => Ok(PublicKey::ed25519(bytes)?),
        Some(Sum::Secp256k1(bytes)) => Ok(PublicKey::secp256k1(bytes)?),
        None => Err(Invalid::KeyTypeUnsupported),
    }
}

/// The wire form of a key.
pub fn key_to_proto(key: &PublicKey) -> proto::crypto::PublicKey {
    let bytes = key.as_bytes().to_vec();
    let sum = match key {
        PublicKey::Ed25519(_) => Sum::Ed25519(bytes),
        PublicKey::Secp256k1(_) => Sum::Secp256k1(bytes),
    };
    proto::crypto::PublicKey { sum: Some(sum) }
}
