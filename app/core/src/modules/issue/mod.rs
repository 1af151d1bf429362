//! Issues: threads that are open or closed, with titles, labels, milestones and people.
//!
//! | state | value |
//! |---|---|
//! | `issue/REPO N` | `proto::Issue`, beside the thread of that number |
//! | `tracker/REPO` | `proto::Tracker`: labels, milestones, pinned issues, how many are open |
//!
//! | action | who may |
//! |---|---|
//! | `OpenIssue` | any account |
//! | `RetitleIssue`, `CloseIssue`, `ReopenIssue` | its author, unless it is locked; who has a role in the repository |
//! | `LabelIssue`, `AssignIssue`, `PlanIssue`, `PinIssue` | who has a role there |
//! | `PutLabel`, `DropLabel`, `PutMilestone` | who has a role there |
//!
//! Invariants: an issue has a thread; open ones are counted; pinned ones exist; labels, milestones
//! and pins are bounded, lists are sorted.
//! Calls: account, repo, discussion.

mod authorize;
mod error;
mod execute;
mod invariants;
mod state;

pub use execute::execute;
pub use state::{get, tracker};

use crate::modules::Module;

/// This module's part in the walks.
pub const MODULE: Module = Module { audit: Some(invariants::audit), ..Module::new("issue") };

#[cfg(test)]
pub(crate) mod tests;
