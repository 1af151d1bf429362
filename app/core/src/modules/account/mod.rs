//! Accounts: keys, handles, balances, nonces, supply; the anchors of proof of work.
//!
//! | state | value |
//! |---|---|
//! | `account/ID` | `proto::Account` |
//! | `key/KEY` | `proto::KeyRecord`: whose it is, and from and until which height |
//! | `handle/NAME` | `proto::HandleRecord` |
//! | `handle_commit/ID HASH` | `proto::HandleCommit`, until claimed or expired |
//! | `queue_*/HandleCommits` | commitments by age |
//! | `guardians/ID` | `proto::Guardians`, of accounts that have some |
//! | `recovery/ID` | `proto::Recovery`, while one is under way |
//! | `supply` | `proto::Supply` |
//! | `anchors`, `anchor/SLOT` | recorded hashes of non-empty blocks, for proof of work |
//!
//! | action | who may |
//! |---|---|
//! | `CreateAccount` | the holder of a key that no account has |
//! | `CommitHandle` | any account |
//! | `ClaimHandle` | the account that committed to it, after a block and within `handle_commit_s` |
//! | `Transfer` | the account the balance is of |
//! | `AddKey`, `RevokeKey` | the account, its own; the holder of a new key agrees |
//! | `TransferHandle` | the account that holds it, together with one that holds none |
//! | `ReleaseHandle` | the account that holds it |
//! | `SetGuardians`, `CancelRecovery` | the account, for itself |
//! | `ApproveRecovery` | a guardian of the account |
//! | `FinishRecovery` | anybody, once enough guardians agreed and the delay is over |
//!
//! Invariants: balances and pots add up to the supply; each key and handle belongs to the account
//! that names it, and is among those it has; some key without bounds of each account is not
//! revoked, organisations apart, which have none; guardians are other accounts, and a recovery is
//! what they agreed on; every commitment waits to be dropped; the number of recorded anchors only
//! grows.
//! Calls: params. (Admission, which also asks staking, is `crate::admit`.)

mod authorize;
mod block;
pub(crate) mod error;
mod execute;
mod genesis;
mod invariants;
mod query;
mod state;

pub(crate) use authorize::{check_exists, check_signers, made_by};
pub use execute::execute;
pub(crate) use execute::{announce, create_org, new_account, transfer};
pub use genesis::{Genesis, GenesisAccount};
pub use query::terms;
pub use state::{
    Pot, Purse, ValidKey, anchors, get, handle_owner, in_balances, name, newest_anchor, supply,
    valid_key,
};
pub(crate) use state::{
    anchor, collect_fee, exists, issue, last_active_s, pay, put, queue_pop_due, queue_push,
    queue_range,
};

use crate::modules::Module;

/// This module's part in the walks.
pub const MODULE: Module = Module {
    end: Some(block::end),
    query: Some(query::query),
    audit: Some(invariants::audit),
    ..Module::of_genesis("account", genesis::init, genesis::export)
};

#[cfg(test)]
pub(crate) mod tests;
