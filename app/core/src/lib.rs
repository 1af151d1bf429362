//! The deterministic state machine of Guts: what a block does to the state, and nothing else.
//!
//! Reading order: [`modules`] (what there is, in order), [`block`] (how a block is executed),
//! `admit` (how a transaction is let in and pays), [`app`] (the calls of the contract between two
//! commits), [`rules`] (their versions), [`prepare`], [`mempool`], [`query`],
//! [`simulate`](mod@simulate), [`attest`].
//!
//! - A transaction that fails on state spends its fee or work and its nonce, rolls back its
//!   actions, and leaves a code and a sentence. One that fails without state makes the block bad.
//! - A block without transactions and without pending pushes writes nothing: the app hash stays.
//! - Replaying a block gives the same result, events included.
//!
//! Whoever runs this (a server, a test, a simulator) owns the store, checks signatures
//! ([`checker`]) and writes what [`app::App::commit`] says.
#![forbid(unsafe_code)]

mod admit;
pub mod app;
pub mod attest;
pub mod block;
pub mod checker;
pub mod fault;
pub mod genesis;
pub mod mempool;
pub mod modules;
pub mod prepare;
pub mod query;
pub mod rules;
pub mod run;
pub mod simulate;
pub mod whole;

pub use app::{App, Commit, Head};
pub use checker::{Checked, Checker, Direct, check_together};
pub use fault::{Broken, Refusal};
pub use genesis::AppState;
pub use mempool::{Lend, Waiting};
pub use simulate::simulate;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
