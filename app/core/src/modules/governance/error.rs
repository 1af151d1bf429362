//! Refusals of this module; codes 800 to 899.

use guts_schema::{AccountId, Code};

use crate::fault::Fault;

pub(super) fn unknown(proposal: u64) -> Fault {
    Fault::refuse(Code::ProposalUnknown, &[&proposal])
}

pub(super) fn past(proposal: u64, what: &str) -> Fault {
    Fault::refuse(Code::ProposalPast, &[&proposal, &what])
}

pub(super) fn stake_low(account: &AccountId, held: u64, least: u64) -> Fault {
    Fault::refuse(Code::VoteStake, &[account, &held, &least])
}

pub(super) fn many(open: usize) -> Fault {
    Fault::refuse(Code::ProposalsMany, &[&open])
}

pub(super) fn votes_many(open: usize) -> Fault {
    Fault::refuse(Code::VotesMany, &[&open])
}

pub(super) fn params(why: &str) -> Fault {
    Fault::refuse(Code::ParamsRefused, &[&why])
}

pub(super) fn upgrade_past(at: (u64, u64), now: (u64, u64)) -> Fault {
    Fault::refuse(Code::UpgradePast, &[&at.0, &at.1, &now.0, &now.1])
}

pub(super) fn depositors_many(count: usize, proposal: u64) -> Fault {
    Fault::refuse(Code::DepositorsMany, &[&count, &proposal])
}

pub(super) fn treasury_low(held: u64, wanted: u64) -> Fault {
    Fault::refuse(Code::TreasuryLow, &[&held, &wanted])
}
