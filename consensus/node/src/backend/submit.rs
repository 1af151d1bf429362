//! Transactions of clients on their way to the mempool, and those that wait for a block.

use super::{NodeBackend, reply};
use bytes::Bytes;
use guts_abci::proto::abci as pb;
use guts_consensus::io::{ClientReply, ClientRequest, Committed, TxRefused};
use guts_consensus::types::tx_hash;
use guts_rpc::{Reply, RpcError, types};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// What a waiting client is told: where and with what result.
type Outcome = (i64, pb::ExecTxResult);
type Waiters = HashMap<Vec<u8>, Vec<oneshot::Sender<Outcome>>>;

/// Clients of `broadcast_tx_commit` by transaction hash.
#[derive(Default)]
pub(crate) struct Waiting(Mutex<Waiters>);

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, Waiters> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, hash: &[u8]) -> oneshot::Receiver<Outcome> {
        let (sender, receiver) = oneshot::channel();
        let mut waiters = self.lock();
        let list = waiters.entry(hash.to_vec()).or_default();
        list.retain(|s| !s.is_closed());
        list.push(sender);
        receiver
    }

    fn clean(&self, hash: &[u8]) {
        let mut waiters = self.lock();
        if let Some(list) = waiters.get_mut(hash) {
            list.retain(|s| !s.is_closed());
            if list.is_empty() {
                waiters.remove(hash);
            }
        }
    }
}

/// Tells the waiting clients of each block.
pub(crate) struct Tell(pub(crate) Arc<Waiting>);

impl Tell {
    pub(super) fn tell(&self, committed: &Committed) {
        let mut waiters = self.0.lock();
        if waiters.is_empty() {
            return;
        }
        let results = &committed.response.tx_results;
        for (tx, result) in committed.decided.block.txs().as_slice().iter().zip(results) {
            for waiter in waiters.remove(tx_hash(tx).as_bytes()).unwrap_or_default() {
                // The client may have gone.
                let _ = waiter.send((committed.height.wire(), result.clone()));
            }
        }
    }
}

fn refused(refused: TxRefused) -> RpcError {
    RpcError::internal(refused.to_string())
}

fn stopped() -> RpcError {
    RpcError::internal("the engine has stopped")
}

async fn checked(
    answer: Option<oneshot::Receiver<ClientReply>>,
) -> Result<pb::ResponseCheckTx, RpcError> {
    let answer = answer.ok_or_else(|| RpcError::internal("too many requests are waiting"))?;
    match answer.await.map_err(|_| stopped())? {
        ClientReply::Checked(response) => Ok(*response),
        ClientReply::Refused(why) => Err(refused(why)),
        _ => Err(stopped()),
    }
}

impl NodeBackend {
    pub(super) fn submit_async(&self, tx: Bytes) -> Reply<'_, types::BroadcastTx> {
        reply(async move {
            let hash = tx_hash(&tx).to_vec();
            let sent = self.inbox.request(ClientRequest::SubmitTx(tx));
            sent.ok_or_else(|| RpcError::internal("too many requests are waiting"))?;
            Ok(types::BroadcastTx::new(hash, pb::ResponseCheckTx::default()))
        })
    }

    pub(super) fn submit_sync(&self, tx: Bytes) -> Reply<'_, types::BroadcastTx> {
        reply(async move {
            let hash = tx_hash(&tx).to_vec();
            let answer = self.inbox.request(ClientRequest::SubmitTx(tx));
            Ok(types::BroadcastTx::new(hash, checked(answer).await?))
        })
    }

    pub(super) fn submit_commit(&self, tx: Bytes) -> Reply<'_, types::BroadcastTxCommit> {
        reply(async move {
            let hash = tx_hash(&tx).to_vec();
            let committed = self.waiting.add(&hash);
            let answer = self.inbox.request(ClientRequest::SubmitTx(tx));
            let limit = self.config.rpc.timeout_broadcast_tx_commit.0;
            let outcome = async {
                let check = checked(answer).await.map_err(|e| {
                    let why = e.data.unwrap_or_default();
                    RpcError::internal(format!("error on broadcastTxCommit: {why}"))
                })?;
                if check.code != 0 {
                    return Ok((check, None));
                }
                match tokio::time::timeout(limit, committed).await {
                    Ok(Ok(outcome)) => Ok((check, Some(outcome))),
                    Ok(Err(_)) => Err(stopped()),
                    Err(_) => Err(RpcError::internal(
                        "timed out waiting for tx to be included in a block",
                    )),
                }
            }
            .await;
            self.waiting.clean(&hash);
            let (check, block) = outcome?;
            let (height, result) = block.unwrap_or_default();
            Ok(types::BroadcastTxCommit {
                check_tx: check.into(),
                tx_result: result.into(),
                hash: hash.into(),
                height,
            })
        })
    }
}
