//! Repositories: who owns which, and how they are described. Their refs are the push module's.
//!
//! | state | value |
//! |---|---|
//! | `repos` | `proto::Repos`: how many there are; ids are 1 to that |
//! | `repo/ID` | `proto::Repo` |
//! | `repo_name/OWNER NAME` | `proto::RepoPointer`; a former name leads there too |
//! | `owner_repo/OWNER N` | `proto::RepoPointer`: the owner's list, dense |
//! | `repo_access/ID` | `proto::RepoAccess`: roles of collaborators and teams |
//! | `protections/ID` | `proto::Protections`: what `push` asks when refs would move |
//! | `star/ID ACCOUNT` | `proto::Star` |
//!
//! | action | who may |
//! |---|---|
//! | `CreateRepo` | an account with a handle |
//! | `ForkRepo` | any account, for itself or an organisation that it owns |
//! | `EditRepo`, `SetTopics`, `SetProtection`, `SetTeamRole` | who administers it |
//! | `SetCollaborator` | who administers it; a collaborator, to leave |
//! | `RenameRepo`, `TransferRepo` | the owner, or an owner of the owning organisation |
//! | `AcceptRepo` | who it is offered to, or an owner of that organisation |
//! | `StarRepo` | any account |
//!
//! Administrators are the owner, owners of the owning organisation, and who has that role.
//!
//! Invariants: ids are dense; names and owners' lists point back, former names to repositories that
//! exist; stars are counted; roles and protections are sorted and bounded.
//! Calls: params, account, org.

mod authorize;
pub(crate) mod error;
mod execute;
mod genesis;
mod invariants;
mod state;

pub use execute::execute;
pub use genesis::{Format, Genesis, GenesisRepo};
pub use state::{
    access, by_path, controls, count, get, owner, path, protection_of, protections, role,
};

use crate::modules::Module;

/// This module's part in the walks.
pub const MODULE: Module = Module {
    audit: Some(invariants::audit),
    ..Module::of_genesis("repo", genesis::init, genesis::export)
};

#[cfg(test)]
pub(crate) mod tests;
