//! What the writes of a version make of the tree: the nodes it adds, and those it replaces.
//!
//! One walk from the root along the keys that are written, which are sorted: each node on the way
//! is read once, changed once, and hashed when all below it is. `jmt` can do the same, but reads
//! the leaf of each key to learn whose it is, which whoever writes a key knows from its value
//! before; in a large state that is a look-up on disk for each.

use jmt::storage::LeafNode;
use jmt::{KeyHash, ValueHash};
use sha2::Sha256;

use crate::node::{Child, Internal, NOTHING, Node, Path};
use crate::store::{Column, Root, Row, StaleRows, Store};
use crate::{StateError, Version};

/// A key, and what becomes of it.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    key: KeyHash,
    /// Whether it is in the tree.
    was_set: bool,
    /// `None`: deleted.
    leaf: Option<LeafNode>,
}

impl Change {
    /// Sets a key, or deletes it; `was_set` says whether the tree has it.
    pub(crate) fn new(key: KeyHash, value: Option<&[u8]>, was_set: bool) -> Self {
        let leaf = value.map(|value| LeafNode::new(key, ValueHash::with::<Sha256>(value)));
        Self { key, was_set, leaf }
    }
}

/// What a version makes of the tree.
pub(crate) struct Updated {
    /// The new root's hash.
    pub(crate) hash: [u8; 32],
    /// Rows of the nodes it adds, in order.
    pub(crate) nodes: Vec<Row>,
    /// Rows of the nodes it replaces.
    pub(crate) stale: StaleRows,
}

/// Changes the tree under the root `parent`; `version` is above its own. The changes are in order
/// of key, each key once, and none comes to nothing.
pub(crate) fn update(
    store: &dyn Store,
    parent: Option<Root>,
    changes: &[Change],
    version: Version,
) -> Result<Updated, StateError> {
    let mut update = Update { store, version, nodes: Vec::new(), stale: StaleRows::default() };
    let hash = update.root(parent, changes)?;
    Ok(Updated { hash, nodes: update.nodes, stale: update.stale })
}

struct Update<'a> {
    store: &'a dyn Store,
    version: Version,
    nodes: Vec<Row>,
    stale: StaleRows,
}

/// What is at a place after the changes below it. A leaf is for whoever asked to write: where
/// nothing else lies beside it, it moves up.
enum Top {
    Nothing,
    Leaf(LeafNode),
    Internal(Child),
}

impl Update<'_> {
    /// The new root: written, and its hash.
    fn root(&mut self, parent: Option<Root>, changes: &[Change]) -> Result<[u8; 32], StateError> {
        let path = Path::ROOT;
        let top = match parent {
            None => self.sprout(path, changes)?,
            Some(root) => match self.replace(path, root.version)? {
                Node::Null => self.sprout(path, changes)?,
                Node::Leaf(leaf) => self.split(path, changes, || Ok(leaf))?,
                Node::Internal(node) => self.descend(path, node, changes)?,
            },
        };
        match top {
            Top::Nothing => {
                self.write(path, &Node::Null);
                Ok(NOTHING)
            }
            Top::Leaf(leaf) => {
                let hash = leaf.hash::<Sha256>();
                self.write(path, &Node::Leaf(leaf));
                Ok(hash)
            }
            Top::Internal(child) => Ok(child.hash),
        }
    }

    /// Where nothing was.
    fn sprout(&mut self, path: Path, changes: &[Change]) -> Result<Top, StateError> {
        let mut leaves = changes.iter().filter_map(|change| change.leaf.as_ref());
        match (leaves.next(), leaves.next()) {
            (None, _) => Ok(Top::Nothing),
            (Some(leaf), None) => Ok(Top::Leaf(leaf.clone())),
            _ => self.descend(path, Box::default(), changes),
        }
    }

    /// Where a leaf was. It is read only if none of the changes is of its key.
    fn split(
        &mut self,
        path: Path,
        changes: &[Change],
        leaf: impl FnOnce() -> Result<LeafNode, StateError>,
    ) -> Result<Top, StateError> {
        if changes.iter().any(|change| change.was_set) {
            return self.sprout(path, changes);
        }
        let leaf = leaf()?;
        let key = leaf.key_hash();
        let mut all = changes.to_vec();
        let place = all.partition_point(|change| change.key < key);
        all.insert(place, Change { key, was_set: true, leaf: Some(leaf) });
        self.sprout(path, &all)
    }

    /// Where an inner node was, or is to be: changes what lies behind each nibble.
    fn descend(
        &mut self,
        path: Path,
        mut node: Box<Internal>,
        changes: &[Change],
    ) -> Result<Top, StateError> {
        // Its row comes before those of what lies below.
        let place = self.nodes.len();
        self.nodes.push(Row::default());
        let mut new_leaf = None;
        for group in changes.chunk_by(|one, next| path.next(&one.key) == path.next(&next.key)) {
            let nibble = path.next(&group[0].key);
            let below = path.child(nibble);
            let top = match node.child(nibble) {
                None => self.sprout(below, group)?,
                Some(child) if child.is_leaf => {
                    let (store, version) = (self.store, child.version);
                    self.stale.push(Column::Nodes, &below.row(version));
                    self.split(below, group, || leaf_at(store, below, version))?
                }
                Some(child) => match self.replace(below, child.version)? {
                    Node::Internal(node) => self.descend(below, node, group)?,
                    Node::Null | Node::Leaf(_) => return Err(damaged("an inner node")),
                },
            };
            let child = match top {
                Top::Nothing => None,
                Top::Leaf(leaf) => {
                    let (hash, version) = (leaf.hash::<Sha256>(), self.version);
                    self.write(below, &Node::Leaf(leaf.clone()));
                    new_leaf = Some(leaf);
                    Some(Child { hash, version, is_leaf: true })
                }
                Top::Internal(child) => Some(child),
            };
            node.set(nibble, child);
        }
        let only = node.only_leaf().map(|(nibble, leaf)| (path.child(nibble), leaf.version));
        if only.is_none() && !node.is_empty() {
            let child = Child { hash: node.hash(), version: self.version, is_leaf: false };
            self.nodes[place] = (path.row(self.version), Node::Internal(node).encode());
            return Ok(Top::Internal(child));
        }
        // Too little for an inner node: neither that nor a leaf right below it is written.
        self.nodes.truncate(place);
        match (only, new_leaf) {
            (None, _) => Ok(Top::Nothing),
            (Some((_, version)), Some(leaf)) if version == self.version => Ok(Top::Leaf(leaf)),
            (Some((below, version)), _) => {
                self.stale.push(Column::Nodes, &below.row(version));
                Ok(Top::Leaf(leaf_at(self.store, below, version)?))
            }
        }
    }

    /// The node that `version` put there, which the new version replaces.
    fn replace(&mut self, path: Path, version: Version) -> Result<Node, StateError> {
        self.stale.push(Column::Nodes, &path.row(version));
        node_at(self.store, path, version)
    }

    fn write(&mut self, path: Path, node: &Node) {
        self.nodes.push((path.row(self.version), node.encode()));
    }
}

fn node_at(store: &dyn Store, path: Path, version: Version) -> Result<Node, StateError> {
    let row = store.get(Column::Nodes, &path.row(version))?;
    Node::decode(&row.ok_or_else(|| damaged("a node"))?)
}

fn leaf_at(store: &dyn Store, path: Path, version: Version) -> Result<LeafNode, StateError> {
    match node_at(store, path, version)? {
        Node::Leaf(leaf) => Ok(leaf),
        Node::Null | Node::Internal(_) => Err(damaged("a leaf")),
    }
}

fn damaged(missing: &str) -> StateError {
    StateError::Damaged(format!("the tree lacks {missing} that it names"))
}

#[cfg(test)]
mod tests;
