//! Prometheus metrics: CometBFT's names where the same thing exists, `guts_` otherwise.
//!
//! Most are not counted for themselves: a scrape reads what the engine, the network and the store
//! say anyway. What only those see who are there when it happens is in `measured`. [`TABLE`] is the
//! documentation; `guts-engine metrics` prints it. A name of CometBFT's has its kind and labels,
//! `chain_id` before all, and means the same.

mod lines;
mod measured;
mod table;

pub use lines::documentation;
pub(crate) use measured::{Asked, Measured, Steps};
pub use table::{Kind, TABLE};

use crate::backend::{NodeBackend, node_id};
use crate::network::Transport;
use guts_consensus::io::Status;
use guts_genesis::Height;
use guts_rpc::Backend;
use guts_rpc::server::door::{Ask, Bounds, Handler, Pass, serve_handler};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::CONTENT_TYPE;
use hyper::{Response, StatusCode};
use lines::Lines;
use std::sync::Arc;
use tokio::net::TcpListener;

/// Scrapers at a time: one that neither asks nor reads makes room for those who wait.
const SCRAPERS: Bounds = Bounds {
    connections_max: 8,
    per_address_max: 0,
    waiting_max: 32,
    waiting_timeout_s: 30,
    header_timeout_s: 5,
    write_timeout_s: 5,
};

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
        ("guts_consensus_blocks_total", c.blocks),
        ("guts_consensus_synced_blocks_total", c.synced_blocks),
        ("guts_consensus_extra_rounds_total", c.extra_rounds),
        ("guts_consensus_catch_ups_total", c.catch_ups),
        ("guts_consensus_equivocations_total", c.equivocations),
        ("guts_consensus_bad_messages_total", c.bad_messages),
        ("guts_consensus_overflows_total", c.overflows),
        ("guts_consensus_passed_on_total", c.passed_on),
        ("guts_consensus_evidence_waiting", status.evidence),
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
        let id = format!("peer_id=\"{}\"", node_id(&peer.peer));
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

/// What answers scrapers.
#[derive(Clone)]
struct Scraped(Arc<NodeBackend>);

impl Handler for Scraped {
    type Body = Full<Bytes>;

    async fn answer(&self, request: Ask, _: Pass) -> Response<Full<Bytes>> {
        if request.uri().path() != "/metrics" {
            let mut missing = Response::new(Full::from("the metrics are at /metrics\n"));
            *missing.status_mut() = StatusCode::NOT_FOUND;
            return missing;
        }
        let node = &self.0;
        // An engine that has stopped says nothing; the rest is still told.
        let status = node.inbox.status().await;
        let mut lines = Lines::of_chain(node.genesis.doc().chain_id.as_str());
        if let Ok(status) = status {
            put_engine(&status, &mut lines);
        }
        put_network(node, &mut lines);
        put_store(node, &mut lines);
        node.measured.put(&mut lines);
        let mut found = Response::new(Full::from(lines.text()));
        let plain = hyper::header::HeaderValue::from_static("text/plain; version=0.0.4");
        found.headers_mut().insert(CONTENT_TYPE, plain);
        found
    }
}

/// Serves `/metrics` until the task is ended.
pub(crate) async fn serve(listener: TcpListener, node: Arc<NodeBackend>) {
    serve_handler(listener, SCRAPERS, Scraped(node), std::future::pending()).await;
}
