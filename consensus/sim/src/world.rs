//! The world: a queue of events in virtual time, and the loop that a shell would run.
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use guts_consensus::config::{self, Config};
use guts_consensus::engine::Engine;
use guts_consensus::io::{
    Action, AppAnswer, AppCall, Input, Load, Loaded, Now, Output, SignRefused, Signed, Ticket,
    TimerId, To,
};
use guts_consensus::messages::{BlockResponse, Message};
use guts_consensus::protocol::{Protocol, Tendermint};
use guts_consensus::types::{Hash, SignedHeader, State};
use guts_genesis::{ChainId, ConsensusParams, GenesisDoc, GenesisValidator, Height, Power, Time};

use crate::app::History;
use crate::byzantine::Byzantine;
use crate::check::{Checkers, key_of};
use crate::faults::{Boundary, Faults};
use crate::forgetful::Forgetful;
use crate::node::Node;
use crate::plan::{Canary, Options, Plan, Villain};
use crate::report::{Failure, Report, Totals};
use crate::rng::Rng;
use crate::scheme::sign;

/// Something that is going to happen.
#[allow(clippy::large_enum_variant, reason = "moved into the queue and out of it, once")]
pub(crate) enum Event {
    Deliver { from: usize, to: usize, link: u64, message: Arc<Message> },
    Answer { node: usize, life: u64, input: Input },
    Call { node: usize, life: u64 },
    Flush { node: usize, life: u64 },
    Timer { node: usize, life: u64, id: TimerId, generation: u64 },
    Start(usize),
    AppStart { node: usize, life: u64 },
    Connect(usize, usize),
    LateSync { node: usize, life: u64 },
    Fault,
    EndPartition(u64),
    Client,
    ValidatorChange,
}

/// Everything there is.
pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) options: Options,
    pub(crate) plan: Plan,
    pub(crate) rng: Rng,
    pub(crate) now_us: u64,
    queue: BTreeMap<(u64, u64), Event>,
    sequence: u64,
    pub(crate) nodes: Vec<Node>,
    genesis: Arc<GenesisDoc>,
    pub(crate) checkers: Checkers,
    pub(crate) totals: Totals,
    failure: Option<Failure>,
    pub(crate) faults: Faults,
    links: u64,
    generations: u64,
}

/// Power of each validator at the start.
pub(crate) const POWER: u64 = 10;

/// Runs the world of a seed to its end.
pub fn run(seed: u64, options: &Options) -> Report {
    let mut world = World::new(seed, *options);
    world.play();
    world.report()
}

impl World {
    fn new(seed: u64, options: Options) -> World {
        let plan = Plan::of(seed, &options);
        let options = Options { nodes: plan.nodes, ..options };
        let mut rng = Rng::new(seed, 2);
        let genesis = Arc::new(genesis(seed, &options, &plan));
        let state = State::from_genesis(&genesis).expect("the genesis document is sound");
        let villain = |index: usize| {
            let from_last = options.nodes.checked_sub(index + 1)?;
            plan.villains.get(from_last).copied()
        };
        let evil = (0..options.nodes).filter(|index| villain(*index).is_some());
        let evil: Arc<BTreeSet<_>> = Arc::new(evil.map(|index| key_of(seed, index)).collect());
        let node = |index: usize| {
            let key = key_of(seed, index);
            let byzantine = villain(index)
                .map(|kind| Byzantine::new(kind, key, &state.chain_id))
                .map(|villain| villain.against(key_of(seed, 0).address()));
            let store = Arc::new(History::new(Arc::clone(&evil)));
            Node::new(key, store, byzantine, rng.below(plan.skew_ms * 1000 + 1))
        };
        let nodes: Vec<Node> = (0..options.nodes + plan.joiners).map(node).collect();
        let villains: BTreeSet<_> = evil.iter().map(|key| key.address()).collect();
        let mut totals = Totals::default();
        totals.add("two villains", u64::from(villains.len() == 2));
        World {
            checkers: Checkers::new(&state, villains),
            faults: Faults::new(&options, nodes.len()),
            seed,
            options,
            rng: Rng::new(seed, 3),
            plan,
            now_us: 0,
            queue: BTreeMap::new(),
            sequence: 0,
            nodes,
            genesis,
            totals,
            failure: None,
            links: 0,
            generations: 0,
        }
    }

    fn play(&mut self) {
        for node in 0..self.nodes.len() {
            let after = self.rng.below(50_000);
            self.schedule(after, Event::Start(node));
        }
        self.schedule(100_000, Event::Fault);
        self.schedule(50_000, Event::Client);
        self.schedule(1_000_000, Event::ValidatorChange);
        self.play_safety();
        if self.failure.is_none() {
            self.play_liveness();
        }
    }

    /// Anything may happen until two thirds of the heights are made, or time is up.
    fn play_safety(&mut self) {
        let enough = Height(self.options.heights * 2 / 3);
        while self.failure.is_none() && self.checkers.height() < enough && self.now_us < 300_000_000
        {
            self.next();
        }
    }

    /// Faults are over: the rest of the heights, and some, must come within a bound.
    fn play_liveness(&mut self) {
        self.heal();
        let target = Height(self.options.heights.max(self.checkers.height().0 + 5));
        let deadline = self.now_us + 300_000_000;
        while self.failure.is_none() {
            let waits = |node: &&Node| !node.frozen && node.height < target;
            let Some(slow) = self.nodes.iter().filter(waits).map(|node| node.height).min() else {
                return;
            };
            if self.now_us > deadline {
                let stuck: Vec<String> = self.nodes.iter().map(Node::describe).collect();
                self.fail(format!(
                    "[L-1] no progress to height {target} within 300 s after healing: a node is \
                     at {slow}; {}",
                    stuck.join("; ")
                ));
                return;
            }
            self.next();
        }
    }

    fn next(&mut self) {
        let Some(((at, _), event)) = self.queue.pop_first() else {
            return self.fail("nothing is going to happen any more".to_owned());
        };
        self.now_us = self.now_us.max(at);
        if self.sequence > 20_000_000 {
            return self.fail("too many events".to_owned());
        }
        self.handle(event);
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Deliver { from, to, link, message } => {
                let Some((peer, number)) = self.nodes[to].links.get(&from).copied() else { return };
                if number == link {
                    let message = message.as_ref().clone();
                    self.step(to, Input::Message { peer, message });
                }
            }
            Event::Answer { node, life, input } => {
                if self.nodes[node].life == life {
                    self.step(node, input);
                }
            }
            Event::Call { node, life } => {
                if self.nodes[node].life == life {
                    self.call(node);
                }
            }
            Event::Flush { node, life } => {
                if self.nodes[node].life == life {
                    self.end_group(node);
                }
            }
            Event::Timer { node, life, id, generation } => {
                let current = self.nodes[node].life == life
                    && self.nodes[node].timers.get(&id) == Some(&generation);
                if current {
                    self.nodes[node].timers.remove(&id);
                    self.step(node, Input::Timer(id));
                }
            }
            Event::Start(node) => self.start(node),
            Event::AppStart { node, life } => self.start_app(node, life),
            Event::Connect(a, b) => self.connect(a, b),
            Event::LateSync { node, life } => {
                if self.nodes[node].life == life {
                    self.nodes[node].disk.sync();
                }
            }
            Event::Fault => self.on_fault_due(),
            Event::EndPartition(number) => self.faults.end_partition(number),
            Event::Client => self.on_client_due(),
            Event::ValidatorChange => self.on_validator_change_due(),
        }
    }

    pub(crate) fn schedule(&mut self, after_us: u64, event: Event) {
        self.sequence += 1;
        self.queue.insert((self.now_us + after_us, self.sequence), event);
    }

    pub(crate) fn fail(&mut self, what: String) {
        let failure = Failure { seed: self.seed, at_ms: self.now_us / 1000, what };
        self.failure.get_or_insert(failure);
    }

    fn now_of(&self, node: usize) -> Now {
        let wall = i128::from(self.now_us + self.nodes[node].skew_us) * 1000;
        Now {
            mono: Duration::from_micros(self.now_us),
            wall: Time::from_unix_nanos(self.genesis.genesis_time.unix_nanos() + wall),
        }
    }

    /// Hands an input to an engine and does what it wants done.
    pub(crate) fn step(&mut self, node: usize, input: Input) {
        let now = self.now_of(node);
        let Some(mut engine) = self.nodes[node].engine.take() else { return };
        let told = self.options.trace.then(|| tell_input(&input));
        let output = catch_unwind(AssertUnwindSafe(|| engine.step(now, input)));
        match (told, &output) {
            (Some(told), Ok(output)) => self.tell(node, &engine, &told, output),
            (Some(told), Err(_)) => eprintln!("node {node} panics at {told}"),
            (None, _) => {}
        }
        self.nodes[node].engine = Some(engine);
        match output {
            Ok(output) => self.take_output(node, output),
            Err(panic) => {
                let text = panic.downcast_ref::<String>().cloned();
                let text = text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
                self.fail(format!("node {node} panicked: {}", text.unwrap_or_default()));
            }
        }
    }

    /// One line a step, for those who look for a fault.
    fn tell(&self, node: usize, engine: &Engine, input: &str, output: &Output) {
        let status = engine.status();
        let (height, round, step) = (status.height, status.round, status.step);
        eprintln!("{:>9} us node {node} {height}+{round}/{step:?} <- {input}", self.now_us);
        for action in &output.actions {
            let text: String = format!("{action:?}").chars().take(200).collect();
            eprintln!("{:>18} {text}", "->");
        }
    }

    /// Records first, then actions; a crash, of this node or of all, may come at each boundary.
    pub(crate) fn perform(&mut self, node: usize, output: Output) {
        let boundaries = output.records.len() + output.actions.len();
        let crash_at = self.crash_point(boundaries);
        for (i, record) in output.records.iter().enumerate() {
            if crash_at == Some(i) {
                return self.crash_at(node, Boundary::Record);
            }
            self.nodes[node].disk.append(record.clone());
        }
        if self.options.canary == Some(Canary::ActBeforePersist) {
            let life = self.nodes[node].life;
            self.schedule(200_000, Event::LateSync { node, life });
        } else if output.sync {
            if self.fsync_fails() {
                return self.crash(node);
            }
            self.nodes[node].disk.sync();
        } else {
            self.nodes[node].disk.write();
        }
        let sent = output.actions.iter().filter_map(|action| match action {
            Action::Send { message, .. } => Some(Arc::clone(message)),
            _ => None,
        });
        if let Some(villain) = &mut self.nodes[node].villain {
            villain.look(&sent.collect::<Vec<_>>());
        }
        let records = output.records.len();
        for (i, action) in output.actions.into_iter().enumerate() {
            if crash_at == Some(records + i) {
                return self.crash_at(node, Boundary::Action);
            }
            self.act(node, action);
        }
    }

    fn act(&mut self, node: usize, action: Action) {
        match action {
            Action::Send { to, message } => self.send(node, &to, &message),
            Action::App { ticket, call } => self.enqueue_call(node, ticket, call),
            Action::SetTimer { id, after } => {
                self.generations += 1;
                let (generation, life) = (self.generations, self.nodes[node].life);
                self.nodes[node].timers.insert(id, generation);
                let after = u64::try_from(after.as_micros()).unwrap_or(u64::MAX / 4);
                self.schedule(after, Event::Timer { node, life, id, generation });
            }
            Action::Sign { ticket, request } => {
                let (address, key) = (self.nodes[node].address, self.nodes[node].key);
                if self.nodes[node].villain.is_none()
                    && let Err(what) = self.checkers.on_sign(address, &request)
                {
                    return self.fail(what);
                }
                let (after, refuses) = self.signer_mood();
                let signed = Signed {
                    signature: sign(&key, &request.bytes),
                    extension: request.extension.map(|bytes| sign(&key, &bytes)),
                };
                let outcome = if refuses { Err(SignRefused("busy".into())) } else { Ok(signed) };
                self.answer(node, after, Input::Signed { ticket, outcome });
            }
            Action::Load { ticket, load } => {
                let loaded = self.load(node, load);
                let after = self.rng.below(1_000);
                self.answer(node, after, Input::Loaded { ticket, loaded });
            }
            Action::ServeBlock { peer, height } => {
                let decided = self.nodes[node].disk.contents().blocks.get(&height).cloned();
                let message = match decided {
                    Some(decided) => Message::BlockResponse(BlockResponse {
                        block: decided.block.clone(),
                        extended_commit: decided.extended.then(|| decided.commit.clone()),
                    }),
                    None => Message::NoBlockResponse(height),
                };
                self.send(node, &To::Peer(peer), &Arc::new(message));
            }
            Action::Committed(committed) => {
                self.nodes[node].height = committed.height;
                match self.checkers.on_committed(&committed) {
                    Ok(news) => {
                        self.totals.add("height", u64::from(news.is_new));
                        self.totals.add("evidence in a block", news.evidence);
                        let changes = u64::from(news.changes_validators);
                        self.totals.add("validator change", changes);
                        self.thaw_if_needed();
                    }
                    Err(what) => self.fail(format!("node {node}: {what}")),
                }
            }
            Action::Report { peer, offence } => self.on_report(node, peer, &offence),
            Action::Halt { reason } => self.fail(format!("node {node} halted: {reason}")),
            Action::Reply { .. } | Action::Prune { .. } => {}
        }
    }

    fn on_report(
        &mut self,
        node: usize,
        peer: guts_consensus::io::PeerId,
        offence: &guts_consensus::io::Offence,
    ) {
        let Some(other) = self.nodes[node].peers.get(&peer).copied() else { return };
        if !offence.is_severe() {
            return;
        }
        let link = self.nodes[node].links.get(&other).map(|(_, number)| *number);
        let both_correct = self.nodes[node].villain.is_none()
            && self.nodes[other].villain.is_none()
            && !link.is_some_and(|number| self.faults.is_corrupted(number));
        if both_correct {
            return self.fail(format!("node {node} reports the correct node {other}: {offence}"));
        }
        self.totals.count("peer reported");
        self.part_for_a_while(node, other);
    }

    fn load(&self, node: usize, load: Load) -> Loaded {
        let contents = self.nodes[node].disk.contents();
        match load {
            Load::Block(height) => {
                contents.blocks.get(&height).cloned().map_or(Loaded::Missing, Loaded::Block)
            }
            Load::Response(height) => {
                contents.responses.get(&height).cloned().map_or(Loaded::Missing, Loaded::Response)
            }
            Load::SignedHeader(height) => {
                let next = contents.blocks.get(&height.next());
                contents.blocks.get(&height).zip(next).map_or(Loaded::Missing, |(ours, next)| {
                    Loaded::SignedHeader(Box::new(SignedHeader {
                        header: ours.block.header().clone(),
                        commit: next.block.last_commit().clone(),
                    }))
                })
            }
            Load::Validators(height) => {
                let block = contents.blocks.get(&height);
                match (block, self.checkers.validators(height)) {
                    (Some(decided), Some(validators)) => Loaded::Validators {
                        validators: Arc::new(validators.clone()),
                        time: decided.block.header().time,
                    },
                    _ => Loaded::Missing,
                }
            }
            Load::FirstSince(time) => {
                let mut blocks = contents.blocks.iter();
                let young = blocks.find(|(_, decided)| decided.block.header().time >= time);
                let found = young.or(contents.blocks.last_key_value());
                found.map_or(Loaded::Missing, |(height, _)| Loaded::Height(*height))
            }
        }
    }

    fn answer(&mut self, node: usize, after_us: u64, input: Input) {
        let life = self.nodes[node].life;
        self.schedule(after_us, Event::Answer { node, life, input });
    }

    fn enqueue_call(&mut self, node: usize, ticket: Ticket, call: AppCall) {
        if self.nodes[node].app.is_none() {
            return;
        }
        self.nodes[node].calls.push_back((ticket, call));
        let (life, after) = (self.nodes[node].life, self.answer_delay());
        self.schedule(after, Event::Call { node, life });
    }

    /// The application answers its first open call.
    pub(crate) fn call(&mut self, node: usize) {
        let Some((ticket, call)) = self.nodes[node].calls.pop_front() else { return };
        let Some(app) = &mut self.nodes[node].app else { return };
        match app.call(call) {
            Ok(answer) => {
                let declined =
                    matches!(&answer, Ok(AppAnswer::ProcessProposal(a)) if a.status != 1);
                self.totals.add("proposal declined", u64::from(declined));
                let after = self.rng.below(500);
                self.answer(node, after, Input::App { ticket, answer });
            }
            Err(what) => self.fail(format!("node {node}: call grammar: {what}")),
        }
    }

    fn start(&mut self, node: usize) {
        if self.nodes[node].is_up() || self.nodes[node].frozen {
            return;
        }
        if !self.check_bit_rot(node) {
            return self.fail(format!("node {node} takes a rotten log for a good one"));
        }
        let config = self.config();
        let villain = self.nodes[node].villain.as_ref();
        let is_amnesiac = villain.is_some_and(|v| v.kind() == Villain::Amnesiac);
        if is_amnesiac {
            self.totals.count("amnesiac validator");
        }
        let protocol: Arc<dyn Protocol> =
            match is_amnesiac || self.options.canary == Some(Canary::ForgetLock) {
                true => Arc::new(Forgetful),
                false => Arc::new(Tendermint),
            };
        if let Err(what) = self.nodes[node].boot(config, protocol, &self.genesis) {
            return self.fail(format!("node {node} does not start: {what}"));
        }
        self.step(node, Input::AppUp);
        for other in (0..self.nodes.len()).filter(|other| *other != node) {
            let after = self.rng.between(1_000, 100_000);
            self.schedule(after, Event::Connect(node, other));
        }
    }

    fn start_app(&mut self, node: usize, life: u64) {
        if self.nodes[node].life != life || self.nodes[node].app.is_some() {
            return;
        }
        let store = Arc::clone(&self.nodes[node].store);
        self.nodes[node].app = Some(crate::app::App::new(store));
        self.step(node, Input::AppUp);
    }

    pub(crate) fn connect(&mut self, a: usize, b: usize) {
        let both_up = self.nodes[a].is_up() && self.nodes[b].is_up();
        let may = self.plan.topology.links(a, b, self.nodes.len());
        if !both_up || !may || self.nodes[a].links.contains_key(&b) {
            return;
        }
        self.links += 1;
        let (at_a, at_b) = (self.nodes[a].link(b, self.links), self.nodes[b].link(a, self.links));
        let node = Some(self.nodes[b].address);
        self.step(a, Input::PeerUp { peer: at_a, node });
        // The first may have died of it.
        if self.nodes[b].links.get(&a).is_some_and(|(peer, _)| *peer == at_b) {
            let node = Some(self.nodes[a].address);
            self.step(b, Input::PeerUp { peer: at_b, node });
        }
    }

    /// Both ends learn that a connection is gone.
    pub(crate) fn disconnect(&mut self, a: usize, b: usize) {
        for (one, other) in [(a, b), (b, a)] {
            if let Some(peer) = self.nodes[one].unlink(other) {
                self.answer(one, 0, Input::PeerDown(peer));
            }
        }
    }

    fn config(&self) -> Config {
        let ms = Duration::from_millis;
        Config {
            pacing: config::Pacing {
                timeout_propose: ms(500),
                timeout_propose_delta: ms(200),
                timeout_prevote: ms(200),
                timeout_prevote_delta: ms(200),
                timeout_precommit: ms(200),
                timeout_precommit_delta: ms(200),
                timeout_commit: ms(if self.seed.is_multiple_of(2) { 0 } else { 30 }),
                create_empty_blocks: self.plan.empty_blocks,
                create_empty_blocks_interval: ms(3_000),
            },
            sync_timeout: ms(1_500),
            audit: true,
            canary: match self.options.canary {
                Some(Canary::QuorumMinusOne) => Some(config::Canary::QuorumMinusOne),
                Some(Canary::ActBeforePersist | Canary::ForgetLock) | None => None,
            },
            ..Config::default()
        }
    }

    fn report(mut self) -> Report {
        for node in &self.nodes {
            let counters = node.counters();
            self.totals.add("round above 0", counters.extra_rounds);
            self.totals.add("catch-up", counters.catch_ups);
            self.totals.add("block fetched", counters.synced_blocks);
            self.totals.add("equivocation noticed", counters.equivocations);
            self.totals.add("message passed on", counters.passed_on);
        }
        self.totals.add("event", self.sequence);
        self.totals.add("virtual second", self.now_us / 1_000_000);
        let mut summary = self.checkers.summary();
        summary.extend_from_slice(&self.sequence.to_be_bytes());
        let digest = Hash::of(&summary).as_bytes().try_into().unwrap_or_default();
        Report { totals: self.totals, failure: self.failure, digest }
    }
}

fn genesis(seed: u64, options: &Options, plan: &Plan) -> GenesisDoc {
    let validator = |index: usize| GenesisValidator {
        key: key_of(seed, index),
        power: Power(POWER),
        name: format!("validator-{index}"),
    };
    GenesisDoc {
        genesis_time: Time::new(1_700_000_000, 0).expect("a time of this century"),
        chain_id: ChainId::new(format!("sim-{seed}")).expect("short"),
        initial_height: Height(1),
        consensus_params: ConsensusParams {
            vote_extensions_enable_height: plan.extensions_from,
            ..ConsensusParams::default()
        },
        validators: (0..options.nodes).map(validator).collect(),
        app_hash: Vec::new(),
        app_state: String::new(),
    }
}

/// A name and a few letters of an input.
fn tell_input(input: &Input) -> String {
    format!("{input:?}").chars().take(300).collect()
}
