//! What blocks do to proposals: upgrades begin before transactions; after them votes end, and what
//! was accepted is carried out.

use guts_schema::attest::Attested;
use guts_schema::ids::ValidatorAddress;
use guts_schema::proto::propose::Content;
use guts_schema::proto::{self, ProposalStatus};
use guts_schema::tally::{Bars, Count, Outcome, Tally};
use guts_schema::{AccountId, events};
use guts_state::Read;

use super::execute::{check_content, check_params};
use super::state;
use crate::fault::{Broken, Fault};
use crate::modules::account::{self, Pot, Purse};
use crate::modules::{params, staking};
use crate::rules::Rules;
use crate::run::Run;

/// Whether a program that knows these rules can execute the blocks from `next`, whose version of
/// them the state says, to `last`, as far as it is agreed on what holds there. The upgrade that
/// begins with one of them.
///
/// # Errors
/// [`Broken::Upgrade`] when it cannot.
pub fn check_rules(
    view: &dyn Read,
    (next, version): (u64, u64),
    last: u64,
    rules: Rules,
) -> Result<Option<proto::UpgradePlan>, Broken> {
    let plan = state::upgrade(view)?.filter(|plan| plan.height <= last);
    let planned = plan.as_ref().map(|plan| (plan.height, plan.version));
    let known = rules.newest();
    match [(next, version)].into_iter().chain(planned).find(|(_, version)| *version > known) {
        Some((height, version)) => Err(Broken::Upgrade { height, version, known }),
        None => Ok(plan),
    }
}

pub(super) fn begin(run: &mut Run<'_>, _attested: Option<&Attested>) -> Result<(), Broken> {
    let (height, rules) = (run.block.height, run.block.rules);
    let version = params::of(run)?.app_version;
    let plan = check_rules(&run.state, (height, version), height, rules)?;
    let Some(plan) = plan else { return Ok(()) };
    for migrate in rules.between(version, plan.version) {
        migrate(run)?;
    }
    // A migration may change parameters too.
    let mut params = params::get(&run.state)?;
    params.app_version = plan.version;
    params::put(run, &params)?;
    state::put_upgrade(run, None)?;
    run.emit(events::UPGRADED, &[("version", &plan.version)]);
    Ok(())
}

/// Only blocks that are not empty anyhow move proposals on, so that a chain at rest stays so.
pub(super) fn end(run: &mut Run<'_>) -> Result<(), Broken> {
    if !run.block.has_txs && !staking::epoch_ended(run)? {
        return Ok(());
    }
    let list = state::proposals(&run.state)?;
    for number in &list.open {
        let gone = || Broken::Contradiction(format!("open proposal {number} is gone"));
        let proposal = state::get(&run.state, *number)?.ok_or_else(gone)?;
        if run.block.time_s <= proposal.until_s {
            continue;
        }
        match proposal.status() {
            ProposalStatus::Deposit => {
                refund(run, &proposal)?;
                close(run, *number, proposal, ProposalStatus::Dropped, "")?;
            }
            ProposalStatus::Voting => count(run, *number, proposal)?,
            ProposalStatus::Queued => carry_out(run, *number, proposal)?,
            _ => return Err(gone()),
        }
    }
    Ok(())
}

fn content(proposal: &proto::Proposal) -> Option<&Content> {
    proposal.what.as_ref().and_then(|what| what.content.as_ref())
}

fn say(run: &mut Run<'_>, number: u64, status: ProposalStatus, reason: &str) {
    let status = i32::from(status);
    run.emit(
        events::PROPOSAL_MOVED,
        &[("proposal", &number), ("status", &status), ("reason", &reason)],
    );
}

/// Ends a proposal. What was laid down went where it goes before.
pub(super) fn close(
    run: &mut Run<'_>,
    number: u64,
    mut proposal: proto::Proposal,
    status: ProposalStatus,
    reason: &str,
) -> Result<(), Broken> {
    proposal.status = status.into();
    proposal.deposits.clear();
    reason.clone_into(&mut proposal.reason);
    state::put(run, number, &proposal)?;
    let mut list = state::proposals(&run.state)?;
    list.open.retain(|one| *one != number);
    state::put_proposals(run, &list)?;
    say(run, number, status, reason);
    Ok(())
}

pub(super) fn refund(run: &mut Run<'_>, proposal: &proto::Proposal) -> Result<(), Broken> {
    for one in &proposal.deposits {
        let id = AccountId::from_slice(&one.account);
        let id = id.map_err(|error| Broken::Contradiction(error.to_string()))?;
        account::pay(run, Purse::In(Pot::Deposits), Purse::Balance(&id), one.amount)?;
    }
    Ok(())
}

/// What the first `votes` on a proposal, which are all there are, come to in this state.
pub(crate) fn tally(view: &dyn Read, number: u64, votes: u64) -> Result<Tally, Broken> {
    let damaged = |error: guts_schema::ids::IdError| Broken::Contradiction(error.to_string());
    let mut set = Vec::new();
    for one in staking::newest(view)? {
        let address = ValidatorAddress::from_slice(&one.address).map_err(damaged)?;
        set.extend(staking::info(view, &address)?.map(|info| (address, info)));
    }
    let mut count = Count::new(set);
    for index in 0..votes {
        let cast = state::vote(view, number, index)?;
        let id = AccountId::from_slice(&cast.account).map_err(damaged)?;
        count.add(&id, cast.option(), &staking::held(view, &id)?);
    }
    Ok(count.end())
}

fn count(run: &mut Run<'_>, number: u64, mut proposal: proto::Proposal) -> Result<(), Broken> {
    let tally = tally(&run.state, number, proposal.votes)?;
    (proposal.yes, proposal.no, proposal.veto) = (tally.yes, tally.no, tally.veto);
    (proposal.abstain, proposal.total) = (tally.abstain, tally.total);
    let params = params::get(&run.state)?;
    let outcome = tally.outcome(&Bars::of(&params, content(&proposal)));
    if outcome == Outcome::Vetoed {
        for one in &proposal.deposits {
            account::pay(run, Purse::In(Pot::Deposits), Purse::In(Pot::Burnt), one.amount)?;
        }
        return close(run, number, proposal, ProposalStatus::Vetoed, outcome.reason());
    }
    refund(run, &proposal)?;
    proposal.deposits.clear();
    if outcome != Outcome::Passed {
        return close(run, number, proposal, ProposalStatus::Rejected, outcome.reason());
    }
    if matches!(content(&proposal), None | Some(Content::Emergency(_))) {
        return carry_out(run, number, proposal);
    }
    proposal.status = ProposalStatus::Queued.into();
    proposal.until_s = run.block.time_s.saturating_add(params.gov_timelock_s);
    state::put(run, number, &proposal)?;
    say(run, number, ProposalStatus::Queued, "");
    Ok(())
}

fn changed(run: &Run<'_>, json: &str) -> Result<proto::Params, Broken> {
    check_params(run, json).map_err(|fault| match fault {
        Fault::Refused(refusal) => Broken::Contradiction(refusal.sentence),
        Fault::Broken(broken) => broken,
    })
}

/// Does what was accepted, if it still can be done.
fn carry_out(run: &mut Run<'_>, number: u64, proposal: proto::Proposal) -> Result<(), Broken> {
    match check_content(run, content(&proposal)) {
        Ok(()) => {}
        Err(Fault::Refused(refusal)) => {
            return close(run, number, proposal, ProposalStatus::Failed, &refusal.sentence);
        }
        Err(Fault::Broken(broken)) => return Err(broken),
    }
    match content(&proposal) {
        None => {}
        Some(Content::Params(json) | Content::Emergency(json)) => {
            params::put(run, &changed(run, json)?)?;
        }
        Some(Content::Upgrade(upgrade)) => {
            let (height, version) = (upgrade.height, upgrade.version);
            let plan = proto::UpgradePlan { height, version, proposal: number };
            state::put_upgrade(run, Some(&plan))?;
        }
        Some(Content::Spend(spend)) => {
            let to = AccountId::from_slice(&spend.to);
            let to = to.map_err(|error| Broken::Contradiction(error.to_string()))?;
            account::pay(run, Purse::In(Pot::Treasury), Purse::Balance(&to), spend.amount)?;
        }
    }
    close(run, number, proposal, ProposalStatus::Done, "")
}
