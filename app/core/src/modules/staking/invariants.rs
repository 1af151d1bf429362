//! Audits of the validators.

use std::collections::BTreeMap;

use guts_schema::ids::ValidatorAddress;
use guts_schema::{Key, keys, names, proto, stake};

use crate::fault::Broken;
use crate::modules::params;
use crate::whole::{Whole, wrong};

pub(super) fn audit(whole: &Whole) -> Result<(), Broken> {
    let set: proto::Validators = whole.get(&keys::validators())?.unwrap_or_default();
    let changes: proto::ValidatorsChanges =
        whole.get(&keys::validators_changes())?.unwrap_or_default();
    if set.validators.iter().all(|validator| validator.power == 0) {
        return wrong("no validator has power");
    }
    if set.validators.windows(2).any(|pair| pair[0].address >= pair[1].address) {
        return wrong("validators are not sorted by address");
    }
    for validator in &set.validators {
        let key = Key::from_slice(&validator.consensus_key);
        let address = key.map(|key| ValidatorAddress::of_key(&key));
        if !address.is_ok_and(|address| address.as_bytes()[..] == validator.address[..]) {
            return wrong("a validator under another's address");
        }
    }
    if changes.heights.windows(2).any(|pair| pair[0] >= pair[1]) {
        return wrong("the heights of validator changes do not rise");
    }
    let last = changes.heights.last().map(|height| keys::validators_at(*height));
    let last: Option<proto::Validators> =
        last.map(|key| whole.get(&key)).transpose()?.unwrap_or_default();
    if last != Some(set) {
        return wrong("the validators in force are not the last recorded");
    }
    audit_stake(whole)?;
    audit_unbondings(whole)
}

/// Shares add up to each validator's, stake to what is bonded, rewards to no more than there are.
fn audit_stake(whole: &Whole) -> Result<(), Broken> {
    let supply: proto::Supply = whole.get(&keys::supply())?.unwrap_or_default();
    let (mut bonded, mut rewards) = (0u128, 0u128);
    let mut candidates = Vec::new();
    let mut listed: BTreeMap<Vec<u8>, Vec<Vec<u8>>> = BTreeMap::new();
    for (address, info) in whole.below::<proto::ValidatorInfo>("validator/")? {
        let mut shares = 0u128;
        let prefix = [b"delegation/", &address[..]].concat();
        for (account, delegation) in whole.under::<proto::Delegation>(&prefix)? {
            let due = stake::rewards(&delegation, &info).filter(|_| delegation.shares > 0);
            let Some(due) = due else {
                return wrong("a delegation of nothing, or with rewards to come");
            };
            rewards += u128::from(due);
            shares += u128::from(delegation.shares);
            listed.entry(account).or_default().push(address.clone());
        }
        if shares != u128::from(info.shares) || (info.shares == 0 && info.tokens > 0) {
            return wrong(format!("shares of a validator add up to {shares}"));
        }
        if !info.gateway.is_empty() && names::check_gateway_url(&info.gateway).is_err() {
            return wrong("a gateway that cannot be asked");
        }
        rewards += u128::from(info.commission_due);
        bonded += u128::from(info.tokens);
        if info.shares > 0 && !info.tombstoned {
            candidates.push(address);
        }
    }
    if bonded != u128::from(supply.bonded) || rewards > u128::from(supply.rewards) {
        let (kept, held) = (supply.bonded, supply.rewards);
        let text = format!("stake is {bonded} of {kept}, rewards are {rewards} of {held}");
        return wrong(text);
    }
    let list: proto::Candidates = whole.get(&keys::candidates())?.unwrap_or_default();
    // Those with stake too small are left out, by what was too small when they changed last.
    let sorted = list.validators.windows(2).all(|pair| pair[0] < pair[1]);
    if !sorted || list.validators.iter().any(|one| candidates.binary_search(one).is_err()) {
        return wrong("candidates are not some of those with stake");
    }
    if list.validators.len() as u64 > params::CANDIDATES_MAX {
        return wrong("more candidates than there may ever be");
    }
    for (account, of) in whole.below::<proto::DelegationsOf>("delegations_of/")? {
        if listed.remove(&account).unwrap_or_default() != of.validators {
            return wrong("an account's delegations are listed wrong");
        }
    }
    if listed.is_empty() { Ok(()) } else { wrong("a delegation is not listed") }
}

/// Stake on its way adds up, and is counted for whom it belongs to.
fn audit_unbondings(whole: &Whole) -> Result<(), Broken> {
    let supply: proto::Supply = whole.get(&keys::supply())?.unwrap_or_default();
    let mut sum = 0u128;
    let mut counts: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
    for (_, entry) in whole.below::<proto::Unbonding>("unbonding/")? {
        *counts.entry(entry.delegator).or_default() += 1;
        if entry.to.is_empty() {
            sum += u128::from(entry.amount);
        }
    }
    if sum != u128::from(supply.unbonding) {
        return wrong(format!("{sum} is unbonding, {} is kept", supply.unbonding));
    }
    for (account, of) in whole.below::<proto::DelegationsOf>("delegations_of/")? {
        if counts.remove(&account).unwrap_or_default() != of.unbondings {
            return wrong("an account's unbondings are counted wrong");
        }
    }
    if counts.is_empty() { Ok(()) } else { wrong("an unbonding is not counted") }
}
