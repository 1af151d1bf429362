//! What blocks do to stake: evidence is punished before transactions, missed signatures are counted
//! after them, and when an epoch ends rewards are given out and validators elected.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use guts_schema::attest::Attested;
use guts_schema::ids::ValidatorAddress;
use guts_schema::stake::{ppm_of, rewarded, sold, worth};
use guts_schema::{AccountId, events, proto};

use super::execute::remove_shares;
use super::state;
use crate::fault::Broken;
use crate::modules::account::{self, Pot, Purse};
use crate::modules::params;
use crate::run::Run;

/// Unbondings that end per block: more than can begin in one on average.
const ENDED_MAX: usize = 64;

pub(super) fn begin(run: &mut Run<'_>, _attested: Option<&Attested>) -> Result<(), Broken> {
    let block = run.block;
    if block.misbehaviour.is_empty() {
        return Ok(());
    }
    let mut under_way = UnderWay::load(run)?;
    for one in &block.misbehaviour {
        let Some(mut info) = state::info(&run.state, &one.validator)? else { continue };
        if info.tombstoned {
            continue;
        }
        let ppm = params::get(&run.state)?.slash_double_sign_ppm;
        let whose = (&one.validator, one.height);
        slash(run, &mut under_way, whose, ppm, "double_sign")?;
        info = state::info(&run.state, &one.validator)?.unwrap_or(info);
        info.tombstoned = true;
        info.jailed = true;
        state::put_info(run, &one.validator, &info)?;
        state::put_missed(run, &one.validator, Vec::new())?;
    }
    Ok(())
}

pub(super) fn end(run: &mut Run<'_>) -> Result<(), Broken> {
    let epoch = state::epoch(&run.state)?;
    let ends = run.block.time_s > epoch.ends_s;
    if run.block.has_txs {
        count_missed(run)?;
    }
    if run.block.has_txs || ends {
        for entry in state::pop_unbondings(run, ENDED_MAX)? {
            if entry.to.is_empty() && entry.amount > 0 {
                release(run, &entry)?;
            }
        }
    }
    if ends { end_epoch(run, &epoch) } else { Ok(()) }
}

fn release(run: &mut Run<'_>, entry: &proto::Unbonding) -> Result<(), Broken> {
    let id = delegator(entry)?;
    account::pay(run, Purse::In(Pot::Unbonding), Purse::Balance(&id), entry.amount)?;
    run.emit(events::UNBONDED, &[("account", &id), ("amount", &entry.amount)]);
    Ok(())
}

fn delegator(entry: &proto::Unbonding) -> Result<AccountId, Broken> {
    AccountId::from_slice(&entry.delegator).map_err(|e| Broken::Contradiction(e.to_string()))
}

/// Stake under way: loaded once for all slashes of a hook, however much of it there is.
struct UnderWay {
    entries: BTreeMap<u64, proto::Unbonding>,
    /// What goes to balances, by whose it is and where it was.
    leaving: BTreeMap<(Vec<u8>, Vec<u8>), Vec<u64>>,
}

impl UnderWay {
    fn load(run: &Run<'_>) -> Result<Self, Broken> {
        let entries: BTreeMap<_, _> = state::unbondings(&run.state)?.into_iter().collect();
        let mut leaving: BTreeMap<_, Vec<u64>> = BTreeMap::new();
        for (number, entry) in entries.iter().filter(|(_, entry)| entry.to.is_empty()) {
            let whose = (entry.delegator.clone(), entry.validator.clone());
            leaving.entry(whose).or_default().push(*number);
        }
        Ok(Self { entries, leaving })
    }

    /// Takes at most so much of what is on its way to a balance; how much it was.
    fn take(&mut self, run: &mut Run<'_>, number: u64, most: u64) -> Result<u64, Broken> {
        let Some(entry) = self.entries.get_mut(&number) else { return Ok(0) };
        let amount = most.min(entry.amount);
        entry.amount -= amount;
        state::put_unbonding(run, number, entry)?;
        account::pay(run, Purse::In(Pot::Unbonding), Purse::In(Pot::Treasury), amount)?;
        Ok(amount)
    }
}

/// Takes a share of all stake that answered for a validator at a height: what it has now, and what
/// left it and still had power then.
fn slash(
    run: &mut Run<'_>,
    under_way: &mut UnderWay,
    (address, height): (&ValidatorAddress, u64),
    ppm: u64,
    reason: &str,
) -> Result<(), Broken> {
    let mut taken = 0u64;
    let answers = |entry: &proto::Unbonding| {
        // While its epoch runs, nobody knows how long its power counts.
        let counted = entry.until_height == 0 || entry.until_height >= height;
        entry.validator[..] == address.as_bytes()[..] && counted
    };
    let left: Vec<_> = under_way.entries.iter().filter(|(_, entry)| answers(entry)).collect();
    let left: Vec<_> = left.into_iter().map(|(number, entry)| (*number, entry.clone())).collect();
    for (number, entry) in left {
        let part = ppm_of(entry.amount, ppm);
        let amount = if entry.to.is_empty() {
            under_way.take(run, number, part)?
        } else {
            slash_moved(run, under_way, &entry, part)?
        };
        taken = taken.saturating_add(amount);
    }
    let none = || Broken::Contradiction(format!("validator {address} is gone"));
    let mut info = state::info(&run.state, address)?.ok_or_else(none)?;
    let part = ppm_of(info.tokens, ppm);
    info.tokens -= part;
    state::put_info(run, address, &info)?;
    account::pay(run, Purse::In(Pot::Bonded), Purse::In(Pot::Treasury), part)?;
    taken = taken.saturating_add(part);
    run.emit(events::SLASHED, &[("validator", address), ("amount", &taken), ("reason", &reason)]);
    Ok(())
}

/// Takes so much of stake that moved to another validator, there or on its way from there; how
/// much there was to take.
fn slash_moved(
    run: &mut Run<'_>,
    under_way: &mut UnderWay,
    moved: &proto::Unbonding,
    part: u64,
) -> Result<u64, Broken> {
    let (to, id) = (state::address(&moved.to)?, delegator(moved)?);
    let mut left = part;
    let held = state::delegation(&run.state, &to, &id)?.unwrap_or_default();
    if let Some(info) = state::info(&run.state, &to)? {
        let worth = worth(&info, held.shares);
        let amount = left.min(worth);
        let shares =
            if amount == worth { held.shares } else { sold(&info, amount).min(held.shares) };
        if amount > 0 {
            remove_shares(run, &id, (&to, info), shares, amount)?;
            account::pay(run, Purse::In(Pot::Bonded), Purse::In(Pot::Treasury), amount)?;
            left -= amount;
        }
    }
    let whose = (moved.delegator.clone(), moved.to.clone());
    // No more than an account may have under way.
    for number in under_way.leaving.get(&whose).cloned().unwrap_or_default() {
        let later = under_way.entries.get(&number).is_some_and(|one| one.height >= moved.height);
        if left > 0 && later {
            left -= under_way.take(run, number, left)?;
        }
    }
    Ok(part - left)
}

/// Counts signatures that the last commit lacks. Only blocks with transactions are counted, and
/// only absence is written, so that a chain that rests writes nothing.
fn count_missed(run: &mut Run<'_>) -> Result<(), Broken> {
    let block = run.block;
    if block.absent.is_empty() {
        return Ok(());
    }
    let params = params::get(&run.state)?;
    let number = account::anchors(&run.state)?;
    let set = state::newest(&run.state)?;
    let mut under_way = None;
    for address in &block.absent {
        let in_set = set.iter().any(|v| v.address[..] == address.as_bytes()[..]);
        let Some(mut info) = state::info(&run.state, address)? else { continue };
        if !in_set || info.jailed || info.tombstoned {
            continue;
        }
        let mut missed = state::missed(&run.state, address)?;
        let oldest = number.saturating_sub(params.missed_window);
        missed.retain(|one| *one > oldest);
        missed.push(number);
        if missed.len() as u64 <= params.missed_max {
            state::put_missed(run, address, missed)?;
            continue;
        }
        state::put_missed(run, address, Vec::new())?;
        let under_way = match &mut under_way {
            Some(under_way) => under_way,
            none => none.insert(UnderWay::load(run)?),
        };
        let (whose, ppm) = ((address, block.height), params.slash_downtime_ppm);
        slash(run, under_way, whose, ppm, "downtime")?;
        info = state::info(&run.state, address)?.unwrap_or(info);
        info.jailed = true;
        info.jailed_until_s = block.time_s.saturating_add(params.jail_s);
        state::put_info(run, address, &info)?;
        run.emit(events::JAILED, &[("validator", address), ("until", &info.jailed_until_s)]);
    }
    Ok(())
}

fn end_epoch(run: &mut Run<'_>, epoch: &proto::Epoch) -> Result<(), Broken> {
    let params = params::get(&run.state)?;
    let given = give_out(run, params.issuance_per_epoch)?;
    let before = state::newest(&run.state)?;
    let elected = elect(run, &params, &before)?;
    if elected != before {
        announce(run, &before, &elected);
        // What FinalizeBlock of a height answers holds from two heights later on.
        let from = run.block.height.saturating_add(2);
        state::put(run, from, elected.clone())?;
    }
    // What left in this epoch has power for one height more.
    state::date_unbondings(run, run.block.height.saturating_add(1))?;
    let number = epoch.number.saturating_add(1);
    // After a rest, the epochs that were slept through are skipped.
    let ends_s = run.block.time_s.saturating_add(params.epoch_s);
    state::put_epoch(run, &proto::Epoch { number, ends_s, begun_height: run.block.height })?;
    run.emit(
        events::EPOCH_ENDED,
        &[("epoch", &epoch.number), ("amount", &given), ("validators", &elected.len())],
    );
    Ok(())
}

fn announce(run: &mut Run<'_>, before: &[proto::Validator], after: &[proto::Validator]) {
    for update in state::updates(before, after) {
        use guts_abci::proto::crypto::public_key::Sum;
        let key = match update.pub_key.and_then(|key| key.sum) {
            Some(Sum::Ed25519(key)) => guts_schema::Key::from_slice(&key).ok(),
            _ => None,
        };
        if let Some(key) = key {
            let validator = ValidatorAddress::of_key(&key);
            let attributes: [(&str, &dyn std::fmt::Display); 2] =
                [("validator", &validator), ("power", &update.power)];
            run.emit(events::POWER_CHANGED, &attributes);
        }
    }
}

/// Gives this epoch's fees and issuance to the validators in the set, by stake: commission to the
/// operator, the rest to all shares alike. What cannot be divided waits for the next epoch.
fn give_out(run: &mut Run<'_>, issuance: u64) -> Result<u64, Broken> {
    let mut sharing = Vec::new();
    for validator in state::newest(&run.state)? {
        let address = state::address(&validator.address)?;
        let info = state::info(&run.state, &address)?;
        let good = |i: &proto::ValidatorInfo| !i.jailed && i.tokens > 0 && i.shares > 0;
        sharing.extend(info.filter(good).map(|info| (address, info)));
    }
    let total: u128 = sharing.iter().map(|(_, info)| u128::from(info.tokens)).sum();
    if total == 0 {
        return Ok(0);
    }
    if issuance > 0 {
        account::issue(run, Pot::Fees, issuance)?;
    }
    let fees = Pot::Fees.of(&account::supply(&run.state)?);
    let over = || Broken::Contradiction("a reward index is counted out".into());
    let mut given = 0u64;
    for (address, mut info) in sharing {
        let part = u128::from(fees) * u128::from(info.tokens) / total;
        let part = u64::try_from(part).map_err(|_| over())?;
        if part == 0 {
            continue;
        }
        let commission = ppm_of(part, u64::from(info.commission_ppm));
        info.commission_due = info.commission_due.checked_add(commission).ok_or_else(over)?;
        info.reward_index = rewarded(&info, part - commission).ok_or_else(over)?;
        state::put_info(run, &address, &info)?;
        account::pay(run, Purse::In(Pot::Fees), Purse::In(Pot::Rewards), part)?;
        given = given.saturating_add(part);
    }
    Ok(given)
}

/// The next set: those with most stake. Whoever leaves does so only as far as the set keeps its
/// least number, and no more than a third of the power goes in one epoch; the rest leaves later,
/// and newcomers wait for its places.
pub(super) fn elect(
    run: &Run<'_>,
    params: &proto::Params,
    before: &[proto::Validator],
) -> Result<Vec<proto::Validator>, Broken> {
    let mut willing = Vec::new();
    for address in state::candidates(&run.state)? {
        let Some(info) = state::info(&run.state, &address)? else { continue };
        let enough = info.tokens >= params.validator_stake_min && info.tokens >= params.power_unit;
        if enough && !info.jailed && !info.tombstoned {
            willing.push((Reverse(info.tokens), address, info));
        }
    }
    willing.sort_by_key(|(tokens, address, _)| (*tokens, *address));
    willing.truncate(usize::try_from(params.validators_max).unwrap_or(usize::MAX));
    let mut set: Vec<proto::Validator> = willing
        .iter()
        .map(|(_, address, info)| validator(address, info, params.power_unit))
        .collect();
    let stays = |one: &proto::Validator| set.iter().any(|other| other.address == one.address);
    let mut leaving = Vec::new();
    for one in before.iter().filter(|one| !stays(one)) {
        let address = state::address(&one.address)?;
        let info = state::info(&run.state, &address)?.unwrap_or_default();
        // Those who lied go first, then those who sleep.
        leaving.push(((Reverse(info.tombstoned), Reverse(info.jailed), address), info, one));
    }
    leaving.sort_by_key(|(order, _, _)| *order);
    let total: u128 = before.iter().map(|one| u128::from(one.power)).sum();
    let least = params.validators_min.max(1);
    let (mut count, mut gone) = ((set.len() + leaving.len()) as u64, 0u128);
    let mut kept = Vec::new();
    for ((_, _, address), info, one) in leaving {
        let with = gone.saturating_add(u128::from(one.power));
        if count > least && with.saturating_mul(3) <= total {
            (count, gone) = (count - 1, with);
        } else {
            let mut stays = validator(&address, &info, params.power_unit);
            stays.power = stays.power.max(1);
            kept.push(stays);
        }
    }
    // Those who must stay take the places of newcomers, of those with least stake first.
    let most = usize::try_from(params.validators_max).unwrap_or(usize::MAX);
    let is_new = |one: &proto::Validator| !before.iter().any(|old| old.address == one.address);
    while set.len() + kept.len() > most
        && let Some(place) = set.iter().rposition(is_new)
    {
        set.remove(place);
    }
    set.append(&mut kept);
    set.sort_by(|a, b| a.address.cmp(&b.address));
    Ok(set)
}

/// A validator as a set has it.
pub(super) fn validator(
    address: &ValidatorAddress,
    info: &proto::ValidatorInfo,
    unit: u64,
) -> proto::Validator {
    proto::Validator {
        address: address.to_vec(),
        consensus_key: info.consensus_key.clone(),
        power: info.tokens.checked_div(unit).unwrap_or(0),
        account: info.operator.clone(),
    }
}
