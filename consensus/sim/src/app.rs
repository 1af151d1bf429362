//! The application of a node: the reference application over a store that can be rolled back,
//! with the call grammar checked.
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use guts_abci::grammar::Checker;
use guts_abci::kvstore::{Batch, KvStore, State, Store, Transaction, Validators, served};
use guts_abci::proto::abci::response_process_proposal::ProposalStatus;
use guts_abci::proto::abci::response_verify_vote_extension::VerifyStatus;
use guts_abci::proto::abci::{self as pb, request, response};
use guts_abci::proto::crypto::public_key::Sum;
use guts_abci::{Answer, Application, Served};
use guts_consensus::io::{AppAnswer, AppCall, AppException};
use guts_genesis::PublicKey;

/// Blocks whose hash begins with a lower byte are declined: one in thirty-two.
const DECLINED_BELOW: u8 = 8;

/// One committed version.
#[derive(Clone, Default)]
struct Version {
    state: State,
    pairs: Arc<BTreeMap<Bytes, Bytes>>,
    validators: Validators,
}

/// A store that keeps every version, so that a crash can take the newest.
#[derive(Default)]
pub struct History {
    versions: Mutex<Vec<Version>>,
    villains: Arc<BTreeSet<PublicKey>>,
}

impl History {
    /// The store of a network with these byzantine validators.
    pub fn new(villains: Arc<BTreeSet<PublicKey>>) -> History {
        History { versions: Mutex::default(), villains }
    }

    /// Whether no validator alone and not all villains together have a third of these powers.
    pub fn is_fair(&self, powers: &BTreeMap<Bytes, i64>) -> bool {
        let total: i64 = powers.values().sum();
        let evil = self.villains.iter().filter_map(|key| powers.get(key.as_bytes()));
        let largest = powers.values().max().copied().unwrap_or(0);
        largest * 3 < total && evil.sum::<i64>() * 3 < total
    }

    fn last(&self) -> Version {
        let versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        versions.last().cloned().unwrap_or_default()
    }

    /// The committed height.
    pub fn height(&self) -> i64 {
        self.last().state.height
    }

    /// Power of each validator, by key.
    fn powers(&self) -> BTreeMap<Bytes, i64> {
        self.last().validators.all().map(|one| (key_bytes(one), one.power)).collect()
    }

    /// Forgets the newest `count` versions; says how many there were to forget.
    pub fn roll_back(&self, count: usize) -> usize {
        let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = versions.len().saturating_sub(count);
        let lost = versions.len() - kept;
        versions.truncate(kept);
        lost
    }
}

impl Store for History {
    fn state(&self) -> State {
        self.last().state
    }

    fn get(&self, key: &[u8]) -> Answer<Option<Bytes>> {
        Ok(self.last().pairs.get(key).cloned())
    }

    fn validator_by_key(&self, key: &[u8]) -> Option<pb::ValidatorUpdate> {
        self.last().validators.by_key(key)
    }

    fn validator_by_address(&self, address: &[u8]) -> Option<pb::ValidatorUpdate> {
        self.last().validators.by_address(address)
    }

    fn commit(&self, batch: Batch) -> Answer<()> {
        let mut version = self.last();
        version.state = batch.state;
        if !batch.pairs.is_empty() {
            let pairs = Arc::make_mut(&mut version.pairs);
            pairs.extend(batch.pairs);
        }
        version.validators.apply(batch.validators);
        self.versions.lock().unwrap_or_else(PoisonError::into_inner).push(version);
        Ok(())
    }
}

/// The reference application, which lowers a validator's power for each piece of evidence, but at
/// most once a block and not to zero.
struct Lenient {
    inner: KvStore,
    store: Arc<History>,
}

impl Lenient {
    /// A transaction may come twice, late, or never: changes that would give one validator, or all
    /// villains, a third of the power, remove one that is not there, or change one twice in a
    /// block, do nothing.
    fn drop_unsafe_changes(&self, txs: &mut [Bytes]) {
        let mut powers: BTreeMap<Bytes, i64> = self.store.powers();
        let mut changed = BTreeSet::new();
        for tx in txs {
            let Ok(Transaction::Validator(update)) = Transaction::parse(tx) else { continue };
            let key = key_bytes(&update);
            let mut after = powers.clone();
            after.insert(key.clone(), update.power);
            let known = powers.get(&key).copied().unwrap_or(0);
            let sound = self.store.is_fair(&after) && (update.power > 0 || known > 0);
            if sound && changed.insert(key) {
                powers = after;
            } else {
                *tx = Bytes::from_static(b"skipped=1");
            }
        }
    }
}

fn key_bytes(update: &pb::ValidatorUpdate) -> Bytes {
    match update.pub_key.as_ref().and_then(|key| key.sum.as_ref()) {
        Some(Sum::Ed25519(key) | Sum::Secp256k1(key)) => Bytes::copy_from_slice(key),
        None => Bytes::new(),
    }
}

impl Application for Lenient {
    fn init_chain(&mut self, request: pb::RequestInitChain) -> Answer<pb::ResponseInitChain> {
        self.inner.init_chain(request)
    }

    fn prepare_proposal(
        &mut self,
        request: pb::RequestPrepareProposal,
    ) -> Answer<pb::ResponsePrepareProposal> {
        self.inner.prepare_proposal(request)
    }

    fn process_proposal(
        &mut self,
        request: pb::RequestProcessProposal,
    ) -> Answer<pb::ResponseProcessProposal> {
        // Now and then a block is declined: by all, as it must be, or else some would be locked on
        // what others never take.
        if request.hash.first().is_some_and(|byte| *byte < DECLINED_BELOW) {
            let status = ProposalStatus::Reject.into();
            return Ok(pb::ResponseProcessProposal { status });
        }
        self.inner.process_proposal(request)
    }

    fn extend_vote(&mut self, request: pb::RequestExtendVote) -> Answer<pb::ResponseExtendVote> {
        let vote_extension = Bytes::from(format!("extension of {}", request.height));
        Ok(pb::ResponseExtendVote { vote_extension })
    }

    fn verify_vote_extension(
        &mut self,
        request: pb::RequestVerifyVoteExtension,
    ) -> Answer<pb::ResponseVerifyVoteExtension> {
        let expected = format!("extension of {}", request.height);
        let good =
            request.vote_extension == expected.as_bytes() || request.vote_extension.is_empty();
        let status = if good { VerifyStatus::Accept } else { VerifyStatus::Reject };
        Ok(pb::ResponseVerifyVoteExtension { status: status.into() })
    }

    fn finalize_block(
        &mut self,
        mut request: pb::RequestFinalizeBlock,
    ) -> Answer<pb::ResponseFinalizeBlock> {
        let mut seen = Vec::new();
        request.misbehavior.retain(|one| {
            let validator = one.validator.clone().unwrap_or_default();
            let known = self.store.validator_by_address(&validator.address);
            let first = !seen.contains(&validator.address);
            seen.push(validator.address);
            first && validator.power > 1 && known.is_some_and(|known| known.power > 1)
        });
        self.drop_unsafe_changes(&mut request.txs);
        self.inner.finalize_block(request)
    }

    fn commit(&mut self, request: pb::RequestCommit) -> Answer<pb::ResponseCommit> {
        self.inner.commit(request)
    }
}

/// An application process and the engine's conversation with it.
pub struct App {
    /// What survives the process.
    pub store: Arc<History>,
    served: Served,
    checker: Checker,
}

impl App {
    /// A process over a store.
    pub fn new(store: Arc<History>) -> App {
        let reader = served(Arc::clone(&store) as Arc<dyn Store>).reader;
        let inner = KvStore::new(Arc::clone(&store) as Arc<dyn Store>);
        let app = Box::new(Lenient { inner, store: Arc::clone(&store) });
        let checker = Checker::new(store.height());
        App { store, served: Served { app, reader }, checker }
    }

    /// An engine connects anew.
    pub fn connect(&mut self) {
        self.checker = Checker::new(self.store.height());
    }

    /// Answers a call. An error is a call the grammar does not allow.
    pub fn call(&mut self, call: AppCall) -> Result<Result<AppAnswer, AppException>, String> {
        let request = request_of(&call);
        self.checker.on_call(&request).map_err(|violation| violation.to_string())?;
        let answer = self.answer(call);
        if let Ok(AppAnswer::Info(info)) = &answer {
            self.checker.on_answer(&response::Value::Info(info.clone()));
        }
        Ok(answer)
    }

    fn answer(&mut self, call: AppCall) -> Result<AppAnswer, AppException> {
        let (app, reader) = (&mut self.served.app, &self.served.reader);
        let answer = match call {
            AppCall::Info(request) => reader.info(request).map(AppAnswer::Info),
            AppCall::InitChain(request) => {
                app.init_chain(*request).map(Box::new).map(AppAnswer::InitChain)
            }
            AppCall::PrepareProposal(request) => {
                app.prepare_proposal(*request).map(AppAnswer::PrepareProposal)
            }
            AppCall::ProcessProposal(request) => {
                app.process_proposal(*request).map(AppAnswer::ProcessProposal)
            }
            AppCall::ExtendVote(request) => app.extend_vote(*request).map(AppAnswer::ExtendVote),
            AppCall::VerifyVoteExtension(request) => {
                app.verify_vote_extension(*request).map(AppAnswer::VerifyVoteExtension)
            }
            AppCall::FinalizeBlock(request) => {
                app.finalize_block(*request).map(Box::new).map(AppAnswer::FinalizeBlock)
            }
            AppCall::Commit => app.commit(pb::RequestCommit {}).map(AppAnswer::Commit),
            AppCall::CheckTx(request) => reader.check_tx(request).map(AppAnswer::CheckTx),
        };
        answer.map_err(|exception| AppException(exception.0))
    }
}

fn request_of(call: &AppCall) -> request::Value {
    use request::Value;
    match call {
        AppCall::Info(request) => Value::Info(request.clone()),
        AppCall::InitChain(request) => Value::InitChain((**request).clone()),
        AppCall::PrepareProposal(request) => Value::PrepareProposal((**request).clone()),
        AppCall::ProcessProposal(request) => Value::ProcessProposal((**request).clone()),
        AppCall::ExtendVote(request) => Value::ExtendVote((**request).clone()),
        AppCall::VerifyVoteExtension(request) => Value::VerifyVoteExtension((**request).clone()),
        AppCall::FinalizeBlock(request) => Value::FinalizeBlock((**request).clone()),
        AppCall::Commit => Value::Commit(pb::RequestCommit {}),
        AppCall::CheckTx(request) => Value::CheckTx(request.clone()),
    }
}
