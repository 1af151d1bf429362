//! Blocks and transactions as they are answered, a page of them with each block read once.

use super::{Failed, missing};
use crate::store::Store;
use guts_abci::proto::{self, Message, abci as pb};
use guts_consensus::types::{Block, tx_hash};
use guts_genesis::Height;
use guts_rpc::{PageRoom, RpcError, TxHit, types};
use std::collections::{BTreeMap, BTreeSet};

#[cfg(test)]
mod tests;

/// A block, of which this is the meta data, and its bytes as it is stored.
pub(super) fn block(
    store: &Store,
    height: u64,
    meta: Option<proto::types::BlockMeta>,
) -> Result<(types::BlockResult, usize), Failed> {
    let bytes = store.block_bytes(Height(height))?;
    let (Some(bytes), Some(meta)) = (bytes, meta) else {
        return Err(missing("block", height).into());
    };
    let len = bytes.len();
    let block = proto::types::Block::decode(bytes)
        .map_err(|e| RpcError::internal(format!("block {height} is unreadable: {e}")))?;
    let block_id = meta.block_id.map(Into::into).unwrap_or_default();
    Ok((types::BlockResult { block_id, block: Some(block.into()) }, len))
}

/// What the application answered to a block.
pub(super) fn response(store: &Store, height: u64) -> Result<pb::ResponseFinalizeBlock, Failed> {
    let response = store.response(Height(height))?;
    Ok(response.ok_or_else(|| missing("results", height))?)
}

/// The blocks of these heights.
pub(super) fn blocks(
    store: &Store,
    heights: &[u64],
    mut room: PageRoom,
) -> Result<Vec<types::BlockResult>, Failed> {
    let mut page = Vec::with_capacity(heights.len());
    for height in heights {
        let (block, bytes) = block(store, *height, store.meta(Height(*height))?)?;
        room.take(bytes)?;
        page.push(block);
    }
    Ok(page)
}

/// The transactions at these places.
pub(super) fn txs(
    store: &Store,
    hits: &[TxHit],
    prove: bool,
    mut room: PageRoom,
) -> Result<Vec<types::TxResponse>, Failed> {
    let mut page = Vec::with_capacity(hits.len());
    for of_block in hits.chunk_by(|one, next| one.height == next.height) {
        let Some(first) = of_block.first() else { continue };
        let height = Height(first.height);
        let block = store.block(height)?.ok_or_else(|| missing("block", height.0))?;
        let results = response(store, height.0)?.tx_results;
        let proofs = if prove { proofs(&block, of_block) } else { BTreeMap::new() };
        for hit in of_block {
            let index = hit.index as usize;
            let tx = block.txs().as_slice().get(index);
            let tx = tx.ok_or_else(|| missing("tx", height.0))?;
            let result = results.get(index).ok_or_else(|| missing("tx result", height.0))?;
            room.take(tx.len() + result.encoded_len())?;
            page.push(types::TxResponse {
                hash: tx_hash(tx).to_vec().into(),
                height: height.wire(),
                index: hit.index,
                tx_result: result.clone().into(),
                tx: tx.clone().into(),
                proof: proofs.get(&hit.index).cloned(),
            });
        }
    }
    Ok(page)
}

/// Proofs of these transactions of a block.
fn proofs(block: &Block, hits: &[TxHit]) -> BTreeMap<u32, types::TxProof> {
    let wanted: BTreeSet<u32> = hits.iter().map(|hit| hit.index).collect();
    let (root, proofs) = block.txs().proofs_at(wanted.iter().map(|index| *index as usize));
    let proof = |(index, proof): (u32, guts_consensus::types::merkle::Proof)| {
        let data = block.txs().as_slice().get(index as usize)?.to_vec();
        let proof = Some(proof.to_proto());
        let wire = proto::types::TxProof { root_hash: root.to_vec(), data, proof };
        Some((index, wire.into()))
    };
    wanted.into_iter().zip(proofs).filter_map(proof).collect()
}
