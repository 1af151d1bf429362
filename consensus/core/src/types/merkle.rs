//! Merkle trees as in RFC 6962, with proofs in CometBFT's form.
//!
//! A leaf is `SHA-256(0x00 || item)`, an inner node `SHA-256(0x01 || left || right)`, and a tree
//! of n items splits at the largest power of two below n. No items hash to SHA-256 of nothing.
use guts_abci::proto;
use sha2::{Digest, Sha256};

use super::{Hash, Invalid};

#[cfg(test)]
mod tests;

/// Most hashes a proof may have.
pub const AUNTS_MAX: usize = 100;

type Node = [u8; 32];

/// The hash of a leaf.
pub fn leaf_hash(item: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update([0]).chain_update(item).finalize().into()
}

fn inner_hash(left: &Node, right: &Node) -> Node {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// Items of the left subtree in a tree of `count` (at least two).
fn split(count: usize) -> usize {
    let half = count.next_power_of_two() / 2;
    assert!(0 < half && half < count, "only a tree of two or more is split");
    half
}

/// The root over `items`.
pub fn root<T: AsRef<[u8]>>(items: &[T]) -> Hash {
    let leaves: Vec<Node> = items.iter().map(|item| leaf_hash(item.as_ref())).collect();
    root_of_leaves(&leaves)
}

/// The root over items whose leaf hashes are known.
pub fn root_of_leaves(leaves: &[[u8; 32]]) -> Hash {
    if leaves.is_empty() { Hash::of(&[]) } else { Hash::new(subtree(leaves)) }
}

fn subtree(leaves: &[Node]) -> Node {
    match leaves {
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            inner_hash(&subtree(left), &subtree(right))
        }
    }
}

/// The root over `items` and a proof for each.
pub fn proofs<T: AsRef<[u8]>>(items: &[T]) -> (Hash, Vec<Proof>) {
    proofs_at(items, 0..items.len())
}

/// The root over `items` and a proof for each of those at `places`, which ascend; places beyond the
/// last item are left out.
pub fn proofs_at<T: AsRef<[u8]>>(
    items: &[T],
    places: impl IntoIterator<Item = usize>,
) -> (Hash, Vec<Proof>) {
    let leaves: Vec<Node> = items.iter().map(|item| leaf_hash(item.as_ref())).collect();
    let proof = |index: usize| {
        let leaf_hash = *leaves.get(index)?;
        let (total, index) = (leaves.len() as u64, index as u64);
        Some(Proof { total, index, leaf_hash, aunts: Vec::new() })
    };
    let mut proofs: Vec<Proof> = places.into_iter().filter_map(proof).collect();
    assert!(proofs.is_sorted_by_key(|proof| proof.index), "places ascend");
    if leaves.is_empty() {
        return (Hash::of(&[]), proofs);
    }
    let root = collect_aunts(&leaves, 0, &mut proofs);
    (Hash::new(root), proofs)
}

/// The hash over `leaves`, the first of which is at `first`; each of `proofs`, which are of leaves
/// among them, is told the other halves on its way up.
fn collect_aunts(leaves: &[Node], first: u64, proofs: &mut [Proof]) -> Node {
    if let [leaf] = leaves {
        return *leaf;
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    let middle = first + left.len() as u64;
    let on_the_left = proofs.partition_point(|proof| proof.index < middle);
    let (left_proofs, right_proofs) = proofs.split_at_mut(on_the_left);
    let left = collect_aunts(left, first, left_proofs);
    let right = collect_aunts(right, middle, right_proofs);
    left_proofs.iter_mut().for_each(|proof| proof.aunts.push(right));
    right_proofs.iter_mut().for_each(|proof| proof.aunts.push(left));
    inner_hash(&left, &right)
}

/// Proof that an item is at `index` among `total` items under a root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Number of items in the tree.
    pub total: u64,
    /// Position of the item.
    pub index: u64,
    /// Hash of the leaf.
    pub leaf_hash: [u8; 32],
    /// Sibling hashes from the leaf up.
    pub aunts: Vec<[u8; 32]>,
}

impl Proof {
    /// Checks that `item` is what this proof proves under `root`.
    pub fn verify(&self, root: &Hash, item: &[u8]) -> Result<(), Invalid> {
        if leaf_hash(item) != self.leaf_hash {
            return Err(Invalid::LeafHashMismatch);
        }
        let computed = self.root().ok_or(Invalid::RootComputation)?;
        if computed == *root { Ok(()) } else { Err(Invalid::RootMismatch) }
    }

    /// The root this proof leads to, or none if it does not have the shape of its tree.
    pub fn root(&self) -> Option<Hash> {
        root_of_proof(self.index, self.total, self.leaf_hash, &self.aunts).map(Hash::new)
    }

    /// Reads and checks the wire form.
    pub fn from_proto(proof: proto::crypto::Proof) -> Result<Proof, Invalid> {
        let total = u64::try_from(proof.total).map_err(|_| Invalid::TotalNegative)?;
        let index = u64::try_from(proof.index).map_err(|_| Invalid::IndexNegative)?;
        let node = |bytes: &[u8]| Node::try_from(bytes).ok();
        let leaf_hash = node(&proof.leaf_hash).ok_or(Invalid::LeafHashSize)?;
        if proof.aunts.len() > AUNTS_MAX {
            return Err(Invalid::TooManyAunts);
        }
        let aunts = proof.aunts.iter().map(|aunt| node(aunt)).collect::<Option<_>>();
        Ok(Proof { total, index, leaf_hash, aunts: aunts.ok_or(Invalid::AuntSize)? })
    }

    /// The wire form.
    pub fn to_proto(&self) -> proto::crypto::Proof {
        proto::crypto::Proof {
            total: i64::try_from(self.total).unwrap_or(i64::MAX),
            index: i64::try_from(self.index).unwrap_or(i64::MAX),
            leaf_hash: self.leaf_hash.to_vec(),
            aunts: self.aunts.iter().map(|aunt| aunt.to_vec()).collect(),
        }
    }
}

fn root_of_proof(index: u64, total: u64, leaf: Node, aunts: &[Node]) -> Option<Node> {
    if index >= total {
        return None;
    }
    if total == 1 {
        return aunts.is_empty().then_some(leaf);
    }
    let (top, below) = aunts.split_last()?;
    // The largest power of two below the total; `total - 1` has the same leading bit.
    let left_count = 1_u64 << (63 - (total - 1).leading_zeros());
    if index < left_count {
        let left = root_of_proof(index, left_count, leaf, below)?;
        Some(inner_hash(&left, top))
    } else {
        let right = root_of_proof(index - left_count, total - left_count, leaf, below)?;
        Some(inner_hash(top, &right))
    }
}
