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

pub use genesis::{Genesis, Price};
pub(crate) use genesis::{changed, check_whole};
pub(crate) use state::put;
pub use state::{Decoded, get, of};

use crate::modules::Module;

/// This module's part in the walks.
pub const MODULE: Module = Module::new("params", genesis::init, genesis::export);

#[cfg(test)]
mod tests;
