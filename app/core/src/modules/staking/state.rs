//! Where validators lie.

use guts_schema::ids::ValidatorAddress;
use guts_schema::{AccountId, Key, keys, proto};
use guts_state::Read;

use crate::fault::Broken;
use crate::run::{Run, load};

/// A set of validators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    validators: Vec<proto::Validator>,
}

impl Set {
    fn find(&self, address: &ValidatorAddress) -> Option<&proto::Validator> {
        let found = self.validators.binary_search_by(|v| v.address[..].cmp(address.as_bytes()));
        found.ok().and_then(|index| self.validators.get(index))
    }

    /// Power of a validator; 0 for one that is not in the set.
    pub fn power(&self, address: &ValidatorAddress) -> u64 {
        self.find(address).map_or(0, |validator| validator.power)
    }

    /// Key of a validator.
    pub fn key(&self, address: &ValidatorAddress) -> Option<Key> {
        Key::from_slice(&self.find(address)?.consensus_key).ok()
    }

    /// Power of all.
    pub fn total(&self) -> u128 {
        self.validators.iter().map(|validator| u128::from(validator.power)).sum()
    }
}

/// The set in force.
pub fn in_force(view: &dyn Read) -> Result<Set, Broken> {
    let none = || Broken::Contradiction("there are no validators".into());
    let set: proto::Validators = load(view, &keys::validators())?.ok_or_else(none)?;
    Ok(Set { validators: set.validators })
}

/// The set whose signatures count at `height`; none for heights before the first.
pub fn at(view: &dyn Read, height: u64) -> Result<Option<Set>, Broken> {
    let changes: proto::ValidatorsChanges =
        load(view, &keys::validators_changes())?.unwrap_or_default();
    let Some(from) = changes.heights.iter().rev().find(|from| **from <= height) else {
        return Ok(None);
    };
    let none = || Broken::Contradiction(format!("no validators from height {from} on"));
    let set: proto::Validators = load(view, &keys::validators_at(*from))?.ok_or_else(none)?;
    Ok(Some(Set { validators: set.validators }))
}

/// True when the account operates a validator that has power.
pub fn operates(view: &dyn Read, account: &AccountId) -> Result<bool, Broken> {
    let operator = |v: &proto::Validator| v.power > 0 && v.account == account.as_bytes();
    Ok(in_force(view)?.validators.iter().any(operator))
}

/// Puts a set in force whose signatures count from `height` on.
pub(super) fn put(
    run: &mut Run<'_>,
    height: u64,
    mut validators: Vec<proto::Validator>,
) -> Result<(), Broken> {
    validators.sort_by(|a, b| a.address.cmp(&b.address));
    let set = proto::Validators { validators };
    run.save(keys::validators(), &set)?;
    run.save(keys::validators_at(height), &set)?;
    let mut changes: proto::ValidatorsChanges =
        run.load(&keys::validators_changes())?.unwrap_or_default();
    changes.heights.push(height);
    run.save(keys::validators_changes(), &changes)
}
