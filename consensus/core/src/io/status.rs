//! What the engine shows of itself, and what it counts.

use bytes::Bytes;
use guts_genesis::{Address, Height, Power, Round, Time};

use crate::step::StepName;
use crate::types::BlockId;

/// What the shell and its RPC need to know at any time; cheap to make.
#[derive(Clone, Debug)]
pub struct Status {
    /// The last committed height; zero before the first.
    pub height: Height,
    /// Id of the last committed block.
    pub block_id: BlockId,
    /// Its time.
    pub time: Time,
    /// The app hash after it.
    pub app_hash: Bytes,
    /// The application's version of its protocol.
    pub app_version: u64,
    /// The lowest height in the block store; zero if it is empty.
    pub base: Height,
    /// Round of the height in progress (`height` + 1).
    pub round: Round,
    /// Its step.
    pub step: StepName,
    /// Fetching blocks from peers, or still shaking hands with the application.
    pub catching_up: bool,
    /// Why the engine stopped, if it did.
    pub halted: Option<String>,
    /// This node's address and power, if it is a validator now.
    pub validator: Option<(Address, Power)>,
    /// Transactions in the mempool.
    pub mempool_txs: u64,
    /// Bytes of them.
    pub mempool_bytes: u64,
    /// Evidence that waits for a block.
    pub evidence: u64,
    /// Who precommitted the last block (late precommits too), in validator order.
    pub participation: Vec<(Address, bool)>,
    /// Since the start of the process.
    pub counters: Counters,
}

/// Things that are counted since the start of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Blocks committed.
    pub blocks: u64,
    /// Blocks of them that came by block sync.
    pub synced_blocks: u64,
    /// Rounds above 0 entered.
    pub extra_rounds: u64,
    /// Times that this node fell back to block sync, and blocks came.
    pub catch_ups: u64,
    /// Duplicate votes found by this node.
    pub equivocations: u64,
    /// Messages of peers dropped as invalid.
    pub bad_messages: u64,
    /// Messages of peers dropped because there was no room for them.
    pub overflows: u64,
    /// Messages passed on to peers that their sender does not reach.
    pub passed_on: u64,
    /// Votes of peers that were known already.
    pub duplicate_votes: u64,
    /// Transactions that the application refused.
    pub failed_txs: u64,
    /// Transactions that there was no room for.
    pub rejected_txs: u64,
    /// Transactions of the mempool that the application refused after a block.
    pub evicted_txs: u64,
    /// Times that a transaction was checked again after a block.
    pub rechecks: u64,
}
