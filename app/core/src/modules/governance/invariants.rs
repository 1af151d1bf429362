//! Audits of all proposals.

use guts_schema::proto::{self, ProposalStatus};
use guts_schema::{AccountId, keys};

use crate::fault::Broken;
use crate::whole::{Whole, wrong};

pub(super) fn audit(whole: &Whole) -> Result<(), Broken> {
    let list: proto::Proposals = whole.get(&keys::proposals())?.unwrap_or_default();
    let all = whole.below::<proto::Proposal>("proposal/")?;
    if all.len() as u64 != list.count {
        return wrong(format!("{} proposals are counted, {} are there", list.count, all.len()));
    }
    let (mut deposits, mut open, mut votes) = (0u128, Vec::new(), 0u64);
    for (number, (_, proposal)) in (1..).zip(&all) {
        deposits += proposal.deposits.iter().map(|one| u128::from(one.amount)).sum::<u128>();
        let running = [ProposalStatus::Deposit, ProposalStatus::Voting, ProposalStatus::Queued];
        if running.contains(&proposal.status()) {
            open.push(number);
        }
        for index in 0..proposal.votes {
            let cast: Option<proto::VoteCast> = whole.get(&keys::vote(number, index))?;
            let id = AccountId::from_slice(&cast.unwrap_or_default().account);
            let id = id.map_err(|error| Broken::Contradiction(error.to_string()))?;
            let of: Option<proto::VoteOf> = whole.get(&keys::vote_of(number, &id))?;
            if of.is_none_or(|of| of.index != index) {
                return wrong(format!("vote {index} on proposal {number} is counted twice"));
            }
        }
        votes += proposal.votes;
    }
    let supply: proto::Supply = whole.get(&keys::supply())?.unwrap_or_default();
    if deposits != u128::from(supply.deposits) {
        return wrong(format!("deposits are {deposits}, {} are kept", supply.deposits));
    }
    let cast = whole.below::<proto::VoteCast>("vote/")?.len() as u64;
    if open != list.open || cast != votes {
        return wrong("open proposals or votes are not those counted");
    }
    Ok(())
}
