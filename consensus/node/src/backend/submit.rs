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

    pub(super) fn add(&self, hash: Vec<u8>) -> Waiter<'_> {
        let (sender, outcome) = oneshot::channel();
        self.lock().entry(hash.clone()).or_default().push(sender);
        Waiter { waiting: self, hash, outcome }
    }

    /// How many wait.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.lock().values().map(Vec::len).sum()
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }
}

/// One of the clients. Nothing is left of it once it is dropped: when it is answered, or hangs up.
pub(super) struct Waiter<'a> {
    waiting: &'a Waiting,
    hash: Vec<u8>,
    outcome: oneshot::Receiver<Outcome>,
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.outcome.close();
        let mut waiters = self.waiting.lock();
        if let Some(list) = waiters.get_mut(&self.hash) {
            list.retain(|waiter| !waiter.is_closed());
            if list.is_empty() {
                waiters.remove(&self.hash);
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

pub(super) fn refused(refused: TxRefused) -> RpcError {
    RpcError::internal(refused.to_string())
}

fn stopped() -> RpcError {
    RpcError::internal("the engine has stopped")
}

impl NodeBackend {
    /// What the engine says to a client's request.
    pub(super) async fn ask_engine(&self, request: ClientRequest) -> Result<ClientReply, RpcError> {
        let answer = self.inbox.request(request);
        let answer = answer.ok_or_else(|| RpcError::internal("too many requests are waiting"))?;
        answer.await.map_err(|_| stopped())
    }

    async fn checked(&self, tx: Bytes) -> Result<pb::ResponseCheckTx, RpcError> {
        match self.ask_engine(ClientRequest::SubmitTx(tx)).await? {
            ClientReply::Checked(response) => Ok(*response),
            ClientReply::Refused(why) => Err(refused(why)),
            _ => Err(stopped()),
        }
    }

    /// Hands `txs` to the engine in one message, which wakes it once, and says of each whether the
    /// application will be shown it. What that will say is not waited for.
    pub(super) async fn submit_async(
        &self,
        txs: Vec<Bytes>,
    ) -> Vec<Result<types::BroadcastTx, RpcError>> {
        let hashes: Vec<_> = txs.iter().map(|tx| tx_hash(tx).to_vec()).collect();
        let admitted = match self.ask_engine(ClientRequest::AdmitTxs(txs)).await {
            Ok(ClientReply::Admitted(admitted)) => admitted,
            Ok(_) => return hashes.iter().map(|_| Err(stopped())).collect(),
            Err(error) => return hashes.iter().map(|_| Err(error.clone())).collect(),
        };
        let told = |(hash, admitted): (_, Result<_, _>)| match admitted {
            Ok(()) => Ok(types::BroadcastTx::new(hash, pb::ResponseCheckTx::default())),
            Err(why) => Err(refused(why)),
        };
        hashes.into_iter().zip(admitted).map(told).collect()
    }

    pub(super) fn submit_sync(&self, tx: Bytes) -> Reply<'_, types::BroadcastTx> {
        reply(async move {
            let hash = tx_hash(&tx).to_vec();
            Ok(types::BroadcastTx::new(hash, self.checked(tx).await?))
        })
    }

    pub(super) fn submit_commit(&self, tx: Bytes) -> Reply<'_, types::BroadcastTxCommit> {
        reply(async move {
            let hash = tx_hash(&tx).to_vec();
            let mut waiter = self.waiting.add(hash.clone());
            let limit = self.config.rpc.timeout_broadcast_tx_commit.0;
            let check = self.checked(tx).await.map_err(|e| {
                let why = e.data.unwrap_or_default();
                RpcError::internal(format!("error on broadcastTxCommit: {why}"))
            })?;
            let block = match check.code {
                0 => match tokio::time::timeout(limit, &mut waiter.outcome).await {
                    Ok(Ok(outcome)) => Some(outcome),
                    Ok(Err(_)) => return Err(stopped().into()),
                    Err(_) => {
                        let late = "timed out waiting for tx to be included in a block";
                        return Err(RpcError::internal(late).into());
                    }
                },
                _ => None,
            };
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
