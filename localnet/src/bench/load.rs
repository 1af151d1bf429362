//! Sends the requests of a plan when they are due, and what a full mempool does not take again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::Notify;

use crate::Failure;
use crate::http::Connection;
use crate::work::Plan;

/// Connections to each node: as many requests may be waiting for an answer at a time.
const CONNECTIONS_PER_NODE: usize = 48;
/// A request that is due this soon is sent now: finer timers cost more than they tell.
const TIMER_GRAIN: Duration = Duration::from_millis(1);
/// How long after the end of the run requests that are late may still be sent.
const LATE_MAX: Duration = Duration::from_millis(500);
/// After so long, what a full mempool did not take is sent again. An account's next transactions
/// build on it: were it left out, or sent after one of them, they would not be taken any more.
const FULL_PAUSE: Duration = Duration::from_millis(20);

/// What the nodes answered.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    /// Transactions in requests that were answered.
    pub sent: u64,
    /// Transactions the nodes took.
    pub accepted: u64,
    /// Transactions they refused; of those that a full mempool did not take at first, the ones it
    /// had not taken at the end.
    pub refused: u64,
    /// Transactions never sent, because all connections were busy until the end.
    pub unsent: u64,
}

struct Shared {
    plan: Arc<Plan>,
    /// The next request of each lane.
    next: Vec<AtomicUsize>,
    /// What is on its way to each node.
    lines: Vec<Line>,
    begun: Instant,
    sent: AtomicU64,
    refused: AtomicU64,
}

/// The requests on their way to a node, by their turns.
pub struct Line {
    /// Whether the node's mempool was too full for it.
    open: Mutex<BTreeMap<usize, bool>>,
    moved: Notify,
    /// Turns between two requests that speak of one account.
    apart: usize,
}

impl Line {
    /// Nothing is on its way yet.
    pub fn new(apart: usize) -> Line {
        Line { open: Mutex::default(), moved: Notify::new(), apart }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<usize, bool>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the place of the request of this turn, which is to be sent when it may.
    pub fn enter(&self, turn: usize) -> Place<'_> {
        self.lock().insert(turn, false);
        Place { line: self, turn }
    }
}

/// A request that is not answered yet, or not taken whole.
pub struct Place<'a> {
    line: &'a Line,
    turn: usize,
}

impl Place<'_> {
    /// Waits while the node has no room for an earlier request, or has not answered what went
    /// before of the same accounts.
    pub async fn wait(&self) {
        loop {
            // From here on it is heard, whoever looks first.
            let moved = self.line.moved.notified();
            if self.is_next() {
                return;
            }
            moved.await;
        }
    }

    fn is_next(&self) -> bool {
        let open = self.line.lock();
        let first = *open.first_key_value().expect("its own").0;
        self.turn - first < self.line.apart && !open.range(..self.turn).any(|(_, is_full)| *is_full)
    }

    /// The node had no room for all of it.
    pub fn set_full(&self) {
        self.line.lock().insert(self.turn, true);
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.line.lock().remove(&self.turn);
        self.line.moved.notify_waiters();
    }
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
    let nodes = connections.iter().map(|(at, _)| at + 1).max().unwrap_or(0);
    let shared = Arc::new(Shared {
        next: (0..plan.lanes).map(|_| AtomicUsize::new(0)).collect(),
        lines: (0..nodes).map(|_| Line::new(plan.apart)).collect(),
        plan,
        begun,
        sent: AtomicU64::new(0),
        refused: AtomicU64::new(0),
    });
    let mut workers = Vec::new();
    for (at, connection) in connections {
        workers.push(tokio::spawn(work(Arc::clone(&shared), connection, at)));
    }
    for worker in workers {
        worker.await??;
    }
    let sent = shared.sent.load(Ordering::Relaxed);
    let refused = shared.refused.load(Ordering::Relaxed);
    Ok(Sent { sent, accepted: sent - refused, refused, unsent: total - sent })
}

async fn work(shared: Arc<Shared>, mut connection: Connection, at: usize) -> Result<(), Failure> {
    let (plan, line) = (&shared.plan, &shared.lines[at]);
    let lane = at % plan.lanes;
    let end = plan.due(plan.total - 1) + LATE_MAX;
    let is_late = || shared.begun.elapsed() > end;
    loop {
        let turn = shared.next[lane].fetch_add(1, Ordering::Relaxed);
        let request = turn * plan.lanes + lane;
        let Some(body) = plan.bodies.get(request) else { return Ok(()) };
        let place = line.enter(turn);
        let first = request as u64 * plan.batch;
        let due = plan.due(first);
        if due > shared.begun.elapsed() + TIMER_GRAIN {
            tokio::time::sleep_until((shared.begun + due).into()).await;
        }
        place.wait().await;
        // However late it is, the first is sent: a run that sends nothing tells nothing.
        if is_late() && turn > 0 {
            return Ok(());
        }
        let mut answer = connection.post(body).await?;
        let count = plan.batch.min(plan.total - first);
        shared.sent.fetch_add(count, Ordering::Relaxed);
        let mut left = None;
        while let Some(untaken) = untaken(left.as_deref().unwrap_or(body), &answer)? {
            place.set_full();
            tokio::time::sleep(FULL_PAUSE).await;
            place.wait().await;
            // What came before may have been given up.
            if is_late() {
                break;
            }
            let refused = refusals(&answer) - untaken.count;
            shared.refused.fetch_add(refused, Ordering::Relaxed);
            answer = connection.post(&untaken.body).await?;
            left = Some(untaken.body);
        }
        shared.refused.fetch_add(refusals(&answer), Ordering::Relaxed);
    }
}

/// The calls of a request that a full mempool did not take.
#[derive(Debug, PartialEq, Eq)]
pub struct Untaken {
    /// A request of these alone.
    pub body: Vec<u8>,
    /// How many they are.
    pub count: u64,
}

#[derive(Deserialize)]
struct Numbered {
    id: u64,
}

/// What of a request has to be sent again, going by its answer.
pub fn untaken(body: &[u8], answer: &[u8]) -> Result<Option<Untaken>, Failure> {
    let full = guts_rpc::MEMPOOL_FULL.as_bytes();
    let is_full = |text: &[u8]| text.windows(full.len()).any(|part| part == full);
    if !is_full(answer) {
        return Ok(None);
    }
    // The answer to a batch of one may come alone, as CometBFT's does.
    if !answer.starts_with(b"[") {
        return Ok(Some(Untaken { body: body.to_vec(), count: 1 }));
    }
    let number = |text: &RawValue| serde_json::from_str::<Numbered>(text.get()).map(|it| it.id);
    let answers: Vec<&RawValue> = serde_json::from_slice(answer)?;
    let full = answers.into_iter().filter(|one| is_full(one.get().as_bytes())).map(number);
    let full: BTreeSet<u64> = full.collect::<Result<_, _>>()?;
    let mut calls: Vec<&RawValue> = serde_json::from_slice(body)?;
    calls.retain(|call| number(call).is_ok_and(|id| full.contains(&id)));
    Ok(Some(Untaken { count: calls.len() as u64, body: serde_json::to_vec(&calls)? }))
}

/// How many of the answers are errors or codes other than 0.
pub fn refusals(answer: &[u8]) -> u64 {
    let count = |mark: &[u8]| answer.windows(mark.len()).filter(|part| *part == mark).count();
    let good = count(br#""code":0"#);
    let answers = count(br#""jsonrpc""#);
    answers.saturating_sub(good) as u64
}
