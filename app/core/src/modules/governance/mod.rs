//! What the network decides: proposals, deposits, votes by stake, a time lock, a veto.
//!
//! | state | value |
//! |---|---|
//! | `proposals` | `proto::Proposals`: how many there are, and which are open |
//! | `proposal/N` | `proto::Proposal` |
//! | `vote/N I` | `proto::VoteCast`, dense; one an account |
//! | `vote_of/N ACCOUNT` | `proto::VoteOf`: the number of its vote |
//! | `upgrade` | `proto::UpgradePlan`, while one waits for its height |
//!
//! | action | who may |
//! |---|---|
//! | `Propose`, `Deposit` | any account, with what it lays down |
//! | `Vote` | an account that speaks for stake enough for a power of 1 |
//!
//! A vote opens when enough is laid down. An operator votes for all stake of its validator, but for
//! what delegators vote with themselves. Enough stake must vote; more than the threshold of those
//! who care must say yes; more than the veto share of all votes, where enough voted, stops it and
//! burns the deposits, which come back in every other case. What is accepted waits for the time
//! lock, in which whoever disagrees may leave. An emergency is voted on for a shorter time and
//! waits for nothing: more than its threshold of all stake must say yes, whoever came. Of the
//! proposals that wait for deposits, so many wait at a time: a larger deposit pushes out the
//! smallest. Proposals move on in blocks with transactions and at the ends of epochs.
//!
//! An upgrade begins with the block of its height: what the program knows of it changes the state
//! once (`rules`), and the engine is told the new version; a program that does not know it stops.
//! Parameters that would lock everybody out of the next vote are refused.
//!
//! Invariants: deposits add up; open proposals are listed; votes are dense and point back.
//! Calls: params, account, staking.

mod authorize;
mod block;
mod error;
mod execute;
mod invariants;
mod state;

pub use block::check_rules;
#[cfg(test)]
pub(crate) use block::tally;
pub use execute::execute;
#[cfg(test)]
pub(crate) use state::{get, proposals};

use crate::modules::Module;

/// This module's part in the walks.
pub const MODULE: Module = Module {
    begin: Some(block::begin),
    end: Some(block::end),
    audit: Some(invariants::audit),
    ..Module::new("governance")
};

#[cfg(test)]
pub(crate) mod tests;
