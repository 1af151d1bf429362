//! `broadcast_tx_async`: transactions that nobody waits for. Those that follow one another in a
//! batch go to the node in one message, so that it is woken once and not for each of them.

use bytes::Bytes;

use super::args::{Args, Coding};
use super::envelope::{Call, Id};
use crate::backend::Backend;
use crate::{RpcError, types};

/// The method.
pub(super) const NAME: &str = "broadcast_tx_async";
/// Its parameters.
pub(super) const PARAMS: &[&str] = &["tx"];

/// The answer to one call.
pub(super) async fn one(
    backend: &dyn Backend,
    args: &Args<'_>,
) -> Result<types::BroadcastTx, RpcError> {
    let told = backend.broadcast_txs_async(vec![tx(args)?]).await.pop();
    told.unwrap_or_else(unanswered)
}

/// The answers to several calls, in their order; none to a notification.
pub(super) async fn row(
    backend: &dyn Backend,
    calls: &[Call<'_>],
) -> Vec<Option<Result<types::BroadcastTx, RpcError>>> {
    let mut txs = Vec::with_capacity(calls.len());
    let mut read = |call: &Call<'_>| {
        txs.push(tx(&Args::from_json(PARAMS, call.params)?)?);
        Ok(())
    };
    let wanted = |call: &&Call<'_>| call.id != Id::None;
    let read: Vec<_> = calls.iter().map(|call| Some(call).filter(wanted).map(&mut read)).collect();
    let mut told = backend.broadcast_txs_async(txs).await.into_iter();
    let mut tell = |()| told.next().unwrap_or_else(unanswered);
    read.into_iter().map(|one| one.map(|read| read.and_then(&mut tell))).collect()
}

fn tx(args: &Args<'_>) -> Result<Bytes, RpcError> {
    args.bytes(0, Coding::Base64)
}

fn unanswered<T>() -> Result<T, RpcError> {
    Err(RpcError::internal("the node did not answer"))
}
