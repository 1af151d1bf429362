//! A one-thread world with faults for the consensus engine.
//!
//! Nodes are real [`guts_consensus::engine::Engine`]s, each over a disk that loses what was not
//! synced or fails to sync, an application that may fall behind, linger and decline, a signer that
//! lingers and refuses and a clock that is set, in a network that loses, delays, doubles, garbles
//! and divides; several inputs may be written in one go. One validator may be byzantine, or two of
//! seven, in one of seven ways (`plan`). Time is virtual, and everything that happens follows from
//! the seed: [`run`] with the same seed and options does the same, step by step.
//!
//! A run has two phases. First anything may happen that the seed wants; then the faults end, a
//! quorum is healed, and the chain must go on within a bound. What must never happen is checked
//! all along (`check`): two blocks at one height, an app hash of its own, a second signature for
//! one height, round and step, a vote against a lock, a call out of order, a correct node in
//! evidence, a panic.
//!
//! Signatures are keyed hashes here: what is simulated is the protocol, not the curve.
mod app;
mod byzantine;
mod check;
mod disk;
mod faults;
mod forgetful;
mod mishaps;
mod network;
mod node;
mod plan;
mod report;
mod rng;
mod scheme;
mod world;

#[cfg(test)]
mod tests;

pub use plan::{Canary, Options};
pub use report::{Failure, Report, Totals};
pub use world::run;
