//! The engine: heights one after another, and everything around them.
//!
//! One struct, one file for each duty: `handshake` (the application may be anywhere behind us),
//! `rounds` (what the round machine wants becomes calls, signatures and messages), `commit` (a
//! decision becomes a committed block and the next height), `recover` (the height in progress
//! comes back from the log), `peers` (what others say), `early` (what they say too early), `known`
//! (what they have, as far as that is known), `relay` (what is passed on), `favour` (what one peer
//! gets of us), `pool` (transactions and clients), `evidence` and `attack` (misbehaviour), `sync`
//! (blocks that others decided without us), `pacing` (when to begin), `watch` (what is shown of
//! it).
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use guts_abci::proto::abci as pb;
use guts_genesis::{Address, GenesisDoc, Height, Round, SignatureScheme, Time};

use crate::config::{Canary, Config};
use crate::guard::Guard;
use crate::height::{Common, Progress, Tally};
use crate::io::{
    Action, AppAnswer, AppCall, Counters, Decided, Input, Now, Output, PeerId, Record,
    SignPosition, SignRequest, Status, Ticket, TimerId, To, TxRefused,
};
use crate::mempool::{Mempool, TxKey};
use crate::messages::Message;
use crate::protocol::Protocol;
use crate::step::StepName;
use crate::types::{Block, BlockId, CommitSig, Evidence, Invalid, State, Vote};
use crate::wal::{Entry, Intent};

mod attack;
mod commit;
mod early;
mod evidence;
mod favour;
mod handshake;
mod known;
mod pacing;
mod peers;
mod pool;
mod recover;
mod relay;
mod rounds;
mod sync;
mod watch;

use evidence::Evidences;
use handshake::Handshake;
use peers::Peer;
use sync::Sync;
use watch::Watch;

/// What an engine starts from: what the shell found on its disk.
#[derive(Clone)]
pub struct Boot {
    /// The genesis document. A shell that leaves out its `app_state`, which may be large, puts it
    /// into the call of InitChain itself.
    pub genesis: Arc<GenesisDoc>,
    /// This node's validator address, if it has a validator key.
    pub me: Option<Address>,
    /// How signatures are checked.
    pub scheme: Arc<dyn SignatureScheme>,
    /// Who proposes, how long is waited, which votes follow: the same on all nodes of a network.
    pub protocol: Arc<dyn Protocol>,
    /// The last [`Record::State`]; none before the first.
    pub state: Option<State>,
    /// The lowest block in the store; zero if it is empty.
    pub base: Height,
    /// The highest block in the store.
    pub last_block: Option<Arc<Decided>>,
    /// The entries of the log.
    pub log: Vec<Entry>,
    /// The last point at which the signer is known to have signed, from wherever else that is
    /// known (`priv_validator_state.json`).
    pub last_sign: Option<SignPosition>,
    /// Evidence that waits ([`Record::EvidencePending`] without its [`Record::EvidenceDone`]).
    pub evidence: Vec<Evidence>,
}

/// Why an engine cannot start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BootError {
    /// The genesis document does not make a state.
    #[error("the genesis document is not usable: {0}")]
    Genesis(Invalid),
    /// The data are of another chain.
    #[error("the data directory is of chain {found}, the genesis document of chain {expected}")]
    ForeignChain {
        /// In the stored state.
        found: String,
        /// In the genesis document.
        expected: String,
    },
}

/// What an answer is for.
#[derive(Clone, Debug)]
enum Pending {
    Info,
    InitChain,
    Prepare(Height, Round, Block),
    Process(Height, BlockId),
    Extend(Height, Round, BlockId),
    VerifyExtension(Box<Vote>, PeerId),
    Finalize(Height),
    Commit(Height),
    Check {
        key: TxKey,
        tx: Bytes,
        reply: Option<Ticket>,
        height: Height,
    },
    Recheck(TxKey),
    Sign(Box<Intent>),
    HandshakeLoad,
    Evidence(Box<attack::Case>),
    /// Heights below it are not needed, if they are old enough.
    Prune(Height),
}

impl Pending {
    fn is_app(&self) -> bool {
        !matches!(self, Pending::Sign(_) | Pending::Evidence(_) | Pending::Prune(_))
    }

    fn case(&self) -> Option<&attack::Case> {
        match self {
            Pending::Evidence(case) => Some(case),
            _ => None,
        }
    }
}

/// What the engine as a whole is doing.
#[derive(Clone, Debug)]
enum Phase {
    /// The application is not connected.
    NoApp,
    /// Shaking hands.
    Handshake(Handshake),
    /// Working.
    Running,
    /// The application threw an exception: nothing goes on before another is connected.
    Failed(String),
    /// Stopped for good.
    Halted(String),
}

/// The block before the height in progress, and the precommits for it, late ones included.
#[derive(Clone)]
struct LastCommit {
    decided: Arc<Decided>,
    tally: Tally,
}

/// A decision on its way through the application.
#[derive(Clone)]
struct Deciding {
    commit: LastCommit,
    /// The answer to FinalizeBlock and the state it leads to, once it is there.
    after: Option<(Arc<pb::ResponseFinalizeBlock>, Arc<State>)>,
    synced: bool,
}

/// A consensus engine.
pub struct Engine {
    config: Config,
    common: Common,
    genesis: Arc<GenesisDoc>,
    now: Now,
    out: Output,
    tickets: u64,
    pending: BTreeMap<Ticket, Pending>,
    phase: Phase,
    state: Arc<State>,
    /// Heights in the block store.
    base: Height,
    store_height: Height,
    /// From this height on blocks are given up again.
    prune_from: Height,
    /// A log that has not been put back into the height in progress yet.
    log: Vec<Entry>,
    /// Own intents of the height in progress.
    intents: BTreeMap<SignPosition, Intent>,
    guard: Guard,
    cur: Progress,
    last: Option<LastCommit>,
    deciding: Option<Deciding>,
    pacing: pacing::Pace,
    mempool: Mempool,
    evidences: Evidences,
    /// What this node is called among nodes, if that was said.
    node: Option<Address>,
    peers: BTreeMap<PeerId, Peer>,
    early: early::Early,
    sync: Sync,
    gossip: pool::Gossip,
    watch: Watch,
    counters: Counters,
}

impl Engine {
    /// An engine that waits for its application ([`Input::AppUp`]).
    pub fn new(config: Config, boot: Boot) -> Result<Engine, BootError> {
        let genesis = boot.genesis;
        let state = match boot.state {
            Some(state) => state,
            None => State::from_genesis(&genesis).map_err(BootError::Genesis)?,
        };
        if state.chain_id != genesis.chain_id.as_str() {
            return Err(BootError::ForeignChain {
                found: state.chain_id,
                expected: genesis.chain_id.as_str().to_owned(),
            });
        }
        let common = Common {
            chain_id: state.chain_id.clone(),
            scheme: boot.scheme,
            me: boot.me,
            protocol: boot.protocol,
            quorum_minus_one: config.canary == Some(Canary::QuorumMinusOne),
        };
        let mut guard = Guard::default();
        boot.last_sign.into_iter().for_each(|at| guard.restore_position(at));
        for entry in &boot.log {
            if let Entry::Intent(intent) = entry {
                guard.restore(intent.clone());
            }
        }
        let state = Arc::new(state);
        let mut engine = Engine {
            mempool: Mempool::new(config.mempool),
            evidences: Evidences::new(boot.evidence),
            cur: progress(&state, &common),
            now: Now { mono: Duration::ZERO, wall: Time::EPOCH },
            out: Output::default(),
            tickets: 0,
            pending: BTreeMap::new(),
            phase: Phase::NoApp,
            base: boot.base,
            store_height: boot.last_block.as_ref().map_or(Height::ZERO, |d| d.commit.height),
            prune_from: Height::ZERO,
            log: boot.log,
            intents: BTreeMap::new(),
            guard,
            last: None,
            deciding: None,
            pacing: pacing::Pace::default(),
            node: None,
            peers: BTreeMap::new(),
            early: early::Early::default(),
            sync: Sync::default(),
            gossip: pool::Gossip::default(),
            watch: Watch::default(),
            counters: Counters::default(),
            config,
            common,
            genesis,
            state,
        };
        engine.last = boot.last_block.map(|decided| engine.last_commit_of(decided));
        Ok(engine)
    }

    /// Tells of evidence that is in a block already (`committed` [`Record::EvidenceDone`]), by hash
    /// and height of the misbehaviour. Before the first input.
    #[must_use]
    pub fn with_evidence_done(mut self, done: Vec<([u8; 32], Height)>) -> Engine {
        self.evidences.know_done(done, self.state.last_block_time);
        self
    }

    /// Names this node: the address of its node key. Nodes with names pass on what others do not
    /// reach; one without is taken for one that reaches nobody. Before the first input.
    #[must_use]
    pub fn with_node(mut self, node: Address) -> Engine {
        self.node = Some(node);
        self
    }

    /// Handles one input. Total: every input has an output, whatever it says.
    pub fn step(&mut self, now: Now, input: Input) -> Output {
        self.now = now;
        if !matches!(self.phase, Phase::Halted(_)) || matches!(input, Input::Client { .. }) {
            self.dispatch(input);
            self.settle();
        }
        if self.config.audit {
            self.audit();
        }
        self.check_invariants();
        std::mem::take(&mut self.out)
    }

    fn dispatch(&mut self, input: Input) {
        match input {
            Input::AppUp => self.on_app_up(),
            Input::AppDown => self.on_app_down(),
            Input::App { ticket, answer } => {
                let Some(pending) = self.pending.remove(&ticket) else { return };
                match answer {
                    Ok(answer) => self.on_app(pending, answer),
                    Err(error) => self.on_app_exception(pending, &error.0),
                }
            }
            Input::PeerUp { peer, node } => self.on_peer_up(peer, node),
            Input::PeerDown(peer) => self.on_peer_down(peer),
            Input::Message { peer, message } => self.on_message(peer, message),
            Input::Timer(timer) => self.on_timer(timer),
            Input::Signed { ticket, outcome } => {
                if let Some(Pending::Sign(intent)) = self.pending.remove(&ticket) {
                    self.on_signed(*intent, outcome);
                }
            }
            Input::Loaded { ticket, loaded } => match self.pending.remove(&ticket) {
                Some(Pending::HandshakeLoad) => self.on_handshake_loaded(loaded),
                Some(Pending::Evidence(case)) => self.on_case_loaded(*case, loaded),
                Some(Pending::Prune(retain)) => self.on_prune_judged(retain, &loaded),
                _ => {}
            },
            Input::Client { ticket, request } => self.on_client(ticket, request),
        }
    }

    fn on_app(&mut self, pending: Pending, answer: AppAnswer) {
        match (pending, answer) {
            (Pending::Info, AppAnswer::Info(info)) => self.on_info(&info),
            (Pending::InitChain, AppAnswer::InitChain(answer)) => self.on_init_chain(&answer),
            (Pending::Prepare(height, round, draft), AppAnswer::PrepareProposal(answer)) => {
                self.on_prepared((height, round), &draft, answer);
            }
            (Pending::Process(height, id), AppAnswer::ProcessProposal(answer)) => {
                self.on_processed(height, &id, &answer);
            }
            (Pending::Extend(height, round, id), AppAnswer::ExtendVote(answer)) => {
                self.on_extended(height, round, id, answer.vote_extension);
            }
            (Pending::VerifyExtension(vote, peer), AppAnswer::VerifyVoteExtension(answer)) => {
                self.on_extension_verified(*vote, peer, &answer);
            }
            (Pending::Finalize(height), AppAnswer::FinalizeBlock(answer)) => match self.phase {
                Phase::Handshake(_) => self.on_replay_finalized(height, *answer),
                _ => self.on_finalized(height, *answer),
            },
            (Pending::Commit(height), AppAnswer::Commit(answer)) => match self.phase {
                Phase::Handshake(_) => self.on_replay_committed(height),
                _ => self.on_app_committed(height, &answer),
            },
            (Pending::Check { key, tx, reply, height }, AppAnswer::CheckTx(answer)) => {
                self.on_checked(key, tx, reply, height, answer);
            }
            (Pending::Recheck(key), AppAnswer::CheckTx(answer)) => {
                self.on_rechecked(&key, &answer);
            }
            (pending, _) => {
                self.halt(format!("the application answered another kind: {pending:?}"));
                if let Pending::Check { reply, .. } = pending {
                    self.refuse(reply, TxRefused::Halted);
                }
            }
        }
    }

    /// An exception says that the application is broken, or too old for what was agreed on: nothing
    /// goes on with it. One that comes after it begins with a handshake, as after a crash. An
    /// exception in CheckTx is about one transaction and does no harm.
    fn on_app_exception(&mut self, pending: Pending, text: &str) {
        match pending {
            Pending::Check { key, tx, reply, .. } => self.on_check_failed(key, tx, reply, text),
            Pending::Recheck(key) => self.mempool.drop_rechecked(&key),
            _ => {
                self.on_app_down();
                let reason = format!("the application failed: {text}");
                self.act(Action::Halt { reason: reason.clone() });
                self.phase = Phase::Failed(reason);
            }
        }
    }

    fn on_timer(&mut self, timer: TimerId) {
        match timer {
            TimerId::Propose(..) | TimerId::Prevote(..) | TimerId::Precommit(..) => {
                self.on_timeout(timer);
            }
            TimerId::Commit(height) => self.on_commit_pause_over(height),
            TimerId::EmptyBlock(height) => self.on_empty_block_due(height),
            TimerId::Heal => self.on_heal(),
            TimerId::Sync => self.on_sync_timer(),
            TimerId::Gossip => self.on_gossip_due(),
        }
    }

    /// Runs on whatever the input has made possible.
    fn settle(&mut self) {
        if matches!(self.phase, Phase::Running) {
            self.notice_news();
            self.maybe_start();
            self.advance(None);
            self.drive_sync();
        }
    }

    // What steps put into the output.

    fn record(&mut self, entry: Entry) {
        self.out.records.push(Record::Wal(entry));
    }

    fn act(&mut self, action: Action) {
        self.out.actions.push(action);
    }

    fn ticket(&mut self, pending: Pending) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.pending.insert(ticket, pending);
        ticket
    }

    fn call(&mut self, pending: Pending, call: AppCall) {
        let ticket = self.ticket(pending);
        self.act(Action::App { ticket, call });
    }

    fn broadcast(&mut self, message: Message) {
        if !self.peers.is_empty() {
            self.act(Action::Send { to: To::All, message: Arc::new(message) });
        }
    }

    fn send(&mut self, peer: PeerId, message: Message) {
        self.act(Action::Send { to: To::Peer(peer), message: Arc::new(message) });
    }

    /// Asks for a signature of an intent that is durable (or becomes so with this output).
    fn ask_signature(&mut self, intent: Intent) {
        let extension = match &intent {
            Intent::Vote(vote) if self.is_extended_at(vote) => {
                Some(vote.extension_sign_bytes(&self.common.chain_id))
            }
            _ => None,
        };
        let bytes = intent.sign_bytes(&self.common.chain_id);
        let request = SignRequest { at: intent.position(), bytes, extension };
        let ticket = self.ticket(Pending::Sign(Box::new(intent)));
        self.act(Action::Sign { ticket, request });
    }

    fn is_extended_at(&self, vote: &Vote) -> bool {
        vote.is_extendable() && self.cur.extended && vote.height == self.cur.height
    }

    /// [S-5] Stops for good rather than contradict what was decided.
    fn halt(&mut self, reason: String) {
        if matches!(self.phase, Phase::Halted(_)) {
            return;
        }
        self.act(Action::Halt { reason: reason.clone() });
        self.phase = Phase::Halted(reason);
        // No answer that comes is looked at any more: who waits for one hears it now.
        for pending in std::mem::take(&mut self.pending).into_values() {
            match pending {
                Pending::Check { reply, .. } => self.refuse(reply, TxRefused::Halted),
                Pending::Evidence(case) => self.give_up(case.source()),
                _ => {}
            }
        }
    }

    fn last_commit_of(&self, decided: Arc<Decided>) -> LastCommit {
        let validators = match self.state.last_block_height == decided.commit.height {
            true => &self.state.last_validators,
            false => &self.state.validators,
        };
        let mut tally = Tally::new(Arc::new(validators.clone()), self.common.quorum_minus_one);
        for index in 0..decided.commit.signatures.len() {
            decided.commit.vote(index).into_iter().for_each(|vote| {
                tally.add(vote);
            });
        }
        LastCommit { decided, tally }
    }

    /// What the shell and its RPC need to know.
    pub fn status(&self) -> Status {
        let address = self.common.me;
        let me = address.and_then(|me| self.state.validators.by_address(&me));
        Status {
            height: self.state.last_block_height,
            block_id: self.state.last_block_id,
            time: self.state.last_block_time,
            app_hash: self.state.app_hash.clone(),
            app_version: self.state.version.app,
            base: self.base,
            round: self.cur.machine.round,
            step: self.step_name(),
            catching_up: self.is_catching_up(),
            halted: match &self.phase {
                Phase::Halted(reason) | Phase::Failed(reason) => Some(reason.clone()),
                _ => None,
            },
            validator: me.map(|(_, validator)| (validator.address, validator.power)),
            mempool_txs: self.mempool.len(),
            mempool_bytes: self.mempool.bytes(),
            evidence: self.evidences.len() as u64,
            participation: self.participation(),
            counters: self.counters,
        }
    }

    /// What a restart must bring back of the height in progress, as text: votes, proposals, parts
    /// and the lock. For tests and simulators: equal before a crash (after a sync) and after the
    /// log was replayed.
    pub fn digest(&self) -> String {
        self.cur.digest()
    }

    fn participation(&self) -> Vec<(Address, bool)> {
        let Some(last) = &self.last else { return Vec::new() };
        let voters = last.tally.voters();
        let validators = last.tally.validators().validators().iter().enumerate();
        validators.map(|(index, v)| (v.address, voters.get(index))).collect()
    }

    fn step_name(&self) -> StepName {
        match (self.cur.started, self.cur.machine.decided) {
            (_, true) => StepName::Commit,
            (false, _) => StepName::NewHeight,
            _ => self.cur.machine.step.name(),
        }
    }

    /// The application is behind, or other nodes are ahead.
    fn is_catching_up(&self) -> bool {
        !matches!(self.phase, Phase::Running) || self.is_fetching()
    }

    /// What must hold between any two steps, as far as it can be seen cheaply.
    fn check_invariants(&self) {
        self.cur.check_invariants();
        let next = self.state.next_height();
        assert_eq!(self.cur.height, next, "[S-5] the height in progress follows the state");
        let intended = self.intents.first_key_value().map_or(next, |(at, _)| at.height);
        assert_eq!(intended, next, "[S-2] what is over is not signed again");
        if let Some(last) = &self.last
            && matches!(self.phase, Phase::Running)
        {
            let id = last.decided.id;
            assert_eq!(id, self.state.last_block_id, "[S-5] one chain");
        }
    }

    fn audit(&self) {
        self.cur.audit();
        self.mempool.audit();
        if let Some(last) = &self.last {
            last.tally.audit();
            let commits = &last.decided.commit.signatures;
            let power = commits
                .iter()
                .enumerate()
                .filter(|(_, place)| matches!(place.sig, CommitSig::Commit(_)));
            let set = last.tally.validators();
            let power = power.filter_map(|(i, _)| set.validators().get(i)).map(|v| v.power);
            let power = power.fold(guts_genesis::Power::ZERO, |a, b| a.saturating_add(b));
            let lax = self.common.quorum_minus_one;
            let decided = power.is_over_two_thirds(set.total_power());
            assert!(lax || decided, "[S-1] two thirds decided the last block");
        }
    }
}

/// The height after `state`, of which nothing is known yet.
fn progress(state: &State, common: &Common) -> Progress {
    let height = state.next_height();
    let extended = state.has_extensions_at(height);
    let validators = Arc::new(state.validators.clone());
    let bytes_max = state.consensus_params.block_max_bytes;
    Progress::new(height, validators, (extended, bytes_max), common.clone())
}
