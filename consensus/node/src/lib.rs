//! The consensus engine as a process: network, disk, ABCI client, RPC.
//!
//! The pure engine (`guts_consensus`) decides everything; this crate carries out what it decides:
//! messages to and from peers, records to disk before actions, calls to the application, answers
//! to clients. `kill -9` at any instant loses nothing that anybody was told.

pub mod network;
pub mod queue;
