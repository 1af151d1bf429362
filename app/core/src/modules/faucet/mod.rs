//! The faucet: a little of the treasury for whoever does the work, bounded for each account and for
//! all of them, so that no flood of accounts comes by a stake that matters.
//!
//! | state | value |
//! |---|---|
//! | `faucet` | `proto::Faucet`: what it gave in an epoch |
//! | `faucet_draw/ACCOUNT` | `proto::FaucetDraw`: when an account drew last |
//!
//! | action | who may |
//! |---|---|
//! | `DrawFaucet` | any account, once an epoch, paying by proof of work |
//!
//! Invariants: nothing was given in, or drawn from, an epoch to come.
//! Calls: params, account, staking.

mod authorize;
mod error;
mod execute;
mod invariants;
mod state;

pub use execute::execute;

use crate::modules::Module;

/// This module's part in the walks.
pub const MODULE: Module = Module { audit: Some(invariants::audit), ..Module::new("faucet") };

#[cfg(test)]
pub(crate) mod tests;
