//! Repositories: who owns which, and how they are described. Their refs are the push module's.
//!
//! | state | value |
//! |---|---|
//! | `repos` | `proto::Repos`: how many there are; ids are 1 to that |
//! | `repo/ID` | `proto::Repo` |
//! | `repo_name/OWNER NAME` | `proto::RepoPointer` |
//! | `owner_repo/OWNER N` | `proto::RepoPointer`: the owner's list, dense |
//!
//! | action | who may |
//! |---|---|
//! | `CreateRepo` | an account with a handle |
//! | `EditRepo` | the owner |
//!
//! Invariants: ids are dense; names and owners' lists point back.
//! Calls: params, account.

mod authorize;
mod error;
mod execute;
mod genesis;
mod invariants;
mod query;
mod state;

pub use execute::execute;
pub use genesis::{Format, Genesis, GenesisRepo};
pub use state::{by_path, count, get, owner, path};

use crate::modules::Module;

/// This module's part in the walks.
pub const MODULE: Module = Module {
    name: "repo",
    init: genesis::init,
    export: genesis::export,
    begin: None,
    end: None,
    query: Some(query::query),
    audit: Some(invariants::audit),
};

#[cfg(test)]
mod tests;
