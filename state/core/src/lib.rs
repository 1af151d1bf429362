//! The authenticated store of the application: a Jellyfish Merkle tree over SHA-256, read through
//! snapshots, changed through overlays, written as batches, proved with ICS-23.
//!
//! Reading order: [`store`] (rows under a tree, and where they lie), [`overlay`] (changes that can
//! be dropped), [`snapshot`] (one version: read, prove, commit), [`update`] (what a commit does to
//! the tree), [`node`] and [`tree`] (its rows, and the seam to `jmt`, which proves from them).
//!
//! Rules:
//! - one tree version per height that changed something. A height whose changes come to nothing
//!   writes nothing and keeps the root, so that a chain can rest;
//! - keys and values are never empty: ICS-23 cannot prove either;
//! - there is no iteration: lists have dense ids and a count, sets have a root over their members.

mod node;
pub mod overlay;
pub mod snapshot;
pub mod store;
mod tree;
mod update;

pub use node::{is_inner_node, node_place};
pub use overlay::{Cached, Changes, Overlay, Read, Seen};
pub use snapshot::{Proof, Snapshot, verify_absent, verify_present};
pub use store::{Batch, Column, Layered, MemoryStore, Root, Store, stale_rows};
pub use tree::{leaf_key, proof_spec};

/// Height of the block whose changes made a version of the tree.
pub type Version = u64;

/// What can go wrong below the state machine. None of it is a transaction's fault: whoever meets
/// one stops.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// The store could not be read or written.
    #[error("the state store failed: {0}")]
    Store(String),
    /// Rows contradict each other or do not decode.
    #[error("the state store is damaged: {0}")]
    Damaged(String),
    /// The version was never written.
    #[error("no state at height {0}: nothing was written yet")]
    NoVersion(Version),
    /// The version was pruned.
    #[error("the state of height {height} is not kept: {oldest} is the oldest that is")]
    Pruned {
        /// The one that was asked for.
        height: Version,
        /// The oldest that is kept.
        oldest: Version,
    },
    /// An empty key or value, which ICS-23 cannot prove.
    #[error("empty keys and values cannot be proved and are not stored")]
    Empty,
}

#[cfg(test)]
mod tests;
