//! A validator: key, power and its place in the rotation of proposers.
use std::cmp::Ordering;

use guts_abci::proto;
use guts_genesis::{Address, KeyError, Power, PublicKey};

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
        let key =
            PublicKey::from_proto(validator.pub_key.as_ref()).map_err(|error| match error {
                KeyError::Missing => Invalid::KeyTypeUnsupported,
                other => other.into(),
            })?;
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
            pub_key: Some(self.key.to_proto()),
            voting_power: self.power.wire(),
            proposer_priority: self.priority,
        }
    }
}
