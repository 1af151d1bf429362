//! The kvstore, with something of it changed.
use std::rc::Rc;
use std::sync::Arc;

use guts_abci::proto::abci as pb;
use guts_abci::{Answer, Application, Served};

use crate::cluster::{MakeApp, kvstore};

type Watch<Request> = Arc<dyn Fn(&Request) + Send + Sync>;

/// What is changed.
#[derive(Clone, Default)]
pub struct Changes {
    /// Sees what is asked of PrepareProposal.
    pub prepare: Option<Watch<pb::RequestPrepareProposal>>,
    /// Sees what is asked of FinalizeBlock.
    pub finalize: Option<Watch<pb::RequestFinalizeBlock>>,
    /// Extends votes.
    pub extend: Option<fn(&pb::RequestExtendVote) -> pb::ResponseExtendVote>,
    /// The lowest height it says that it needs, if it says so.
    pub retain: i64,
    /// Judges extensions.
    pub verify: Option<fn(&pb::RequestVerifyVoteExtension) -> pb::ResponseVerifyVoteExtension>,
}

/// Makes the changed kvstore.
pub fn changed(changes: Changes) -> MakeApp {
    let make = kvstore();
    Rc::new(move || {
        let inner = make();
        let reader = inner.reader.clone();
        Served { app: Box::new(Changed { inner, changes: changes.clone() }), reader }
    })
}

struct Changed {
    inner: Served,
    changes: Changes,
}

impl Application for Changed {
    fn init_chain(&mut self, request: pb::RequestInitChain) -> Answer<pb::ResponseInitChain> {
        self.inner.app.init_chain(request)
    }

    fn prepare_proposal(
        &mut self,
        request: pb::RequestPrepareProposal,
    ) -> Answer<pb::ResponsePrepareProposal> {
        self.changes.prepare.iter().for_each(|watch| watch(&request));
        self.inner.app.prepare_proposal(request)
    }

    fn process_proposal(
        &mut self,
        request: pb::RequestProcessProposal,
    ) -> Answer<pb::ResponseProcessProposal> {
        self.inner.app.process_proposal(request)
    }

    fn extend_vote(&mut self, request: pb::RequestExtendVote) -> Answer<pb::ResponseExtendVote> {
        match self.changes.extend {
            Some(extend) => Ok(extend(&request)),
            None => self.inner.app.extend_vote(request),
        }
    }

    fn verify_vote_extension(
        &mut self,
        request: pb::RequestVerifyVoteExtension,
    ) -> Answer<pb::ResponseVerifyVoteExtension> {
        match self.changes.verify {
            Some(verify) => Ok(verify(&request)),
            None => self.inner.app.verify_vote_extension(request),
        }
    }

    fn finalize_block(
        &mut self,
        request: pb::RequestFinalizeBlock,
    ) -> Answer<pb::ResponseFinalizeBlock> {
        self.changes.finalize.iter().for_each(|watch| watch(&request));
        self.inner.app.finalize_block(request)
    }

    fn commit(&mut self, request: pb::RequestCommit) -> Answer<pb::ResponseCommit> {
        let answer = self.inner.app.commit(request)?;
        let retain_height = answer.retain_height.max(self.changes.retain);
        Ok(pb::ResponseCommit { retain_height })
    }
}
