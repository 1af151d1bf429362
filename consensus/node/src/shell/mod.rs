//! The loop around the engine: inputs in, records to disk, actions out.
//!
//! One thread. It sleeps until something rings ([`Bell`]) or a timer is due, takes what waits
//! (several inputs at once: their records share one fsync), steps the engine through it, makes the
//! records durable and only then acts. If the disk fails, it returns, and the process ends without
//! acting.

mod actions;
pub(crate) mod app;
mod disk;
mod serve;
#[cfg(test)]
mod tests;
mod timers;

pub use disk::DiskError;

use crate::genesis::Genesis;
use crate::metrics::Steps;
use crate::network::{self, Network, channels::INBOX_ROOMS};
use crate::queue::{Bell, Queue, Room};
use crate::signer::{FileSigner, SignerError};
use crate::store::Store;
use crate::wal::Log;
use app::Life;
use bytes::Bytes;
use disk::Disk;
use guts_consensus::engine::Engine;
use guts_consensus::io::{
    AppAnswer, AppException, ClientReply, ClientRequest, Committed, Input, Now, Output, PeerId,
    Status, Ticket,
};
use guts_consensus::watch::{Notice, PeerState, RoundState};
use guts_genesis::Time;
use serve::Serving;
use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use timers::Timers;
use tokio::sync::oneshot;

/// Inputs handled between two looks at the queues: enough to share an fsync, few enough that a
/// vote does not wait behind many transactions.
const INPUTS_AT_ONCE: usize = 256;
/// What clients may have waiting for the engine.
const CLIENT_ROOM: Room = Room { items_max: 8_192, bytes_max: 8 << 20 };

/// What is known of each peer.
pub(crate) type PeersKnown = BTreeMap<network::PeerId, PeerState>;

/// What comes to the engine from this process itself.
pub(crate) enum Local {
    AppUp(Life),
    AppDown,
    App { life: u64, ticket: Ticket, answer: Result<AppAnswer, AppException> },
    Client { request: ClientRequest, reply: oneshot::Sender<ClientReply> },
    Status(oneshot::Sender<Status>),
    RoundState(oneshot::Sender<Box<RoundState>>),
    PeersKnown(oneshot::Sender<PeersKnown>),
    Stop,
}

/// The queues of the engine thread. Cheap to clone.
#[derive(Clone)]
pub struct Inbox {
    bell: Bell,
    local: Arc<Queue<Local>>,
    peers: Arc<Queue<network::Event>>,
}

impl Default for Inbox {
    fn default() -> Self {
        let bell = Bell::default();
        let control = Room { items_max: usize::MAX, bytes_max: usize::MAX };
        Inbox {
            local: Arc::new(Queue::new(bell.clone(), &[control, CLIENT_ROOM])),
            peers: Arc::new(Queue::new(bell.clone(), &INBOX_ROOMS)),
            bell,
        }
    }
}

impl Inbox {
    fn is_empty(&self) -> bool {
        self.local.is_empty() && self.peers.is_empty()
    }

    /// Where the network puts its events.
    pub fn peers(&self) -> Arc<Queue<network::Event>> {
        self.peers.clone()
    }

    pub(crate) fn push_control(&self, local: Local) {
        self.local.push(0, 0, local);
    }

    /// Hands a client's request to the engine; `None` when too many wait.
    pub(crate) fn request(&self, request: ClientRequest) -> Option<oneshot::Receiver<ClientReply>> {
        let bytes = match &request {
            ClientRequest::SubmitTx(tx) => tx.len(),
            ClientRequest::AdmitTxs(txs) => txs.iter().map(Bytes::len).sum(),
            _ => 0,
        };
        let (reply, answer) = oneshot::channel();
        self.local.try_push(1, bytes, Local::Client { request, reply }).ok()?;
        Some(answer)
    }

    /// What the engine says of itself now.
    pub(crate) fn status(&self) -> oneshot::Receiver<Status> {
        let (reply, answer) = oneshot::channel();
        self.push_control(Local::Status(reply));
        answer
    }

    /// A picture of the height in progress; no answer when too many wait.
    pub(crate) fn round_state(&self) -> oneshot::Receiver<Box<RoundState>> {
        let (reply, answer) = oneshot::channel();
        // A refused one drops its sender.
        let _ = self.local.try_push(1, 0, Local::RoundState(reply));
        answer
    }

    /// What is known of each peer; no answer when too many wait.
    pub(crate) fn peers_known(&self) -> oneshot::Receiver<PeersKnown> {
        let (reply, answer) = oneshot::channel();
        // A refused one drops its sender.
        let _ = self.local.try_push(1, 0, Local::PeersKnown(reply));
        answer
    }

    /// Asks the engine thread to end.
    pub fn stop(&self) {
        self.push_control(Local::Stop);
    }
}

/// What the engine thread shows to others without being asked.
#[derive(Debug, Default)]
pub struct Shown {
    /// The lowest height that can be read.
    pub base: AtomicU64,
    /// The highest height that can be read.
    pub top: AtomicU64,
}

/// Told of what the engine did, in its order.
pub trait Observer: Send {
    /// A block was committed, and every client can read it: who is told of it looks it up at once.
    fn on_shown(&self, committed: &Arc<Committed>);

    /// Whether somebody wants to hear of rounds.
    fn wants_rounds(&self) -> bool;

    /// This happened in rounds. What it speaks of is durable.
    fn on_rounds(&self, notices: Vec<Notice>);
}

/// Why the engine thread ended.
#[derive(Debug, thiserror::Error)]
pub enum ShellError {
    /// What was decided cannot be remembered.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The last-sign state cannot be kept.
    #[error(transparent)]
    Signer(#[from] SignerError),
}

/// What the loop works with.
pub struct Parts {
    /// The engine, booted from this disk.
    pub engine: Engine,
    /// Its queues.
    pub inbox: Inbox,
    /// What the chain began with.
    pub genesis: Arc<Genesis>,
    /// The store.
    pub store: Arc<Store>,
    /// The write-ahead log.
    pub log: Log,
    /// Bytes after which a new log file is begun.
    pub segment_bytes: u64,
    /// The validator key; none: this node only follows.
    pub signer: Option<FileSigner>,
    /// Where the last-sign state is kept.
    pub last_sign: PathBuf,
    /// Peers.
    pub network: Network,
    /// For work beside the engine thread.
    pub runtime: tokio::runtime::Handle,
    /// What others may see.
    pub shown: Arc<Shown>,
    /// Told of blocks and rounds.
    pub observer: Box<dyn Observer>,
    /// Told where the engine is after each input.
    pub(crate) steps: Steps,
}

/// The loop. See the module.
pub struct Shell {
    engine: Engine,
    inbox: Inbox,
    genesis: Arc<Genesis>,
    disk: Disk,
    store: Arc<Store>,
    signer: Option<FileSigner>,
    last_sign: PathBuf,
    network: Network,
    serving: Serving,
    runtime: tokio::runtime::Handle,
    shown: Arc<Shown>,
    observer: Box<dyn Observer>,
    steps: Steps,
    began: Instant,
    timers: Timers,
    life: Option<Life>,
    /// Answers that are ready at once.
    ready: VecDeque<Input>,
    clients: BTreeMap<Ticket, oneshot::Sender<ClientReply>>,
    tickets: u64,
    peers: BTreeMap<PeerId, network::PeerId>,
    handles: BTreeMap<network::PeerId, PeerId>,
    peers_seen: u64,
    is_stopping: bool,
}

impl Shell {
    /// The loop over `parts`, not yet running.
    pub fn new(parts: Parts) -> Shell {
        Shell {
            disk: Disk::new(parts.log, parts.store.clone(), parts.segment_bytes),
            serving: Serving::new(parts.store.clone(), parts.network.clone()),
            engine: parts.engine,
            inbox: parts.inbox,
            genesis: parts.genesis,
            store: parts.store,
            signer: parts.signer,
            last_sign: parts.last_sign,
            network: parts.network,
            runtime: parts.runtime,
            shown: parts.shown,
            observer: parts.observer,
            steps: parts.steps,
            began: Instant::now(),
            timers: Timers::default(),
            life: None,
            ready: VecDeque::new(),
            clients: BTreeMap::new(),
            tickets: 0,
            peers: BTreeMap::new(),
            handles: BTreeMap::new(),
            peers_seen: 0,
            is_stopping: false,
        }
    }

    /// Runs until [`Inbox::stop`] or until the disk fails.
    ///
    /// # Errors
    /// The disk's: nothing that depends on the failed write was done.
    pub fn run(mut self) -> Result<(), ShellError> {
        self.inbox.bell.listen();
        let mut local = Vec::new();
        let mut events = Vec::new();
        let mut inputs = Vec::new();
        while !self.is_stopping {
            let mono = self.began.elapsed();
            inputs.extend(self.ready.drain(..));
            self.inbox.local.drain(INPUTS_AT_ONCE, &mut local);
            self.inbox.peers.drain(INPUTS_AT_ONCE, &mut events);
            for one in local.drain(..) {
                inputs.extend(self.on_local(one));
            }
            for event in events.drain(..) {
                inputs.extend(self.on_event(event));
            }
            // After what was said in time: a pause of this process is nobody's silence.
            while let Some(timer) = self.timers.pop(mono) {
                inputs.push(Input::Timer(timer));
            }
            if inputs.is_empty() {
                if self.is_stopping || !self.inbox.is_empty() {
                    continue;
                }
                let limit = self.timers.next().map(|at| at.saturating_sub(mono));
                self.inbox.bell.wait(limit);
                continue;
            }
            self.step_all(&mut inputs)?;
        }
        self.disk.sync_all()?;
        if let Some(signer) = &self.signer {
            signer.save(&self.last_sign)?;
        }
        Ok(())
    }

    /// Steps through `inputs`, remembers, then acts.
    fn step_all(&mut self, inputs: &mut Vec<Input>) -> Result<(), ShellError> {
        let now = self.now();
        let mut is_sync = false;
        let mut outcomes = Vec::with_capacity(inputs.len());
        self.engine.watch(self.observer.wants_rounds());
        for input in inputs.drain(..) {
            let Output { records, sync, actions, notices } = self.engine.step(now, input);
            self.steps.on_step(self.engine.position());
            is_sync |= sync;
            for record in &records {
                if self.disk.wants_rotation() {
                    // Intents in the old files are of ended heights; what they bound lives on.
                    if let Some(signer) = &self.signer {
                        signer.save(&self.last_sign)?;
                    }
                    self.disk.rotate()?;
                }
                self.disk.take(record)?;
            }
            outcomes.push((actions, notices));
        }
        self.disk.commit(is_sync)?;
        for (actions, notices) in outcomes {
            actions.into_iter().for_each(|action| self.perform(now, action));
            if !notices.is_empty() {
                self.observer.on_rounds(notices);
            }
        }
        Ok(())
    }

    fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let nanos = i128::try_from(wall.as_nanos()).unwrap_or(i128::MAX);
        Now { mono: self.began.elapsed(), wall: Time::from_unix_nanos(nanos) }
    }

    fn on_local(&mut self, local: Local) -> Option<Input> {
        match local {
            Local::AppUp(life) => {
                self.life = Some(life);
                Some(Input::AppUp)
            }
            Local::AppDown => {
                self.life = None;
                Some(Input::AppDown)
            }
            Local::App { life, ticket, answer } => {
                let is_current = self.life.as_ref().is_some_and(|l| l.number == life);
                is_current.then_some(Input::App { ticket, answer })
            }
            Local::Client { request, reply } => {
                self.tickets += 1;
                let ticket = Ticket(self.tickets);
                self.clients.insert(ticket, reply);
                Some(Input::Client { ticket, request })
            }
            Local::Status(reply) => {
                // The asker may have gone.
                let _ = reply.send(self.engine.status());
                None
            }
            Local::RoundState(reply) => {
                // The asker may have gone.
                let _ = reply.send(Box::new(self.engine.round_state()));
                None
            }
            Local::PeersKnown(reply) => {
                let known = self.engine.peer_states().into_iter();
                let named = |one: PeerState| Some((*self.peers.get(&one.peer)?, one));
                // The asker may have gone.
                let _ = reply.send(known.filter_map(named).collect());
                None
            }
            Local::Stop => {
                self.is_stopping = true;
                None
            }
        }
    }

    fn show(&self, committed: &Arc<Committed>) {
        if self.shown.base.load(Ordering::Relaxed) == 0 {
            self.shown.base.store(committed.height.0, Ordering::Release);
        }
        self.shown.top.store(committed.height.0, Ordering::Release);
        self.observer.on_shown(committed);
    }
}
