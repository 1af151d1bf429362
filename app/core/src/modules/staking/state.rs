//! Where validators lie.

use std::collections::BTreeMap;

use guts_abci::proto::abci::ValidatorUpdate;
use guts_abci::proto::crypto::{PublicKey, public_key::Sum};
use guts_schema::ids::ValidatorAddress;
use guts_schema::keys::{self, Queue};
use guts_schema::{AccountId, Key, events, proto};
use guts_state::Read;

use crate::fault::Broken;
use crate::modules::{account, params};
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

    /// True when the account operates one of these that has power.
    pub fn operates(&self, account: &AccountId) -> bool {
        let operator = |v: &proto::Validator| v.power > 0 && v.account == account.as_bytes();
        self.validators.iter().any(operator)
    }

    /// Power of all.
    pub fn total(&self) -> u128 {
        self.validators.iter().map(|validator| u128::from(validator.power)).sum()
    }
}

/// The newest set: in force, or about to be.
pub fn newest(view: &dyn Read) -> Result<Vec<proto::Validator>, Broken> {
    let none = || Broken::Contradiction("there are no validators".into());
    let set: proto::Validators = load(view, &keys::validators())?.ok_or_else(none)?;
    Ok(set.validators)
}

/// The set whose signatures count in the block that is executed.
pub fn in_force(run: &Run<'_>) -> Result<Set, Broken> {
    let none = || Broken::Contradiction("there are no validators".into());
    at(&run.state, run.block.height)?.ok_or_else(none)
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
pub fn operates(run: &Run<'_>, account: &AccountId) -> Result<bool, Broken> {
    Ok(in_force(run)?.operates(account))
}

/// The stake of those of the newest set that have at least so much, and of all of it.
pub fn held_by(view: &dyn Read, least: u64) -> Result<(u128, u128), Broken> {
    let (mut held, mut all) = (0u128, 0u128);
    for one in newest(view)? {
        let tokens = info(view, &address(&one.address)?)?.unwrap_or_default().tokens;
        all = all.saturating_add(u128::from(tokens));
        if tokens >= least {
            held = held.saturating_add(u128::from(tokens));
        }
    }
    Ok((held, all))
}

/// How one set becomes the other, for the engine: sorted by address, power 0 for whoever left.
pub fn updates(before: &[proto::Validator], after: &[proto::Validator]) -> Vec<ValidatorUpdate> {
    let powers = |set: &[proto::Validator]| -> BTreeMap<Vec<u8>, (Vec<u8>, u64)> {
        let entry = |v: &proto::Validator| (v.address.clone(), (v.consensus_key.clone(), v.power));
        set.iter().map(entry).collect()
    };
    let (before, mut after) = (powers(before), powers(after));
    for (address, (key, _)) in &before {
        after.entry(address.clone()).or_insert_with(|| (key.clone(), 0));
    }
    let changed = after.into_iter().filter(|(address, entry)| before.get(address) != Some(entry));
    let update = |(_, (key, power)): (Vec<u8>, (Vec<u8>, u64))| ValidatorUpdate {
        pub_key: Some(PublicKey { sum: Some(Sum::Ed25519(key)) }),
        power: i64::try_from(power).unwrap_or(i64::MAX),
    };
    changed.map(update).collect()
}

/// Whether a set is the one that a genesis document names.
pub(crate) fn is_set_of(set: &[proto::Validator], document: &[ValidatorUpdate]) -> bool {
    let by_key = |list: &[ValidatorUpdate]| -> BTreeMap<Vec<u8>, i64> {
        let key = |update: &ValidatorUpdate| match update.pub_key.as_ref()?.sum.as_ref()? {
            Sum::Ed25519(key) => Some((key.clone(), update.power)),
            _ => None,
        };
        list.iter().filter_map(key).collect()
    };
    let ours = by_key(&updates(&[], set));
    ours == by_key(document) && set.len() == document.len()
}

/// A validator, in the set or not.
pub fn info(
    view: &dyn Read,
    address: &ValidatorAddress,
) -> Result<Option<proto::ValidatorInfo>, Broken> {
    load(view, &keys::validator(address))
}

/// A place among the candidates.
pub(super) enum Place {
    /// It is there.
    Free,
    /// Where there is no room: that of another, who has so much stake, which is less.
    Of(ValidatorAddress, u64),
    /// There is none. So much stake takes one, unless all candidates are in the set.
    None(Option<u64>),
}

/// The place that a validator with enough stake gets. Where all are taken, the candidate with
/// least stake gives up its own to one with more; none that is in the set does, since that would
/// take it out of the set in an epoch in which it did nothing.
pub(super) fn place(
    view: &dyn Read,
    list: &[ValidatorAddress],
    one: &ValidatorAddress,
    tokens: u64,
) -> Result<Place, Broken> {
    let most = params::get(view)?.candidates_max;
    if (list.len() as u64) < most || list.binary_search(one).is_ok() {
        return Ok(Place::Free);
    }
    let set: proto::Validators = load(view, &keys::validators())?.unwrap_or_default();
    let in_set = |one: &ValidatorAddress| set.validators.iter().any(|v| v.address == one.to_vec());
    let mut least: Option<(u64, ValidatorAddress)> = None;
    for other in list.iter().filter(|other| !in_set(other)) {
        let has = info(view, other)?.unwrap_or_default().tokens;
        // Of equal ones the last, as in elections.
        if least.is_none_or(|(found, _)| has <= found) {
            least = Some((has, *other));
        }
    }
    Ok(match least {
        Some((has, other)) if has < tokens => Place::Of(other, has),
        least => Place::None(least.map(|(has, _)| has.saturating_add(1))),
    })
}

/// Writes a validator; it is a candidate while it has enough stake, may ever be elected, and has a
/// [`place`]. All that is asked whenever it is written, so a change of what is enough, or a place
/// that was left, holds from its next change on.
pub(super) fn put_info(
    run: &mut Run<'_>,
    address: &ValidatorAddress,
    info: &proto::ValidatorInfo,
) -> Result<(), Broken> {
    run.save(keys::validator(address), info)?;
    let mut list = candidates(&run.state)?;
    let least = params::get(&run.state)?.validator_stake_min;
    let wanted = info.shares > 0 && info.tokens >= least && !info.tombstoned;
    match (list.binary_search(address), wanted) {
        (Err(_), true) => {
            match place(&run.state, &list, address, info.tokens)? {
                Place::Free => {}
                Place::Of(other, has) => {
                    list.retain(|one| *one != other);
                    run.emit(
                        events::CANDIDATE_OUTBID,
                        &[("validator", &other), ("amount", &has), ("by", address)],
                    );
                }
                Place::None(_) => return Ok(()),
            }
            list.insert(list.partition_point(|one| one < address), *address);
        }
        (Ok(place), false) => {
            list.remove(place);
        }
        _ => return Ok(()),
    }
    let validators = list.iter().map(ValidatorAddress::to_vec).collect();
    run.save(keys::candidates(), &proto::Candidates { validators })
}

/// Validators with enough stake that may be elected, sorted.
pub fn candidates(view: &dyn Read) -> Result<Vec<ValidatorAddress>, Broken> {
    let list: proto::Candidates = load(view, &keys::candidates())?.unwrap_or_default();
    list.validators.iter().map(|bytes| address(bytes)).collect()
}

pub(super) fn address(bytes: &[u8]) -> Result<ValidatorAddress, Broken> {
    ValidatorAddress::from_slice(bytes).map_err(|error| Broken::Contradiction(error.to_string()))
}

/// The validator that an account operates, or last operated.
pub fn operated(view: &dyn Read, id: &AccountId) -> Result<Option<ValidatorAddress>, Broken> {
    let record: Option<proto::OperatorOf> = load(view, &keys::operator(id))?;
    record.map(|record| address(&record.validator)).transpose()
}

pub(super) fn put_operated(
    run: &mut Run<'_>,
    id: &AccountId,
    validator: &ValidatorAddress,
) -> Result<(), Broken> {
    run.save(keys::operator(id), &proto::OperatorOf { validator: validator.to_vec() })
}

/// What an account has with a validator.
pub fn delegation(
    view: &dyn Read,
    validator: &ValidatorAddress,
    id: &AccountId,
) -> Result<Option<proto::Delegation>, Broken> {
    load(view, &keys::delegation(validator, id))
}

/// Writes what an account has with a validator, and lists it while there is something.
pub(super) fn put_delegation(
    run: &mut Run<'_>,
    validator: &ValidatorAddress,
    id: &AccountId,
    delegation: &proto::Delegation,
) -> Result<(), Broken> {
    let key = keys::delegation(validator, id);
    let mut of = delegations_of(&run.state, id)?;
    let place = of.validators.binary_search(&validator.to_vec());
    if delegation.shares == 0 {
        run.state.delete(key);
        if let Ok(place) = place {
            of.validators.remove(place);
            put_delegations_of(run, id, &of)?;
        }
        return Ok(());
    }
    run.save(key, delegation)?;
    if let Err(place) = place {
        of.validators.insert(place, validator.to_vec());
        put_delegations_of(run, id, &of)?;
    }
    Ok(())
}

/// The validators that an account has stake with, and how much of it is under way.
pub fn delegations_of(view: &dyn Read, id: &AccountId) -> Result<proto::DelegationsOf, Broken> {
    Ok(load(view, &keys::delegations_of(id))?.unwrap_or_default())
}

/// The shares that an account has, by validator.
pub fn held(view: &dyn Read, id: &AccountId) -> Result<Vec<(ValidatorAddress, u64)>, Broken> {
    let mut held = Vec::new();
    for bytes in delegations_of(view, id)?.validators {
        let address = address(&bytes)?;
        let shares = delegation(view, &address, id)?.unwrap_or_default().shares;
        held.push((address, shares));
    }
    Ok(held)
}

fn put_delegations_of(
    run: &mut Run<'_>,
    id: &AccountId,
    of: &proto::DelegationsOf,
) -> Result<(), Broken> {
    if of.validators.is_empty() && of.unbondings == 0 {
        run.state.delete(keys::delegations_of(id));
        return Ok(());
    }
    run.save(keys::delegations_of(id), of)
}

/// Puts stake on its way; it is due when the queue says.
pub(super) fn add_unbonding(run: &mut Run<'_>, entry: &proto::Unbonding) -> Result<(), Broken> {
    let number = account::queue_range(&run.state, Queue::Unbondings)?.end;
    account::queue_push(run, Queue::Unbondings, entry.due_s, &number.to_be_bytes())?;
    run.save(keys::unbonding(number), entry)?;
    count_unbonding(run, entry, |count| count.checked_add(1))
}

fn count_unbonding(
    run: &mut Run<'_>,
    entry: &proto::Unbonding,
    change: impl FnOnce(u64) -> Option<u64>,
) -> Result<(), Broken> {
    let wrong = || Broken::Contradiction("unbondings are counted wrong".into());
    let id = AccountId::from_slice(&entry.delegator).map_err(|_| wrong())?;
    let mut of = delegations_of(&run.state, &id)?;
    of.unbondings = change(of.unbondings).ok_or_else(wrong)?;
    put_delegations_of(run, &id, &of)
}

/// Stake that is on its way, with its number.
pub(super) fn unbondings(view: &dyn Read) -> Result<Vec<(u64, proto::Unbonding)>, Broken> {
    let hole = || Broken::Contradiction("the unbondings have a hole".into());
    let numbers = account::queue_range(view, Queue::Unbondings)?;
    let entry = |n: u64| Ok((n, load(view, &keys::unbonding(n))?.ok_or_else(hole)?));
    numbers.map(entry).collect()
}

/// How much stake is on its way, in entries.
pub(super) fn unbonding_count(view: &dyn Read) -> Result<u64, Broken> {
    let numbers = account::queue_range(view, Queue::Unbondings)?;
    Ok(numbers.end.saturating_sub(numbers.start))
}

/// Writes down until which height the power of what left in this epoch counts. The newest entries
/// are those without a height: each is looked at once.
pub(super) fn date_unbondings(run: &mut Run<'_>, until_height: u64) -> Result<(), Broken> {
    let hole = || Broken::Contradiction("the unbondings have a hole".into());
    for number in account::queue_range(&run.state, Queue::Unbondings)?.rev() {
        let entry: Option<proto::Unbonding> = run.load(&keys::unbonding(number))?;
        let mut entry = entry.ok_or_else(hole)?;
        if entry.until_height != 0 {
            break;
        }
        entry.until_height = until_height;
        put_unbonding(run, number, &entry)?;
    }
    Ok(())
}

pub(super) fn put_unbonding(
    run: &mut Run<'_>,
    number: u64,
    entry: &proto::Unbonding,
) -> Result<(), Broken> {
    run.save(keys::unbonding(number), entry)
}

/// Takes out what is due, at most `max` entries.
pub(super) fn pop_unbondings(
    run: &mut Run<'_>,
    max: usize,
) -> Result<Vec<proto::Unbonding>, Broken> {
    let wrong = || Broken::Contradiction("an unbonding that is due is not there".into());
    let mut due = Vec::new();
    for id in account::queue_pop_due(run, Queue::Unbondings, max)? {
        let number = id[..].try_into().map(u64::from_be_bytes).map_err(|_| wrong())?;
        let entry: proto::Unbonding = run.load(&keys::unbonding(number))?.ok_or_else(wrong)?;
        run.state.delete(keys::unbonding(number));
        count_unbonding(run, &entry, |count| count.checked_sub(1))?;
        due.push(entry);
    }
    Ok(due)
}

/// The numbers of the counted blocks that a validator missed.
pub(super) fn missed(view: &dyn Read, validator: &ValidatorAddress) -> Result<Vec<u64>, Broken> {
    let missed: Option<proto::Missed> = load(view, &keys::missed(validator))?;
    Ok(missed.unwrap_or_default().numbers)
}

pub(super) fn put_missed(
    run: &mut Run<'_>,
    validator: &ValidatorAddress,
    numbers: Vec<u64>,
) -> Result<(), Broken> {
    if numbers.is_empty() {
        run.state.delete(keys::missed(validator));
        return Ok(());
    }
    run.save(keys::missed(validator), &proto::Missed { numbers })
}

/// The epoch that is running.
pub fn epoch(view: &dyn Read) -> Result<proto::Epoch, Broken> {
    let none = || Broken::Contradiction("no epoch is running".into());
    load(view, &keys::epoch())?.ok_or_else(none)
}

/// Whether an epoch ended in the block that is executed.
pub fn epoch_ended(run: &Run<'_>) -> Result<bool, Broken> {
    Ok(epoch(&run.state)?.begun_height == run.block.height)
}

pub(super) fn put_epoch(run: &mut Run<'_>, epoch: &proto::Epoch) -> Result<(), Broken> {
    run.save(keys::epoch(), epoch)
}

/// Sets of the past that are remembered: the last two heights ask for theirs, no others do.
const SETS_MAX: usize = 8;

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
    while changes.heights.len() > SETS_MAX {
        let oldest = changes.heights.remove(0);
        run.state.delete(keys::validators_at(oldest));
    }
    run.save(keys::validators_changes(), &changes)
}
