//! Searches, and the calls about what is not in a block yet.

use super::{Chain, Failed, NodeBackend, internal, missing, reply};
use crate::network::dial::parse_peers;
use crate::store::{SearchError, Store, Work};
use bytes::Bytes;
use guts_abci::Kind;
use guts_abci::proto::abci as pb;
use guts_consensus::io::{ClientReply, ClientRequest};
use guts_consensus::types::Evidence;
use guts_genesis::Height;
use guts_rpc::search::{Plan, Search};
use guts_rpc::{Backend, Dial, Reply, RpcError, TxHit, types};
use std::sync::Arc;
use tokio::sync::{Semaphore, oneshot};

/// Searches that run at a time. They share their threads with what serves blocks to peers; further
/// ones wait.
pub(super) const SEARCHES_MAX: usize = 3;

/// The places for searches.
pub(crate) struct Searches(Arc<Semaphore>);

impl Default for Searches {
    fn default() -> Self {
        Searches(Arc::new(Semaphore::new(SEARCHES_MAX)))
    }
}

impl Searches {
    /// Runs `work` on a thread for long work, once there is a place. The work keeps the place, not
    /// who waits for it: that may go away before the work is done, which asks whether it did.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Fn() -> bool) -> T + Send + 'static,
    ) -> Result<T, RpcError> {
        let place = self.0.clone().acquire_owned().await.map_err(|e| internal(&e))?;
        let (tell, done) = oneshot::channel();
        tokio::task::spawn_blocking(move || {
            let is_wanted = || !tell.is_closed();
            let outcome = work(&is_wanted);
            drop(place);
            // Nobody may wait any more.
            let _ = tell.send(outcome);
        });
        done.await.map_err(|_| internal(&"the search has failed"))
    }
}

impl From<SearchError> for Failed {
    fn from(error: SearchError) -> Self {
        Failed(internal(&error))
    }
}

impl Chain {
    /// Looks in the index beside the tasks that answer: it may take long.
    async fn look<T, F>(&self, search: Search, tag: &'static str, find: F) -> Result<Vec<T>, Failed>
    where
        T: Send + 'static,
        F: FnOnce(&Store, &Plan<'_>, u64, &mut Work<'_>) -> Result<Vec<T>, SearchError>
            + Send
            + 'static,
    {
        let (store, top) = (self.store.clone(), self.heights().top);
        let found = self.searches.run(move |is_wanted| match search.plan(tag) {
            Some(plan) => find(&store, &plan, top, &mut Work::new(is_wanted)),
            None => Ok(Vec::new()),
        });
        Ok(found.await??)
    }

    pub(super) fn find_txs(&self, search: Search) -> Reply<'_, Vec<TxHit>> {
        reply(async move {
            self.check_indexed("transaction")?;
            self.look(search, "tx.height", Store::find_txs).await
        })
    }

    pub(super) fn find_blocks(&self, search: Search) -> Reply<'_, Vec<u64>> {
        reply(async move {
            self.check_indexed("block")?;
            self.look(search, "block.height", Store::find_blocks).await
        })
    }

    /// Refuses what needs the index when there is none.
    pub(super) fn check_indexed(&self, what: &str) -> Result<(), Failed> {
        match self.config.tx_index.is_on() {
            true => Ok(()),
            false => Err(RpcError::internal(format!("{what} indexing is disabled")).into()),
        }
    }

    /// Reads beside the tasks that answer, in the place of a search.
    pub(super) async fn aside<T, F>(&self, read: F) -> Result<T, Failed>
    where
        T: Send + 'static,
        F: FnOnce(&Store) -> Result<T, Failed> + Send + 'static,
    {
        let store = self.store.clone();
        self.searches.run(move |_| read(&store)).await?
    }

    pub(super) fn header_with(&self, hash: Vec<u8>) -> Reply<'_, Option<types::Header>> {
        reply(async move {
            match self.store.height_of(&hash)? {
                Some(Height(height)) if self.is_shown(height) => {
                    let header =
                        self.header_at(height)?.ok_or_else(|| missing("header", height))?;
                    Ok(Some(header.into()))
                }
                _ => Ok(None),
            }
        })
    }
}

impl NodeBackend {
    pub(super) fn ask_app(&self, tx: Bytes) -> Reply<'_, types::TxResult> {
        reply(async move {
            let request = pb::RequestCheckTx { tx, r#type: pb::CheckTxType::New as i32 };
            let asking = self.app()?;
            let answer = self.timed(Kind::CheckTx, asking.check_tx_aside(request)).await?;
            // Events of CheckTx are nobody's: CometBFT does not show them either.
            let answer = pb::ResponseCheckTx { events: Vec::new(), ..answer };
            Ok(answer.into())
        })
    }

    pub(super) fn unconfirmed(&self, limit: u64) -> Reply<'_, types::UnconfirmedTxs> {
        reply(async move {
            match self.ask_engine(ClientRequest::Unconfirmed { limit }).await? {
                ClientReply::Unconfirmed { txs, total, total_bytes } => {
                    let n_txs = if limit == 0 { total } else { txs.len() as u64 };
                    let listed = txs.into_iter().map(Into::into).collect();
                    let txs = (limit > 0).then_some(listed);
                    Ok(types::UnconfirmedTxs { n_txs, total, total_bytes, txs })
                }
                _ => Err(internal(&"the engine has stopped").into()),
            }
        })
    }

    pub(super) fn forget_txs(&self) -> Reply<'_, types::Flushed> {
        reply(async move {
            match self.ask_engine(ClientRequest::FlushMempool).await? {
                ClientReply::Flushed => Ok(types::Flushed {}),
                _ => Err(internal(&"the engine has stopped").into()),
            }
        })
    }

    /// Hands peers to the network, all or none.
    pub(super) fn dial_peers(&self, dial: Dial) -> Reply<'_, ()> {
        reply(async move {
            let peers = dial.peers.iter().map(|peer| parse_peers(peer));
            let peers = peers.collect::<Result<Vec<_>, _>>().map_err(|e| internal(&e))?.concat();
            if dial.is_unconditional {
                peers.iter().for_each(|one| self.network.prefer(one.peer));
            }
            self.network.dial(peers, dial.is_persistent);
            Ok(())
        })
    }

    pub(super) fn submit_evidence(
        &self,
        evidence: types::Evidence,
    ) -> Reply<'_, types::EvidenceHash> {
        reply(async move {
            let evidence = Evidence::from_proto(evidence.into()).map_err(|error| {
                RpcError::internal(format!("evidence.ValidateBasic failed: {error}"))
            })?;
            match self.ask_engine(ClientRequest::SubmitEvidence(Box::new(evidence))).await? {
                ClientReply::Evidence(Ok(hash)) => {
                    Ok(types::EvidenceHash { hash: hash.to_vec().into() })
                }
                ClientReply::Evidence(Err(why)) => {
                    Err(RpcError::internal(format!("failed to add evidence: {why}")).into())
                }
                _ => Err(internal(&"the engine has stopped").into()),
            }
        })
    }
}

/// What is done with what the engine did.
pub(crate) struct Watchers {
    pub(crate) waiting: super::Tell,
    pub(crate) index: Option<crate::index::Teller>,
    pub(crate) feed: super::Feed,
    pub(crate) measured: Arc<crate::metrics::Measured>,
}

impl crate::shell::Observer for Watchers {
    fn on_shown(&self, committed: &Arc<guts_consensus::io::Committed>) {
        self.measured.on_block(committed);
        self.waiting.tell(committed);
        self.feed.on_shown(committed);
        if let Some(index) = &self.index {
            index.tell(committed);
        }
    }

    fn wants_rounds(&self) -> bool {
        self.feed.is_heard()
    }

    fn on_rounds(&self, notices: Vec<guts_consensus::watch::Notice>) {
        self.feed.on_rounds(notices);
    }
}
