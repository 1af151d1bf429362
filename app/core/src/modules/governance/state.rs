//! Where proposals and votes lie, and what these come to.

use guts_schema::ids::ValidatorAddress;
use guts_schema::tally::{Count, Tally};
use guts_schema::{AccountId, keys, proto};
use guts_state::Read;

use crate::fault::Broken;
use crate::modules::staking;
use crate::run::{Run, load};

/// How many proposals there are, and which are open.
pub fn proposals(view: &dyn Read) -> Result<proto::Proposals, Broken> {
    Ok(load(view, &keys::proposals())?.unwrap_or_default())
}

pub(super) fn put_proposals(run: &mut Run<'_>, list: &proto::Proposals) -> Result<(), Broken> {
    run.save(keys::proposals(), list)
}

/// A proposal.
pub fn get(view: &dyn Read, number: u64) -> Result<Option<proto::Proposal>, Broken> {
    load(view, &keys::proposal(number))
}

pub(super) fn put(
    run: &mut Run<'_>,
    number: u64,
    proposal: &proto::Proposal,
) -> Result<(), Broken> {
    run.save(keys::proposal(number), proposal)
}

/// The number of an account's vote on a proposal.
pub(super) fn vote_of(
    view: &dyn Read,
    proposal: u64,
    id: &AccountId,
) -> Result<Option<u64>, Broken> {
    let vote: Option<proto::VoteOf> = load(view, &keys::vote_of(proposal, id))?;
    Ok(vote.map(|vote| vote.index))
}

pub(super) fn put_vote(
    run: &mut Run<'_>,
    (proposal, index): (u64, u64),
    id: &AccountId,
    option: proto::VoteOption,
) -> Result<(), Broken> {
    run.save(keys::vote_of(proposal, id), &proto::VoteOf { index })?;
    let cast = proto::VoteCast { account: id.to_vec(), option: option.into() };
    run.save(keys::vote(proposal, index), &cast)
}

/// A vote, by its number.
pub(super) fn vote(view: &dyn Read, proposal: u64, index: u64) -> Result<proto::VoteCast, Broken> {
    let hole = || Broken::Contradiction(format!("the votes on proposal {proposal} have a hole"));
    load(view, &keys::vote(proposal, index))?.ok_or_else(hole)
}

/// What the first `votes` on a proposal, which are all there are, come to in this state.
pub fn tally(view: &dyn Read, number: u64, votes: u64) -> Result<Tally, Broken> {
    let damaged = |error: guts_schema::ids::IdError| Broken::Contradiction(error.to_string());
    let mut set = Vec::new();
    for one in staking::newest(view)? {
        let address = ValidatorAddress::from_slice(&one.address).map_err(damaged)?;
        set.extend(staking::info(view, &address)?.map(|info| (address, info)));
    }
    let mut count = Count::new(set);
    for index in 0..votes {
        let cast = vote(view, number, index)?;
        let id = AccountId::from_slice(&cast.account).map_err(damaged)?;
        count.add(&id, cast.option(), &staking::held(view, &id)?);
    }
    Ok(count.end())
}

/// The upgrade that waits for its height.
pub fn upgrade(view: &dyn Read) -> Result<Option<proto::UpgradePlan>, Broken> {
    load(view, &keys::upgrade())
}

pub(super) fn put_upgrade(
    run: &mut Run<'_>,
    plan: Option<&proto::UpgradePlan>,
) -> Result<(), Broken> {
    match plan {
        Some(plan) => run.save(keys::upgrade(), plan),
        None => {
            run.state.delete(keys::upgrade());
            Ok(())
        }
    }
}
