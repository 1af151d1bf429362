//! The seam to `jmt`: how nodes and their keys are encoded, and how a version that is not the
//! last height plus one finds its parent root.

use borsh::BorshDeserialize;
use jmt::storage::{HasPreimage, LeafNode, Node, NodeKey, TreeReader};
use jmt::{KeyHash, OwnedValue};
use sha2::{Digest, Sha256};

use crate::store::{Column, Root, Row, Store};
use crate::{StateError, Version};

/// The ICS-23 proof specification of the tree. Verifiers need ics23 0.10 or newer, which know
/// `prehash_key_before_comparison`.
pub fn proof_spec() -> ics23::ProofSpec {
    jmt::ics23_spec()
}

/// SHA-256 of a key, the path of its leaf.
pub(crate) fn key_hash(key: &[u8]) -> KeyHash {
    KeyHash(Sha256::digest(key).into())
}

/// Version, nibbles packed, their number: the nodes of a version that lie below one another lie
/// beside one another, so that the last steps to a leaf are read from one place. Big-endian, so
/// that rows lie in order of version (borsh's own encoding is little-endian).
pub(crate) fn node_row(version: Version, key: &NodeKey) -> Vec<u8> {
    let path = key.nibble_path();
    let count = path.num_nibbles();
    let mut row = Vec::with_capacity(size_of::<Version>() + count.div_ceil(2) + 1);
    row.extend_from_slice(&version.to_be_bytes());
    let mut nibbles = path.nibbles();
    while let Some(high) = nibbles.next() {
        let low = nibbles.next().map_or(0, u8::from);
        row.push(u8::from(high) << 4 | low);
    }
    row.push(u8::try_from(count).expect("a path has at most 64 nibbles"));
    row
}

/// SHA-256 of the key whose leaf a row of [`Column::Nodes`] holds; `None` for other nodes. Every
/// value that a version sets has a leaf among the nodes of that version.
pub fn leaf_key(node: &[u8]) -> Result<Option<[u8; 32]>, StateError> {
    let damaged = |error: std::io::Error| StateError::Damaged(format!("a node: {error}"));
    Ok(match Node::try_from_slice(node).map_err(damaged)? {
        Node::Leaf(leaf) => Some(leaf.key_hash().0),
        Node::Null | Node::Internal(_) => None,
    })
}

/// The row of a key's value at a version.
pub(crate) fn value_row(key: &KeyHash, version: Version) -> Vec<u8> {
    let mut row = key.0.to_vec();
    row.extend_from_slice(&version.to_be_bytes());
    row
}

/// The row that names a key whose value a version set where there was none: like a row of a value.
pub(crate) fn preimage_row(key: &KeyHash, version: Version) -> Vec<u8> {
    value_row(key, version)
}

/// The newest row that names a key, not younger than `version`: its key and content.
pub(crate) fn preimage_at(
    store: &dyn Store,
    key: &KeyHash,
    version: Version,
) -> Result<Option<Row>, StateError> {
    store.last(Column::Preimages, &preimage_row(key, 0), &preimage_row(key, version))
}

/// A value row: the version that wrote it, and the value unless it was deleted there.
pub(crate) type Written = (Version, Option<Vec<u8>>);

/// The newest value row of a key not younger than `version`.
pub(crate) fn value_at(
    store: &dyn Store,
    key: &KeyHash,
    version: Version,
) -> Result<Option<Written>, StateError> {
    let found = store.last(Column::Values, &value_row(key, 0), &value_row(key, version))?;
    let Some((row, mut value)) = found else { return Ok(None) };
    let damaged = || StateError::Damaged("a value row of the wrong form".into());
    let written = row.get(32..).and_then(|v| v.try_into().ok()).ok_or_else(damaged)?;
    let live = match value.first() {
        Some(1) => Some(value.split_off(1)),
        Some(0) => None,
        _ => return Err(damaged()),
    };
    Ok(Some((Version::from_be_bytes(written), live)))
}

/// What a value row holds.
pub(crate) fn value_content(value: Option<&[u8]>) -> Vec<u8> {
    match value {
        Some(value) => [&[1], value].concat(),
        None => vec![0],
    }
}

/// Reads the tree for `jmt`.
///
/// `jmt` looks for the parent of version `v` at `v - 1`, but heights that changed nothing have no
/// root of their own: the reader answers with the root before, and writers put the true version
/// back (`true_version`).
pub(crate) struct Reader<'a> {
    pub(crate) store: &'a dyn Store,
    pub(crate) parent: Option<Root>,
    pub(crate) alias: Option<Version>,
}

impl Reader<'_> {
    /// The version a node was written under, when `jmt` speaks of the aliased root.
    pub(crate) fn true_version(&self, key: &NodeKey) -> Option<Version> {
        if key.nibble_path().is_empty() && Some(key.version()) == self.alias {
            return self.parent.map(|root| root.version);
        }
        Some(key.version())
    }
}

impl TreeReader for Reader<'_> {
    fn get_node_option(&self, key: &NodeKey) -> anyhow::Result<Option<Node>> {
        let Some(version) = self.true_version(key) else { return Ok(Some(Node::Null)) };
        let row = self.store.get(Column::Nodes, &node_row(version, key))?;
        Ok(row.map(|bytes| Node::try_from_slice(&bytes)).transpose()?)
    }

    fn get_value_option(
        &self,
        max_version: Version,
        key: KeyHash,
    ) -> anyhow::Result<Option<OwnedValue>> {
        Ok(value_at(self.store, &key, max_version)?.and_then(|(_, value)| value))
    }

    fn get_rightmost_leaf(&self) -> anyhow::Result<Option<(NodeKey, LeafNode)>> {
        anyhow::bail!("only a restore asks for the rightmost leaf")
    }
}

impl HasPreimage for Reader<'_> {
    fn preimage(&self, key: KeyHash) -> anyhow::Result<Option<Vec<u8>>> {
        // Whichever of them it is, it names the key.
        Ok(preimage_at(self.store, &key, Version::MAX)?.map(|(_, key)| key))
    }
}
