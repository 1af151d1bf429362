//! The application between two commits: genesis, proposals on droppable overlays, the decided
//! block, and what a commit has to write. It reads a store and writes nothing itself.

use std::collections::VecDeque;
use std::sync::Arc;

use guts_abci::proto::abci::{
    CommitInfo, ExecTxResult, Misbehavior, RequestFinalizeBlock, RequestInitChain,
    RequestPrepareProposal, RequestProcessProposal, ResponseFinalizeBlock, ResponseInfo,
    ResponseInitChain, ResponsePrepareProposal, Validator,
};
use guts_abci::proto::google::protobuf::Timestamp;
use guts_abci::proto::types::{BlockIdFlag, ConsensusParams, VersionParams};
use guts_schema::attest::{Attested, decode_extension, is_pseudo_tx};
use guts_schema::ids::ValidatorAddress;
use guts_schema::{ChainRules, Hash, PushId, Tx, TxError};
use guts_state::{Batch, Cached, Layered, Snapshot, StateError, Store};
use serde::{Deserialize, Serialize};

use crate::block::{Body, Executed, Item, bad_pseudo_tx, begin, execute, finish};
use crate::checker::{Checked, Checker};
use crate::fault::Broken;
use crate::genesis::AppState;
use crate::modules::{MODULES, Origin, governance};
use crate::prepare::{Prepared, choose, size_in_block};
use crate::rules::{RULES, Rules};
use crate::run::{Block, Misbehaviour, Run};
use crate::{attest, modules};

/// Proposals of the next height that are kept executed. A height rarely has more than two; an
/// attacker who proposes many makes us execute again, no more.
const KEPT_MAX: usize = 4;

/// What Info says before there is a state that knows better.
const FIRST_VERSION: u64 = 1;

/// The last committed height, and what the application remembers beside its state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The chain.
    pub chain_id: String,
    /// Height of the first block.
    pub initial_height: u64,
    /// The last committed height; 0 before the first commit.
    pub height: u64,
    /// Unix seconds of its header time, or of genesis.
    pub time_s: u64,
}

impl Head {
    /// As a database keeps it.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a plain struct has a JSON form")
    }

    /// As a database kept it.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Broken> {
        let damaged = |error: serde_json::Error| StateError::Damaged(error.to_string());
        Ok(serde_json::from_slice(bytes).map_err(damaged)?)
    }

    /// The next block, as far as it can be known before there is one.
    pub fn next_block(&self) -> Block {
        Block {
            chain_id: self.chain_id.clone(),
            height: self.height.saturating_add(1).max(self.initial_height),
            time_s: self.time_s,
            hash: Hash::new([0; 32]),
            has_txs: true,
            absent: Vec::new(),
            misbehaviour: Vec::new(),
            rules: RULES,
            params: modules::params::Decoded::default(),
        }
    }
}

/// What a commit has to write, and what it means outside the state.
#[derive(Clone, Debug)]
pub struct Commit {
    /// The new head.
    pub head: Head,
    /// Batches to write at once with the head, in order; none when nothing changed.
    pub batches: Vec<Arc<Batch>>,
    /// Pushes that ended in the block, well or not.
    pub closed: Vec<PushId>,
    /// Pushes of its transactions that failed: not ordered by these.
    pub failed: Vec<PushId>,
    /// Its transactions, for the mempool.
    pub txs: Vec<Checked>,
}

/// A decided block that waits for its commit.
struct Decided {
    head: Head,
    batch: Option<Arc<Batch>>,
    executed: Executed,
    txs: Vec<Checked>,
}

impl Decided {
    fn failed_pushes(&self) -> Vec<PushId> {
        let results = self.txs.iter().zip(&self.executed.results);
        let failed = results.filter(|(_, result)| result.code != 0);
        let txs = failed.filter_map(|(tx, _)| tx.as_ref().ok());
        txs.flat_map(|tx| tx.pushes().map(|push| push.id(&tx.payer))).collect()
    }
}

/// A proposal that was executed.
struct Kept {
    hash: Hash,
    executed: Executed,
    txs: Vec<Checked>,
}

/// The state machine.
pub struct App {
    store: Arc<dyn Store>,
    head: Option<Head>,
    /// Genesis, until the first commit writes it.
    genesis: Option<Arc<Batch>>,
    rules: Rules,
    /// What this node proposed last.
    prepared: Option<Prepared>,
    kept: VecDeque<Kept>,
    decided: Option<Decided>,
}

impl App {
    /// On a store whose last committed height is `head`; `None` before the first commit.
    pub fn new(store: Arc<dyn Store>, head: Option<Head>) -> Self {
        Self::with_rules(store, head, RULES)
    }

    /// The same, of a program that knows these rules.
    pub fn with_rules(store: Arc<dyn Store>, head: Option<Head>, rules: Rules) -> Self {
        let kept = VecDeque::new();
        Self { store, head, genesis: None, rules, prepared: None, kept, decided: None }
    }

    /// Whether this program knows the rules of the blocks from the next one to `last`, as far as it
    /// is agreed on what they will be; at 0, whether it knows those that the state was made under.
    ///
    /// # Errors
    /// [`Broken::Upgrade`] when it does not.
    pub fn check_rules(&self, last: u64) -> Result<(), Broken> {
        let Some(head) = &self.head else { return Ok(()) };
        let state = self.state()?;
        let now = (head.next_block().height, modules::params::get(&state)?.app_version);
        governance::check_rules(&state, now, last, self.rules).map(drop)
    }

    /// The last committed head, or that of genesis.
    pub fn head(&self) -> Option<&Head> {
        self.head.as_ref()
    }

    /// The committed state, genesis included before the first commit.
    pub fn state(&self) -> Result<Snapshot, Broken> {
        let height = self.head.as_ref().map_or(0, |head| head.height);
        Ok(match &self.genesis {
            Some(genesis) => {
                let store = Layered::new(self.store.clone(), genesis.clone());
                Snapshot::at(Arc::new(store), genesis.root.version)?
            }
            None => Snapshot::at(self.store.clone(), height)?,
        })
    }

    fn ready(&self) -> Result<&Head, Broken> {
        self.head.as_ref().ok_or(Broken::Call("there was no InitChain yet"))
    }

    /// Height and app hash of the last commit.
    pub fn info(&self) -> Result<ResponseInfo, Broken> {
        info(&self.store, self.head.as_ref().filter(|head| head.height > 0))
    }

    /// Makes the state of genesis. It is written by the first commit.
    pub fn init_chain(&mut self, request: &RequestInitChain) -> Result<ResponseInitChain, Broken> {
        if self.head.as_ref().is_some_and(|head| head.height > 0) {
            return Err(Broken::Call("InitChain came after a commit"));
        }
        let initial_height = u64::try_from(request.initial_height).unwrap_or(1).max(1);
        let time_s = seconds(request.time.as_ref());
        let chain_id = request.chain_id.clone();
        guts_schema::names::check_chain_id(&chain_id)
            .map_err(|error| Broken::Genesis(error.to_string()))?;
        let head = Head { chain_id, initial_height, height: 0, time_s };
        let state = AppState::parse(&request.app_state_bytes)?;
        let evidence_age_s = evidence_age_s(request);
        let origin = Origin { validators: &request.validators, state: &state, evidence_age_s };
        let empty = Snapshot::at(self.store.clone(), 0)?;
        let block = Block { height: initial_height, has_txs: false, ..head.next_block() };
        let mut run = Run::new(&block, &empty);
        match state.whole(&origin, initial_height)? {
            Some(whole) => {
                for (key, value) in whole.iter() {
                    run.state.put(key.to_vec(), value.to_vec())?;
                }
            }
            None => {
                for module in &MODULES {
                    (module.init)(&mut run, &origin)?;
                }
            }
        }
        let batch = empty.commit(run.state.changes(), initial_height - 1)?;
        let batch = batch.ok_or(Broken::Call("genesis writes at least its parameters"))?;
        let app_hash = batch.root.hash.to_vec().into();
        // A chain that goes on from another's state may begin under later rules than the first.
        let version = modules::params::of(&run)?.app_version;
        let consensus_params = (version != FIRST_VERSION).then(|| version_params(version));
        self.genesis = Some(Arc::new(batch));
        self.head = Some(head);
        self.kept.clear();
        self.prepared = None;
        self.decided = None;
        Ok(ResponseInitChain { app_hash, consensus_params, ..Default::default() })
    }

    /// The transactions of a block this node proposes: attestations first, then by nonce and fee.
    /// Keeps what executing them gave, for [`App::process`].
    pub fn prepare(
        &mut self,
        request: &RequestPrepareProposal,
        checker: &dyn Checker,
    ) -> Result<ResponsePrepareProposal, Broken> {
        let next = self.ready()?.next_block();
        let mut block = Block { rules: self.rules, ..next };
        block.time_s = seconds(request.time.as_ref());
        block.misbehaviour = misbehaviour(&request.misbehavior);
        let commit = request.local_last_commit.as_ref();
        let votes = commit.map(|commit| &commit.votes[..]).unwrap_or_default();
        block.absent = absent(votes.iter().map(|vote| (vote.block_id_flag, &vote.validator)));
        let state = self.state()?;
        let cached = Cached::new(&state);
        let mut left = u64::try_from(request.max_tx_bytes).unwrap_or(u64::MAX);
        let (mut txs, mut results, mut attested) = (Vec::new(), Vec::new(), None);
        if let Some(commit) = commit {
            let height = u64::try_from(request.height).unwrap_or(0);
            // Tag and length take at most six bytes.
            let room = usize::try_from(left.saturating_sub(6)).unwrap_or(usize::MAX);
            let pseudo = attest::collect(&state, &block.chain_id, height, commit, room)?;
            if let Some(pseudo) = pseudo {
                left = left.saturating_sub(size_in_block(pseudo.len()));
                attested = Attested::decode(&pseudo).ok();
                txs.push(bytes::Bytes::from(pseudo));
                results.push(ExecTxResult::default());
            }
        }
        let mut run = begin(&block, &cached, attested.as_ref())?;
        let bytes: Vec<&[u8]> = request.txs.iter().map(|tx| &tx[..]).collect();
        let checked = checker.check(&bytes, &ChainRules::new(&block.chain_id));
        let sized: Vec<_> = bytes.iter().map(|tx| tx.len()).zip(checked).collect();
        for (place, result) in choose(&mut run, &sized, left)? {
            txs.push(request.txs[place].clone());
            results.push(result);
        }
        let body = Body::new(run, results);
        self.prepared = Some(Prepared { block, txs: txs.clone(), body });
        Ok(ResponsePrepareProposal { txs })
    }

    /// Whether what this node proposed last waits to be proposed back to it.
    #[cfg(test)]
    pub(crate) fn has_prepared(&self) -> bool {
        self.prepared.is_some()
    }

    /// Whether a proposed block is one that correct nodes vote for: every transaction passes the
    /// stateless checks, attestations are signed. Keeps what executing it gave.
    pub fn process(
        &mut self,
        request: &RequestProcessProposal,
        checker: &dyn Checker,
    ) -> Result<bool, Broken> {
        let Ok(hash) = Hash::from_slice(&request.hash) else { return Ok(false) };
        if self.kept.iter().any(|kept| kept.hash == hash) {
            return Ok(true);
        }
        let mut block = self.block(request.height, request.time.as_ref(), hash, &request.txs)?;
        block.absent = absent_of(request.proposed_last_commit.as_ref());
        block.misbehaviour = misbehaviour(&request.misbehavior);
        let state = self.state()?;
        let items = self.items(&block, &state, &request.txs, checker)?;
        let good = |item: &Item| matches!(item, Item::Attested(_) | Item::Tx(Ok(_)));
        if !items.iter().all(good) {
            return Ok(false);
        }
        let executed = match self.prepared.take_if(|own| own.is(&block, &request.txs)) {
            Some(own) => finish(&block, &state, own.body)?,
            None => execute(&block, &state, &items)?,
        };
        if self.kept.len() == KEPT_MAX {
            self.kept.pop_front();
        }
        self.kept.push_back(Kept { hash, executed, txs: checked_txs(items) });
        Ok(true)
    }

    /// Executes the decided block, or takes what [`App::process`] kept of it.
    pub fn finalize(
        &mut self,
        request: &RequestFinalizeBlock,
        checker: &dyn Checker,
    ) -> Result<ResponseFinalizeBlock, Broken> {
        let hash = Hash::from_slice(&request.hash);
        let hash = hash.map_err(|_| Broken::Call("a block hash has 32 bytes"))?;
        let mut block = self.block(request.height, request.time.as_ref(), hash, &request.txs)?;
        block.absent = absent_of(request.decided_last_commit.as_ref());
        block.misbehaviour = misbehaviour(&request.misbehavior);
        let state = self.state()?;
        let kept = self.kept.iter().position(|kept| kept.hash == hash);
        let (executed, txs) = match kept.and_then(|index| self.kept.remove(index)) {
            Some(kept) => (kept.executed, kept.txs),
            None => {
                let items = self.items(&block, &state, &request.txs, checker)?;
                (execute(&block, &state, &items)?, checked_txs(items))
            }
        };
        let batch = state.commit(&executed.changes, block.height)?;
        let root = batch.as_ref().map(|batch| batch.root).or(state.root());
        let app_hash = root.ok_or(Broken::Call("a state without a root"))?.hash.to_vec();
        let response = ResponseFinalizeBlock {
            events: executed.events.clone(),
            tx_results: executed.results.clone(),
            app_hash: app_hash.into(),
            validator_updates: executed.updates.clone(),
            consensus_param_updates: executed.app_version.map(version_params),
        };
        let head = Head { height: block.height, time_s: block.time_s, ..self.ready()?.clone() };
        self.decided = Some(Decided { head, batch: batch.map(Arc::new), executed, txs });
        Ok(response)
    }

    /// What to write for the decided block. Call [`App::committed`] once it is written.
    pub fn commit(&self) -> Result<Commit, Broken> {
        let decided = self.decided.as_ref().ok_or(Broken::Call("Commit before FinalizeBlock"))?;
        Ok(Commit {
            head: decided.head.clone(),
            batches: self.genesis.iter().chain(&decided.batch).cloned().collect(),
            closed: decided.executed.closed.clone(),
            failed: decided.failed_pushes(),
            txs: decided.txs.clone(),
        })
    }

    /// The decided block is written.
    pub fn committed(&mut self) -> Result<(), Broken> {
        let decided = self.decided.take().ok_or(Broken::Call("no block was decided"))?;
        self.head = Some(decided.head);
        self.genesis = None;
        self.kept.clear();
        self.prepared = None;
        Ok(())
    }

    /// The pushes on which this validator's extension of its precommit for the block `hash` can
    /// have a verdict, by arrival: those that this very block orders included, where it was
    /// executed.
    pub fn pending_after(&self, hash: &[u8]) -> Result<Vec<PushId>, Broken> {
        match self.kept.iter().find(|kept| kept.hash.as_bytes() == hash) {
            Some(kept) => Ok(kept.executed.pending.clone()),
            None => Ok(modules::push::pending(&self.state()?)?.0),
        }
    }

    /// Whether another validator's extension is one. Purely syntactic: what it says may be about
    /// pushes this node has not seen.
    pub fn verify_vote_extension(extension: &[u8]) -> bool {
        extension.is_empty()
            || decode_extension(extension).is_ok_and(|verdicts| !verdicts.is_empty())
    }

    fn block(
        &self,
        height: i64,
        time: Option<&Timestamp>,
        hash: Hash,
        txs: &[bytes::Bytes],
    ) -> Result<Block, Broken> {
        let head = self.ready()?;
        let next = head.next_block();
        if u64::try_from(height) != Ok(next.height) {
            return Err(Broken::Call("a block that does not follow the last committed one"));
        }
        let (time_s, has_txs) = (seconds(time), !txs.is_empty());
        Ok(Block { time_s, hash, has_txs, rules: self.rules, ..next })
    }

    fn items(
        &self,
        block: &Block,
        state: &Snapshot,
        txs: &[bytes::Bytes],
        checker: &dyn Checker,
    ) -> Result<Vec<Item>, Broken> {
        let mut items = Vec::with_capacity(txs.len());
        let mut rest = txs;
        if let Some((first, others)) = txs.split_first().filter(|(first, _)| is_pseudo_tx(first)) {
            items.push(match Attested::decode(first) {
                Ok(attested) => {
                    match attest::check(state, &block.chain_id, block.height, &attested)? {
                        None => Item::Attested(attested),
                        Some(why) => bad_pseudo_tx(why),
                    }
                }
                Err(error) => bad_pseudo_tx(&error.to_string()),
            });
            rest = others;
        }
        let bytes: Vec<&[u8]> = rest.iter().map(|tx| &tx[..]).collect();
        let checked = checker.check(&bytes, &ChainRules::new(&block.chain_id));
        items.extend(checked.into_iter().map(Item::Tx));
        Ok(items)
    }
}

fn checked_txs(items: Vec<Item>) -> Vec<Checked> {
    let checked = items.into_iter().map(|item| match item {
        Item::Tx(checked) => checked,
        Item::Attested(_) | Item::Refused(_) => Err(TxError::PseudoTx),
    });
    checked.collect()
}

/// Height and app hash of the last commit.
pub fn info(store: &Arc<dyn Store>, head: Option<&Head>) -> Result<ResponseInfo, Broken> {
    let mut response = ResponseInfo {
        data: "guts".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        app_version: FIRST_VERSION,
        ..Default::default()
    };
    if let Some(head) = head {
        let snapshot = Snapshot::at(store.clone(), head.height)?;
        let root = snapshot.root().ok_or(StateError::NoVersion(head.height))?;
        response.app_version = modules::params::get(&snapshot)?.app_version;
        response.last_block_height = i64::try_from(head.height).unwrap_or(i64::MAX);
        response.last_block_app_hash = root.hash.to_vec().into();
    }
    Ok(response)
}

/// The version of the rules, as headers have it from the next block on.
fn version_params(app: u64) -> ConsensusParams {
    ConsensusParams { version: Some(VersionParams { app }), ..Default::default() }
}

/// For how many seconds the engine takes evidence: stake answers no longer. 0: nobody said.
fn evidence_age_s(request: &RequestInitChain) -> u64 {
    let params = request.consensus_params.as_ref();
    let age = params.and_then(|params| params.evidence.as_ref()?.max_age_duration.as_ref());
    age.and_then(|age| u64::try_from(age.seconds).ok()).unwrap_or(0)
}

/// Validators whose signature a commit lacks. A vote for nil is a signature too.
fn absent<'a>(votes: impl Iterator<Item = (i32, &'a Option<Validator>)>) -> Vec<ValidatorAddress> {
    let absent = votes.filter(|(flag, _)| *flag == i32::from(BlockIdFlag::Absent));
    absent.filter_map(|(_, validator)| address(validator.as_ref())).collect()
}

fn absent_of(commit: Option<&CommitInfo>) -> Vec<ValidatorAddress> {
    let votes = commit.map(|commit| &commit.votes[..]).unwrap_or_default();
    absent(votes.iter().map(|vote| (vote.block_id_flag, &vote.validator)))
}

fn misbehaviour(evidence: &[Misbehavior]) -> Vec<Misbehaviour> {
    let read = |one: &Misbehavior| {
        let height = u64::try_from(one.height).ok()?;
        Some(Misbehaviour { validator: address(one.validator.as_ref())?, height })
    };
    evidence.iter().filter_map(read).collect()
}

fn address(validator: Option<&Validator>) -> Option<ValidatorAddress> {
    ValidatorAddress::from_slice(&validator?.address).ok()
}

/// Unix seconds; times before 1970 are 0.
fn seconds(time: Option<&Timestamp>) -> u64 {
    time.and_then(|time| u64::try_from(time.seconds).ok()).unwrap_or(0)
}

/// The transactions of a commit that were transactions.
pub fn good_txs(txs: &[Checked]) -> impl Iterator<Item = &Tx> {
    txs.iter().filter_map(|checked| checked.as_ref().ok().map(|tx| &***tx))
}
