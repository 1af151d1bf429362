//! Sends the requests of a plan when they are due.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::Failure;
use crate::http::Connection;
use crate::work::Plan;

/// Connections to each node: as many requests may be waiting for an answer at a time.
const CONNECTIONS_PER_NODE: usize = 48;
/// A request that is due this soon is sent now: finer timers cost more than they tell.
const TIMER_GRAIN: Duration = Duration::from_millis(1);
/// How long after the end of the run requests that are late may still be sent.
const LATE_MAX: Duration = Duration::from_millis(500);

/// What the nodes answered.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    /// Transactions in requests that were answered.
    pub sent: u64,
    /// Transactions the nodes took.
    pub accepted: u64,
    /// Transactions they refused.
    pub refused: u64,
    /// Transactions never sent, because all connections were busy until the end.
    pub unsent: u64,
}

struct Shared {
    plan: Arc<Plan>,
    /// The next request of each lane.
    next: Vec<AtomicUsize>,
    begun: Instant,
    sent: AtomicU64,
    refused: AtomicU64,
}

/// Connections to all nodes, each with the place of its node in the list. They are opened before
/// the clock of a run starts, so that a slow start costs no requests.
pub type Connections = Vec<(usize, Connection)>;

/// Opens the connections.
pub async fn open(nodes: &[String]) -> Result<Connections, Failure> {
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS_PER_NODE {
        for (at, node) in nodes.iter().enumerate() {
            connections.push((at, Connection::open(node).await?));
        }
    }
    Ok(connections)
}

/// Sends everything, each request to the next node of its lane that has a free connection.
pub async fn send(
    plan: Arc<Plan>,
    connections: Connections,
    begun: Instant,
) -> Result<Sent, Failure> {
    let total = plan.total;
    let shared = Arc::new(Shared {
        next: (0..plan.lanes).map(|_| AtomicUsize::new(0)).collect(),
        plan,
        begun,
        sent: AtomicU64::new(0),
        refused: AtomicU64::new(0),
    });
    let mut workers = Vec::new();
    for (at, connection) in connections {
        let lane = at % shared.next.len();
        workers.push(tokio::spawn(work(Arc::clone(&shared), connection, lane)));
    }
    for worker in workers {
        worker.await??;
    }
    let sent = shared.sent.load(Ordering::Relaxed);
    let refused = shared.refused.load(Ordering::Relaxed);
    Ok(Sent { sent, accepted: sent - refused, refused, unsent: total - sent })
}

async fn work(shared: Arc<Shared>, mut connection: Connection, lane: usize) -> Result<(), Failure> {
    let plan = &shared.plan;
    let end = plan.due(plan.total - 1) + LATE_MAX;
    loop {
        let turn = shared.next[lane].fetch_add(1, Ordering::Relaxed);
        let request = turn * plan.lanes + lane;
        let Some(body) = plan.bodies.get(request) else { return Ok(()) };
        let first = request as u64 * plan.batch;
        let due = plan.due(first);
        let now = shared.begun.elapsed();
        // However late it is, the first is sent: a run that sends nothing tells nothing.
        if now > end && turn > 0 {
            return Ok(());
        }
        if due > now + TIMER_GRAIN {
            tokio::time::sleep_until((shared.begun + due).into()).await;
        }
        let answer = connection.post(body).await?;
        let count = plan.batch.min(plan.total - first);
        shared.sent.fetch_add(count, Ordering::Relaxed);
        shared.refused.fetch_add(refusals(&answer), Ordering::Relaxed);
    }
}

/// How many of the answers are errors or codes other than 0.
pub fn refusals(answer: &[u8]) -> u64 {
    let count = |mark: &[u8]| answer.windows(mark.len()).filter(|part| *part == mark).count();
    let good = count(br#""code":0"#);
    let answers = count(br#""jsonrpc""#);
    answers.saturating_sub(good) as u64
}
