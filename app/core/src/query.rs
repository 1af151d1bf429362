//! Queries, on the state of a chosen height.

use std::fmt::Display;
use std::sync::Arc;

use guts_abci::proto::abci::{RequestQuery, ResponseQuery};
use guts_abci::proto::crypto::{ProofOp, ProofOps};
use guts_schema::codes::CODESPACE;
use guts_schema::{Code, query};
use guts_state::{Snapshot, StateError, Store};

use crate::app::Head;
use crate::fault::{Broken, Refusal};
use crate::modules::{MODULES, QueryFault};

/// Answers a query. Height 0 is the newest height whose state a committed header proves: the value
/// at height `h` is proved by the app hash in header `h + 1`.
pub fn query(
    store: &Arc<dyn Store>,
    head: Option<&Head>,
    request: &RequestQuery,
) -> Result<ResponseQuery, Broken> {
    let newest = head.map_or(0, |head| head.height);
    // Genesis is kept under the height before the first.
    let first = head.map_or(0, |head| head.initial_height.saturating_sub(1));
    let not_kept = |height: &dyn Display| {
        Ok(refused(&Refusal::new(
            Code::QueryHeight,
            &[height, &store.oldest().max(first), &newest],
        )))
    };
    let provable = head.map_or(0, |head| head.height.saturating_sub(1).max(head.initial_height));
    let height = match u64::try_from(request.height) {
        Ok(0) => provable.min(newest),
        Ok(height) => height,
        Err(_) => return not_kept(&request.height),
    };
    if head.is_none() || height > newest {
        return not_kept(&height);
    }
    match answer(store, height, request) {
        // It may be pruned while it is read.
        Ok(None) | Err(Broken::State(StateError::Pruned { .. })) => not_kept(&height),
        Ok(Some(response)) => Ok(response),
        Err(broken) => Err(broken),
    }
}

/// The answer from the state of a height; `None` before genesis.
fn answer(
    store: &Arc<dyn Store>,
    height: u64,
    request: &RequestQuery,
) -> Result<Option<ResponseQuery>, Broken> {
    let snapshot = Snapshot::at(store.clone(), height)?;
    if snapshot.root().is_none() {
        return Ok(None);
    }
    let mut response = match request.path.as_str() {
        query::STORE => stored(&snapshot, request)?,
        path => computed(&snapshot, path, &request.data)?,
    };
    response.height = i64::try_from(height).unwrap_or(i64::MAX);
    Ok(Some(response))
}

fn stored(snapshot: &Snapshot, request: &RequestQuery) -> Result<ResponseQuery, Broken> {
    if request.data.is_empty() {
        return Ok(refused(&Refusal::new(Code::QueryData, &[])));
    }
    let mut response = ResponseQuery { key: request.data.clone(), ..Default::default() };
    if request.prove {
        let proof = snapshot.prove(&request.data)?;
        response.value = proof.value.unwrap_or_default().into();
        let op = ProofOp {
            r#type: query::PROOF_TYPE.to_owned(),
            key: request.data.to_vec(),
            data: proof.bytes,
        };
        response.proof_ops = Some(ProofOps { ops: vec![op] });
    } else {
        let value = guts_state::Read::get(snapshot, &request.data)?;
        response.value = value.unwrap_or_default().into();
    }
    Ok(response)
}

fn computed(snapshot: &Snapshot, path: &str, data: &[u8]) -> Result<ResponseQuery, Broken> {
    let mut queries = MODULES.iter().filter_map(|module| module.query);
    match queries.find_map(|query| query(snapshot, path, data)) {
        Some(Ok(value)) => Ok(ResponseQuery { value: value.into(), ..Default::default() }),
        Some(Err(QueryFault::Data)) => Ok(refused(&Refusal::new(Code::QueryData, &[]))),
        Some(Err(QueryFault::Refused(refusal))) => Ok(refused(&refusal)),
        Some(Err(QueryFault::Broken(broken))) => Err(broken),
        None => Ok(refused(&Refusal::new(Code::QueryPath, &[&path]))),
    }
}

fn refused(refusal: &Refusal) -> ResponseQuery {
    ResponseQuery {
        code: refusal.code.number(),
        log: refusal.sentence.clone(),
        info: refusal.code.name().to_owned(),
        codespace: CODESPACE.to_owned(),
        ..Default::default()
    }
}

#[cfg(test)]
pub(crate) mod tests;
