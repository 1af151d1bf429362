//! Where proposals and votes lie, and what these come to.

use guts_schema::{AccountId, keys, proto};
use guts_state::Read;

use crate::fault::Broken;
use crate::run::{Run, load};

/// How many proposals there are, and which are open.
pub(crate) fn proposals(view: &dyn Read) -> Result<proto::Proposals, Broken> {
    Ok(load(view, &keys::proposals())?.unwrap_or_default())
}

pub(super) fn put_proposals(run: &mut Run<'_>, list: &proto::Proposals) -> Result<(), Broken> {
    run.save(keys::proposals(), list)
}

/// A proposal.
pub(crate) fn get(view: &dyn Read, number: u64) -> Result<Option<proto::Proposal>, Broken> {
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

/// The upgrade that waits for its height.
pub(super) fn upgrade(view: &dyn Read) -> Result<Option<proto::UpgradePlan>, Broken> {
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
