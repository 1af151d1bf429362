//! Calls that search, and those whose parameters are more than numbers and bytes.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::args::{Args, decode_hex};
use super::methods::page_of;
use crate::RpcError;
use crate::backend::Backend;
use crate::search::{QUERY_BYTES_MAX, Search};
use crate::types::{self, Evidence, Vote};

/// Bytes of one chunk of the genesis document, as CometBFT cuts it.
const CHUNK_BYTES: u64 = 16 << 20;

fn parse(text: &str) -> Result<Search, RpcError> {
    Search::parse(text).map_err(|error| RpcError::internal(error.to_string()))
}

/// Puts what was found, which ascends, into the order asked for.
fn order<T>(found: &mut [T], order_by: &str, is_descending_default: bool) -> Result<(), RpcError> {
    let is_descending = match order_by {
        "asc" => false,
        "desc" => true,
        "" => is_descending_default,
        _ => {
            let why = "expected order_by to be either `asc` or `desc` or empty";
            return Err(RpcError::internal(why));
        }
    };
    if is_descending {
        found.reverse();
    }
    Ok(())
}

pub(super) async fn txs(
    backend: &dyn Backend,
    args: &Args<'_>,
) -> Result<types::TxSearchResult, RpcError> {
    let (query, prove, order_by) = (args.string(0)?, args.bool(1)?, args.string(4)?);
    let (page, per_page) = (args.int(2)?, args.int(3)?);
    if query.len() > QUERY_BYTES_MAX {
        return Err(RpcError::internal("maximum query length exceeded"));
    }
    let search = parse(&query)?;
    if let Some(hash) = search.tx_hash() {
        let hash = decode_hex(hash).map_err(|why| {
            RpcError::internal(format!("error during searching for a hash in the query: {why}"))
        })?;
        let mut found: Vec<types::TxResponse> =
            backend.tx(hash, prove).await?.into_iter().collect();
        order(&mut found, &order_by, false)?;
        let total_count = found.len() as u64;
        return Ok(types::TxSearchResult { txs: page_of(found, page, per_page)?, total_count });
    }
    let mut hits = backend.tx_hits(search).await?;
    order(&mut hits, &order_by, false)?;
    let total_count = hits.len() as u64;
    let txs = match page_of(hits, page, per_page)? {
        none if none.is_empty() => Vec::new(),
        page => backend.txs_at(page, prove).await?,
    };
    Ok(types::TxSearchResult { txs, total_count })
}

pub(super) async fn blocks(
    backend: &dyn Backend,
    args: &Args<'_>,
) -> Result<types::BlockSearchResult, RpcError> {
    let (query, order_by) = (args.string(0)?, args.string(3)?);
    let (page, per_page) = (args.int(1)?, args.int(2)?);
    let mut hits = backend.block_hits(parse(&query)?).await?;
    order(&mut hits, &order_by, true)?;
    let total_count = hits.len() as u64;
    let blocks = match page_of(hits, page, per_page)? {
        none if none.is_empty() => Vec::new(),
        page => backend.blocks_at(page).await?,
    };
    Ok(types::BlockSearchResult { blocks, total_count })
}

/// The genesis document, if it is no longer than a chunk.
pub(super) async fn genesis(backend: &dyn Backend) -> Result<types::GenesisResult, RpcError> {
    let (_, bytes) = backend.genesis_part(0, 1).await?;
    if bytes > CHUNK_BYTES {
        let why = "genesis response is large, please use the genesis_chunked API instead";
        return Err(RpcError::internal(why));
    }
    backend.genesis().await
}

pub(super) async fn genesis_chunk(
    backend: &dyn Backend,
    args: &Args<'_>,
) -> Result<types::GenesisChunk, RpcError> {
    let wanted = args.int(0)?.unwrap_or(0);
    let Ok(chunk) = u64::try_from(wanted) else {
        let why = format!("json: cannot unmarshal number {wanted} into Go value of type uint");
        return Err(args.refuse(&why));
    };
    let from = chunk.saturating_mul(CHUNK_BYTES);
    let (data, bytes) = backend.genesis_part(from, CHUNK_BYTES).await?;
    let total = bytes.div_ceil(CHUNK_BYTES);
    if chunk < total {
        return Ok(types::GenesisChunk { chunk, total, data: data.into() });
    }
    // CometBFT names the last chunk as if it were their number.
    let last = total.saturating_sub(1);
    Err(RpcError::internal(format!("there are {last} chunks, {chunk} is invalid")))
}

#[derive(Deserialize)]
struct Tagged<'a> {
    #[serde(rename = "type")]
    kind: String,
    #[serde(borrow, default)]
    value: Option<&'a RawValue>,
}

/// The evidence of a call.
pub(super) fn evidence(args: &Args<'_>) -> Result<Evidence, RpcError> {
    let Some(text) = args.json(0) else {
        return Err(RpcError::internal("no evidence was provided"));
    };
    let refuse = |error: serde_json::Error| args.refuse(&format!("json: {error}"));
    let tagged: Tagged<'_> = serde_json::from_str(text).map_err(refuse)?;
    let value = tagged.value.map_or("null", RawValue::get);
    let evidence = match tagged.kind.as_str() {
        "tendermint/DuplicateVoteEvidence" => {
            Evidence::DuplicateVote(serde_json::from_str(value).map_err(refuse)?)
        }
        "tendermint/LightClientAttackEvidence" => {
            Evidence::LightClientAttack(serde_json::from_str(value).map_err(refuse)?)
        }
        other => return Err(args.refuse(&format!("unknown type {other:?}"))),
    };
    if let Evidence::DuplicateVote(votes) = &evidence
        && [&votes.vote_a, &votes.vote_b].into_iter().any(|vote| *vote == Vote::default())
    {
        let show = |vote: &Vote| if *vote == Vote::default() { "nil-Vote" } else { "Vote" };
        return Err(RpcError::internal(format!(
            "evidence.ValidateBasic failed: one or both of the votes are empty {}, {}",
            show(&votes.vote_a),
            show(&votes.vote_b)
        )));
    }
    Ok(evidence)
}
