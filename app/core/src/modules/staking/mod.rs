//! Validators: who signs, with which key and how much power, and who operates each.
//!
//! | state | value |
//! |---|---|
//! | `validators` | `proto::Validators` in force |
//! | `validators_at/HEIGHT` | `proto::Validators` whose signatures count from that height on |
//! | `validators_changes` | `proto::ValidatorsChanges`: the heights of the above, rising |
//!
//! | action | who may |
//! |---|---|
//! | none yet: the set is that of genesis | |
//!
//! Invariants: the set in force is not empty and is the last of the recorded ones; its addresses
//! are those of its keys and are sorted.
//! Calls: account.

mod genesis;
mod invariants;
mod state;

pub use genesis::{Genesis, Operator};
pub use state::{Set, at, in_force, operates};

use crate::modules::Module;

/// This module's part in the walks.
pub const MODULE: Module = Module {
    name: "staking",
    init: genesis::init,
    export: genesis::export,
    begin: None,
    end: None,
    query: None,
    audit: Some(invariants::audit),
};

#[cfg(test)]
mod tests;
