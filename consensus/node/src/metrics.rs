//! Prometheus metrics: CometBFT's names where the same thing exists, `guts_` otherwise.
//!
//! Nothing is counted for them: each scrape reads what the engine, the network and the store say
//! anyway. [`TABLE`] is the documentation; `guts-engine metrics` prints it.

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
use std::convert::Infallible;
use std::fmt::Write;
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

/// A kind of metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Goes up and down.
    Gauge,
    /// Only goes up, from 0 at the start of the process.
    Counter,
}

use Kind::{Counter, Gauge};

/// Every metric: name, kind, meaning.
pub const TABLE: [(&str, Kind, &str); 29] = [
    ("cometbft_consensus_height", Gauge, "Height that is being agreed on"),
    ("cometbft_consensus_latest_block_height", Gauge, "Last committed height"),
    ("cometbft_consensus_rounds", Gauge, "Round of the height in progress"),
    ("cometbft_consensus_validators", Gauge, "Validators of the next height"),
    ("cometbft_consensus_validators_power", Gauge, "Power of all of them"),
    ("cometbft_consensus_validator_power", Gauge, "Power of this node's validator, 0 if none"),
    (
        "cometbft_consensus_missing_validators",
        Gauge,
        "Validators without a precommit for the last block",
    ),
    ("cometbft_consensus_num_txs", Gauge, "Transactions of the last block"),
    ("cometbft_consensus_block_size_bytes", Gauge, "Size of the last block"),
    ("cometbft_blocksync_syncing", Gauge, "1 while the node fetches blocks of others"),
    ("cometbft_mempool_size", Gauge, "Transactions that wait"),
    ("cometbft_mempool_size_bytes", Gauge, "Bytes of them"),
    ("cometbft_evidence_pool_num_evidence", Gauge, "Evidence that waits for a block"),
    ("cometbft_p2p_peers", Gauge, "Connected peers"),
    ("cometbft_p2p_peer_send_bytes_total", Counter, "Bytes sent, by peer_id"),
    ("cometbft_p2p_peer_receive_bytes_total", Counter, "Bytes received, by peer_id"),
    ("guts_p2p_peers_by_transport", Gauge, "Connected peers, by transport"),
    ("guts_p2p_received_total", Counter, "Messages received"),
    ("guts_p2p_sent_total", Counter, "Messages sent"),
    ("guts_p2p_dropped_total", Counter, "Messages lost: a queue was full or a peer gone"),
    ("guts_p2p_faults_total", Counter, "Connections ended because the peer broke a rule"),
    ("guts_p2p_refused_total", Counter, "Peers refused at hello, by either side"),
    ("guts_p2p_overflowed_total", Counter, "Connections ended because the peer read too slowly"),
    ("guts_consensus_blocks_total", Counter, "Blocks committed"),
    ("guts_consensus_synced_blocks_total", Counter, "Of them, fetched from others"),
    ("guts_consensus_extra_rounds_total", Counter, "Rounds above 0"),
    ("guts_consensus_catch_ups_total", Counter, "Times the node fell back to fetching blocks"),
    ("guts_consensus_equivocations_total", Counter, "Duplicate votes found here"),
    ("guts_consensus_bad_messages_total", Counter, "Messages of peers that were invalid"),
];

/// The table as Markdown.
pub fn documentation() -> String {
    let mut text = String::from("| metric | kind | meaning |\n|---|---|---|\n");
    for (name, kind, help) in TABLE {
        let _ = writeln!(text, "| `{name}` | {} | {help} |", word(kind));
    }
    text
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Gauge => "gauge",
        Counter => "counter",
    }
}

/// Values by name; a name with labels has them in braces.
type Values = Vec<(String, u64)>;

fn of_engine(status: &Status) -> Values {
    let c = &status.counters;
    let power = status.validator.map_or(0, |(_, power)| power.0);
    let missing = status.participation.iter().filter(|(_, has)| !has).count() as u64;
    let values = [
        ("cometbft_consensus_height", status.height.next().0),
        ("cometbft_consensus_rounds", u64::from(status.round.0)),
        ("cometbft_consensus_validator_power", power),
        ("cometbft_consensus_missing_validators", missing),
        ("cometbft_blocksync_syncing", u64::from(status.catching_up)),
        ("cometbft_mempool_size", status.mempool_txs),
        ("cometbft_mempool_size_bytes", status.mempool_bytes),
        ("cometbft_evidence_pool_num_evidence", status.evidence),
        ("guts_consensus_blocks_total", c.blocks),
        ("guts_consensus_synced_blocks_total", c.synced_blocks),
        ("guts_consensus_extra_rounds_total", c.extra_rounds),
        ("guts_consensus_catch_ups_total", c.catch_ups),
        ("guts_consensus_equivocations_total", c.equivocations),
        ("guts_consensus_bad_messages_total", c.bad_messages),
    ];
    values.map(|(name, value)| (name.to_owned(), value)).into()
}

fn of_network(node: &NodeBackend) -> Values {
    let connected = node.network.connected();
    let mut values = vec![("cometbft_p2p_peers".to_owned(), connected.len() as u64)];
    for transport in Transport::ALL {
        let over = connected.iter().filter(|peer| peer.transport == transport).count() as u64;
        values.push((format!("guts_p2p_peers_by_transport{{transport=\"{transport}\"}}"), over));
    }
    for peer in &connected {
        let label = |name: &str| format!("{name}{{peer_id=\"{}\"}}", peer.peer);
        values.push((label("cometbft_p2p_peer_send_bytes_total"), peer.sent.bytes));
        values.push((label("cometbft_p2p_peer_receive_bytes_total"), peer.received.bytes));
    }
    let sums = node.network.counters().into_iter();
    values.extend(sums.map(|(name, value)| (format!("guts_p2p_{name}_total"), value)));
    values
}

fn of_store(node: &NodeBackend) -> Values {
    let top = node.heights().top;
    let mut values = vec![("cometbft_consensus_latest_block_height".to_owned(), top)];
    if let Ok(Some(meta)) = node.store.meta(Height(top)) {
        let size = [("num_txs", meta.num_txs), ("block_size_bytes", meta.block_size)];
        values.extend(size.map(|(name, value)| {
            (format!("cometbft_consensus_{name}"), u64::try_from(value).unwrap_or(0))
        }));
    }
    if let Ok(Some(set)) = node.store.validators(Height(top).next()) {
        let power: i64 = set.validators.iter().map(|one| one.voting_power).sum();
        let count = set.validators.len() as u64;
        values.push(("cometbft_consensus_validators".into(), count));
        let power = u64::try_from(power).unwrap_or(0);
        values.push(("cometbft_consensus_validators_power".into(), power));
    }
    values
}

/// The text of a scrape.
fn print(values: &Values) -> String {
    let mut text = String::new();
    for (name, kind, help) in TABLE {
        let is_of = |(full, _): &&(String, u64)| full.split('{').next() == Some(name);
        let mut of_name = values.iter().filter(is_of).peekable();
        if of_name.peek().is_some() {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {}", word(kind));
        }
        for (full, value) in of_name {
            let _ = writeln!(text, "{full} {value}");
        }
    }
    text
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
    let mut values = status.map(|status| of_engine(&status)).unwrap_or_default();
    values.extend(of_network(&node));
    values.extend(of_store(&node));
    let mut found = Response::new(Full::from(print(&values)));
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
