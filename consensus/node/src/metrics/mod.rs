//! Prometheus metrics: CometBFT's names where the same thing exists, `guts_` otherwise.
//!
//! Most are not counted for themselves: a scrape reads what the engine, the network and the store
//! say anyway. What only those see who are there when it happens is in `measured`. [`TABLE`] is the
//! documentation; `guts-engine metrics` prints it. A name of CometBFT's has its kind and labels,
//! and means the same.

mod lines;
mod measured;
mod table;

pub use lines::documentation;
pub(crate) use measured::{Asked, Measured, Steps};
pub use table::{Kind, TABLE};

use crate::backend::NodeBackend;
use crate::network::Transport;
use guts_consensus::io::Status;
use guts_genesis::Height;
use guts_rpc::Backend;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use lines::Lines;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// Scrapers at a time.
const CONNECTIONS_MAX: usize = 8;
/// Pause after a failed accept (out of file descriptors), so that it does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long one may take to ask.
const PATIENCE: Duration = Duration::from_secs(10);

fn put_engine(status: &Status, lines: &mut Lines) {
    let c = &status.counters;
    let values = [
        ("cometbft_consensus_height", status.height.next().0),
        ("cometbft_consensus_rounds", u64::from(status.round.0)),
        ("cometbft_consensus_duplicate_vote", c.duplicate_votes),
        ("cometbft_blocksync_syncing", u64::from(status.catching_up)),
        ("cometbft_mempool_size", status.mempool_txs),
        ("cometbft_mempool_size_bytes", status.mempool_bytes),
        ("cometbft_mempool_failed_txs", c.failed_txs),
        ("cometbft_mempool_rejected_txs", c.rejected_txs),
        ("cometbft_mempool_evicted_txs", c.evicted_txs),
        ("cometbft_mempool_recheck_times", c.rechecks),
        ("cometbft_evidence_pool_num_evidence", status.evidence),
        ("guts_consensus_blocks_total", c.blocks),
        ("guts_consensus_synced_blocks_total", c.synced_blocks),
        ("guts_consensus_extra_rounds_total", c.extra_rounds),
        ("guts_consensus_catch_ups_total", c.catch_ups),
        ("guts_consensus_equivocations_total", c.equivocations),
        ("guts_consensus_bad_messages_total", c.bad_messages),
    ];
    values.into_iter().for_each(|(name, value)| lines.put(name, value));
}

fn put_network(node: &NodeBackend, lines: &mut Lines) {
    let connected = node.network.connected();
    lines.put("cometbft_p2p_peers", connected.len());
    for transport in Transport::ALL {
        let over = connected.iter().filter(|peer| peer.transport == transport).count();
        let labels = format!("transport=\"{transport}\"");
        lines.put_of("guts_p2p_peers_by_transport", &labels, over);
    }
    for peer in &connected {
        let id = format!("peer_id=\"{}\"", peer.peer);
        for lane in &peer.lanes {
            let labels = format!("{id},chID=\"{:#x}\"", lane.channel.id);
            lines.put_of("cometbft_p2p_peer_send_bytes_total", &labels, lane.sent);
            lines.put_of("cometbft_p2p_peer_receive_bytes_total", &labels, lane.received);
        }
        lines.put_of("cometbft_p2p_peer_pending_send_bytes", &id, peer.pending_bytes);
    }
    for (name, value) in node.network.counters() {
        lines.put(&format!("guts_p2p_{name}_total"), value);
    }
}

fn put_store(node: &NodeBackend, lines: &mut Lines) {
    let top = node.heights().top;
    lines.put("cometbft_consensus_latest_block_height", top);
    if let Ok(Some(meta)) = node.store.meta(Height(top)) {
        lines.put("cometbft_consensus_num_txs", meta.num_txs);
        lines.put("cometbft_consensus_block_size_bytes", meta.block_size);
    }
    // Before the first block, those who make it.
    if let Ok(Some(set)) = node.store.validators(Height(top.max(1))) {
        let power: i64 = set.validators.iter().map(|one| one.voting_power).sum();
        lines.put("cometbft_consensus_validators", set.validators.len());
        lines.put("cometbft_consensus_validators_power", power);
    }
}

async fn answer(
    node: Arc<NodeBackend>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.uri().path() != "/metrics" {
        let mut missing = Response::new(Full::from("the metrics are at /metrics\n"));
        *missing.status_mut() = StatusCode::NOT_FOUND;
        return Ok(missing);
    }
    // An engine that has stopped says nothing; the rest is still told.
    let status = node.inbox.status().await;
    let mut lines = Lines::default();
    if let Ok(status) = status {
        put_engine(&status, &mut lines);
    }
    put_network(&node, &mut lines);
    put_store(&node, &mut lines);
    node.measured.put(&mut lines);
    let mut found = Response::new(Full::from(lines.text()));
    let plain = hyper::header::HeaderValue::from_static("text/plain; version=0.0.4");
    found.headers_mut().insert(CONTENT_TYPE, plain);
    Ok(found)
}

/// Serves `/metrics` until the task is ended.
pub(crate) async fn serve(listener: TcpListener, node: Arc<NodeBackend>) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(slot) = slots.clone().acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "metrics: cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let node = node.clone();
        tokio::spawn(async move {
            let handler = service_fn(move |request| answer(node.clone(), request));
            let serving = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(PATIENCE)
                .serve_connection(TokioIo::new(stream), handler);
            // A scraper that breaks off is its own affair.
            let _ = serving.await;
            drop(slot);
        });
    }
}
