//! The actions on proposals: all checks, then all writes.

use std::cmp::Reverse;

use guts_schema::limits::DEPOSITORS_MAX;
use guts_schema::proto::propose::Content;
use guts_schema::proto::{self, ProposalStatus, VoteOption};
use guts_schema::tx::GovernanceAction;
use guts_schema::{AccountId, events};

use super::{authorize, block, error, state};
use crate::fault::{Broken, Fault};
use crate::modules::account::{self, Pot, Purse};
use crate::modules::{params, staking};
use crate::run::Run;

/// Of all balances, the part that may be asked for as a deposit.
const DEPOSIT_PART: u64 = 10;

/// Executes one action of this module.
pub fn execute(
    run: &mut Run<'_>,
    actor: &AccountId,
    change: &GovernanceAction,
) -> Result<(), Fault> {
    authorize::check(run, actor, change)?;
    match change {
        GovernanceAction::Propose(what) => propose(run, actor, what),
        GovernanceAction::Deposit { proposal, amount } => {
            let open = existing(run, *proposal)?;
            // A chain that rested may not have dropped it yet.
            let ended = run.block.time_s > open.until_s;
            if open.status() != ProposalStatus::Deposit || ended {
                return Err(error::past(*proposal, "deposits"));
            }
            deposit(run, actor, *proposal, open, *amount)
        }
        GovernanceAction::Vote { proposal, option } => vote(run, actor, *proposal, *option),
    }
}

fn existing(run: &Run<'_>, number: u64) -> Result<proto::Proposal, Fault> {
    state::get(&run.state, number)?.ok_or_else(|| error::unknown(number))
}

/// Whether what is proposed could be carried out now; what could not is not worth a vote.
pub(super) fn check_content(run: &Run<'_>, content: Option<&Content>) -> Result<(), Fault> {
    match content {
        None => Ok(()),
        Some(Content::Params(json) | Content::Emergency(json)) => {
            check_params(run, json).map(|_| ())
        }
        Some(Content::Upgrade(upgrade)) => {
            let at = (upgrade.height, upgrade.version);
            let now = (run.block.height, params::get(&run.state)?.app_version);
            if at.0 > now.0 && at.1 > now.1 { Ok(()) } else { Err(error::upgrade_past(at, now)) }
        }
        Some(Content::Spend(spend)) => {
            let to = AccountId::from_slice(&spend.to);
            let to = to.map_err(|error| Broken::Contradiction(error.to_string()))?;
            account::check_exists(run, &to)?;
            let held = Pot::Treasury.of(&account::supply(&run.state)?);
            if held >= spend.amount {
                return Ok(());
            }
            Err(error::treasury_low(held, spend.amount))
        }
    }
}

/// The parameters as they would be, if the chain could live with them: they must be consistent, and
/// what they ask for must be there, or nobody could take part in a vote that changes them back.
pub(super) fn check_params(run: &Run<'_>, json: &str) -> Result<proto::Params, Fault> {
    let now = params::get(&run.state)?;
    let changed = params::changed(&now, json).map_err(|why| error::params(&why))?;
    let unit = changed.power_unit.max(changed.validator_stake_min);
    if unit > now.power_unit.max(now.validator_stake_min) {
        let (held, all) = staking::held_by(&run.state, unit)?;
        if held.saturating_mul(3) <= all.saturating_mul(2) {
            let text = "power_unit and validator_stake_min must leave validators with more than two \
                        thirds of the stake in the set";
            return Err(error::params(text));
        }
    }
    let least = changed.gov_deposit_min;
    if least > now.gov_deposit_min && least > account::in_balances(&run.state)? / DEPOSIT_PART {
        let text = format!("gov_deposit_min is at most 1/{DEPOSIT_PART} of what accounts have");
        return Err(error::params(&text));
    }
    Ok(changed)
}

fn propose(run: &mut Run<'_>, actor: &AccountId, what: &proto::Propose) -> Result<(), Fault> {
    let params = params::get(&run.state)?;
    check_content(run, what.content.as_ref())?;
    if what.deposit < params.gov_deposit_min {
        make_room(run, &params, what.deposit)?;
    }
    let mut list = state::proposals(&run.state)?;
    let out = || Broken::Contradiction("proposals are counted out".into());
    list.count = list.count.checked_add(1).ok_or_else(out)?;
    let number = list.count;
    let proposal = proto::Proposal {
        proposer: actor.to_vec(),
        what: Some(what.clone()),
        until_s: run.block.time_s.saturating_add(params.gov_deposit_s),
        ..Default::default()
    };
    run.emit(
        events::PROPOSED,
        &[("proposal", &number), ("account", actor), ("title", &what.title)],
    );
    deposit(run, actor, number, proposal, what.deposit)?;
    list.open.push(number);
    Ok(state::put_proposals(run, &list)?)
}

fn sum_of(deposits: &[proto::DepositOf]) -> u64 {
    deposits.iter().fold(0u64, |sum, one| sum.saturating_add(one.amount))
}

/// Open proposals that wait for deposits, or those that do not.
fn open(run: &Run<'_>, waiting: bool) -> Result<Vec<(u64, proto::Proposal)>, Broken> {
    let mut found = Vec::new();
    for number in state::proposals(&run.state)?.open {
        let gone = || Broken::Contradiction(format!("open proposal {number} is gone"));
        let proposal = state::get(&run.state, number)?.ok_or_else(gone)?;
        if (proposal.status() == ProposalStatus::Deposit) == waiting {
            found.push((number, proposal));
        }
    }
    Ok(found)
}

/// Room for one more proposal that waits for deposits: where there is none, a larger deposit
/// pushes out the newest of those with the smallest, so that nobody keeps others out for nothing.
fn make_room(run: &mut Run<'_>, params: &proto::Params, deposit: u64) -> Result<(), Fault> {
    let waiting = open(run, true)?;
    let count = waiting.len();
    if (count as u64) < params.gov_open_max {
        return Ok(());
    }
    let smallest = waiting
        .into_iter()
        .min_by_key(|(number, proposal)| (sum_of(&proposal.deposits), Reverse(*number)))
        .filter(|(_, proposal)| sum_of(&proposal.deposits) < deposit);
    let (number, proposal) = smallest.ok_or_else(|| error::many(count))?;
    block::refund(run, &proposal)?;
    let why = "a larger deposit took its place";
    Ok(block::close(run, number, proposal, ProposalStatus::Dropped, why)?)
}

/// Lays something down; when it is enough, the vote opens.
fn deposit(
    run: &mut Run<'_>,
    actor: &AccountId,
    number: u64,
    mut proposal: proto::Proposal,
    amount: u64,
) -> Result<(), Fault> {
    let list = &mut proposal.deposits;
    let count = list.len();
    let at = list.binary_search_by(|one| one.account[..].cmp(&actor.as_bytes()[..]));
    match at {
        Ok(at) => list[at].amount = list[at].amount.saturating_add(amount),
        Err(_) if count >= DEPOSITORS_MAX => return Err(error::depositors_many(count, number)),
        Err(at) => list.insert(at, proto::DepositOf { account: actor.to_vec(), amount }),
    }
    let params = params::get(&run.state)?;
    if sum_of(list) >= params.gov_deposit_min {
        let votes = open(run, false)?.len();
        if votes as u64 >= params.gov_open_max {
            return Err(error::votes_many(votes));
        }
        let urgent = matches!(
            proposal.what.as_ref().and_then(|what| what.content.as_ref()),
            Some(Content::Emergency(_))
        );
        let lasts_s = if urgent { params.gov_emergency_voting_s } else { params.gov_voting_s };
        proposal.status = ProposalStatus::Voting.into();
        proposal.until_s = run.block.time_s.saturating_add(lasts_s);
    }
    state::put(run, number, &proposal)?;
    account::pay(run, Purse::Balance(actor), Purse::In(Pot::Deposits), amount)?;
    run.emit(events::DEPOSITED, &[("proposal", &number), ("account", actor), ("amount", &amount)]);
    Ok(())
}

fn vote(
    run: &mut Run<'_>,
    actor: &AccountId,
    number: u64,
    option: VoteOption,
) -> Result<(), Fault> {
    let mut proposal = existing(run, number)?;
    let ended = run.block.time_s > proposal.until_s;
    if proposal.status() != ProposalStatus::Voting || ended {
        return Err(error::past(number, "votes"));
    }
    let index = match state::vote_of(&run.state, number, actor)? {
        Some(index) => index,
        None => {
            let index = proposal.votes;
            let out = || Broken::Contradiction("votes are counted out".into());
            proposal.votes = index.checked_add(1).ok_or_else(out)?;
            state::put(run, number, &proposal)?;
            index
        }
    };
    state::put_vote(run, (number, index), actor, option)?;
    let option = i32::from(option);
    run.emit(events::VOTED, &[("proposal", &number), ("account", actor), ("option", &option)]);
    Ok(())
}
