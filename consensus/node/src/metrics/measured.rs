//! What is measured as it happens: each block, each answer of the application, each step of a
//! round. What the engine, the network and the store say anyway is not in here.

use super::lines::{Histogram, Lines};
use guts_abci::Kind;
use guts_abci::proto::abci::response::Value;
use guts_consensus::io::Committed;
use guts_consensus::step::StepName;
use guts_consensus::types::{CommitSig, Evidence, State, ValidatorSet};
use guts_genesis::{Address, Height, Power, Round};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Bounds of buckets, all as CometBFT has them: of spans between blocks, in seconds.
const INTERVALS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Of steps and rounds, in seconds: eight from a tenth to a hundred, each so many times the last.
const STEPS: &[f64] = &[
    0.1,
    0.268_269_579_527_972_5,
    0.719_685_673_001_151_8,
    1.930_697_728_883_249_6,
    5.179_474_679_231_209,
    13.894_954_943_731_37,
    37.275_937_203_149_38,
    100.0,
];
/// Of the application's answers, in seconds.
const ANSWERS: &[f64] = &[0.0001, 0.0004, 0.002, 0.009, 0.02, 0.1, 0.65, 2.0, 6.0, 25.0];
/// Of FinalizeBlock, in milliseconds.
const FINALIZE: &[f64] = &[1.0, 11.0, 21.0, 31.0, 41.0, 51.0, 61.0, 71.0, 81.0, 91.0];

/// How the application is asked, in CometBFT's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// By one who waits for the answer.
    Sync,
    /// For the mempool, many at a time.
    Async,
}

/// The kinds of calls an engine makes, by how and under what name.
const METHODS: [(Kind, Asked, &str); 11] = [
    (Kind::CheckTx, Asked::Async, "check_tx"),
    (Kind::CheckTx, Asked::Sync, "check_tx"),
    (Kind::VerifyVoteExtension, Asked::Sync, "verify_vote_extension"),
    (Kind::ExtendVote, Asked::Sync, "extend_vote"),
    (Kind::ProcessProposal, Asked::Sync, "process_proposal"),
    (Kind::PrepareProposal, Asked::Sync, "prepare_proposal"),
    (Kind::FinalizeBlock, Asked::Sync, "finalize_block"),
    (Kind::Commit, Asked::Sync, "commit"),
    (Kind::Query, Asked::Sync, "query"),
    (Kind::Info, Asked::Sync, "info"),
    (Kind::InitChain, Asked::Sync, "init_chain"),
];

/// The steps of a round, in the order of their numbers, by CometBFT's names.
const STEP_NAMES: [(StepName, &str); 8] = [
    (StepName::NewHeight, "NewHeight"),
    (StepName::NewRound, "NewRound"),
    (StepName::Propose, "Propose"),
    (StepName::Prevote, "Prevote"),
    (StepName::PrevoteWait, "PrevoteWait"),
    (StepName::Precommit, "Precommit"),
    (StepName::PrecommitWait, "PrecommitWait"),
    (StepName::Commit, "Commit"),
];

/// Yes and no.
#[derive(Debug, Default)]
struct Verdicts {
    accepted: AtomicU64,
    rejected: AtomicU64,
}

impl Verdicts {
    fn add(&self, is_accepted: bool) {
        let counter = if is_accepted { &self.accepted } else { &self.rejected };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn put(&self, lines: &mut Lines, name: &str) {
        lines.put_of(name, "status=\"accepted\"", self.accepted.load(Ordering::Relaxed));
        lines.put_of(name, "status=\"rejected\"", self.rejected.load(Ordering::Relaxed));
    }
}

/// A number of validators, and their power.
#[derive(Clone, Copy, Debug, Default)]
struct Validators {
    count: u64,
    power: u64,
}

impl Validators {
    fn add(&mut self, power: Power) {
        self.count += 1;
        self.power = self.power.saturating_add(power.0);
    }

    fn put(self, lines: &mut Lines, who: &str) {
        lines.put(&format!("cometbft_consensus_{who}"), self.count);
        lines.put(&format!("cometbft_consensus_{who}_power"), self.power);
    }
}

/// What is known of blocks.
#[derive(Debug, Default)]
struct Blocks {
    /// The state after the last one.
    state: Option<Arc<State>>,
    missing: Validators,
    byzantine: Validators,
    /// This node's power, and the last block that says it signed, once it had some.
    own: Option<(u64, u64)>,
    missed: u64,
    txs: u64,
    bytes: u64,
    params_changed: u64,
    validators_changed: u64,
}

/// Everything that is measured. Shared by those who do and those who tell.
#[derive(Debug)]
pub(crate) struct Measured {
    /// This node's validator.
    me: Address,
    blocks: Mutex<Blocks>,
    intervals: Histogram,
    rounds: Histogram,
    steps: [Histogram; STEP_NAMES.len()],
    answers: [Histogram; METHODS.len()],
    finalize: Histogram,
    created: AtomicU64,
    proposals: Verdicts,
    extensions: Verdicts,
}

impl Measured {
    /// Nothing yet, after the blocks up to `state`.
    pub(crate) fn new(me: Address, state: Option<State>) -> Measured {
        let state = state.map(Arc::new);
        Measured {
            me,
            blocks: Mutex::new(Blocks { state, ..Blocks::default() }),
            intervals: Histogram::new(INTERVALS),
            rounds: Histogram::new(STEPS),
            steps: STEP_NAMES.map(|_| Histogram::new(STEPS)),
            answers: METHODS.map(|_| Histogram::new(ANSWERS)),
            finalize: Histogram::of_ms(FINALIZE),
            created: AtomicU64::new(0),
            proposals: Verdicts::default(),
            extensions: Verdicts::default(),
        }
    }

    fn blocks(&self) -> MutexGuard<'_, Blocks> {
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A block was committed.
    pub(crate) fn on_block(&self, committed: &Committed) {
        let mut blocks = self.blocks();
        let block = &committed.decided.block;
        let before = blocks.state.replace(committed.state.clone());
        let before = before.filter(|state| state.last_block_height.next() == committed.height);
        if let Some(before) = &before {
            if before.last_block_height > Height::ZERO {
                let span = block.header().time.saturating_since(before.last_block_time);
                self.intervals.observe(span);
            }
            let signed = &block.last_commit().signatures;
            blocks.look_at_commit(&before.last_validators, signed, (self.me, committed.height));
        }
        blocks.byzantine = byzantine(block.evidence(), &committed.state.last_validators);
        let bytes: usize = committed.decided.parts.iter().map(|part| part.bytes.len()).sum();
        blocks.bytes = blocks.bytes.saturating_add(bytes as u64);
        blocks.txs = blocks.txs.saturating_add(block.txs().as_slice().len() as u64);
        let answer = &committed.response;
        blocks.params_changed += u64::from(answer.consensus_param_updates.is_some());
        blocks.validators_changed += u64::from(!answer.validator_updates.is_empty());
    }

    /// The application took so long to answer.
    pub(crate) fn on_answered(&self, kind: Kind, asked: Asked, took: Duration) {
        let method = METHODS.iter().position(|(known, how, _)| (*known, *how) == (kind, asked));
        if let Some(method) = method {
            self.answers[method].observe(took);
        }
        if kind == Kind::FinalizeBlock {
            self.finalize.observe(took);
        }
    }

    /// The application has answered this to the engine.
    pub(crate) fn on_answer(&self, answer: &Value) {
        // The numbers of acceptance are the contract's.
        match answer {
            Value::ProcessProposal(answer) => self.proposals.add(answer.status == 1),
            Value::VerifyVoteExtension(answer) => self.extensions.add(answer.status == 1),
            Value::PrepareProposal(_) => {
                self.created.fetch_add(1, Ordering::Relaxed);
            }
            _ => {}
        }
    }

    pub(super) fn put(&self, lines: &mut Lines) {
        self.blocks().put(self.me, lines);
        lines.put_histogram("cometbft_consensus_block_interval_seconds", &self.intervals);
        lines.put_histogram("cometbft_consensus_round_duration_seconds", &self.rounds);
        for ((_, name), steps) in STEP_NAMES.iter().zip(&self.steps) {
            let labels = format!("step=\"{name}\"");
            lines.put_histogram_of("cometbft_consensus_step_duration_seconds", &labels, steps);
        }
        for ((_, asked, method), answers) in METHODS.iter().zip(&self.answers) {
            let asked = if *asked == Asked::Sync { "sync" } else { "async" };
            let labels = format!("method=\"{method}\",type=\"{asked}\"");
            let name = "cometbft_abci_connection_method_timing_seconds";
            lines.put_histogram_of(name, &labels, answers);
        }
        lines.put_histogram("cometbft_state_block_processing_time", &self.finalize);
        let created = self.created.load(Ordering::Relaxed);
        lines.put("cometbft_consensus_proposal_create_count", created);
        self.proposals.put(lines, "cometbft_consensus_proposal_receive_count");
        self.extensions.put(lines, "cometbft_consensus_vote_extension_receive_count");
    }
}

impl Blocks {
    /// A block of `height` says who of `validators` precommitted the one before.
    fn look_at_commit(
        &mut self,
        validators: &ValidatorSet,
        signed: &[CommitSig],
        (me, height): (Address, Height),
    ) {
        self.missing = Validators::default();
        for (validator, signature) in validators.validators().iter().zip(signed) {
            if signature.vote().is_none() {
                self.missing.add(validator.power);
            }
            if validator.address == me {
                let last = self.own.map_or(0, |(_, last)| last);
                let last = if signature.is_commit() { height.0 } else { last };
                self.own = Some((validator.power.0, last));
                self.missed += u64::from(!signature.is_commit());
            }
        }
        if let (None, Some((power, _))) = (validators.by_address(&me), &mut self.own) {
            *power = 0;
        }
    }

    fn put(&self, me: Address, lines: &mut Lines) {
        self.missing.put(lines, "missing_validators");
        self.byzantine.put(lines, "byzantine_validators");
        if let Some((power, signed)) = self.own {
            let labels = format!("validator_address=\"{me}\"");
            lines.put_of("cometbft_consensus_validator_power", &labels, power);
            lines.put_of("cometbft_consensus_validator_last_signed_height", &labels, signed);
            lines.put_of("cometbft_consensus_validator_missed_blocks", &labels, self.missed);
        }
        lines.put("cometbft_consensus_total_txs", self.txs);
        lines.put("cometbft_consensus_chain_size_bytes", self.bytes);
        lines.put("cometbft_state_consensus_param_updates", self.params_changed);
        lines.put("cometbft_state_validator_set_updates", self.validators_changed);
    }
}

/// Who of `validators` is in a block's evidence for two votes.
fn byzantine(evidence: &[Evidence], validators: &ValidatorSet) -> Validators {
    let mut found = Validators::default();
    for one in evidence {
        if let Evidence::DuplicateVote(votes) = one
            && let Some((_, who)) = validators.by_address(&votes.vote_a.validator_address)
        {
            found.add(who.power);
        }
    }
    found
}

/// Where a node is: height, round and step.
pub(crate) type Position = (Height, Round, StepName);

/// Measures steps and rounds, by looking where the engine is after each input.
#[derive(Debug)]
pub(crate) struct Steps {
    measured: Arc<Measured>,
    at: Position,
    /// Since when; not known of the first.
    since: Option<Instant>,
    /// When the round began to propose.
    round_since: Option<Instant>,
}

impl Steps {
    pub(crate) fn new(measured: Arc<Measured>, at: Position) -> Steps {
        Steps { measured, at, since: None, round_since: None }
    }

    /// The engine is here now.
    pub(crate) fn on_step(&mut self, at: Position) {
        if at != self.at {
            self.on_move(at, Instant::now());
        }
    }

    fn on_move(&mut self, at: Position, now: Instant) {
        let before = std::mem::replace(&mut self.at, at);
        if let Some(since) = self.since.replace(now) {
            let index = STEP_NAMES.iter().position(|(step, _)| *step == before.2);
            let of_step = index.map(|index| &self.measured.steps[index]);
            of_step.inspect(|steps| steps.observe(now.saturating_duration_since(since)));
        }
        if (at.0, at.1) != (before.0, before.1)
            && let Some(since) = self.round_since.take()
        {
            self.measured.rounds.observe(now.saturating_duration_since(since));
        }
        if (StepName::Propose..StepName::Commit).contains(&at.2) {
            self.round_since.get_or_insert(now);
        }
    }
}
