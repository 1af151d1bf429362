//! The newest inner nodes near the root, so that a commit does not look for them in table files.
//!
//! A change goes through one node of each level. Of those four steps from the root a large state
//! has 65,536, of those five steps from it a million: blocks of transactions everywhere change them
//! again and again, but each lies in a block of a table file with nodes of others, of which a small
//! cache holds few. Here each place has its own, and nothing is kept twice. Leaves have none: a
//! change seldom reads one, only where a key comes beside it or its neighbour goes.
//!
//! A row of a node is named by version and place and never changes, so that what is found is right
//! whoever asks; a node that was replaced is not found.

use std::sync::{PoisonError, RwLock};

use guts_state::{is_inner_node, node_place};

/// Steps from the root to the last level that is kept.
const STEPS_MAX: usize = 5;
/// Places there are.
const PLACES: usize = places(STEPS_MAX);
/// The first place of the last level. Those before it take at most 600 bytes each, 42 MB with all
/// of them taken; a state of few keys takes few.
const LAST_LEVEL: usize = places(STEPS_MAX - 1);
/// Bytes that nodes of the last level take, at most: of two million keys, those of a million
/// accounts, there is room for all, of more for some. The places themselves take 18 MB then.
const LAST_LEVEL_BYTES_MAX: usize = 80 << 20;

/// Places of the levels up to so many steps from the root.
const fn places(steps: usize) -> usize {
    (16_usize.pow(steps as u32 + 1) - 1) / 15
}

/// See the module.
pub(crate) struct UpperNodes {
    inner: RwLock<Inner>,
}

struct Inner {
    /// By number of the place: version and node, as in the key and value of its row.
    nodes: Vec<Option<Box<[u8]>>>,
    /// Bytes that nodes take: of the last level, and of those before it.
    bytes: [usize; 2],
}

impl UpperNodes {
    /// Without any: commits add what they write.
    pub(crate) fn new() -> Self {
        Self { inner: RwLock::new(Inner::new()) }
    }

    /// The node of a row, if it is the newest of a place that is kept.
    pub(crate) fn find(&self, row: &[u8]) -> Option<Vec<u8>> {
        let (version, place) = node_place(row, STEPS_MAX)?;
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        Some(inner.nodes[place].as_ref()?.strip_prefix(version)?.to_vec())
    }

    /// Takes what a version wrote, before anybody reads at that version.
    pub(crate) fn wrote<'a>(&self, rows: impl Iterator<Item = (&'a [u8], &'a [u8])>) {
        for (row, node) in rows {
            if let Some((version, place)) = node_place(row, STEPS_MAX) {
                let kept = is_inner_node(node).then(|| [version, node].concat().into_boxed_slice());
                self.inner.write().unwrap_or_else(PoisonError::into_inner).put(place, kept);
            }
        }
    }

    /// Forgets everything: versions will be written again with other nodes.
    pub(crate) fn taken_back(&self) {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        if inner.bytes != [0, 0] {
            *inner = Inner::new();
        }
    }

    /// Bytes that the nodes take.
    pub(crate) fn bytes(&self) -> usize {
        self.inner.read().unwrap_or_else(PoisonError::into_inner).bytes.iter().sum()
    }
}

impl Inner {
    /// Places that nobody takes cost no memory: the system gives it as it is written.
    fn new() -> Self {
        Self { nodes: vec![None; PLACES], bytes: [0, 0] }
    }

    /// What is at the place now; nothing, if there is no room for it.
    fn put(&mut self, place: usize, node: Option<Box<[u8]>>) {
        let is_last = place >= LAST_LEVEL;
        let bytes = &mut self.bytes[usize::from(!is_last)];
        let length = |node: &Option<Box<[u8]>>| node.as_ref().map_or(0, |node| node.len());
        *bytes -= length(&self.nodes[place]);
        let node = node.filter(|node| !is_last || *bytes + node.len() <= LAST_LEVEL_BYTES_MAX);
        *bytes += length(&node);
        self.nodes[place] = node;
    }
}

#[cfg(test)]
mod tests;
