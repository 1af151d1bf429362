//! The newest nodes near the root, so that a commit does not look for them in table files.
//!
//! A change goes through one node of each level. Of those four steps from the root a large state
//! has 65,536: blocks of transactions everywhere change each of them again and again, but it lies
//! in a block of a table file with nodes of others, of which a small cache holds few. Here each
//! place has its own: nothing is evicted, and nothing is kept twice.
//!
//! A row of a node is named by version and place and never changes, so that what is found is right
//! whoever asks; a node that was replaced is not found.

use std::sync::{PoisonError, RwLock};

use guts_state::node_place;

/// Steps from the root to the last level that is kept.
const STEPS_MAX: u32 = 4;
/// Places there are: at most 600 bytes each, 42 MB with all of them taken; a state of few keys
/// takes few.
const PLACES: usize = (16_usize.pow(STEPS_MAX + 1) - 1) / 15;

/// See the module.
pub(crate) struct UpperNodes {
    /// By number of the place: version and node, as in the key and value of its row.
    nodes: RwLock<Vec<Option<Box<[u8]>>>>,
}

impl UpperNodes {
    /// Without any: commits add what they write.
    pub(crate) fn new() -> Self {
        Self { nodes: RwLock::new(vec![None; PLACES]) }
    }

    /// The node of a row, if it is the newest of a place that is kept.
    pub(crate) fn find(&self, row: &[u8]) -> Option<Vec<u8>> {
        let (version, place) = node_place(row, STEPS_MAX)?;
        let nodes = self.nodes.read().unwrap_or_else(PoisonError::into_inner);
        Some(nodes[place].as_ref()?.strip_prefix(version)?.to_vec())
    }

    /// Takes what a version wrote, before anybody reads at that version.
    pub(crate) fn wrote<'a>(&self, rows: impl Iterator<Item = (&'a [u8], &'a [u8])>) {
        for (row, node) in rows {
            if let Some((version, place)) = node_place(row, STEPS_MAX) {
                let kept = [version, node].concat().into_boxed_slice();
                let mut nodes = self.nodes.write().unwrap_or_else(PoisonError::into_inner);
                nodes[place] = Some(kept);
            }
        }
    }

    /// Forgets everything: versions will be written again with other nodes.
    pub(crate) fn taken_back(&self) {
        self.nodes.write().unwrap_or_else(PoisonError::into_inner).fill(None);
    }
}

#[cfg(test)]
mod tests;
