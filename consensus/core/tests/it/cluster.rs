//! A small world: engines joined by queues, each with its application and its records.
//!
//! Time stands still until nothing is left to do; then it jumps to the next timer.
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use guts_abci::proto::abci as pb;
use guts_abci::{Application, Reader, Served};
use guts_consensus::config::Config;
use guts_consensus::engine::{Boot, Engine};
use guts_consensus::io::{
    Action, AppAnswer, AppCall, AppException, ClientReply, ClientRequest, Committed, Input, Load,
    Now, Offence, Output, PeerId, SignRefused, Signed, Ticket, TimerId, To, TxRefused,
};
use guts_consensus::messages::{BlockResponse, Message};
use guts_consensus::protocol::{Protocol, Tendermint};
use guts_consensus::types::State;
use guts_consensus::wal;
use guts_consensus::watch::Notice;
use guts_genesis::{ChainId, GenesisDoc, Height, Manifest, PrivateKey, Time, Zip215};

use crate::disk::Disk;

/// Builds an application; called again after a crash of the application.
pub type MakeApp = Rc<dyn Fn() -> Served>;

/// One node.
pub struct Node {
    pub engine: Engine,
    pub key: PrivateKey,
    pub served: Served,
    pub disk: Disk,
    pub up: bool,
    pub committed: Vec<Arc<Committed>>,
    pub replies: BTreeMap<Ticket, ClientReply>,
    pub offences: Vec<Offence>,
    /// What happened in rounds, if the engine was told that somebody watches.
    pub notices: Vec<Notice>,
    pub halted: Option<String>,
    pub calls: Vec<&'static str>,
    pub loads: Vec<Load>,
    pub signed: BTreeMap<(guts_consensus::io::SignPosition, bool), Vec<u8>>,
    timers: BTreeMap<TimerId, Duration>,
    /// Transactions of clients; one that comes at a bad moment is submitted again.
    txs: BTreeMap<Ticket, Bytes>,
    again: Vec<(Duration, Ticket)>,
    inputs: VecDeque<Input>,
    /// App answers and signatures held back while set.
    pub freeze_app: bool,
    /// Hears everything and looks at none of it while set.
    pub asleep: bool,
    /// How many requests the signer is still going to refuse.
    pub refusals: u32,
}

/// Whether a message from one to another may pass.
pub type Filter = Box<dyn FnMut(usize, usize, &Message) -> bool>;

/// All of them.
pub struct Cluster {
    pub genesis: Arc<GenesisDoc>,
    pub config: Config,
    protocol: Arc<dyn Protocol>,
    pub nodes: Vec<Node>,
    pub mono: Duration,
    pub wall: Time,
    /// Pairs that cannot hear each other.
    pub cut: BTreeSet<(usize, usize)>,
    /// Pairs that are connected, the lower first; everybody with everybody if not said.
    links: Option<BTreeSet<(usize, usize)>>,
    make_app: MakeApp,
    /// What may be changed or dropped on its way.
    pub filter: Filter,
    pub messages: u64,
}

pub fn kvstore() -> MakeApp {
    Rc::new(|| guts_abci::kvstore::served(Arc::new(guts_abci::kvstore::Memory::new())))
}

impl Cluster {
    pub fn new(count: u32, config: Config, make_app: MakeApp) -> Cluster {
        Cluster::with_genesis(count, config, make_app, |_| {})
    }

    pub fn with_genesis(
        count: u32,
        config: Config,
        make_app: MakeApp,
        change: impl FnOnce(&mut Manifest),
    ) -> Cluster {
        Cluster::build(count, config, (make_app, Arc::new(Tendermint)), change, None)
    }

    /// Nodes of which only these pairs are connected (the lower first).
    pub fn with_links(count: u32, config: Config, links: &[(usize, usize)]) -> Cluster {
        let links = Some(links.iter().copied().collect());
        Cluster::build(count, config, (kvstore(), Arc::new(Tendermint)), |_| {}, links)
    }

    /// Nodes that agree by this protocol.
    pub fn with_protocol(count: u32, config: Config, protocol: Arc<dyn Protocol>) -> Cluster {
        Cluster::build(count, config, (kvstore(), protocol), |_| {}, None)
    }

    fn build(
        count: u32,
        config: Config,
        (make_app, protocol): (MakeApp, Arc<dyn Protocol>),
        change: impl FnOnce(&mut Manifest),
        links: Option<BTreeSet<(usize, usize)>>,
    ) -> Cluster {
        let wall = Time::new(1_700_000_000, 0).unwrap();
        let chain_id = ChainId::new("cluster").unwrap();
        let mut manifest = Manifest::local(chain_id, wall, b"cluster", count);
        change(&mut manifest);
        let genesis = Arc::new(manifest.genesis().unwrap());
        let nodes = manifest.validators.iter().map(|v| v.validator_key.clone());
        let nodes: Vec<PrivateKey> = nodes.collect();
        let mut cluster = Cluster {
            genesis,
            config: Config { audit: true, ..config },
            protocol,
            nodes: Vec::new(),
            mono: Duration::ZERO,
            wall,
            cut: BTreeSet::new(),
            links,
            make_app,
            filter: Box::new(|_, _, _| true),
            messages: 0,
        };
        for key in nodes {
            let (served, disk) = ((cluster.make_app)(), Disk::default());
            let engine = cluster.boot(&key, &disk);
            cluster.nodes.push(Node::new(engine, key, served, disk));
        }
        for i in 0..cluster.nodes.len() {
            cluster.connect(i);
        }
        cluster
    }

    fn boot(&self, key: &PrivateKey, disk: &Disk) -> Engine {
        let recovered = wal::recover(&Bytes::from(disk.log.clone())).unwrap();
        let from = wal::obsolete_before(&recovered.entries);
        let boot = Boot {
            genesis: self.genesis.clone(),
            me: Some(key.public_key().address()),
            scheme: Arc::new(Zip215),
            protocol: self.protocol.clone(),
            state: disk.states.values().next_back().map(|state| State::clone(state)),
            base: disk.blocks.keys().next().copied().unwrap_or(Height::ZERO),
            last_block: disk.blocks.values().next_back().cloned(),
            log: recovered.entries[from..].to_vec(),
            last_sign: None,
            evidence: disk.evidence.values().cloned().collect(),
        };
        let node = key.public_key().address();
        Engine::new(self.config.clone(), boot).unwrap().with_node(node)
    }

    /// The application and all peers come up, on both sides.
    fn connect(&mut self, i: usize) {
        self.nodes[i].inputs.push_back(Input::AppUp);
        self.connect_peers(i);
    }

    fn connect_peers(&mut self, i: usize) {
        for other in 0..self.nodes.len() {
            if other != i && self.nodes[other].up && self.is_linked(i, other) {
                for (at, of) in [(i, other), (other, i)] {
                    let node = Some(self.nodes[of].key.public_key().address());
                    let up = Input::PeerUp { peer: PeerId(of as u64), node };
                    self.nodes[at].inputs.push_back(up);
                }
            }
        }
    }

    fn is_linked(&self, a: usize, b: usize) -> bool {
        self.links.as_ref().is_none_or(|links| links.contains(&(a.min(b), a.max(b))))
    }

    /// The engine's process dies; the application lives on.
    pub fn crash(&mut self, i: usize) {
        self.nodes[i].up = false;
        self.nodes[i].inputs.clear();
        self.nodes[i].timers.clear();
        for other in 0..self.nodes.len() {
            if other != i && self.nodes[other].up && self.is_linked(i, other) {
                self.nodes[other].inputs.push_back(Input::PeerDown(PeerId(i as u64)));
            }
        }
    }

    pub fn restart(&mut self, i: usize) {
        self.restart_without_app(i);
        self.nodes[i].inputs.push_front(Input::AppUp);
    }

    /// The process is back and connected; its application lets it wait ([`Input::AppUp`]).
    pub fn restart_without_app(&mut self, i: usize) {
        let engine = self.boot(&self.nodes[i].key, &self.nodes[i].disk);
        self.nodes[i].engine = engine;
        self.nodes[i].up = true;
        self.connect_peers(i);
    }

    /// The application dies and comes back empty.
    pub fn replace_app(&mut self, i: usize) {
        self.nodes[i].served = (self.make_app)();
        self.nodes[i].inputs.push_back(Input::AppDown);
        self.nodes[i].inputs.push_back(Input::AppUp);
    }

    pub fn submit(&mut self, i: usize, ticket: u64, tx: &str) {
        self.nodes[i].txs.insert(Ticket(ticket), Bytes::copy_from_slice(tx.as_bytes()));
        self.nodes[i].submit(Ticket(ticket));
    }

    pub fn input(&mut self, i: usize, input: Input) {
        self.nodes[i].inputs.push_back(input);
    }

    /// Runs until `done`, or until the virtual deadline: then panics with where everybody stands.
    pub fn run_until(&mut self, limit: Duration, done: impl Fn(&Cluster) -> bool) {
        let deadline = self.mono + limit;
        while !done(self) {
            if !self.step_one() {
                let next = self.next_timer();
                assert!(next <= deadline, "nothing happened in time: {}", self.describe());
                let passed = next.saturating_sub(self.mono);
                self.mono = self.mono.max(next);
                self.wall = self.wall.checked_add(passed).unwrap();
                self.fire_timers();
            }
        }
    }

    /// Runs for some virtual time.
    pub fn run_for(&mut self, span: Duration) {
        let end = self.mono + span;
        loop {
            while self.step_one() {}
            let next = self.next_timer();
            if next > end {
                break;
            }
            self.wall = self.wall.checked_add(next.saturating_sub(self.mono)).unwrap();
            self.mono = self.mono.max(next);
            self.fire_timers();
        }
        self.wall = self.wall.checked_add(end.saturating_sub(self.mono)).unwrap();
        self.mono = end;
    }

    /// So many inputs of one node, while nobody else moves.
    pub fn run_steps_of(&mut self, i: usize, count: u32) {
        for _ in 0..count {
            if let Some(input) = self.nodes[i].inputs.pop_front() {
                let now = Now { mono: self.mono, wall: self.wall };
                let output = self.nodes[i].engine.step(now, input);
                self.perform(i, output);
            }
        }
    }

    /// Runs so many rounds of one input a node.
    pub fn run_steps(&mut self, count: u32) {
        (0..count).for_each(|_| {
            self.step_one();
        });
    }

    fn next_timer(&self) -> Duration {
        let up = self.nodes.iter().filter(|node| node.up && !node.asleep);
        let timers =
            up.flat_map(|node| node.timers.values().chain(node.again.iter().map(|(at, _)| at)));
        timers.min().copied().unwrap_or(Duration::MAX)
    }

    fn fire_timers(&mut self) {
        for node in self.nodes.iter_mut().filter(|node| node.up) {
            let due: Vec<TimerId> =
                node.timers.iter().filter(|(_, at)| **at <= self.mono).map(|(id, _)| *id).collect();
            for id in due {
                node.timers.remove(&id);
                node.inputs.push_back(Input::Timer(id));
            }
            let (due, later) = node.again.iter().partition(|(at, _)| *at <= self.mono);
            node.again = later;
            let due: Vec<(Duration, Ticket)> = due;
            due.into_iter().for_each(|(_, ticket)| node.submit(ticket));
        }
    }

    /// One input of each node that has one. False if there was none.
    fn step_one(&mut self) -> bool {
        let mut any = false;
        for i in 0..self.nodes.len() {
            if !self.nodes[i].up || self.nodes[i].asleep {
                continue;
            }
            if let Some(input) = self.nodes[i].inputs.pop_front() {
                any = true;
                let now = Now { mono: self.mono, wall: self.wall };
                let output = self.nodes[i].engine.step(now, input);
                self.perform(i, output);
            }
        }
        any
    }

    fn perform(&mut self, i: usize, output: Output) {
        let node = &mut self.nodes[i];
        output.records.iter().for_each(|record| node.disk.append(record));
        if output.sync {
            node.disk.writer.synced();
        }
        node.notices.extend(output.notices);
        for action in output.actions {
            match action {
                Action::Send { to, message } => self.deliver(i, &to, &message),
                Action::SetTimer { id, after } => {
                    self.nodes[i].timers.insert(id, self.mono + after);
                }
                Action::ServeBlock { peer, height } => {
                    let message = self.nodes[i].serve(height);
                    self.deliver(i, &To::Peer(peer), &Arc::new(message));
                }
                Action::Reply {
                    ticket,
                    reply: ClientReply::Refused(TxRefused::NoApp | TxRefused::CatchingUp),
                } => {
                    let at = self.mono + Duration::from_millis(100);
                    self.nodes[i].again.push((at, ticket));
                }
                action => self.nodes[i].perform(action, self.config.canary.is_none()),
            }
        }
    }

    fn deliver(&mut self, from: usize, to: &To, message: &Arc<Message>) {
        for other in 0..self.nodes.len() {
            let id = PeerId(other as u64);
            let meant = match to {
                To::All => other != from,
                To::Peer(peer) => *peer == id,
                To::Peers(peers) => peers.contains(&id),
            };
            let pair = (from.min(other), from.max(other));
            if meant
                && self.is_linked(from, other)
                && self.nodes[other].up
                && !self.cut.contains(&pair)
                && (self.filter)(from, other, message)
            {
                self.messages += 1;
                // Through the codec, as on a wire.
                let bytes = message.encode();
                let message = Message::decode(message.channel(), bytes).unwrap();
                let peer = PeerId(from as u64);
                self.nodes[other].inputs.push_back(Input::Message { peer, message });
            }
        }
    }

    pub fn height(&self, i: usize) -> u64 {
        self.nodes[i].engine.status().height.0
    }

    pub fn all_at(&self, height: u64) -> bool {
        (0..self.nodes.len()).filter(|i| self.nodes[*i].up).all(|i| self.height(i) >= height)
    }

    fn describe(&self) -> String {
        let one = |node: &Node| {
            let s = node.engine.status();
            format!(
                "[{} h{} r{} {:?} halted {:?} pool {} sync {} offences {:?} peers {}]",
                node.up,
                s.height,
                s.round,
                s.step,
                s.halted,
                s.mempool_txs,
                s.catching_up,
                node.offences,
                node.engine.peer_states().len(),
            )
        };
        self.nodes.iter().map(one).collect::<Vec<_>>().join("\n")
    }

    /// [S-1] All nodes have the same blocks and the same hashes.
    pub fn assert_agreement(&self) {
        let mut known: BTreeMap<u64, (Vec<u8>, Bytes)> = BTreeMap::new();
        for node in &self.nodes {
            assert_eq!(node.halted, None);
            for block in &node.committed {
                let found = (block.decided.id.hash.to_vec(), block.state.app_hash.clone());
                let entry = known.entry(block.height.0).or_insert_with(|| found.clone());
                assert_eq!(*entry, found, "agreement at height {}", block.height);
            }
        }
    }

    /// Whether a transaction is in a committed block of the node.
    pub fn has_tx(&self, i: usize, tx: &str) -> bool {
        let blocks = self.nodes[i].committed.iter();
        let mut txs = blocks.flat_map(|b| b.decided.block.txs().as_slice().to_vec());
        txs.any(|other| other == tx.as_bytes())
    }
}

impl Node {
    fn new(engine: Engine, key: PrivateKey, served: Served, disk: Disk) -> Node {
        Node {
            engine,
            key,
            served,
            disk,
            up: true,
            committed: Vec::new(),
            replies: BTreeMap::new(),
            offences: Vec::new(),
            notices: Vec::new(),
            halted: None,
            calls: Vec::new(),
            loads: Vec::new(),
            signed: BTreeMap::new(),
            timers: BTreeMap::new(),
            txs: BTreeMap::new(),
            again: Vec::new(),
            inputs: VecDeque::new(),
            freeze_app: false,
            asleep: false,
            refusals: 0,
        }
    }

    fn submit(&mut self, ticket: Ticket) {
        let request = ClientRequest::SubmitTx(self.txs[&ticket].clone());
        self.inputs.push_back(Input::Client { ticket, request });
    }

    fn perform(&mut self, action: Action, honest: bool) {
        match action {
            Action::App { ticket, call } => {
                if !self.freeze_app {
                    let answer = self.call(call);
                    self.inputs.push_back(Input::App { ticket, answer });
                }
            }
            Action::Sign { ticket, .. } if self.refusals > 0 => {
                self.refusals -= 1;
                let outcome = Err(SignRefused("busy".to_owned()));
                self.inputs.push_back(Input::Signed { ticket, outcome });
            }
            Action::Sign { ticket, request } => {
                // [S-2] A recorder outside the engine: one value for each point, ever.
                let known = self.signed.entry((request.at, false)).or_insert(request.bytes.clone());
                assert!(
                    !honest || *known == request.bytes,
                    "[S-2] double sign at {:?}",
                    request.at
                );
                let signed = Signed {
                    signature: self.key.sign(&request.bytes),
                    extension: request.extension.map(|bytes| self.key.sign(&bytes)),
                };
                self.inputs.push_back(Input::Signed { ticket, outcome: Ok(signed) });
            }
            Action::Reply { ticket, reply } => {
                self.replies.insert(ticket, reply);
            }
            Action::Report { offence, .. } => self.offences.push(offence),
            Action::Load { ticket, load } => {
                let loaded = self.disk.load(load);
                self.loads.push(load);
                self.inputs.push_back(Input::Loaded { ticket, loaded });
            }
            Action::Prune { retain } => {
                self.disk.blocks.retain(|height, _| *height >= retain);
                self.disk.responses.retain(|height, _| *height >= retain);
                self.disk.states.retain(|height, _| *height >= retain);
            }
            Action::Committed(block) => self.committed.push(block),
            Action::Halt { reason } => self.halted = Some(reason),
            Action::Send { .. } | Action::SetTimer { .. } | Action::ServeBlock { .. } => {
                unreachable!("done by the cluster")
            }
        }
    }

    fn serve(&self, height: Height) -> Message {
        match self.disk.blocks.get(&height) {
            Some(decided) => Message::BlockResponse(BlockResponse {
                block: decided.block.clone(),
                extended_commit: decided.extended.then(|| decided.commit.clone()),
            }),
            None => Message::NoBlockResponse(height),
        }
    }

    fn call(&mut self, call: AppCall) -> Result<AppAnswer, AppException> {
        let (app, reader): (&mut dyn Application, &dyn Reader) =
            (self.served.app.as_mut(), self.served.reader.as_ref());
        let (name, answer) = match call {
            AppCall::Info(r) => ("info", reader.info(r).map(AppAnswer::Info)),
            AppCall::InitChain(r) => {
                ("init_chain", app.init_chain(*r).map(|a| AppAnswer::InitChain(Box::new(a))))
            }
            AppCall::PrepareProposal(r) => {
                ("prepare", app.prepare_proposal(*r).map(AppAnswer::PrepareProposal))
            }
            AppCall::ProcessProposal(r) => {
                ("process", app.process_proposal(*r).map(AppAnswer::ProcessProposal))
            }
            AppCall::ExtendVote(r) => ("extend", app.extend_vote(*r).map(AppAnswer::ExtendVote)),
            AppCall::VerifyVoteExtension(r) => {
                ("verify", app.verify_vote_extension(*r).map(AppAnswer::VerifyVoteExtension))
            }
            AppCall::FinalizeBlock(r) => {
                ("finalize", app.finalize_block(*r).map(|a| AppAnswer::FinalizeBlock(Box::new(a))))
            }
            AppCall::Commit => ("commit", app.commit(pb::RequestCommit {}).map(AppAnswer::Commit)),
            AppCall::CheckTx(r) => ("check", reader.check_tx(r).map(AppAnswer::CheckTx)),
        };
        self.calls.push(name);
        answer.map_err(|exception| AppException(exception.0))
    }
}
