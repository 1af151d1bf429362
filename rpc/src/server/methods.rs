//! The methods: their parameters, what may be cached, and how each asks the backend.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::BoxFuture;
use serde::Serialize;

use super::args::{Args, Coding};
use super::http::Service;
use super::{search, submit};
use crate::backend::{Backend, Dial, Heights, Query};
use crate::{RpcError, json, types};

/// When an answer may be kept by a cache for a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cache {
    Never,
    Always,
    /// When the first parameter, the height, was given.
    WithHeight,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Method {
    Health,
    Status,
    NetInfo,
    Genesis,
    Block,
    BlockByHash,
    BlockResults,
    Blockchain,
    Header,
    Commit,
    Validators,
    ConsensusParams,
    AbciInfo,
    AbciQuery,
    BroadcastTxAsync,
    BroadcastTxSync,
    BroadcastTxCommit,
    Tx,
    NumUnconfirmedTxs,
    UnconfirmedTxs,
    HeaderByHash,
    GenesisChunked,
    CheckTx,
    BroadcastEvidence,
    TxSearch,
    BlockSearch,
    ConsensusState,
    DumpConsensusState,
    DialPeers,
    DialSeeds,
    UnsafeFlushMempool,
}

impl Method {
    /// Whether it changes the node: such are served only where that is wanted.
    pub(super) fn is_unsafe(self) -> bool {
        matches!(self, Self::DialPeers | Self::DialSeeds | Self::UnsafeFlushMempool)
    }

    /// Whether an answer may be as long as a block or several.
    pub(super) fn is_long(self) -> bool {
        matches!(
            self,
            Self::Block
                | Self::BlockByHash
                | Self::BlockResults
                | Self::BlockSearch
                | Self::Genesis
                | Self::GenesisChunked
                | Self::TxSearch
        )
    }
}

/// A method's entry in the table.
#[derive(Debug)]
pub(super) struct Spec {
    pub(super) name: &'static str,
    pub(super) params: &'static [&'static str],
    pub(super) cache: Cache,
    pub(super) method: Method,
}

const fn spec(
    name: &'static str,
    params: &'static [&'static str],
    cache: Cache,
    method: Method,
) -> Spec {
    Spec { name, params, cache, method }
}

/// Every method, by name.
pub(super) static TABLE: [Spec; 31] = [
    spec("abci_info", &[], Cache::Always, Method::AbciInfo),
    spec("abci_query", &["path", "data", "height", "prove"], Cache::Never, Method::AbciQuery),
    spec("block", &["height"], Cache::WithHeight, Method::Block),
    spec("block_by_hash", &["hash"], Cache::Always, Method::BlockByHash),
    spec(
        "block_search",
        &["query", "page", "per_page", "order_by"],
        Cache::Never,
        Method::BlockSearch,
    ),
    spec("block_results", &["height"], Cache::WithHeight, Method::BlockResults),
    spec("blockchain", &["minHeight", "maxHeight"], Cache::Always, Method::Blockchain),
    spec("broadcast_evidence", &["evidence"], Cache::Never, Method::BroadcastEvidence),
    spec(submit::NAME, submit::PARAMS, Cache::Never, Method::BroadcastTxAsync),
    spec("broadcast_tx_commit", &["tx"], Cache::Never, Method::BroadcastTxCommit),
    spec("broadcast_tx_sync", &["tx"], Cache::Never, Method::BroadcastTxSync),
    spec("check_tx", &["tx"], Cache::Never, Method::CheckTx),
    spec("commit", &["height"], Cache::WithHeight, Method::Commit),
    spec("consensus_params", &["height"], Cache::WithHeight, Method::ConsensusParams),
    spec("consensus_state", &[], Cache::Never, Method::ConsensusState),
    spec(
        "dial_peers",
        &["peers", "persistent", "unconditional", "private"],
        Cache::Never,
        Method::DialPeers,
    ),
    spec("dial_seeds", &["seeds"], Cache::Never, Method::DialSeeds),
    spec("dump_consensus_state", &[], Cache::Never, Method::DumpConsensusState),
    spec("genesis", &[], Cache::Always, Method::Genesis),
    spec("genesis_chunked", &["chunk"], Cache::Always, Method::GenesisChunked),
    spec("header", &["height"], Cache::WithHeight, Method::Header),
    spec("header_by_hash", &["hash"], Cache::Always, Method::HeaderByHash),
    spec("health", &[], Cache::Never, Method::Health),
    spec("net_info", &[], Cache::Never, Method::NetInfo),
    spec("num_unconfirmed_txs", &[], Cache::Never, Method::NumUnconfirmedTxs),
    spec("status", &[], Cache::Never, Method::Status),
    spec("tx", &["hash", "prove"], Cache::Always, Method::Tx),
    spec(
        "tx_search",
        &["query", "prove", "page", "per_page", "order_by"],
        Cache::Never,
        Method::TxSearch,
    ),
    spec("unconfirmed_txs", &["limit"], Cache::Never, Method::UnconfirmedTxs),
    spec("unsafe_flush_mempool", &[], Cache::Never, Method::UnsafeFlushMempool),
    spec("validators", &["height", "page", "per_page"], Cache::WithHeight, Method::Validators),
];

type Handler =
    Arc<dyn Fn(&Args<'_>) -> BoxFuture<'static, Result<Vec<u8>, RpcError>> + Send + Sync>;

/// A method beyond the table.
#[derive(Clone)]
pub(super) struct Extra {
    pub(super) params: &'static [&'static str],
    pub(super) handler: Handler,
}

/// Methods beyond CometBFT's, for servers that have more to answer.
#[derive(Clone, Default)]
pub struct Methods {
    pub(super) extras: BTreeMap<&'static str, Extra>,
}

impl Methods {
    /// Adds a method. `handler` reads its parameters by their place in `params` at once and does
    /// the rest in the future it returns; its answer is printed like all others.
    ///
    /// # Panics
    /// If the name is taken: two methods of one name are a mistake in the program.
    #[must_use]
    pub fn with<R, F>(
        mut self,
        name: &'static str,
        params: &'static [&'static str],
        handler: F,
    ) -> Self
    where
        R: Serialize + 'static,
        F: Fn(&Args<'_>) -> Result<BoxFuture<'static, Result<R, RpcError>>, RpcError>
            + Send
            + Sync
            + 'static,
    {
        let run = move |args: &Args<'_>| -> BoxFuture<'static, Result<Vec<u8>, RpcError>> {
            let started = handler(args);
            Box::pin(async move {
                let mut out = Vec::new();
                put(&mut out, &started?.await?)?;
                Ok(out)
            })
        };
        let extra = Extra { params, handler: Arc::new(run) };
        let is_new = self.extras.insert(name, extra).is_none();
        assert!(is_new && find(name).is_none(), "the method {name} is there already");
        self
    }
}

impl std::fmt::Debug for Methods {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.extras.keys()).finish()
    }
}

/// The table's entry of a name.
pub(super) fn find(name: &str) -> Option<&'static Spec> {
    TABLE.iter().find(|spec| spec.name == name)
}

pub(super) fn put<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) -> Result<(), RpcError> {
    json::append(value, out).map_err(|e| RpcError::internal(e.to_string()))
}

/// As [`put`], beside the tasks that answer: it may take long.
async fn put_long<T>(out: &mut Vec<u8>, value: T) -> Result<(), RpcError>
where
    T: Serialize + Send + 'static,
{
    let mut text = std::mem::take(out);
    let printing = tokio::task::spawn_blocking(move || {
        put(&mut text, &value)?;
        Ok(text)
    });
    *out = printing.await.map_err(|error| RpcError::internal(error.to_string()))??;
    Ok(())
}

/// Bytes from which on an answer takes long to print: some hundred microseconds.
const LONG_BYTES: usize = 64 << 10;
/// What the result of a transaction with some events takes, about.
const RESULT_BYTES: usize = 512;

/// As [`put`] or [`put_long`], of an answer of about so many bytes.
async fn put_of<T>(out: &mut Vec<u8>, bytes: usize, value: T) -> Result<(), RpcError>
where
    T: Serialize + Send + 'static,
{
    if bytes < LONG_BYTES { put(out, &value) } else { put_long(out, value).await }
}

async fn put_block(out: &mut Vec<u8>, found: types::BlockResult) -> Result<(), RpcError> {
    let txs = found.block.iter().flat_map(|block| &block.data.txs);
    let bytes = txs.fold(0, |bytes: usize, tx| bytes.saturating_add(tx.0.len()));
    put_of(out, bytes, found).await
}

async fn put_results(out: &mut Vec<u8>, found: types::BlockResults) -> Result<(), RpcError> {
    let bytes = found.txs_results.len().saturating_mul(RESULT_BYTES);
    put_of(out, bytes, found).await
}

/// Calls the backend and appends the result.
pub(super) async fn call(
    service: &Service,
    method: Method,
    args: &Args<'_>,
    out: &mut Vec<u8>,
) -> Result<(), RpcError> {
    let backend = &*service.backend;
    match method {
        Method::Health => put(out, &backend.health().await?),
        Method::Status => put(out, &backend.status().await?),
        Method::NetInfo => put(out, &backend.net_info().await?),
        Method::Genesis => put(out, &search::genesis(backend).await?),
        Method::Block => match stored_height(backend, args)? {
            0 => put(out, &types::BlockResult::default()),
            height => put_block(out, backend.block(height).await?).await,
        },
        Method::BlockByHash => {
            let hash = args.bytes(0, Coding::Base64)?.into();
            put_block(out, backend.block_by_hash(hash).await?.unwrap_or_default()).await
        }
        Method::BlockResults => match stored_height(backend, args)? {
            0 => Err(RpcError::internal("could not find results for height #0")),
            height => put_results(out, backend.block_results(height).await?).await,
        },
        Method::Blockchain => blockchain(backend, args, out).await,
        Method::Header => match stored_height(backend, args)? {
            0 => put(out, &types::HeaderResult::default()),
            height => {
                put(out, &types::HeaderResult { header: Some(backend.header(height).await?) })
            }
        },
        Method::Commit => match stored_height(backend, args)? {
            0 => put(out, &()),
            height => put(out, &backend.commit(height).await?),
        },
        Method::Validators => validators(backend, args, out).await,
        Method::ConsensusParams => {
            let height = next_height(backend, args)?;
            let consensus_params = backend.consensus_params(height).await?;
            let block_height = signed(height)?;
            put(out, &types::ConsensusParamsResult { block_height, consensus_params })
        }
        Method::AbciInfo => put(out, &backend.abci_info().await?),
        Method::AbciQuery => put(out, &backend.abci_query(query(args)?).await?),
        Method::BroadcastTxAsync => put(out, &submit::one(backend, args).await?),
        Method::BroadcastTxSync => {
            put(out, &backend.broadcast_tx_sync(args.bytes(0, Coding::Base64)?).await?)
        }
        Method::BroadcastTxCommit => {
            let tx = args.bytes(0, Coding::Base64)?;
            let _waiting = service.clients.enter(service.limits().ws_clients_max)?;
            put(out, &backend.broadcast_tx_commit(tx).await?)
        }
        Method::Tx => tx(backend, args, out).await,
        Method::NumUnconfirmedTxs => put(out, &backend.num_unconfirmed_txs().await?),
        Method::UnconfirmedTxs => {
            // One more than the page: so CometBFT's mempool cuts it.
            let limit = per_page(args.int(0)?).unsigned_abs().saturating_add(1);
            put(out, &backend.unconfirmed_txs(limit).await?)
        }
        Method::HeaderByHash => {
            let header = backend.header_by_hash(args.bytes(0, Coding::Hex)?.into()).await?;
            put(out, &types::HeaderResult { header })
        }
        Method::CheckTx => put(out, &backend.check_tx(args.bytes(0, Coding::Base64)?).await?),
        _ => call_rare(backend, method, args, out).await,
    }
}

/// The methods that are called seldom, and do more here than ask the backend.
async fn call_rare(
    backend: &dyn Backend,
    method: Method,
    args: &Args<'_>,
    out: &mut Vec<u8>,
) -> Result<(), RpcError> {
    match method {
        Method::GenesisChunked => put(out, &search::genesis_chunk(backend, args).await?),
        Method::BroadcastEvidence => {
            put(out, &backend.broadcast_evidence(search::evidence(args)?).await?)
        }
        Method::ConsensusState => put(out, &backend.consensus_state().await?),
        Method::DumpConsensusState => put(out, &backend.dump_consensus_state().await?),
        Method::TxSearch => put_long(out, search::txs(backend, args).await?).await,
        Method::BlockSearch => put_long(out, search::blocks(backend, args).await?).await,
        Method::DialPeers => {
            let dial = Dial {
                peers: listed(args, "peers")?,
                is_persistent: args.bool(1)?,
                is_unconditional: args.bool(2)?,
            };
            // Hides nothing here: no peer is told of another.
            args.bool(3)?;
            backend.dial(dial).await?;
            let log = "Dialing peers in progress. See /net_info for details".into();
            put(out, &types::Dialing { log })
        }
        Method::DialSeeds => {
            let peers = listed(args, "seeds")?;
            backend.dial(Dial { peers, ..Dial::default() }).await?;
            let log = "Dialing seeds in progress. See /net_info for details".into();
            put(out, &types::Dialing { log })
        }
        Method::UnsafeFlushMempool => put(out, &backend.flush_mempool().await?),
        _ => Err(RpcError::method_not_found()),
    }
}

/// The peers that are to be dialled, `ID@HOST:PORT` each.
fn listed(args: &Args<'_>, what: &str) -> Result<Vec<String>, RpcError> {
    let peers = args.strings(0)?;
    if peers.is_empty() {
        return Err(RpcError::internal(format!("no {what} provided")));
    }
    match peers.iter().find(|peer| peer.split('@').count() != 2) {
        Some(bad) => Err(RpcError::internal(format!("address ({bad}) does not contain ID"))),
        None => Ok(peers),
    }
}

fn query(args: &Args<'_>) -> Result<Query, RpcError> {
    Ok(Query {
        path: args.string(0)?,
        data: args.bytes(1, Coding::Hex)?,
        height: args.int(2)?.unwrap_or(0),
        prove: args.bool(3)?,
    })
}

async fn tx(backend: &dyn Backend, args: &Args<'_>, out: &mut Vec<u8>) -> Result<(), RpcError> {
    let hash = args.bytes(0, Coding::Base64)?;
    let prove = args.bool(1)?;
    if hash.is_empty() {
        return Err(RpcError::internal("transaction hash cannot be empty"));
    }
    match backend.tx(hash.to_vec(), prove).await? {
        Some(found) => put(out, &found),
        None => Err(RpcError::internal(format!("tx ({}) not found", hex::encode_upper(&hash)))),
    }
}

fn signed(height: u64) -> Result<i64, RpcError> {
    i64::try_from(height).map_err(|_| RpcError::internal("the height is beyond 64 bits"))
}

/// The height a call means, where `top` is the newest it may mean and means by default.
fn resolve(wanted: Option<i64>, base: u64, top: u64) -> Result<u64, RpcError> {
    let Some(wanted) = wanted else { return Ok(top) };
    match u64::try_from(wanted) {
        Err(_) | Ok(0) => {
            Err(RpcError::internal(format!("height must be greater than 0, but got {wanted}")))
        }
        Ok(height) if height > top => Err(RpcError::internal(format!(
            "height {height} must be less than or equal to the current blockchain height {top}"
        ))),
        Ok(height) if height < base => Err(RpcError::internal(format!(
            "height {height} is not available, lowest height is {base}"
        ))),
        Ok(height) => Ok(height),
    }
}

/// The height of a call about blocks: 0 only if there is none yet.
fn stored_height(backend: &dyn Backend, args: &Args<'_>) -> Result<u64, RpcError> {
    let wanted = args.int(0)?;
    let Heights { base, top } = backend.heights();
    resolve(wanted, base, top)
}

/// The height of a call about what holds for the next block too.
fn next_height(backend: &dyn Backend, args: &Args<'_>) -> Result<u64, RpcError> {
    let wanted = args.int(0)?;
    let Heights { base, top } = backend.heights();
    resolve(wanted, base, top.saturating_add(1))
}

/// Metas in one `/blockchain` answer, at most.
const METAS_MAX: i64 = 20;

async fn blockchain(
    backend: &dyn Backend,
    args: &Args<'_>,
    out: &mut Vec<u8>,
) -> Result<(), RpcError> {
    let (min, max) = (args.int(0)?.unwrap_or(0), args.int(1)?.unwrap_or(0));
    let heights = backend.heights();
    let (base, top) = (signed(heights.base)?, signed(heights.top)?);
    if min < 0 || max < 0 {
        return Err(RpcError::internal("heights must be non-negative"));
    }
    let max = if max == 0 { top } else { max.min(top) };
    let min = (if min == 0 { 1 } else { min }).max(base).max(max - METAS_MAX + 1);
    if min > max {
        return Err(RpcError::internal(format!(
            "min height {min} can't be greater than max height {max}"
        )));
    }
    let block_metas = backend.block_metas(min.unsigned_abs(), max.unsigned_abs()).await?;
    put(out, &types::BlockchainResult { last_height: top, block_metas })
}

/// Entries of a page, by default and at most.
const PER_PAGE_DEFAULT: i64 = 30;
const PER_PAGE_MAX: i64 = 100;

fn per_page(wanted: Option<i64>) -> i64 {
    match wanted.unwrap_or(PER_PAGE_DEFAULT) {
        ..1 => PER_PAGE_DEFAULT,
        some => some.min(PER_PAGE_MAX),
    }
}

/// The page of `all` that is wanted.
pub(super) fn page_of<T>(
    all: Vec<T>,
    wanted: Option<i64>,
    per_page: Option<i64>,
) -> Result<Vec<T>, RpcError> {
    let beyond = |_| RpcError::internal("a list is beyond 64 bits");
    let (start, len) = page(wanted, per_page, i64::try_from(all.len()).map_err(beyond)?)?;
    let skipped = all.into_iter().skip(usize::try_from(start).unwrap_or(usize::MAX));
    Ok(skipped.take(usize::try_from(len).unwrap_or(0)).collect())
}

/// First entry and length of a page of `total` entries.
fn page(wanted: Option<i64>, len: Option<i64>, total: i64) -> Result<(i64, i64), RpcError> {
    let per_page = per_page(len);
    let pages = ((total - 1).div_euclid(per_page) + 1).max(1);
    let wanted = wanted.unwrap_or(1);
    if wanted < 1 || wanted > pages {
        return Err(RpcError::internal(format!(
            "page should be within [1, {pages}] range, given {wanted}"
        )));
    }
    Ok(((wanted - 1) * per_page, per_page))
}

async fn validators(
    backend: &dyn Backend,
    args: &Args<'_>,
    out: &mut Vec<u8>,
) -> Result<(), RpcError> {
    let (wanted, per_page) = (args.int(1)?, args.int(2)?);
    let height = next_height(backend, args)?;
    let set = backend.validators(height).await?;
    let total = set.len() as u64;
    let validators = page_of(set, wanted, per_page)?;
    let block_height = signed(height)?;
    let count = validators.len() as u64;
    put(out, &types::ValidatorsResult { block_height, validators, count, total })
}
