//! Pushes and refs: a signed push is ordered, attested by validators, and then moves its refs.
//!
//! | state | value |
//! |---|---|
//! | `push/ID` | `proto::Push`: pending, and then remembered until its certificate is stale |
//! | `certificate/HASH` | `proto::SpentCertificate`: by which push, until it is stale |
//! | `pushes_pending` | `proto::PushesPending`: by arrival, and their bytes |
//! | `pushes_of/ACCOUNT GATEWAY` | `proto::PushesOf`: what an account has in flight by a gateway |
//! | `queue_*/Pushes` | closed pushes by age |
//! | `tick` | `proto::Tick`, written while pushes are pending, so that blocks go on |
//! | `refs/REPO` | `proto::RefsHead`: root over all refs, their count, the length of the log |
//! | `ref/REPO NAME` | `proto::RefRecord` |
//! | `ref_bucket/REPO B` | `proto::RefBucket`: the refs the root is made of |
//! | `ref_dir/REPO DIR` | `proto::RefDir`: how many refs lie below a directory |
//! | `ref_log/REPO N` | `proto::RefLogEntry`, append-only, dense |
//!
//! | action | who may |
//! |---|---|
//! | `PushRefs` | who has the role to write, and what protects the refs asks, by certificate |
//!
//! A push is a certificate, who brings it, and a pack: its id is of all three. So a certificate
//! that somebody saw on its way and brings with another pack is another push, which fails by
//! itself, at their cost and within their bounds. A certificate is spent when validators agree that
//! a pack of it is good: refs move, or a rule forbids it for good. Other pushes of it are over with
//! that.
//!
//! Rules are evaluated when a push is ordered and again when its refs move. More than two thirds of
//! the power in force for it: all refs move, or none. A third against it, or no decision before the
//! deadline: it fails, with the reason.
//!
//! Invariants: a repository's root, count and log are those of its refs; pending pushes and their
//! sums are those listed; no push is pending and closed; what is over waits to be forgotten; a
//! certificate is spent by one push of it, and no refs moved by one that is not.
//! Calls: params, account, staking, repo (which asks org).

mod authorize;
mod block;
mod error;
mod execute;
mod genesis;
mod invariants;
mod query;
mod state;

pub use execute::{execute, refusal};
pub use query::all_refs;
pub(crate) use state::add_head;
#[cfg(test)]
pub(crate) use state::head;
pub use state::{get, pending, pending_pushes};

use crate::modules::Module;

/// This module's part in the walks.
pub const MODULE: Module = Module {
    begin: Some(block::begin),
    end: Some(block::end),
    query: Some(query::query),
    audit: Some(invariants::audit),
    ..Module::of_genesis("push", genesis::init, genesis::export)
};

#[cfg(test)]
pub(crate) mod tests;
