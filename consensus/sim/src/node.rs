//! A node of the world: an engine, its disk, its application, its connections.
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use guts_consensus::config::Config;
use guts_consensus::engine::{Boot, Engine};
use guts_consensus::io::{AppCall, Counters, Output, PeerId, Ticket, TimerId};
use guts_consensus::protocol::Protocol;
use guts_genesis::{Address, GenesisDoc, Height, PublicKey};

use crate::app::{App, History};
use crate::byzantine::Byzantine;
use crate::disk::Disk;
use crate::scheme::KeyedHash;

/// A node.
pub struct Node {
    /// Its validator key.
    pub key: PublicKey,
    /// The key's address.
    pub address: Address,
    /// The engine, while the node is up.
    pub engine: Option<Engine>,
    /// Counts the lives of the engine: what was meant for an earlier one is dropped.
    pub life: u64,
    /// Its disk.
    pub disk: Disk,
    /// What the application's commits survive in.
    pub store: Arc<History>,
    /// The application's process, while it is up.
    pub app: Option<App>,
    /// Calls the application has not answered yet.
    pub calls: VecDeque<(Ticket, AppCall)>,
    /// The timers that are set, by their generation.
    pub timers: BTreeMap<TimerId, u64>,
    /// Who is behind a connection.
    pub peers: BTreeMap<PeerId, usize>,
    /// The connection to a node, and its number in the world.
    pub links: BTreeMap<usize, (PeerId, u64)>,
    /// Set for a byzantine validator.
    pub villain: Option<Byzantine>,
    /// How far its wall clock is ahead, microseconds.
    pub skew_us: u64,
    /// The highest height it showed as committed.
    pub height: Height,
    /// Kept down on purpose until the end.
    pub frozen: bool,
    /// Outputs of a group that are neither written nor acted upon yet.
    pub held: Output,
    /// Outputs in the group.
    pub grouped: u32,
    next_peer: u64,
    /// Of lives that are over.
    past: Counters,
}

impl Node {
    /// A node that was never started.
    pub fn new(
        key: PublicKey,
        store: Arc<History>,
        villain: Option<Byzantine>,
        skew_us: u64,
    ) -> Node {
        Node {
            key,
            address: key.address(),
            engine: None,
            life: 0,
            disk: Disk::default(),
            store,
            app: None,
            calls: VecDeque::new(),
            timers: BTreeMap::new(),
            peers: BTreeMap::new(),
            links: BTreeMap::new(),
            villain,
            skew_us,
            height: Height::ZERO,
            frozen: false,
            held: Output::default(),
            grouped: 0,
            next_peer: 0,
            past: Counters::default(),
        }
    }

    /// Whether the engine runs.
    pub fn is_up(&self) -> bool {
        self.engine.is_some()
    }

    /// Starts an engine over what the disk has.
    pub fn boot(
        &mut self,
        config: Config,
        protocol: Arc<dyn Protocol>,
        genesis: &Arc<GenesisDoc>,
    ) -> Result<(), String> {
        let log = self.disk.recover()?;
        let contents = self.disk.contents();
        let boot = Boot {
            genesis: Arc::clone(genesis),
            me: Some(self.address),
            scheme: Arc::new(KeyedHash),
            protocol,
            state: contents.state.as_deref().cloned(),
            base: contents.blocks.keys().next().copied().unwrap_or(Height::ZERO),
            last_block: contents.blocks.values().next_back().cloned(),
            log,
            last_sign: contents.last_sign,
            evidence: contents.evidence.values().map(|one| one.as_ref().clone()).collect(),
        };
        let engine = Engine::new(config, boot).map_err(|error| error.to_string())?;
        let done = contents.evidence_done.iter().map(|(hash, height)| (*hash, *height));
        let mut engine = engine.with_evidence_done(done.collect()).with_node(self.address);
        engine.watch(true);
        self.engine = Some(engine);
        self.life += 1;
        let store = Arc::clone(&self.store);
        self.app.get_or_insert_with(|| App::new(store)).connect();
        Ok(())
    }

    /// The engine is gone, and with it everything in memory.
    pub fn stop(&mut self) {
        if let Some(engine) = self.engine.take() {
            add(&mut self.past, &engine.status().counters);
        }
        self.life += 1;
        self.timers.clear();
        self.held = Output::default();
        self.grouped = 0;
    }

    /// A name for a new connection to `node`.
    pub fn link(&mut self, node: usize, number: u64) -> PeerId {
        self.next_peer += 1;
        let peer = PeerId(self.next_peer);
        self.peers.insert(peer, node);
        self.links.insert(node, (peer, number));
        peer
    }

    /// Forgets the connection to `node`.
    pub fn unlink(&mut self, node: usize) -> Option<PeerId> {
        let (peer, _) = self.links.remove(&node)?;
        self.peers.remove(&peer);
        Some(peer)
    }

    /// What all lives counted together.
    pub fn counters(&self) -> Counters {
        let mut sum = self.past;
        if let Some(engine) = &self.engine {
            add(&mut sum, &engine.status().counters);
        }
        sum
    }

    /// Where it is, for those who look for a fault.
    pub fn describe(&self) -> String {
        match &self.engine {
            None => "down".to_owned(),
            Some(engine) => {
                let status = engine.status();
                let (height, round, step) = (status.height, status.round, status.step);
                let links: Vec<&usize> = self.links.keys().collect();
                let sync = status.catching_up;
                format!("{height}+{round}/{step:?} linked to {links:?}, catching up: {sync}")
            }
        }
    }
}

fn add(sum: &mut Counters, more: &Counters) {
    sum.blocks += more.blocks;
    sum.synced_blocks += more.synced_blocks;
    sum.extra_rounds += more.extra_rounds;
    sum.catch_ups += more.catch_ups;
    sum.equivocations += more.equivocations;
    sum.bad_messages += more.bad_messages;
    sum.overflows += more.overflows;
    sum.passed_on += more.passed_on;
    sum.duplicate_votes += more.duplicate_votes;
    sum.failed_txs += more.failed_txs;
    sum.rejected_txs += more.rejected_txs;
    sum.evicted_txs += more.evicted_txs;
    sum.rechecks += more.rechecks;
}
