//! Organisations: accounts without keys, for which their owners act; members, invitations, teams.
//!
//! | state | value |
//! |---|---|
//! | `orgs` | `proto::Orgs`: how many there are; numbers are 1 to that |
//! | `org/ID` | `proto::Org`: members, invitations and teams, whole and sorted |
//!
//! | action | who may |
//! |---|---|
//! | `CreateOrg` | an account that committed to the handle |
//! | `InviteMember`, `SetMemberRole`, `PutTeam`, `DropTeam`, `OrgTransfer` | an owner |
//! | `AcceptInvite` | who is invited |
//! | `DropInvite`, `RemoveMember` | an owner, or the one it is about |
//!
//! A team that is dropped keeps the roles that repositories gave its name: a later team of that
//! name has them.
//!
//! Invariants: there is always an owner; nobody is both member and invited; team members are
//! members; lists are sorted; an organisation is an account of its number.
//! Calls: params, account.

mod authorize;
pub(crate) mod error;
mod execute;
mod invariants;
mod state;

pub use execute::execute;
pub use state::{get, is_owner, member_role, teams_of};

use crate::modules::Module;

/// This module's part in the walks.
pub const MODULE: Module = Module { audit: Some(invariants::audit), ..Module::new("org") };

#[cfg(test)]
pub(crate) mod tests;
