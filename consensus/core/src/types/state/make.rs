//! Making the next block.
use guts_genesis::{Address, Time};

use super::State;
use crate::types::{
    BLOCK_SIZE_MAX, Block, Commit, Evidence, Hash, Header, Invalid, Txs, median_time,
};

/// Bytes of a block's encoding beyond its contents.
const BLOCK_OVERHEAD_BYTES: i64 = 11;
/// Most bytes of a header.
const HEADER_BYTES_MAX: i64 = 626;
/// Bytes of a commit beyond its signatures.
const COMMIT_OVERHEAD_BYTES: i64 = 94;
/// Most bytes of a signature in a commit, with its framing.
const COMMIT_SIG_BYTES_MAX: i64 = 111;

/// How many bytes of transactions fit into a block of `block_bytes_max` with that much evidence
/// and a commit of that many validators.
pub fn data_bytes_max(
    block_bytes_max: i64,
    evidence_bytes: i64,
    validators: u64,
) -> Result<i64, Invalid> {
    let signatures = i64::try_from(validators)
        .ok()
        .and_then(|count| count.checked_mul(COMMIT_SIG_BYTES_MAX))
        .ok_or(Invalid::DataLimitNegative)?;
    let fixed = BLOCK_OVERHEAD_BYTES + HEADER_BYTES_MAX + COMMIT_OVERHEAD_BYTES;
    let taken = fixed.checked_add(signatures).and_then(|sum| sum.checked_add(evidence_bytes));
    let left = taken.and_then(|taken| block_bytes_max.checked_sub(taken));
    left.filter(|left| *left >= 0).ok_or(Invalid::DataLimitNegative)
}

impl State {
    /// How many bytes of transactions fit into the next block with that much evidence.
    pub fn tx_bytes_max(&self, evidence_bytes: i64) -> Result<i64, Invalid> {
        let max = self.consensus_params.block_max_bytes;
        let max = if max == -1 { BLOCK_SIZE_MAX } else { max };
        data_bytes_max(max, evidence_bytes, self.validators.len() as u64)
    }

    /// The time of the next block, which carries `last_commit`.
    pub fn next_block_time(&self, last_commit: &Commit) -> Result<Time, Invalid> {
        if self.is_before_first_block() {
            return Ok(self.last_block_time);
        }
        median_time(last_commit, &self.last_validators)
    }

    /// Makes the next block.
    pub fn make_block(
        &self,
        txs: Txs,
        last_commit: Commit,
        evidence: Vec<Evidence>,
        proposer: Address,
    ) -> Result<Block, Invalid> {
        let header = Header {
            version: self.version,
            chain_id: self.chain_id.clone(),
            height: self.next_height(),
            time: self.next_block_time(&last_commit)?,
            last_block_id: self.last_block_id,
            last_commit_hash: Hash::EMPTY,
            data_hash: Hash::EMPTY,
            validators_hash: self.validators.hash(),
            next_validators_hash: self.next_validators.hash(),
            consensus_hash: self.consensus_params.hash().into(),
            app_hash: self.app_hash.clone(),
            last_results_hash: self.last_results_hash,
            evidence_hash: Hash::EMPTY,
            proposer_address: proposer,
        };
        Ok(Block::new(header, txs, evidence, last_commit))
    }
}
