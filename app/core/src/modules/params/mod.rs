//! Chain parameters: what a network accepts, what it costs, how long things last.
//!
//! | state | value |
//! |---|---|
//! | `params` | `proto::Params`, from genesis, then governance |
//!
//! | action | who may |
//! |---|---|
//! | none: parameters change under governance, which calls this | |
//!
//! Invariants: parameters exist and are consistent ([`genesis`] checks them).
//! Calls: nothing.

mod genesis;
mod state;

pub(crate) use genesis::{CANDIDATES_MAX, REPO_RULES_MAX, changed, check_whole};
pub use genesis::{Genesis, Price};
pub(crate) use state::put;
pub use state::{Decoded, get, of};

use crate::modules::Module;

/// This module's part in the walks.
pub const MODULE: Module = Module {
    audit: Some(genesis::audit),
    ..Module::of_genesis("params", genesis::init, genesis::export)
};

#[cfg(test)]
mod tests;
