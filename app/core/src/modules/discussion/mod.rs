//! Threads of comments in repositories, under issues and whatever else is talked about.
//!
//! | state | value |
//! |---|---|
//! | `threads/REPO` | `proto::Threads`: how many there are; numbers are 1 to that |
//! | `thread/REPO N` | `proto::Thread` |
//! | `comment/REPO N I` | `proto::CommentValue`, dense; comment 0 opens the thread |
//! | `comment_edit/REPO N I E` | `proto::CommentEdit`: former texts, dense |
//! | `reactions/REPO N I ACCOUNT` | `proto::Reactions` |
//! | `reference/REPO N I` | `proto::Reference`, dense: which other threads name this one |
//! | `reference_of/REPO N REPO N` | `proto::ReferenceOf`: that the second thread is among them |
//!
//! | action | who may |
//! |---|---|
//! | `Comment`, `React` | any account; in a locked thread, who has a role in the repository |
//! | `EditComment` | its author, under the same rule |
//! | `LockThread` | who has a role in the repository |
//!
//! What a text names, `@handle`, `#number` or `owner/name#number`, is told in
//! events, and what an edit adds to that. A thread that another names keeps a reference to it, one
//! however often it is named, for good; it takes none in an archived repository, and a locked one
//! only from who may speak in it.
//!
//! Invariants: numbers are dense; reactions are counted; a reference is to another thread, by the
//! author of a comment there, and listed once.
//! Calls: account, repo.

mod authorize;
mod error;
mod execute;
mod invariants;
mod state;

pub(crate) use authorize::{check_open, check_unlocked, has_role};
pub(crate) use error::{role as role_error, same, unknown};
pub use execute::execute;
pub(crate) use execute::open;
pub use state::{comment, count, thread};

use crate::modules::Module;

/// This module's part in the walks.
pub const MODULE: Module = Module { audit: Some(invariants::audit), ..Module::new("discussion") };

#[cfg(test)]
pub(crate) mod tests;
