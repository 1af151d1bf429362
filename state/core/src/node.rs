//! The nodes of the tree: how they are named, encoded and hashed.
//!
//! The hashes are `jmt`'s, which proves from these nodes ([`Node::to_jmt`]); the encoding is ours.
//! `jmt`'s own takes half as much again, and what a change costs in a large state is mostly to
//! find, write and compact nodes.

use jmt::proof::INTERNAL_DOMAIN_SEPARATOR;
use jmt::storage::{LeafNode, NodeKey};
use jmt::{KeyHash, Sha256Jmt};
use prost013::encoding::{decode_varint, encode_varint, encoded_len_varint};
use sha2::{Digest, Sha256};

use crate::tree::Reader;
use crate::{StateError, Version};

/// Ways on from an inner node: one for each nibble of a key's hash.
const WAYS: usize = 16;
/// What is hashed where there is no node, and the root of an empty tree.
pub(crate) const NOTHING: [u8; 32] = Sha256Jmt::<Reader<'static>>::EMPTY_ROOT.0;

/// What a row of a node begins with.
const TAG_NULL: u8 = 0;
const TAG_INTERNAL: u8 = 1;
const TAG_LEAF: u8 = 2;

/// Nibbles of a key's hash.
const STEPS_MAX: usize = 64;

/// A place in the tree: the nibbles that the keys below it begin with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path {
    /// One in a byte.
    nibbles: [u8; STEPS_MAX],
    /// How many of them.
    count: usize,
}

impl Path {
    /// That of the root.
    pub(crate) const ROOT: Self = Self { nibbles: [0; STEPS_MAX], count: 0 };

    /// One nibble on.
    pub(crate) fn child(mut self, nibble: u8) -> Self {
        self.nibbles[self.count] = nibble;
        self.count += 1;
        self
    }

    /// The nibble behind this path, which the hash of `key` begins with.
    pub(crate) fn next(&self, key: &KeyHash) -> u8 {
        let byte = key.0[self.count / 2];
        if self.count.is_multiple_of(2) { byte >> 4 } else { byte & 0xf }
    }

    /// The row of the node that `version` put here: version (big-endian), nibbles. So a node's row
    /// comes before those of the nodes below it, and these lie beside one another: in order, the
    /// rows of a version are a walk through what is new of the tree, and the last steps to a leaf
    /// are read from one place.
    pub(crate) fn row(&self, version: Version) -> Vec<u8> {
        [&version.to_be_bytes(), &self.nibbles[..self.count]].concat()
    }
}

impl From<&NodeKey> for Path {
    fn from(key: &NodeKey) -> Self {
        key.nibble_path().nibbles().map(u8::from).fold(Self::ROOT, Self::child)
    }
}

/// Version and place of the node of a row, if it is at most `steps_max` steps from the root. Places
/// are numbered: 0 is the root; the one behind nibble `n` of place `p` is `16 p + 1 + n`.
pub fn node_place(row: &[u8], steps_max: usize) -> Option<(&[u8], usize)> {
    let (version, path) = row.split_at_checked(size_of::<Version>())?;
    let step = |place, nibble: &u8| 16 * place + 1 + usize::from(*nibble);
    (path.len() <= steps_max).then(|| (version, path.iter().fold(0, step)))
}

/// Whether the node of a row has others below it.
pub fn is_inner_node(node: &[u8]) -> bool {
    node.first() == Some(&TAG_INTERNAL)
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    /// The root of an empty tree.
    Null,
    /// Several keys lie below it.
    Internal(Box<Internal>),
    /// One key.
    Leaf(LeafNode),
}

/// An inner node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Internal {
    children: [Option<Child>; WAYS],
}

/// What an inner node says of the node behind one nibble.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Child {
    /// Its hash.
    pub(crate) hash: [u8; 32],
    /// The version that wrote it.
    pub(crate) version: Version,
    /// Whether it is one key.
    pub(crate) is_leaf: bool,
}

impl Node {
    /// The content of a row of [`Column::Nodes`](crate::Column::Nodes): a tag; of a leaf, its key
    /// and the hash of its value; of an inner node, a bit for each child there is and for each that
    /// is a leaf, and for each its hash and version (LEB128).
    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Null => vec![TAG_NULL],
            Self::Leaf(leaf) => {
                let mut row = Vec::with_capacity(1 + size_of::<LeafNode>());
                row.push(TAG_LEAF);
                borsh::to_writer(&mut row, leaf).expect("memory takes all that is written");
                row
            }
            Self::Internal(node) => node.encode(),
        }
    }

    /// What a row holds.
    pub(crate) fn decode(row: &[u8]) -> Result<Self, StateError> {
        let damaged = || StateError::Damaged("a node of the wrong form".into());
        Ok(match row.split_first().ok_or_else(damaged)? {
            (&TAG_NULL, []) => Self::Null,
            (&TAG_LEAF, hashes) => Self::Leaf(borsh::from_slice(hashes).map_err(|_| damaged())?),
            (&TAG_INTERNAL, rest) => {
                Self::Internal(Box::new(Internal::decode(rest).ok_or_else(damaged)?))
            }
            _ => return Err(damaged()),
        })
    }

    /// The same as `jmt` has it. It does not let others make inner nodes, but reads its own
    /// encoding: children, their number, and how many leaves lie below, which no proof looks at.
    pub(crate) fn to_jmt(&self) -> std::io::Result<jmt::storage::Node> {
        match self {
            Self::Null => Ok(jmt::storage::Node::Null),
            Self::Leaf(leaf) => Ok(leaf.clone().into()),
            Self::Internal(node) => {
                let (tag, leaves) = (1u8, 0u64);
                let child = |c: &Child| (c.hash, c.version, (!c.is_leaf).then_some(leaves));
                let children = node.children.each_ref().map(|way| way.as_ref().map(child));
                let count = children.iter().flatten().count() as u64;
                borsh::from_slice(&borsh::to_vec(&(tag, children, count, leaves))?)
            }
        }
    }
}

impl Internal {
    /// What lies behind a nibble.
    pub(crate) fn child(&self, nibble: u8) -> Option<&Child> {
        self.children[usize::from(nibble)].as_ref()
    }

    /// Sets what lies behind a nibble.
    pub(crate) fn set(&mut self, nibble: u8, child: Option<Child>) {
        self.children[usize::from(nibble)] = child;
    }

    /// Whether nothing lies below it.
    pub(crate) fn is_empty(&self) -> bool {
        self.children.iter().all(Option::is_none)
    }

    /// The only key below it, with its nibble, if there is only one and it lies right here: no
    /// place for an inner node.
    pub(crate) fn only_leaf(&self) -> Option<(u8, &Child)> {
        let mut present = (0..).zip(&self.children).filter_map(|(n, c)| Some((n, c.as_ref()?)));
        let only = present.next().filter(|(_, child)| child.is_leaf);
        if present.next().is_some() { None } else { only }
    }

    /// Its hash.
    pub(crate) fn hash(&self) -> [u8; 32] {
        hash_of(&self.children)
    }

    /// A bit for each child of which `is` holds.
    fn bits(&self, is: impl Fn(&Child) -> bool) -> u16 {
        let bit =
            |(n, child): (usize, &Option<Child>)| u16::from(child.as_ref().is_some_and(&is)) << n;
        self.children.iter().enumerate().map(bit).fold(0, |all, bit| all | bit)
    }

    fn encode(&self) -> Vec<u8> {
        let children = || self.children.iter().flatten();
        let length = |child: &Child| child.hash.len() + encoded_len_varint(child.version);
        let mut row = Vec::with_capacity(5 + children().map(length).sum::<usize>());
        row.push(TAG_INTERNAL);
        row.extend_from_slice(&self.bits(|_| true).to_be_bytes());
        row.extend_from_slice(&self.bits(|child| child.is_leaf).to_be_bytes());
        for child in children() {
            row.extend_from_slice(&child.hash);
            encode_varint(child.version, &mut row);
        }
        row
    }

    fn decode(row: &[u8]) -> Option<Self> {
        let (present, rest) = row.split_first_chunk()?;
        let (leaves, mut rest) = rest.split_first_chunk()?;
        let (present, leaves) = (u16::from_be_bytes(*present), u16::from_be_bytes(*leaves));
        let mut node = Self::default();
        for (n, way) in node.children.iter_mut().enumerate() {
            let has = |bits: u16| bits >> n & 1 == 1;
            if has(present) {
                let hash = *rest.split_off(..32)?.first_chunk()?;
                let version = decode_varint(&mut rest).ok()?;
                *way = Some(Child { hash, version, is_leaf: has(leaves) });
            }
        }
        (rest.is_empty() && !node.is_empty()).then_some(node)
    }
}

/// The hash over children side by side, two by two; one leaf alone stands for all of its side.
fn hash_of(children: &[Option<Child>]) -> [u8; 32] {
    let mut present = children.iter().flatten();
    match (present.next(), present.next()) {
        (None, _) => NOTHING,
        (Some(only), None) if only.is_leaf || children.len() == 1 => only.hash,
        _ => {
            let (left, right) = children.split_at(children.len() / 2);
            let mut hash = Sha256::new_with_prefix(INTERNAL_DOMAIN_SEPARATOR);
            hash.update(hash_of(left));
            hash.update(hash_of(right));
            hash.finalize().into()
        }
    }
}

#[cfg(test)]
mod tests;
