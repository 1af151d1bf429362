//! The contract against what CometBFT was recorded to do, and the sockets under bad conditions.

#![allow(clippy::unwrap_used)]

#[path = "../../examples/kvstore/journal.rs"]
mod journal;

mod adapter;
mod client;
mod harness;
mod journals;
mod recordings;
mod replay;
mod server;
mod together;
