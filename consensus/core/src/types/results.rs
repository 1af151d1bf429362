//! What headers say of transaction results.
use guts_abci::proto::abci::ExecTxResult;

use super::{Hash, merkle, wire};

/// Merkle root over the results, of which only code, data and gas count: the rest may differ
/// between nodes.
pub fn results_hash(results: &[ExecTxResult]) -> Hash {
    let leaves: Vec<[u8; 32]> =
        results.iter().map(|result| merkle::leaf_hash(&leaf(result))).collect();
    merkle::root_of_leaves(&leaves)
}

/// The leaf of one result.
pub(crate) fn leaf(result: &ExecTxResult) -> Vec<u8> {
    let mut out = Vec::with_capacity(16 + result.data.len());
    wire::put_uint(&mut out, 1, u64::from(result.code));
    wire::put_bytes(&mut out, 2, &result.data);
    wire::put_int(&mut out, 5, result.gas_wanted);
    wire::put_int(&mut out, 6, result.gas_used);
    out
}
