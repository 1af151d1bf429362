//! The consensus engine as a process: network, disk, ABCI client, RPC.
//!
//! The pure engine (`guts_consensus`) decides everything; this crate carries out what it decides:
//! messages to and from peers, records to disk before actions, calls to the application, answers
//! to clients. `kill -9` at any instant loses nothing that anybody was told.
//!
//! Reading order: [`node`] puts the pieces together, [`shell`] is the loop, [`wal`], [`store`] and
//! [`signer`] are what survives a crash, [`network`] is what peers see.
//!
//! Safety: [S-2] the signer never signs two values for one height, round and step.

mod backend;
pub mod cli;
pub mod config;
pub mod genesis;
pub mod home;
mod index;
pub mod metrics;
pub mod network;
pub mod node;
pub mod queue;
mod readers;
pub mod shell;
pub mod signer;
pub mod store;
pub mod wal;
