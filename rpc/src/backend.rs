//! What a server answers from: one method a call, each with a default that says "not supported",
//! so that a server of few methods implements few.
//!
//! The server does what is the same for every node: it reads parameters, chooses the height a
//! call without one means, refuses heights out of range in CometBFT's words, cuts pages and
//! ranges. A backend is asked only for heights within [`Backend::heights`] (for validators and
//! parameters one above), so an answer that is missing there is an error of the node.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;

use tokio::sync::broadcast::Receiver;

use crate::RpcError;
use crate::events::Batch;
use crate::search::Search;
use crate::types;

/// The answer to a call.
pub type Reply<'a, T> = BoxFuture<'a, Result<T, RpcError>>;

/// Answers to several calls, in the order of the calls.
pub type Replies<'a, T> = BoxFuture<'a, Vec<Result<T, RpcError>>>;

/// The heights a node can answer for. Both 0 before the first block.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Heights {
    /// The lowest stored height.
    pub base: u64,
    /// The newest committed height: its block, results and transactions must be readable.
    pub top: u64,
}

/// Where a transaction is: what a search finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TxHit {
    /// The block it is in.
    pub height: u64,
    /// Its place in the block.
    pub index: u32,
}

/// Bytes of the entries of one page of a search as they are stored, at most; as JSON they are up to
/// twice as many. CometBFT has no such bound. A page of one entry is answered whatever its size.
pub const PAGE_BYTES_MAX: usize = 32 << 20;

/// What is left of a page's bytes.
#[derive(Debug)]
pub struct PageRoom {
    most: usize,
    taken: usize,
    is_begun: bool,
}

impl PageRoom {
    /// Room for `most` bytes.
    pub fn new(most: usize) -> PageRoom {
        PageRoom { most, taken: 0, is_begun: false }
    }

    /// Takes the bytes of the next entry.
    ///
    /// # Errors
    /// There is no room for it, and it is not the first.
    pub fn take(&mut self, bytes: usize) -> Result<(), RpcError> {
        self.taken = self.taken.saturating_add(bytes);
        if self.is_begun && self.taken > self.most {
            let most = self.most;
            return Err(RpcError::internal(format!(
                "the page is larger than {most} bytes: ask for less with per_page"
            )));
        }
        self.is_begun = true;
        Ok(())
    }
}

impl Default for PageRoom {
    fn default() -> PageRoom {
        PageRoom::new(PAGE_BYTES_MAX)
    }
}

/// The parameters of `/abci_query`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// What is asked.
    pub path: String,
    /// The key, or what the path takes.
    pub data: Bytes,
    /// 0 for the newest.
    pub height: i64,
    /// Whether a proof is wanted.
    pub prove: bool,
}

/// Peers to be dialled at an operator's request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dial {
    /// `ID@HOST:PORT` each; at least one.
    pub peers: Vec<String>,
    /// Whether to keep connected to them.
    pub is_persistent: bool,
    /// Whether they may be connected when there is no room for others.
    pub is_unconditional: bool,
}

fn unsupported<T: Send + 'static>(method: &'static str) -> Reply<'static, T> {
    Box::pin(std::future::ready(Err(RpcError::not_supported(method))))
}

/// A node as its RPC sees it. Methods are called from many tasks at once and never block a thread.
pub trait Backend: Send + Sync + 'static {
    /// The heights that can be asked for. Called with every call that has a height: cheap.
    fn heights(&self) -> Heights {
        Heights::default()
    }

    /// Whether the node is up.
    fn health(&self) -> Reply<'_, types::Health> {
        Box::pin(std::future::ready(Ok(types::Health {})))
    }

    /// Who the node is and how far.
    fn status(&self) -> Reply<'_, types::StatusResult> {
        unsupported("status")
    }

    /// The peers.
    fn net_info(&self) -> Reply<'_, types::NetInfo> {
        unsupported("net_info")
    }

    /// The genesis document.
    fn genesis(&self) -> Reply<'_, types::GenesisResult> {
        unsupported("genesis")
    }

    /// At most `len` bytes of the genesis document as compact JSON, from the byte `from` on, and
    /// how many bytes it has.
    fn genesis_part(&self, from: u64, len: u64) -> Reply<'_, (Vec<u8>, u64)> {
        Box::pin(async move {
            let whole = self.genesis().await?.genesis;
            let bytes = whole.get().as_bytes();
            let at = |place: u64| usize::try_from(place).unwrap_or(usize::MAX).min(bytes.len());
            let part = &bytes[at(from)..at(from.saturating_add(len))];
            Ok((part.to_vec(), bytes.len() as u64))
        })
    }

    /// The block of a height.
    fn block(&self, _height: u64) -> Reply<'_, types::BlockResult> {
        unsupported("block")
    }

    /// The block with this header hash, if there is one.
    fn block_by_hash(&self, _hash: Vec<u8>) -> Reply<'_, Option<types::BlockResult>> {
        unsupported("block_by_hash")
    }

    /// The header with this hash, if there is one.
    fn header_by_hash(&self, _hash: Vec<u8>) -> Reply<'_, Option<types::Header>> {
        unsupported("header_by_hash")
    }

    /// What the application answered to the block of a height.
    fn block_results(&self, _height: u64) -> Reply<'_, types::BlockResults> {
        unsupported("block_results")
    }

    /// The metas of `min..=max`, newest first; at most 20 are asked for.
    fn block_metas(&self, _min: u64, _max: u64) -> Reply<'_, Vec<types::BlockMeta>> {
        unsupported("blockchain")
    }

    /// The header of a height.
    fn header(&self, _height: u64) -> Reply<'_, types::Header> {
        unsupported("header")
    }

    /// Header and commit of a height: below the top the canonical commit (the next block's
    /// `last_commit`), at the top the one this node saw.
    fn commit(&self, _height: u64) -> Reply<'_, types::CommitResult> {
        unsupported("commit")
    }

    /// The whole set that votes at a height, by power, then address. Heights up to top + 1.
    fn validators(&self, _height: u64) -> Reply<'_, Vec<types::Validator>> {
        unsupported("validators")
    }

    /// The parameters in force at a height. Heights up to top + 1.
    fn consensus_params(&self, _height: u64) -> Reply<'_, types::ConsensusParams> {
        unsupported("consensus_params")
    }

    /// What the application answers to Info.
    fn abci_info(&self) -> Reply<'_, types::AbciInfoResult> {
        unsupported("abci_info")
    }

    /// What the application answers to Query.
    fn abci_query(&self, _query: Query) -> Reply<'_, types::AbciQueryResult> {
        unsupported("abci_query")
    }

    /// Hands transactions to the mempool, each a call of its own, and does not wait for CheckTx.
    /// Those that follow one another in a batch come together.
    fn broadcast_txs_async(&self, txs: Vec<Bytes>) -> Replies<'_, types::BroadcastTx> {
        let refuse = |_| Err(RpcError::not_supported("broadcast_tx_async"));
        Box::pin(std::future::ready(txs.into_iter().map(refuse).collect()))
    }

    /// Hands a transaction to the mempool and waits for CheckTx. The calls of one batch are first
    /// polled in their order: what a backend queues in its first poll keeps that order.
    fn broadcast_tx_sync(&self, _tx: Bytes) -> Reply<'_, types::BroadcastTx> {
        unsupported("broadcast_tx_sync")
    }

    /// Hands a transaction to the mempool and waits until it is in a block (or refused, or the
    /// node's own time limit: `timed out waiting for tx to be included in a block`).
    /// Errors of the mempool begin with `error on broadcastTxCommit: `.
    fn broadcast_tx_commit(&self, _tx: Bytes) -> Reply<'_, types::BroadcastTxCommit> {
        unsupported("broadcast_tx_commit")
    }

    /// A committed transaction by its SHA-256, with a proof when asked for.
    fn tx(&self, _hash: Vec<u8>, _prove: bool) -> Reply<'_, Option<types::TxResponse>> {
        unsupported("tx")
    }

    /// Where the transactions are that a query is about, in their order.
    fn tx_hits(&self, _search: Search) -> Reply<'_, Vec<TxHit>> {
        unsupported("tx_search")
    }

    /// The committed transactions of a page, in this order: of one block stand together.
    /// [`PageRoom`] says when they are too many bytes.
    fn txs_at(&self, _hits: Vec<TxHit>, _prove: bool) -> Reply<'_, Vec<types::TxResponse>> {
        unsupported("tx_search")
    }

    /// The heights whose blocks a query is about, ascending.
    fn block_hits(&self, _search: Search) -> Reply<'_, Vec<u64>> {
        unsupported("block_search")
    }

    /// The blocks of a page, in this order. [`PageRoom`] says when they are too many bytes.
    fn blocks_at(&self, _heights: Vec<u64>) -> Reply<'_, Vec<types::BlockResult>> {
        unsupported("block_search")
    }

    /// What the application says to a transaction, which stays out of the mempool.
    fn check_tx(&self, _tx: Bytes) -> Reply<'_, types::TxResult> {
        unsupported("check_tx")
    }

    /// The first transactions that wait, at most `limit`.
    fn unconfirmed_txs(&self, _limit: u64) -> Reply<'_, types::UnconfirmedTxs> {
        unsupported("unconfirmed_txs")
    }

    /// Verifies evidence and takes it in. Its hash; also if it was known already.
    fn broadcast_evidence(&self, _evidence: types::Evidence) -> Reply<'_, types::EvidenceHash> {
        unsupported("broadcast_evidence")
    }

    /// The height in progress, in short.
    fn consensus_state(&self) -> Reply<'_, types::ConsensusState> {
        unsupported("consensus_state")
    }

    /// The height in progress, whole.
    fn dump_consensus_state(&self) -> Reply<'_, types::DumpConsensusState> {
        unsupported("dump_consensus_state")
    }

    /// Begins to dial. Asked for only where unsafe methods are served, as the next.
    fn dial(&self, _peers: Dial) -> Reply<'_, ()> {
        unsupported("dial_peers")
    }

    /// Forgets the transactions that wait, and which ones were seen.
    fn flush_mempool(&self) -> Reply<'_, types::Flushed> {
        unsupported("unsafe_flush_mempool")
    }

    /// What happens from now on. None if this server tells nothing.
    fn events(&self) -> Option<Receiver<Arc<Batch>>> {
        None
    }

    /// How many transactions wait.
    fn num_unconfirmed_txs(&self) -> Reply<'_, types::UnconfirmedTxs> {
        unsupported("num_unconfirmed_txs")
    }
}
