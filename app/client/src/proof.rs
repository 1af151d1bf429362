//! Proofs: of a key's value or absence against an app hash, of a transaction against a data hash,
//! of results against the digest that the next header has of them.

use guts_rpc::types::{MerkleProof, ProofOps, TxResult};
use guts_schema::query::PROOF_TYPE;
use ics23::{
    CommitmentProof, HashOp, HostFunctionsManager, InnerSpec, LeafOp, LengthOp, ProofSpec,
};
use prost013::Message;
use sha2::{Digest, Sha256};

use crate::Error;

/// The shape of proofs of a Jellyfish Merkle tree over SHA-256; any ICS-23 verifier takes it.
pub fn spec() -> ProofSpec {
    ProofSpec {
        leaf_spec: Some(LeafOp {
            hash: HashOp::Sha256.into(),
            prehash_key: HashOp::Sha256.into(),
            prehash_value: HashOp::Sha256.into(),
            length: LengthOp::NoPrefix.into(),
            prefix: b"JMT::LeafNode".to_vec(),
        }),
        inner_spec: Some(InnerSpec {
            hash: HashOp::Sha256.into(),
            child_order: vec![0, 1],
            min_prefix_length: 16,
            max_prefix_length: 16,
            child_size: 32,
            empty_child: b"SPARSE_MERKLE_PLACEHOLDER_HASH__".to_vec(),
        }),
        min_depth: 0,
        max_depth: 64,
        prehash_key_before_comparison: true,
    }
}

/// Checks that `key` has `value` (`None`: is absent) in the state with that app hash. The key is
/// the one the caller asked about, not one that came with the proof.
pub fn check_state(
    ops: Option<&ProofOps>,
    app_hash: &[u8],
    key: &[u8],
    value: Option<&[u8]>,
) -> Result<(), Error> {
    let wrong = |why: &str| Error::Proof(format!("{why} for key {}", String::from_utf8_lossy(key)));
    let ops = ops.map(|ops| &ops.ops[..]).unwrap_or_default();
    let [op] = ops else { return Err(wrong("there is no proof")) };
    if op.kind != PROOF_TYPE {
        return Err(wrong("the proof is of another kind"));
    }
    let proof =
        CommitmentProof::decode(&op.data.0[..]).map_err(|_| wrong("the proof is malformed"))?;
    let root = app_hash.to_vec();
    let holds = match value {
        Some(value) => {
            ics23::verify_membership::<HostFunctionsManager>(&proof, &spec(), &root, key, value)
        }
        None => ics23::verify_non_membership::<HostFunctionsManager>(&proof, &spec(), &root, key),
    };
    if holds { Ok(()) } else { Err(wrong("the proof does not hold")) }
}

/// Checks that `tx` is transaction `index` of the block with that data hash (RFC 6962 tree whose
/// leaves are SHA-256 of the transactions).
pub fn check_tx(proof: &MerkleProof, data_hash: &[u8], tx: &[u8], index: u32) -> Result<(), Error> {
    let wrong = || Error::Proof("the transaction's proof does not hold".into());
    let total = u64::try_from(proof.total).map_err(|_| wrong())?;
    if u64::try_from(proof.index) != Ok(u64::from(index)) {
        return Err(wrong());
    }
    let leaf = Sha256::new().chain_update([0]).chain_update(Sha256::digest(tx)).finalize();
    let mut aunts = proof.aunts.iter().map(|aunt| aunt.0.as_slice());
    let root = climb(u64::from(index), total, leaf.into(), &mut aunts).ok_or_else(wrong)?;
    if aunts.next().is_none() && root[..] == *data_hash { Ok(()) } else { Err(wrong()) }
}

/// The data hash of a block with these transactions.
pub fn data_hash(txs: &[Vec<u8>]) -> [u8; 32] {
    root(txs.iter().map(Sha256::digest))
}

/// What of a result is agreed on; the rest may differ between nodes.
#[derive(Clone, PartialEq, prost::Message)]
struct Agreed {
    #[prost(uint32, tag = "1")]
    code: u32,
    #[prost(bytes = "vec", tag = "2")]
    data: Vec<u8>,
    #[prost(int64, tag = "5")]
    gas_wanted: i64,
    #[prost(int64, tag = "6")]
    gas_used: i64,
}

/// The digest over the results of a block, which the header of the next one has.
pub fn results_hash(results: &[TxResult]) -> [u8; 32] {
    let leaf = |result: &TxResult| {
        let TxResult { code, data, gas_wanted, gas_used, .. } = result;
        let (code, gas_wanted, gas_used) = (*code, *gas_wanted, *gas_used);
        let agreed = Agreed { code, data: data.0.clone(), gas_wanted, gas_used };
        prost::Message::encode_to_vec(&agreed)
    };
    root(results.iter().map(leaf))
}

/// The root of the RFC 6962 tree with these leaves.
fn root(leaves: impl Iterator<Item = impl AsRef<[u8]>>) -> [u8; 32] {
    let hash = |leaf| Sha256::new().chain_update([0]).chain_update(leaf).finalize().into();
    let mut level: Vec<[u8; 32]> = leaves.map(hash).collect();
    if level.is_empty() {
        return Sha256::digest([]).into();
    }
    // Pairs from the left, an odd one goes up as it is: the same tree as splitting at the largest
    // power of two.
    while level.len() > 1 {
        let up = |pair: &[[u8; 32]]| match pair {
            [left, right] => Sha256::new()
                .chain_update([1])
                .chain_update(left)
                .chain_update(right)
                .finalize()
                .into(),
            _ => pair[0],
        };
        level = level.chunks(2).map(up).collect();
    }
    level[0]
}

/// The root of a tree of `total` leaves, from leaf `index` and its aunts, nearest first.
fn climb<'a>(
    index: u64,
    total: u64,
    leaf: [u8; 32],
    aunts: &mut impl Iterator<Item = &'a [u8]>,
) -> Option<[u8; 32]> {
    // Sizes of the subtrees on the way down, and on which side the leaf is; at most 64.
    let mut path = Vec::new();
    let (mut index, mut total) = (index, total);
    if index >= total {
        return None;
    }
    while total > 1 {
        // The left subtree holds the largest power of two below the total.
        let left = 1u64 << (u64::BITS - 1 - (total - 1).leading_zeros());
        path.push(index < left);
        (index, total) = if index < left { (index, left) } else { (index - left, total - left) };
    }
    let mut hash = leaf;
    for is_left in path.into_iter().rev() {
        let aunt = aunts.next().filter(|aunt| aunt.len() == 32)?;
        let inner = Sha256::new().chain_update([1]);
        let inner = match is_left {
            true => inner.chain_update(hash).chain_update(aunt),
            false => inner.chain_update(aunt).chain_update(hash),
        };
        hash = inner.finalize().into();
    }
    Some(hash)
}

#[cfg(test)]
pub(crate) mod tests;
