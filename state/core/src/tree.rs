//! What lies beside the nodes of the tree - rows of values and of the keys they belong to - and the
//! seam to `jmt`, which proves from them.

use jmt::storage::{HasPreimage, LeafNode, NodeKey, TreeReader};
use jmt::{KeyHash, OwnedValue};
use sha2::{Digest, Sha256};

use crate::node::{Node, Path};
use crate::store::{Column, Row, Store};
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

/// SHA-256 of the key whose leaf a row of [`Column::Nodes`] holds; `None` for other nodes. Every
/// value that a version sets has a leaf among the nodes of that version.
pub fn leaf_key(node: &[u8]) -> Result<Option<[u8; 32]>, StateError> {
    Ok(match Node::decode(node)? {
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
        Some(1) => {
            value.remove(0);
            Some(value)
        }
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

/// Reads the tree for `jmt`, which proves what is in it.
pub(crate) struct Reader<'a>(pub(crate) &'a dyn Store);

impl TreeReader for Reader<'_> {
    fn get_node_option(&self, key: &NodeKey) -> anyhow::Result<Option<jmt::storage::Node>> {
        let row = self.0.get(Column::Nodes, &Path::from(key).row(key.version()))?;
        row.map(|row| anyhow::Ok(Node::decode(&row)?.to_jmt()?)).transpose()
    }

    fn get_value_option(
        &self,
        max_version: Version,
        key: KeyHash,
    ) -> anyhow::Result<Option<OwnedValue>> {
        Ok(value_at(self.0, &key, max_version)?.and_then(|(_, value)| value))
    }

    fn get_rightmost_leaf(&self) -> anyhow::Result<Option<(NodeKey, LeafNode)>> {
        anyhow::bail!("only a restore asks for the rightmost leaf")
    }
}

impl HasPreimage for Reader<'_> {
    fn preimage(&self, key: KeyHash) -> anyhow::Result<Option<Vec<u8>>> {
        // Whichever of them it is, it names the key.
        Ok(preimage_at(self.0, &key, Version::MAX)?.map(|(_, key)| key))
    }
}
