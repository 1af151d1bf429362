//! Serves an application written for the `tendermint_abci::Application` trait.
//!
//! That trait is infallible, takes `&self` everywhere and hands every connection a clone, which
//! shares what it must by itself. Here one clone makes the blocks, and readers borrow others, so
//! that no two threads ever use one at once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tendermint_abci::Application as Foreign;

use crate::proto::abci::{
    RequestApplySnapshotChunk, RequestCheckTx, RequestCommit, RequestExtendVote,
    RequestFinalizeBlock, RequestInfo, RequestInitChain, RequestListSnapshots,
    RequestLoadSnapshotChunk, RequestOfferSnapshot, RequestPrepareProposal, RequestProcessProposal,
    RequestQuery, RequestVerifyVoteExtension, ResponseApplySnapshotChunk, ResponseCheckTx,
    ResponseCommit, ResponseExtendVote, ResponseFinalizeBlock, ResponseInfo, ResponseInitChain,
    ResponseListSnapshots, ResponseLoadSnapshotChunk, ResponseOfferSnapshot,
    ResponsePrepareProposal, ResponseProcessProposal, ResponseQuery, ResponseVerifyVoteExtension,
};
use crate::{Answer, Application, Reader, Served};

/// Both halves of a `tendermint_abci` application, ready to be served.
pub fn served(app: impl Foreign) -> Served {
    let reader = Readers { prototype: Mutex::new(app.clone()), idle: Mutex::default() };
    Served { app: Box::new(Writer(app)), reader: Arc::new(reader) }
}

/// The clone that makes blocks.
struct Writer<A>(A);

impl<A: Foreign> Application for Writer<A> {
    fn init_chain(&mut self, request: RequestInitChain) -> Answer<ResponseInitChain> {
        Ok(self.0.init_chain(request))
    }

    fn prepare_proposal(
        &mut self,
        request: RequestPrepareProposal,
    ) -> Answer<ResponsePrepareProposal> {
        Ok(self.0.prepare_proposal(request))
    }

    fn process_proposal(
        &mut self,
        request: RequestProcessProposal,
    ) -> Answer<ResponseProcessProposal> {
        Ok(self.0.process_proposal(request))
    }

    fn extend_vote(&mut self, request: RequestExtendVote) -> Answer<ResponseExtendVote> {
        Ok(self.0.extend_vote(request))
    }

    fn verify_vote_extension(
        &mut self,
        request: RequestVerifyVoteExtension,
    ) -> Answer<ResponseVerifyVoteExtension> {
        Ok(self.0.verify_vote_extension(request))
    }

    fn finalize_block(&mut self, request: RequestFinalizeBlock) -> Answer<ResponseFinalizeBlock> {
        Ok(self.0.finalize_block(request))
    }

    fn commit(&mut self, _request: RequestCommit) -> Answer<ResponseCommit> {
        Ok(self.0.commit())
    }

    fn offer_snapshot(&mut self, request: RequestOfferSnapshot) -> Answer<ResponseOfferSnapshot> {
        Ok(self.0.offer_snapshot(request))
    }

    fn apply_snapshot_chunk(
        &mut self,
        request: RequestApplySnapshotChunk,
    ) -> Answer<ResponseApplySnapshotChunk> {
        Ok(self.0.apply_snapshot_chunk(request))
    }
}

/// Clones for readers: as many as ever read at once.
struct Readers<A> {
    prototype: Mutex<A>,
    idle: Mutex<Vec<A>>,
}

impl<A: Foreign> Readers<A> {
    /// Calls a clone that nobody else uses meanwhile. One that panics is not used again.
    fn call<T>(&self, call: impl FnOnce(&A) -> T) -> Answer<T> {
        let idle = lock(&self.idle).pop();
        let app = idle.unwrap_or_else(|| lock(&self.prototype).clone());
        let answer = call(&app);
        lock(&self.idle).push(app);
        Ok(answer)
    }
}

impl<A: Foreign> Reader for Readers<A> {
    fn info(&self, request: RequestInfo) -> Answer<ResponseInfo> {
        self.call(|app| app.info(request))
    }

    fn check_tx(&self, request: RequestCheckTx) -> Answer<ResponseCheckTx> {
        self.call(|app| app.check_tx(request))
    }

    fn query(&self, request: RequestQuery) -> Answer<ResponseQuery> {
        self.call(|app| app.query(request))
    }

    fn list_snapshots(&self, _request: RequestListSnapshots) -> Answer<ResponseListSnapshots> {
        self.call(A::list_snapshots)
    }

    fn load_snapshot_chunk(
        &self,
        request: RequestLoadSnapshotChunk,
    ) -> Answer<ResponseLoadSnapshotChunk> {
        self.call(|app| app.load_snapshot_chunk(request))
    }
}

/// The locks are held for a push, a pop or a clone, never during a call.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
