//! What an application is: one writer that the engine calls in order, and one reader that answers
//! at any time.
//!
//! The split is the whole concurrency rule. [`Application`] takes `&mut self` and is called by one
//! thread at a time; [`Reader`] takes `&self`, is called by several threads, works on the state of
//! the last commit, and never waits for a block to be executed.

use std::sync::Arc;

use crate::proto::abci::{
    RequestApplySnapshotChunk, RequestCheckTx, RequestCommit, RequestExtendVote,
    RequestFinalizeBlock, RequestInfo, RequestInitChain, RequestListSnapshots,
    RequestLoadSnapshotChunk, RequestOfferSnapshot, RequestPrepareProposal, RequestProcessProposal,
    RequestQuery, RequestVerifyVoteExtension, ResponseApplySnapshotChunk, ResponseCheckTx,
    ResponseCommit, ResponseExtendVote, ResponseFinalizeBlock, ResponseInfo, ResponseInitChain,
    ResponseListSnapshots, ResponseLoadSnapshotChunk, ResponseOfferSnapshot,
    ResponsePrepareProposal, ResponseProcessProposal, ResponseQuery, ResponseVerifyVoteExtension,
};

/// The application cannot answer at all; the engine gets it as `ResponseException`.
///
/// For a broken application (a disk that fails, a state that contradicts itself), never for a
/// transaction or a query that is wrong: those have codes. CometBFT stops itself on one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Exception(
    /// What is wrong, for the operator's log.
    pub String,
);

impl Exception {
    /// An exception that says `error` and what caused it, outermost first.
    pub fn from_error(error: &dyn std::error::Error) -> Self {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        Self(text)
    }
}

/// What every call of the contract returns.
pub type Answer<T> = Result<T, Exception>;

/// The calls that make blocks, and those that restore a snapshot: one at a time, in the order
/// of [`grammar`](crate::grammar).
///
/// The bodies given here are those of an application that does without the call.
pub trait Application: Send {
    /// Genesis. Called once, before the first block, and again if nothing was committed since.
    fn init_chain(&mut self, request: RequestInitChain) -> Answer<ResponseInitChain>;

    /// Orders, adds and drops transactions of a block this node proposes. The default takes them
    /// in the order given until `max_tx_bytes` is reached.
    fn prepare_proposal(
        &mut self,
        request: RequestPrepareProposal,
    ) -> Answer<ResponsePrepareProposal> {
        Ok(ResponsePrepareProposal { txs: take_txs(request.txs, request.max_tx_bytes) })
    }

    /// Accepts or rejects a proposed block. Must be a function of the request and the committed
    /// state alone: correct nodes have to agree.
    fn process_proposal(
        &mut self,
        request: RequestProcessProposal,
    ) -> Answer<ResponseProcessProposal>;

    /// The extension of this node's precommit for a block. The default is an empty one.
    fn extend_vote(&mut self, _request: RequestExtendVote) -> Answer<ResponseExtendVote> {
        Ok(ResponseExtendVote::default())
    }

    /// Accepts or rejects the extension of another validator's precommit. The default accepts the
    /// empty one only.
    fn verify_vote_extension(
        &mut self,
        request: RequestVerifyVoteExtension,
    ) -> Answer<ResponseVerifyVoteExtension> {
        use crate::proto::abci::response_verify_vote_extension::VerifyStatus;
        let status = if request.vote_extension.is_empty() {
            VerifyStatus::Accept
        } else {
            VerifyStatus::Reject
        };
        Ok(ResponseVerifyVoteExtension { status: status.into() })
    }

    /// Executes the decided block. Nothing of it may be durable before [`Application::commit`]:
    /// after a crash the same block comes again.
    fn finalize_block(&mut self, request: RequestFinalizeBlock) -> Answer<ResponseFinalizeBlock>;

    /// Makes the finalized block durable and visible to the [`Reader`].
    fn commit(&mut self, request: RequestCommit) -> Answer<ResponseCommit>;

    /// A peer has a snapshot to restore from. The default rejects it.
    fn offer_snapshot(&mut self, _request: RequestOfferSnapshot) -> Answer<ResponseOfferSnapshot> {
        use crate::proto::abci::response_offer_snapshot::Result as Verdict;
        Ok(ResponseOfferSnapshot { result: Verdict::Reject.into() })
    }

    /// One chunk of the snapshot accepted last. The default aborts.
    fn apply_snapshot_chunk(
        &mut self,
        _request: RequestApplySnapshotChunk,
    ) -> Answer<ResponseApplySnapshotChunk> {
        use crate::proto::abci::response_apply_snapshot_chunk::Result as Verdict;
        Ok(ResponseApplySnapshotChunk { result: Verdict::Abort.into(), ..Default::default() })
    }
}

/// The most requests of one [`Reader::check_txs`]. A signature of 1,000 costs a tenth less than one
/// of 256 and no more than one of 4,000; answers wait for the whole.
pub const CHECK_TXS_MAX: usize = 1_024;

/// The calls that may come at any time, from several threads at once. They read what was
/// committed last and never wait for a block.
pub trait Reader: Send + Sync {
    /// The last committed height and its app hash: where the engine's handshake starts.
    fn info(&self, request: RequestInfo) -> Answer<ResponseInfo>;

    /// Whether a transaction may enter the mempool, or, for a recheck, stay there.
    fn check_tx(&self, request: RequestCheckTx) -> Answer<ResponseCheckTx>;

    /// Several at once: what arrived together on one connection, at most [`CHECK_TXS_MAX`]. The
    /// answers are those of [`Reader::check_tx`] one after the other, which is the default; an
    /// application that checks signatures together does it here.
    fn check_txs(&self, requests: Vec<RequestCheckTx>) -> Vec<Answer<ResponseCheckTx>> {
        requests.into_iter().map(|request| self.check_tx(request)).collect()
    }

    /// A question to the state, with a proof when it asks for one.
    fn query(&self, request: RequestQuery) -> Answer<ResponseQuery>;

    /// The snapshots this node can provide. The default has none.
    fn list_snapshots(&self, _request: RequestListSnapshots) -> Answer<ResponseListSnapshots> {
        Ok(ResponseListSnapshots::default())
    }

    /// One chunk of a snapshot for a peer. The default is the empty chunk: there is none.
    fn load_snapshot_chunk(
        &self,
        _request: RequestLoadSnapshotChunk,
    ) -> Answer<ResponseLoadSnapshotChunk> {
        Ok(ResponseLoadSnapshotChunk::default())
    }
}

/// Both halves of one application, ready to be served.
pub struct Served {
    /// Called by one thread at a time.
    pub app: Box<dyn Application>,
    /// Called by any thread, at any time.
    pub reader: Arc<dyn Reader>,
}

/// The longest prefix of `txs` whose sizes add up to `bytes_max` at most; a negative bound, which
/// stands for "none" in the contract, takes all.
pub(crate) fn take_txs(mut txs: Vec<bytes::Bytes>, bytes_max: i64) -> Vec<bytes::Bytes> {
    let Ok(bytes_max) = u64::try_from(bytes_max) else { return txs };
    let mut total = 0_u64;
    let fits = txs.iter().take_while(|tx| {
        total = total.saturating_add(tx.len() as u64);
        total <= bytes_max
    });
    let count = fits.count();
    txs.truncate(count);
    txs
}
