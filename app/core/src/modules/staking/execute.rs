//! The actions on stake, and the arithmetic of shares: all checks, then all writes.
//!
//! A validator's stake is divided into shares. Slashing takes stake and leaves shares, so a share
//! never becomes worth more by arithmetic: what is given for stake is rounded down, what is taken
//! for it is rounded up, and what is left over of the last share goes to the treasury.

use std::fmt::Display;

use guts_schema::ids::ValidatorAddress;
use guts_schema::limits::{DELEGATIONS_PER_ACCOUNT_MAX, UNBONDINGS_PER_ACCOUNT_MAX};
use guts_schema::stake::{bought, rewards, sold, worth};
use guts_schema::tx::{StakingAction, ValidatorEdit};
use guts_schema::{AccountId, Key, events, proto};

use super::state::Place;
use super::{authorize, error, state};
use crate::fault::{Broken, Fault};
use crate::modules::account::{self, Pot, Purse};
use crate::modules::params;
use crate::run::Run;

/// A commission changes at most once in this time.
const DAY_S: u64 = 24 * 3600;

/// Executes one action of this module.
pub fn execute(run: &mut Run<'_>, actor: &AccountId, change: &StakingAction) -> Result<(), Fault> {
    authorize::check(run, actor, change)?;
    match change {
        StakingAction::Bond {
            consensus_key,
            peer_id,
            name,
            commission_ppm,
            gateway,
            amount,
            ..
        } => {
            let info = proto::ValidatorInfo {
                consensus_key: consensus_key.to_vec(),
                operator: actor.to_vec(),
                peer_id: peer_id.clone(),
                name: name.clone(),
                commission_ppm: *commission_ppm,
                commission_changed_s: run.block.time_s,
                gateway: gateway.clone(),
                ..Default::default()
            };
            bond(run, actor, consensus_key, &info, *amount)
        }
        StakingAction::EditValidator(change) => edit(run, actor, change),
        StakingAction::Delegate { validator, amount } => delegate(run, actor, validator, *amount),
        StakingAction::Unbond { validator, amount } => unbond(run, actor, validator, *amount),
        StakingAction::Redelegate { from, to, amount } => redelegate(run, actor, from, to, *amount),
        StakingAction::Unjail => unjail(run, actor),
        StakingAction::ClaimRewards { validator } => claim(run, actor, validator),
    }
}

fn existing(run: &Run<'_>, address: &ValidatorAddress) -> Result<proto::ValidatorInfo, Fault> {
    state::info(&run.state, address)?.ok_or_else(|| error::unknown(address))
}

fn check_balance(run: &Run<'_>, actor: &AccountId, amount: u64) -> Result<(), Fault> {
    let balance = account::get(&run.state, actor)?.unwrap_or_default().balance;
    if balance >= amount {
        return Ok(());
    }
    Err(account::error::balance_low(actor, balance, amount))
}

fn bond(
    run: &mut Run<'_>,
    actor: &AccountId,
    key: &Key,
    info: &proto::ValidatorInfo,
    amount: u64,
) -> Result<(), Fault> {
    let address = ValidatorAddress::of_key(key);
    if state::info(&run.state, &address)?.is_some() {
        return Err(error::exists(&address));
    }
    if let Some(other) = state::operated(&run.state, actor)? {
        let was = existing(run, &other)?;
        // Whoever was tombstoned, or has nothing left that shares could be bought of, may begin
        // anew with another key.
        let ended = was.tombstoned || (was.tokens == 0 && was.shares > 0);
        if !ended {
            return Err(error::operator_busy(actor, &other));
        }
    }
    let least = params::get(&run.state)?.validator_stake_min;
    if amount < least {
        return Err(error::small(amount, least));
    }
    check_balance(run, actor, amount)?;
    check_room(run, actor, &address, amount)?;
    state::put_operated(run, actor, &address)?;
    let mut info = info.clone();
    add_stake(run, actor, (&address, &mut info), amount)?;
    account::pay(run, Purse::Balance(actor), Purse::In(Pot::Bonded), amount)?;
    run.emit(
        events::VALIDATOR_BONDED,
        &[("validator", &address), ("account", actor), ("amount", &amount)],
    );
    Ok(())
}

fn edit(run: &mut Run<'_>, actor: &AccountId, change: &ValidatorEdit) -> Result<(), Fault> {
    let ValidatorEdit { peer_id, name, commission_ppm, gateway } = change;
    let address = own_validator(run, actor)?;
    let mut info = existing(run, &address)?;
    if let Some(ppm) = *commission_ppm {
        let (now_s, most) = (run.block.time_s, params::get(&run.state)?.commission_step_ppm);
        let step = u64::from(ppm.abs_diff(info.commission_ppm));
        if step > most {
            return Err(error::commission_step(most, step));
        }
        let from_s = info.commission_changed_s.saturating_add(DAY_S);
        if now_s < from_s {
            return Err(error::commission_early(from_s, now_s));
        }
        info.commission_ppm = ppm;
        info.commission_changed_s = now_s;
    }
    info.peer_id = peer_id.clone().unwrap_or(info.peer_id);
    info.name = name.clone().unwrap_or(info.name);
    info.gateway = gateway.clone().unwrap_or(info.gateway);
    state::put_info(run, &address, &info)?;
    let peer_id = peer_id.as_ref().map(hex::encode);
    let mut attributes: Vec<(&str, &dyn Display)> = vec![("validator", &address)];
    if let Some(peer_id) = &peer_id {
        attributes.push(("peer_id", peer_id));
    }
    if let Some(name) = name {
        attributes.push(("name", name));
    }
    if let Some(ppm) = commission_ppm {
        attributes.push(("commission", ppm));
    }
    if let Some(gateway) = gateway {
        attributes.push(("gateway", gateway));
    }
    run.emit(events::VALIDATOR_EDITED, &attributes);
    Ok(())
}

fn own_validator(run: &Run<'_>, actor: &AccountId) -> Result<ValidatorAddress, Fault> {
    state::operated(&run.state, actor)?.ok_or_else(|| error::not_operator(actor))
}

/// Whether an account may have stake with one validator more, and that validator so much more.
fn check_room(
    run: &Run<'_>,
    actor: &AccountId,
    address: &ValidatorAddress,
    amount: u64,
) -> Result<(), Fault> {
    let of = state::delegations_of(&run.state, actor)?.validators;
    if of.len() >= DELEGATIONS_PER_ACCOUNT_MAX && !of.contains(&address.to_vec()) {
        return Err(error::delegations_many(actor, of.len()));
    }
    let has = state::info(&run.state, address)?.unwrap_or_default().tokens;
    check_place(run, address, has.saturating_add(amount))
}

/// Whether a validator with so much stake may be elected, or need not because it has too little.
fn check_place(run: &Run<'_>, address: &ValidatorAddress, tokens: u64) -> Result<(), Fault> {
    if tokens < params::get(&run.state)?.validator_stake_min {
        return Ok(());
    }
    let candidates = state::candidates(&run.state)?;
    match state::place(&run.state, &candidates, address, tokens)? {
        Place::None(enough) => Err(error::candidates_many(candidates.len(), enough)),
        Place::Free | Place::Of(..) => Ok(()),
    }
}

/// Books stake with a validator; the money is the caller's to move.
pub(super) fn add_stake(
    run: &mut Run<'_>,
    actor: &AccountId,
    (address, info): (&ValidatorAddress, &mut proto::ValidatorInfo),
    amount: u64,
) -> Result<(), Fault> {
    let tokens = info.tokens.checked_add(amount);
    let (Some(shares), Some(tokens)) = (bought(info, amount), tokens) else {
        return Err(error::empty(address));
    };
    let mut delegation = settle(run, actor, (address, info))?;
    let over = || Broken::Contradiction("shares add up to too much".into());
    delegation.shares = delegation.shares.checked_add(shares).ok_or_else(over)?;
    info.shares = info.shares.checked_add(shares).ok_or_else(over)?;
    info.tokens = tokens;
    state::put_delegation(run, address, actor, &delegation)?;
    state::put_info(run, address, info)?;
    Ok(())
}

/// Pays out what is due for an account's shares so far; its delegation, up to date.
pub(super) fn settle(
    run: &mut Run<'_>,
    actor: &AccountId,
    (address, info): (&ValidatorAddress, &proto::ValidatorInfo),
) -> Result<proto::Delegation, Broken> {
    let delegation = state::delegation(&run.state, address, actor)?;
    let mut delegation = delegation.unwrap_or_default();
    let wrong = || Broken::Contradiction("rewards of a delegation that cannot be".into());
    let due = rewards(&delegation, info).ok_or_else(wrong)?;
    pay_out(run, actor, address, due)?;
    delegation.reward_index.clone_from(&info.reward_index);
    Ok(delegation)
}

fn pay_out(
    run: &mut Run<'_>,
    to: &AccountId,
    validator: &ValidatorAddress,
    amount: u64,
) -> Result<(), Broken> {
    if amount == 0 {
        return Ok(());
    }
    account::pay(run, Purse::In(Pot::Rewards), Purse::Balance(to), amount)?;
    run.emit(
        events::REWARDS_PAID,
        &[("validator", validator), ("account", to), ("amount", &amount)],
    );
    Ok(())
}

fn delegate(
    run: &mut Run<'_>,
    actor: &AccountId,
    address: &ValidatorAddress,
    amount: u64,
) -> Result<(), Fault> {
    let mut info = existing(run, address)?;
    if info.tombstoned {
        return Err(error::tombstoned(address));
    }
    check_balance(run, actor, amount)?;
    check_room(run, actor, address, amount)?;
    add_stake(run, actor, (address, &mut info), amount)?;
    account::pay(run, Purse::Balance(actor), Purse::In(Pot::Bonded), amount)?;
    run.emit(events::DELEGATED, &[("validator", address), ("account", actor), ("amount", &amount)]);
    Ok(())
}

/// Books stake out of a validator; the money is the caller's to move. Rewards are paid out.
fn take_stake(
    run: &mut Run<'_>,
    actor: &AccountId,
    address: &ValidatorAddress,
    amount: u64,
) -> Result<(), Fault> {
    let info = existing(run, address)?;
    let held = state::delegation(&run.state, address, actor)?.unwrap_or_default();
    let worth = worth(&info, held.shares);
    if worth < amount {
        return Err(error::low(actor, worth, address, amount));
    }
    let of = state::delegations_of(&run.state, actor)?;
    if of.unbondings >= UNBONDINGS_PER_ACCOUNT_MAX {
        return Err(error::unbondings_many(actor, of.unbondings));
    }
    let params = params::get(&run.state)?;
    let (count, least) = (state::unbonding_count(&run.state)?, params.validator_stake_min);
    // A slash looks at all that is under way. So much at once always goes, and there is only so
    // much stake. Of the other places, half are for accounts that have none under way: few accounts
    // cannot keep the small ones from leaving.
    let places = match of.unbondings {
        0 => params.unbondings_max,
        _ => params.unbondings_max / 2,
    };
    if count >= places && amount < least {
        return Err(error::unbondings_all(count, least));
    }
    let shares = if amount == worth { held.shares } else { sold(&info, amount).min(held.shares) };
    Ok(remove_shares(run, actor, (address, info), shares, amount)?)
}

/// Takes shares, and what they stand for, out of a validator. The last share takes the dust with
/// it, into the treasury.
pub(super) fn remove_shares(
    run: &mut Run<'_>,
    actor: &AccountId,
    (address, mut info): (&ValidatorAddress, proto::ValidatorInfo),
    shares: u64,
    amount: u64,
) -> Result<(), Broken> {
    let wrong = || Broken::Contradiction("more stake leaves a validator than it has".into());
    let mut delegation = settle(run, actor, (address, &info))?;
    delegation.shares = delegation.shares.checked_sub(shares).ok_or_else(wrong)?;
    info.shares = info.shares.checked_sub(shares).ok_or_else(wrong)?;
    info.tokens = info.tokens.checked_sub(amount).ok_or_else(wrong)?;
    if info.shares == 0 {
        let dust = std::mem::take(&mut info.tokens);
        account::pay(run, Purse::In(Pot::Bonded), Purse::In(Pot::Treasury), dust)?;
    }
    state::put_delegation(run, address, actor, &delegation)?;
    state::put_info(run, address, &info)
}

fn on_its_way(
    run: &Run<'_>,
    actor: &AccountId,
    from: &ValidatorAddress,
    amount: u64,
) -> Result<proto::Unbonding, Broken> {
    let lasts_s = params::get(&run.state)?.unbonding_s;
    Ok(proto::Unbonding {
        delegator: actor.to_vec(),
        validator: from.to_vec(),
        amount,
        height: run.block.height,
        due_s: run.block.time_s.saturating_add(lasts_s),
        to: Vec::new(),
        until_height: 0,
    })
}

fn unbond(
    run: &mut Run<'_>,
    actor: &AccountId,
    address: &ValidatorAddress,
    amount: u64,
) -> Result<(), Fault> {
    take_stake(run, actor, address, amount)?;
    account::pay(run, Purse::In(Pot::Bonded), Purse::In(Pot::Unbonding), amount)?;
    let entry = on_its_way(run, actor, address, amount)?;
    state::add_unbonding(run, &entry)?;
    run.emit(
        events::UNBONDING,
        &[("validator", address), ("account", actor), ("amount", &amount), ("due", &entry.due_s)],
    );
    Ok(())
}

/// Stake that came from elsewhere a moment ago still answers for where it came from; so that it
/// can be found, it does not move on before.
fn redelegate(
    run: &mut Run<'_>,
    actor: &AccountId,
    from: &ValidatorAddress,
    to: &ValidatorAddress,
    amount: u64,
) -> Result<(), Fault> {
    if existing(run, to)?.tombstoned {
        return Err(error::tombstoned(to));
    }
    let held = state::delegation(&run.state, from, actor)?.unwrap_or_default();
    if held.locked_until_s > run.block.time_s {
        return Err(error::locked(from, held.locked_until_s));
    }
    check_room(run, actor, to, amount)?;
    take_stake(run, actor, from, amount)?;
    let mut info = existing(run, to)?;
    add_stake(run, actor, (to, &mut info), amount)?;
    let entry = proto::Unbonding { to: to.to_vec(), ..on_its_way(run, actor, from, amount)? };
    state::add_unbonding(run, &entry)?;
    let mut moved = state::delegation(&run.state, to, actor)?.unwrap_or_default();
    moved.locked_until_s = entry.due_s;
    state::put_delegation(run, to, actor, &moved)?;
    run.emit(
        events::REDELEGATED,
        &[("from", from), ("to", to), ("account", actor), ("amount", &amount)],
    );
    Ok(())
}

fn unjail(run: &mut Run<'_>, actor: &AccountId) -> Result<(), Fault> {
    let address = own_validator(run, actor)?;
    let mut info = existing(run, &address)?;
    if info.tombstoned {
        return Err(error::tombstoned(&address));
    }
    if !info.jailed {
        return Err(error::not_jailed(&address));
    }
    if run.block.time_s < info.jailed_until_s {
        return Err(error::jailed_until(&address, info.jailed_until_s, run.block.time_s));
    }
    let least = params::get(&run.state)?.validator_stake_min;
    if info.tokens < least {
        return Err(error::small(info.tokens, least));
    }
    check_place(run, &address, info.tokens)?;
    info.jailed = false;
    info.jailed_until_s = 0;
    state::put_info(run, &address, &info)?;
    run.emit(events::UNJAILED, &[("validator", &address)]);
    Ok(())
}

fn claim(run: &mut Run<'_>, actor: &AccountId, address: &ValidatorAddress) -> Result<(), Fault> {
    let mut info = existing(run, address)?;
    let before = account::get(&run.state, actor)?.unwrap_or_default().balance;
    if state::delegation(&run.state, address, actor)?.is_some() {
        let delegation = settle(run, actor, (address, &info))?;
        state::put_delegation(run, address, actor, &delegation)?;
    }
    if info.operator == actor.to_vec() {
        let due = std::mem::take(&mut info.commission_due);
        pay_out(run, actor, address, due)?;
        state::put_info(run, address, &info)?;
    }
    let after = account::get(&run.state, actor)?.unwrap_or_default().balance;
    if after == before { Err(error::rewards_none(actor, address)) } else { Ok(()) }
}
