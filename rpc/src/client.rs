//! The client: typed calls to any server of CometBFT's shape, single or in batches.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::future::BoxFuture;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Request, Uri, header};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::types;
use crate::{Query, RpcError};

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address is not one this client can call.
    #[error("{0} is not a node's address: expected http://HOST:PORT")]
    Address(String),
    /// The node was not reached, or the connection broke.
    #[error("cannot reach {address}: {why}")]
    Unreachable {
        /// The node's address.
        address: String,
        /// What failed, with its causes.
        why: String,
    },
    /// No answer in time.
    #[error("{address} did not answer within {seconds} s")]
    Timeout {
        /// The node's address.
        address: String,
        /// How long was waited.
        seconds: u64,
    },
    /// What came back is not what the call answers.
    #[error("the answer cannot be read: {0}")]
    Answer(String),
    /// The node answered with an error.
    #[error(transparent)]
    Rpc(#[from] RpcError),
}

/// Carries a request to a node and its answer back. The client's own speaks plain HTTP/1.1;
/// another can bring TLS, or a test's fault.
pub trait Transport: Send + Sync {
    /// Posts a JSON body and returns the body of the answer, whatever its HTTP status.
    fn post(&self, body: Bytes) -> BoxFuture<'_, Result<Bytes, ClientError>>;
}

/// Bytes of an answer, at most: a block of 100 MB in base64 fits.
const ANSWER_BYTES_MAX: usize = 160 << 20;

/// How long a node with a full mempool is left alone: about a block.
const FULL_PAUSE: Duration = Duration::from_millis(200);

/// A client of one node. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct Client {
    transport: Arc<dyn Transport>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client")
    }
}

/// The parameters of a height; absent for the newest.
#[derive(Debug, Clone, Copy, Default, Serialize)]
struct HeightParam {
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "some_text")]
    height: Option<u64>,
}

fn some_text<S: serde::Serializer>(value: &Option<u64>, to: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => to.collect_str(value),
        None => to.serialize_none(),
    }
}

#[derive(Serialize)]
struct TxParam {
    tx: String,
}

#[derive(Serialize)]
struct HashParam {
    hash: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    prove: Option<bool>,
}

#[derive(Serialize)]
struct QueryParams {
    path: String,
    data: String,
    height: String,
    prove: bool,
}

#[derive(Serialize)]
struct ValidatorsParams {
    height: String,
    page: String,
    per_page: &'static str,
}

#[derive(Serialize)]
struct RangeParams {
    #[serde(rename = "minHeight")]
    min: String,
    #[serde(rename = "maxHeight")]
    max: String,
}

/// The parameters of a call without any.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct NoParams {}

#[derive(Serialize)]
struct Envelope<'a, P> {
    jsonrpc: &'static str,
    id: u64,
    method: &'a str,
    params: P,
}

#[derive(Deserialize)]
struct Reply<'a> {
    #[serde(default)]
    id: Option<u64>,
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
    #[serde(default)]
    error: Option<RpcError>,
}

impl Reply<'_> {
    fn read<R: DeserializeOwned>(self) -> Result<R, ClientError> {
        if let Some(error) = self.error {
            return Err(error.into());
        }
        let text = self.result.map_or("null", RawValue::get);
        serde_json::from_str(text).map_err(|e| ClientError::Answer(e.to_string()))
    }
}

/// Validators asked for at a time: as many as a server gives.
const VALIDATORS_PER_PAGE: &str = "100";

impl Client {
    /// A client of the node at `http://HOST:PORT` (or `tcp://`, or without a scheme).
    ///
    /// # Errors
    /// If the address is not one.
    pub fn new(address: &str) -> Result<Self, ClientError> {
        Ok(Self::over(Arc::new(Http::new(address, Http::TIMEOUT)?)))
    }

    /// A client over a transport of one's own.
    pub fn over(transport: Arc<dyn Transport>) -> Self {
        Self { transport }
    }

    /// Calls a method.
    ///
    /// # Errors
    /// The transport's, the node's, or an answer that cannot be read.
    pub async fn call<P, R>(&self, method: &str, params: P) -> Result<R, ClientError>
    where
        P: Serialize,
        R: DeserializeOwned,
    {
        let envelope = Envelope { jsonrpc: "2.0", id: 1, method, params };
        let body = serde_json::to_vec(&envelope).map_err(|e| ClientError::Answer(e.to_string()))?;
        let answer = self.transport.post(body.into()).await?;
        let reply: Reply<'_> = read_answer(&answer)?;
        reply.read()
    }

    /// Calls one method with several parameters, in one request. Servers take 10 at a time; this
    /// sends as many requests as it takes, one after the other.
    ///
    /// # Errors
    /// The transport's for the whole; each call has its own result.
    pub async fn batch<P, R>(
        &self,
        method: &str,
        params: &[P],
    ) -> Result<Vec<Result<R, ClientError>>, ClientError>
    where
        P: Serialize,
        R: DeserializeOwned,
    {
        /// What servers take by default.
        const AT_A_TIME: usize = 10;
        let mut results = Vec::with_capacity(params.len());
        for chunk in params.chunks(AT_A_TIME) {
            if let [one] = chunk {
                results.push(self.call(method, one).await);
                continue;
            }
            let envelopes: Vec<_> = (0u64..)
                .zip(chunk)
                .map(|(id, params)| Envelope { jsonrpc: "2.0", id, method, params })
                .collect();
            let body =
                serde_json::to_vec(&envelopes).map_err(|e| ClientError::Answer(e.to_string()))?;
            let answer = self.transport.post(body.into()).await?;
            let mut replies: Vec<Option<Reply<'_>>> = match answer.first() {
                Some(b'[') => {
                    read_answer::<Vec<Reply<'_>>>(&answer)?.into_iter().map(Some).collect()
                }
                // A single object refuses the batch as a whole.
                _ => vec![Some(read_answer(&answer)?)],
            };
            if let [Some(Reply { error: Some(error), id: None, .. })] = &replies[..] {
                return Err(error.clone().into());
            }
            for wanted in 0..chunk.len() as u64 {
                let found = replies
                    .iter_mut()
                    .find(|reply| reply.as_ref().is_some_and(|reply| reply.id == Some(wanted)))
                    .and_then(Option::take);
                results.push(match found {
                    Some(reply) => reply.read(),
                    None => Err(ClientError::Answer("a call of the batch has no answer".into())),
                });
            }
        }
        Ok(results)
    }

    /// Whether the node is up.
    ///
    /// # Errors
    /// As [`Client::call`]; so for all that follow.
    pub async fn health(&self) -> Result<types::Health, ClientError> {
        self.call("health", NoParams {}).await
    }

    /// Who the node is and how far.
    pub async fn status(&self) -> Result<types::StatusResult, ClientError> {
        self.call("status", NoParams {}).await
    }

    /// Its peers.
    pub async fn net_info(&self) -> Result<types::NetInfo, ClientError> {
        self.call("net_info", NoParams {}).await
    }

    /// The genesis document.
    pub async fn genesis(&self) -> Result<types::GenesisResult, ClientError> {
        self.call("genesis", NoParams {}).await
    }

    /// A block; the newest without a height.
    pub async fn block(&self, height: Option<u64>) -> Result<types::BlockResult, ClientError> {
        self.call("block", HeightParam { height }).await
    }

    /// The block with this header hash; without a block when there is none.
    pub async fn block_by_hash(&self, hash: &[u8]) -> Result<types::BlockResult, ClientError> {
        self.call("block_by_hash", HashParam { hash: STANDARD.encode(hash), prove: None }).await
    }

    /// What the application answered to a block.
    pub async fn block_results(
        &self,
        height: Option<u64>,
    ) -> Result<types::BlockResults, ClientError> {
        self.call("block_results", HeightParam { height }).await
    }

    /// Block metas from `max` down to `min`, at most 20.
    pub async fn blockchain(
        &self,
        min: u64,
        max: u64,
    ) -> Result<types::BlockchainResult, ClientError> {
        let params = RangeParams { min: min.to_string(), max: max.to_string() };
        self.call("blockchain", params).await
    }

    /// A header; none before the first block.
    pub async fn header(&self, height: Option<u64>) -> Result<types::HeaderResult, ClientError> {
        self.call("header", HeightParam { height }).await
    }

    /// A header with its commit; none before the first block.
    pub async fn commit(
        &self,
        height: Option<u64>,
    ) -> Result<Option<types::CommitResult>, ClientError> {
        self.call("commit", HeightParam { height }).await
    }

    /// The whole validator set of a height, page by page.
    pub async fn validators(&self, height: u64) -> Result<Vec<types::Validator>, ClientError> {
        let mut all = Vec::new();
        for page in 1u64.. {
            let params = ValidatorsParams {
                height: height.to_string(),
                page: page.to_string(),
                per_page: VALIDATORS_PER_PAGE,
            };
            let answer: types::ValidatorsResult = self.call("validators", params).await?;
            let is_last = answer.validators.is_empty();
            all.extend(answer.validators);
            if is_last || all.len() as u64 >= answer.total {
                break;
            }
        }
        Ok(all)
    }

    /// The consensus parameters of a height; those of the next block without one.
    pub async fn consensus_params(
        &self,
        height: Option<u64>,
    ) -> Result<types::ConsensusParamsResult, ClientError> {
        self.call("consensus_params", HeightParam { height }).await
    }

    /// What the application says of itself.
    pub async fn abci_info(&self) -> Result<types::AbciInfo, ClientError> {
        self.call("abci_info", NoParams {})
            .await
            .map(|result: types::AbciInfoResult| result.response)
    }

    /// Asks the application. An answer whose code is not 0 is an answer, not an error.
    pub async fn abci_query(&self, query: Query) -> Result<types::AbciQuery, ClientError> {
        let params = QueryParams {
            path: query.path,
            data: hex::encode(&query.data),
            height: query.height.to_string(),
            prove: query.prove,
        };
        self.call("abci_query", params).await.map(|result: types::AbciQueryResult| result.response)
    }

    /// Hands in a transaction without waiting for CheckTx.
    pub async fn broadcast_tx_async(&self, tx: &[u8]) -> Result<types::BroadcastTx, ClientError> {
        self.call("broadcast_tx_async", TxParam { tx: STANDARD.encode(tx) }).await
    }

    /// Hands in a transaction and waits for CheckTx.
    pub async fn broadcast_tx_sync(&self, tx: &[u8]) -> Result<types::BroadcastTx, ClientError> {
        self.call("broadcast_tx_sync", TxParam { tx: STANDARD.encode(tx) }).await
    }

    /// The same, and as long as the node's mempool is full hands it in again, for `patience` at
    /// most: blocks make room.
    pub async fn broadcast_tx_when_room(
        &self,
        tx: &[u8],
        patience: Duration,
    ) -> Result<types::BroadcastTx, ClientError> {
        let since = Instant::now();
        loop {
            match self.broadcast_tx_sync(tx).await {
                Err(ClientError::Rpc(error))
                    if error.is_mempool_full() && since.elapsed() < patience => {}
                answer => return answer,
            }
            tokio::time::sleep(FULL_PAUSE).await;
        }
    }

    /// Hands in a transaction and waits until it is in a block.
    pub async fn broadcast_tx_commit(
        &self,
        tx: &[u8],
    ) -> Result<types::BroadcastTxCommit, ClientError> {
        self.call("broadcast_tx_commit", TxParam { tx: STANDARD.encode(tx) }).await
    }

    /// A committed transaction by its SHA-256. Not found is the node's error.
    pub async fn tx(&self, hash: &[u8], prove: bool) -> Result<types::TxResponse, ClientError> {
        self.call("tx", HashParam { hash: STANDARD.encode(hash), prove: Some(prove) }).await
    }

    /// The height in progress, in short.
    pub async fn consensus_state(&self) -> Result<types::ConsensusState, ClientError> {
        self.call("consensus_state", NoParams {}).await
    }

    /// The height in progress, whole.
    pub async fn dump_consensus_state(&self) -> Result<types::DumpConsensusState, ClientError> {
        self.call("dump_consensus_state", NoParams {}).await
    }

    /// How many transactions wait.
    pub async fn num_unconfirmed_txs(&self) -> Result<types::UnconfirmedTxs, ClientError> {
        self.call("num_unconfirmed_txs", NoParams {}).await
    }
}

fn read_answer<'a, R: Deserialize<'a>>(answer: &'a [u8]) -> Result<R, ClientError> {
    serde_json::from_slice(answer).map_err(|error| {
        let start = String::from_utf8_lossy(&answer[..answer.len().min(200)]).into_owned();
        ClientError::Answer(format!("{error} in {start:?}"))
    })
}

/// Plain HTTP/1.1 with connections kept alive.
#[derive(Debug)]
pub struct Http {
    uri: Uri,
    client: hyper_util::client::legacy::Client<HttpConnector, Full<Bytes>>,
    timeout: Duration,
}

impl Http {
    /// How long an answer may take: longer than `broadcast_tx_commit` waits for a block.
    pub const TIMEOUT: Duration = Duration::from_secs(30);

    /// A transport to `address`.
    ///
    /// # Errors
    /// If the address is not `http://HOST:PORT`, `tcp://HOST:PORT` or `HOST:PORT`.
    pub fn new(address: &str, timeout: Duration) -> Result<Self, ClientError> {
        let wrong = || ClientError::Address(address.to_owned());
        let rest = address
            .strip_prefix("http://")
            .or_else(|| address.strip_prefix("tcp://"))
            .unwrap_or(address)
            .trim_end_matches('/');
        if rest.contains("://") {
            return Err(wrong());
        }
        let uri: Uri = format!("http://{rest}/").parse().map_err(|_| wrong())?;
        if uri.host().is_none_or(str::is_empty) {
            return Err(wrong());
        }
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .build(connector);
        Ok(Self { uri, client, timeout })
    }

    async fn exchange(&self, body: Bytes) -> Result<Bytes, ClientError> {
        let unreachable = |error: &dyn std::error::Error| {
            let mut why = error.to_string();
            let mut cause = error.source();
            while let Some(error) = cause {
                why = format!("{why}: {error}");
                cause = error.source();
            }
            ClientError::Unreachable { address: self.uri.to_string(), why }
        };
        let request = Request::post(&self.uri)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|e| unreachable(&e))?;
        let answer = self.client.request(request).await.map_err(|e| unreachable(&e))?;
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
        Ok(body.map_err(|e| unreachable(&*e))?.to_bytes())
    }
}

impl Transport for Http {
    fn post(&self, body: Bytes) -> BoxFuture<'_, Result<Bytes, ClientError>> {
        Box::pin(async move {
            let late = |_| ClientError::Timeout {
                address: self.uri.to_string(),
                seconds: self.timeout.as_secs(),
            };
            tokio::time::timeout(self.timeout, self.exchange(body)).await.map_err(late)?
        })
    }
}
