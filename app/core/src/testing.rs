//! A small world for tests: four validators, a chain that commits what it is given, and a replica
//! that executes every block without having seen it proposed. Every block is audited whole.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};

use guts_abci::extension_sign_bytes;
use guts_abci::proto::abci::{
    CommitInfo, Event, ExecTxResult, ExtendedCommitInfo, ExtendedVoteInfo, Misbehavior,
    MisbehaviorType, RequestFinalizeBlock, RequestInitChain, RequestPrepareProposal,
    RequestProcessProposal, Validator, ValidatorUpdate, VoteInfo,
};
use guts_abci::proto::crypto::{PublicKey, public_key::Sum};
use guts_abci::proto::google::protobuf::Timestamp;
use guts_abci::proto::types::BlockIdFlag;
use guts_schema::attest::Verdict;
use guts_schema::certificate::NAMESPACE;
use guts_schema::ids::ValidatorAddress;
use guts_schema::nonce::PushNonce;
use guts_schema::proto::SignatureForm;
use guts_schema::sign::{ProofOf, SecretKey, proof_message};
use guts_schema::sshsig::{self, SshSignature};
use guts_schema::tx::{Draft, KeyProof, PushRefs};
use guts_schema::{AccountId, Action, Code, Hash, PushId, certificate::Certificate};
use guts_state::{MemoryStore, Snapshot};

use crate::app::{App, Commit};
use crate::attest::Said;
use crate::checker::Direct;
use crate::fault::Broken;
use crate::genesis::AppState;
use crate::modules;
use crate::modules::account::GenesisAccount;
use crate::modules::repo::{Format, GenesisRepo};
use crate::modules::staking::Operator;
use crate::rules::{RULES, Rules};
use crate::whole::Whole;

pub mod refusals;
pub mod stake;

pub const CHAIN: &str = "guts-test";
/// Enough for any transaction of these tests.
pub const FEE: u64 = 10_000;
const GENESIS_S: u64 = 1_800_000_000;

/// Somebody with a key.
#[derive(Clone)]
pub struct Person {
    pub secret: SecretKey,
    pub id: AccountId,
}

impl Person {
    pub fn new(seed: u8) -> Self {
        let secret = SecretKey::from_seed([seed; 32]);
        let id = AccountId::of_key(&secret.public());
        Self { secret, id }
    }

    /// That this person's key may be used for an account.
    pub fn proof(&self, of: ProofOf, account: &AccountId) -> KeyProof {
        let form = SignatureForm::Plain;
        let message = proof_message(of, CHAIN, account, form);
        KeyProof { signature: self.secret.sign(&message), form }
    }

    /// A push certificate for `repo` (owner/name), signed at header time `time_s`.
    pub fn certificate(&self, repo: &str, time_s: u64, updates: &[(&str, u8, u8)]) -> Certificate {
        let oid = |byte: u8| hex::encode([byte; 20]);
        self.certify(
            repo,
            time_s,
            updates.iter().map(|(name, a, b)| format!("{} {} {name}\n", oid(*a), oid(*b))),
        )
    }

    /// The same, of whole command lines.
    pub fn certify(
        &self,
        repo: &str,
        time_s: u64,
        lines: impl Iterator<Item = String>,
    ) -> Certificate {
        let (owner, name) = repo.split_once('/').unwrap();
        let nonce = PushNonce::new(CHAIN, owner, name, time_s);
        let text = format!(
            "certificate version 0.1\npusher SHA256:x  1795239997 +0000\nnonce {nonce}\n\n{}",
            lines.collect::<String>()
        );
        let signature = self.secret.sign(&sshsig::message(NAMESPACE, text.as_bytes()));
        let signature = SshSignature { key: self.secret.public(), signature };
        let bytes = format!("{text}{}", signature.to_armour(NAMESPACE));
        Certificate::parse(bytes.as_bytes()).unwrap()
    }
}

/// What a block did.
pub struct Outcome {
    pub results: Vec<ExecTxResult>,
    pub events: Vec<Event>,
    pub updates: Vec<ValidatorUpdate>,
    /// Of the rules, where other ones began.
    pub version: Option<u64>,
    pub commit: Commit,
}

impl Outcome {
    /// The code of a result; none for success.
    pub fn code(&self, index: usize) -> Option<Code> {
        let result = &self.results[index];
        assert_eq!(result.code == 0, result.log.is_empty());
        Code::from_number(result.code)
    }

    /// All events of a kind, of transactions and hooks.
    pub fn events(&self, kind: &str) -> Vec<BTreeMap<String, String>> {
        let all = self.results.iter().flat_map(|result| &result.events).chain(&self.events);
        attributes(all, kind)
    }
}

/// What events of a kind say.
fn attributes<'a>(
    events: impl IntoIterator<Item = &'a Event>,
    kind: &str,
) -> Vec<BTreeMap<String, String>> {
    let all = events.into_iter().filter(|event| event.r#type == kind);
    let said =
        |event: &Event| event.attributes.iter().map(|a| (a.key.clone(), a.value.clone())).collect();
    all.map(said).collect()
}

/// One node: an application and its store.
pub struct Node {
    pub store: Arc<RwLock<MemoryStore>>,
    pub app: App,
}

impl Node {
    fn new(state: &AppState, validators: &[Person], first: u64) -> Result<Self, Broken> {
        let store = Arc::new(RwLock::new(MemoryStore::new()));
        let mut app = App::new(store.clone(), None);
        let validators = validators.iter().map(|validator| ValidatorUpdate {
            pub_key: Some(PublicKey {
                sum: Some(Sum::Ed25519(validator.secret.public().to_vec())),
            }),
            power: 10,
        });
        app.init_chain(&RequestInitChain {
            time: Some(time(GENESIS_S)),
            chain_id: CHAIN.into(),
            validators: validators.collect(),
            app_state_bytes: state.to_json().into(),
            initial_height: first as i64,
            ..Default::default()
        })?;
        Ok(Self { store, app })
    }

    fn commit(&mut self) -> Commit {
        let commit = self.app.commit().unwrap();
        for batch in &commit.batches {
            self.store.write().unwrap().write(batch);
        }
        self.app.committed().unwrap();
        commit
    }

    pub fn whole(&self) -> Whole {
        Whole::new(self.store.read().unwrap().entries(u64::MAX).unwrap())
    }
}

/// The world.
pub struct World {
    pub validators: Vec<Person>,
    pub alice: Person,
    pub bob: Person,
    /// Operates validator 0.
    pub gateway: Person,
    pub node: Node,
    replica: Node,
    pub height: u64,
    pub time_s: u64,
    /// Places of validators that sign nothing from now on.
    pub absent: Vec<usize>,
    /// Evidence for the next block.
    pub evidence: Vec<Misbehavior>,
    /// What each validator says about pushes, once it is asked.
    pub verdicts: Vec<BTreeMap<PushId, Verdict>>,
    extensions: Vec<Vec<u8>>,
    said: Vec<Said>,
    /// What the node knows.
    rules: Rules,
}

pub fn time(seconds: u64) -> Timestamp {
    Timestamp { seconds: seconds as i64, nanos: 0 }
}

fn account(person: &Person, handle: &str) -> GenesisAccount {
    let key = person.secret.public();
    GenesisAccount { key, handle: handle.into(), balance: 1_000_000_000 }
}

impl World {
    /// Alice with a handle and a repository, Bob and a gateway's operator without.
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    /// The same, with another genesis.
    pub fn with(change: impl FnOnce(&mut AppState)) -> Self {
        let mut state = Self::genesis();
        change(&mut state);
        Self::try_genesis(4, &state).unwrap()
    }

    pub fn genesis() -> AppState {
        let (alice, bob, gateway) = (Person::new(101), Person::new(102), Person::new(103));
        let mut state = AppState::default();
        state.account.accounts =
            vec![account(&alice, "alice"), account(&bob, ""), account(&gateway, "")];
        let id = |entry: &GenesisAccount| AccountId::of_key(&entry.key);
        state.account.accounts.sort_by_key(id);
        state.staking.operators = vec![Operator {
            consensus_key: Person::new(1).secret.public(),
            account: gateway.id,
            gateway: "http://127.0.0.1:8080".into(),
        }];
        state.repo.repos = vec![GenesisRepo {
            owner: "alice".into(),
            name: "hello".into(),
            description: String::new(),
            default_branch: "refs/heads/main".into(),
            object_format: Format::Sha1,
        }];
        state
    }

    pub fn try_genesis(count: u8, state: &AppState) -> Result<Self, Broken> {
        let validators: Vec<Person> = (1..=count).map(Person::new).collect();
        Ok(Self {
            node: Node::new(state, &validators, 1)?,
            replica: Node::new(state, &validators, 1)?,
            alice: Person::new(101),
            bob: Person::new(102),
            gateway: Person::new(103),
            height: 0,
            time_s: GENESIS_S,
            absent: Vec::new(),
            evidence: Vec::new(),
            verdicts: vec![BTreeMap::new(); validators.len()],
            extensions: vec![Vec::new(); validators.len()],
            said: vec![Said::default(); validators.len()],
            rules: RULES,
            validators,
        })
    }

    /// The same world, with `first` as the height of its first block.
    pub fn start_at(&mut self, first: u64) {
        let state = Self::genesis();
        self.node = Node::new(&state, &self.validators, first).unwrap();
        self.replica = Node::new(&state, &self.validators, first).unwrap();
        self.height = first - 1;
    }

    /// A world that goes on from an exported state, at this one's height and time.
    pub fn restarted(&self, state: &AppState) -> Result<Self, Broken> {
        let first = self.height + 1;
        let mut world = Self::try_genesis(4, &Self::genesis())?;
        world.node = Node::new(state, &self.validators, first)?;
        world.replica = Node::new(state, &self.validators, first)?;
        (world.height, world.time_s) = (self.height, self.time_s);
        world.extensions.clone_from(&self.extensions);
        Ok(world)
    }

    pub fn state(&self) -> Snapshot {
        self.node.app.state().unwrap()
    }

    pub fn nonce(&self, who: &Person) -> u64 {
        modules::account::get(&self.state(), &who.id).unwrap().unwrap_or_default().nonce
    }

    /// A transaction paid by a fee, with the payer's next nonce.
    pub fn tx(&self, payer: &Person, actions: &[Action]) -> Vec<u8> {
        self.tx_at(payer, self.nonce(payer), actions)
    }

    /// The same, signed by another account too.
    pub fn tx_with(&self, payer: &Person, other: &Person, actions: &[Action]) -> Vec<u8> {
        let draft = Draft::new(CHAIN, payer.id, self.nonce(payer), actions).fee(FEE);
        draft.sign(payer.id, &payer.secret).sign(other.id, &other.secret).encode()
    }

    /// The same, signed by a key that is not the account's first.
    pub fn tx_by(&self, account: &Person, key: &SecretKey, actions: &[Action]) -> Vec<u8> {
        let draft = Draft::new(CHAIN, account.id, self.nonce(account), actions).fee(FEE);
        draft.sign(account.id, key).encode()
    }

    pub fn tx_at(&self, payer: &Person, nonce: u64, actions: &[Action]) -> Vec<u8> {
        let draft = Draft::new(CHAIN, payer.id, nonce, actions).fee(FEE);
        draft.sign(payer.id, &payer.secret).encode()
    }

    /// A push through the gateway, free to it.
    pub fn push(&self, certificate: &Certificate) -> Vec<u8> {
        self.push_at(self.nonce(&self.gateway), certificate)
    }

    pub fn push_at(&self, nonce: u64, certificate: &Certificate) -> Vec<u8> {
        let push = Action::PushRefs(Box::new(whole(certificate)));
        let draft = Draft::new(CHAIN, self.gateway.id, nonce, &[push]).stake();
        draft.sign(self.gateway.id, &self.gateway.secret).encode()
    }

    /// The push of a certificate through the gateway.
    pub fn push_id(&self, certificate: &Certificate) -> PushId {
        whole(certificate).id(&self.gateway.id)
    }

    /// The push of a certificate that somebody else brings, for a fee, with a pack that they say
    /// it has; and its transaction.
    pub fn push_by(
        &self,
        who: &Person,
        certificate: &Certificate,
        pack: &str,
    ) -> (PushId, Vec<u8>) {
        let pack = Some((Hash::of(pack.as_bytes()), 100));
        let push = PushRefs { certificate: certificate.clone(), pack, operator: None };
        let id = push.id(&who.id);
        (id, self.tx(who, &[Action::PushRefs(Box::new(push))]))
    }

    /// Lets validators `who` give a verdict on a push from now on.
    pub fn attest(&mut self, push: PushId, who: std::ops::Range<usize>, verdict: Verdict) {
        for verdicts in &mut self.verdicts[who] {
            verdicts.insert(push, verdict);
        }
    }

    /// The commit of the last block with its extensions.
    pub fn last_commit(&self) -> ExtendedCommitInfo {
        let voters = self.validators.iter().zip(&self.extensions).enumerate();
        let votes = voters.map(|(place, (validator, extension))| {
            if self.absent.contains(&place) {
                let address = address(validator).to_vec().into();
                return ExtendedVoteInfo {
                    validator: Some(Validator { address, power: 10 }),
                    block_id_flag: BlockIdFlag::Absent.into(),
                    ..Default::default()
                };
            }
            let bytes = extension_sign_bytes(CHAIN, self.height as i64, 0, extension);
            ExtendedVoteInfo {
                validator: Some(Validator {
                    address: address(validator).to_vec().into(),
                    power: 10,
                }),
                vote_extension: extension.clone().into(),
                extension_signature: validator.secret.sign(&bytes).to_vec().into(),
                block_id_flag: BlockIdFlag::Commit.into(),
            }
        });
        ExtendedCommitInfo { round: 0, votes: votes.collect() }
    }

    /// What a proposer makes of these transactions.
    pub fn prepare(&mut self, txs: Vec<Vec<u8>>, max_tx_bytes: i64) -> Vec<bytes::Bytes> {
        let request = RequestPrepareProposal {
            max_tx_bytes,
            txs: txs.into_iter().map(Into::into).collect(),
            local_last_commit: (self.height > 0).then(|| self.last_commit()),
            height: self.height as i64 + 1,
            time: Some(time(self.time_s + 1)),
            misbehavior: self.evidence.clone(),
            ..Default::default()
        };
        self.node.app.prepare(&request, &Direct).unwrap().txs
    }

    /// What the engine says about the last commit.
    fn commit_info(&self) -> CommitInfo {
        let vote = |(place, validator): (usize, &Person)| VoteInfo {
            validator: Some(Validator { address: address(validator).to_vec().into(), power: 10 }),
            block_id_flag: if self.absent.contains(&place) {
                BlockIdFlag::Absent.into()
            } else {
                BlockIdFlag::Commit.into()
            },
        };
        let votes = self.validators.iter().enumerate().map(vote).collect();
        CommitInfo { round: 0, votes }
    }

    /// Evidence in the next block that a validator signed two blocks of one height.
    pub fn double_sign(&mut self, place: usize, height: u64) {
        self.evidence.push(Misbehavior {
            r#type: MisbehaviorType::DuplicateVote.into(),
            validator: Some(Validator {
                address: address(&self.validators[place]).to_vec().into(),
                power: 10,
            }),
            height: height as i64,
            time: Some(time(self.time_s)),
            total_voting_power: 40,
        });
    }

    pub fn process(&mut self, txs: &[bytes::Bytes]) -> bool {
        let request = RequestProcessProposal {
            txs: txs.to_vec(),
            hash: self.hash(txs).to_vec().into(),
            height: self.height as i64 + 1,
            time: Some(time(self.time_s + 1)),
            proposed_last_commit: Some(self.commit_info()),
            misbehavior: self.evidence.clone(),
            ..Default::default()
        };
        self.node.app.process(&request, &Direct).unwrap()
    }

    fn hash(&self, txs: &[bytes::Bytes]) -> Hash {
        let all: Vec<u8> = txs.iter().flat_map(|tx| tx.to_vec()).collect();
        Hash::of(&[&self.height.to_be_bytes()[..], &all].concat())
    }

    /// A block, one second after the last: prepared, accepted, extended, decided, committed; and
    /// replayed by the replica. Transactions are taken as given, after attestations.
    pub fn block(&mut self, txs: Vec<Vec<u8>>) -> Outcome {
        let mut all = self.prepare(Vec::new(), 1 << 20);
        all.extend(txs.into_iter().map(bytes::Bytes::from));
        assert!(self.process(&all), "a good block is accepted");
        self.decide(all)
    }

    /// Decides a block, whether or not it was accepted.
    pub fn decide(&mut self, txs: Vec<bytes::Bytes>) -> Outcome {
        let hash = self.hash(&txs);
        let pending = self.node.app.pending_after(hash.as_bytes()).unwrap();
        let voters = self.said.iter_mut().zip(&self.verdicts);
        for (extension, (said, verdicts)) in self.extensions.iter_mut().zip(voters) {
            *extension = said.extension(&pending, verdicts);
            assert!(App::verify_vote_extension(extension));
        }
        let request = RequestFinalizeBlock {
            hash: hash.to_vec().into(),
            height: self.height as i64 + 1,
            time: Some(time(self.time_s + 1)),
            txs: txs.clone(),
            decided_last_commit: Some(self.commit_info()),
            misbehavior: std::mem::take(&mut self.evidence),
            ..Default::default()
        };
        let before = self.state().root();
        let was_pending = !modules::push::pending(&self.state()).unwrap().0.is_empty();
        let epoch = modules::staking::epoch(&self.state()).unwrap();
        let response = self.node.app.finalize(&request, &Direct).unwrap();
        let replayed = self.replica.app.finalize(&request, &Direct).unwrap();
        assert_eq!(response, replayed, "a replay gives the same result and events");
        self.hear(&request, &response);
        let commit = self.node.commit();
        self.replica.commit();
        self.height += 1;
        self.time_s += 1;
        modules::audit(&self.node.whole()).unwrap();
        let same_epoch = modules::staking::epoch(&self.state()).unwrap() == epoch;
        let same_rules = response.consensus_param_updates.is_none();
        let quiet = request.misbehavior.is_empty() && same_epoch && same_rules;
        if txs.is_empty() && !was_pending && quiet {
            assert_eq!(self.state().root(), before, "a block without anything to do rests");
        }
        let root = self.state().root().unwrap();
        assert_eq!(root.hash[..], response.app_hash[..]);
        let version = response.consensus_param_updates.and_then(|params| params.version);
        Outcome {
            results: response.tx_results,
            events: response.events,
            updates: response.validator_updates,
            version: version.map(|version| version.app),
            commit,
        }
    }

    /// A block with one transaction; its code.
    pub fn one(&mut self, tx: Vec<u8>) -> Option<Code> {
        let outcome = self.block(vec![tx]);
        outcome.code(outcome.results.len() - 1)
    }

    /// A block with one transaction, which must be refused: its code and sentence.
    pub fn refused(&mut self, tx: Vec<u8>) -> (Code, String) {
        let outcome = self.block(vec![tx]);
        let last = outcome.results.len() - 1;
        (outcome.code(last).expect("it is refused"), outcome.results[last].log.clone())
    }

    /// Orders a push and lets all validators find it good; its id.
    pub fn pushed(&mut self, who: &Person, repo: &str, updates: &[(&str, u8, u8)]) -> PushId {
        let certificate = who.certificate(repo, self.time_s, updates);
        let id = self.push_id(&certificate);
        self.attest(id, 0..4, Verdict::Good);
        assert_eq!(self.one(self.push(&certificate)), None);
        self.block(vec![]);
        id
    }

    /// Starts both nodes again with a program that knows other rules.
    pub fn install(&mut self, rules: Rules) {
        for node in [&mut self.node, &mut self.replica] {
            let head = node.app.head().cloned();
            node.app = App::with_rules(node.store.clone(), head, rules);
        }
        self.rules = rules;
    }

    /// Restarts the node from its store.
    pub fn restart(&mut self) {
        let head = self.node.app.head().unwrap().to_bytes();
        let head = crate::app::Head::from_bytes(&head).unwrap();
        self.node.app = App::new(self.node.store.clone(), Some(head));
        self.rules = RULES;
    }
}

/// A push with a pack.
fn whole(certificate: &Certificate) -> PushRefs {
    let pack = Some((Hash::of(b"pack"), 100));
    PushRefs { certificate: certificate.clone(), pack, operator: None }
}

pub fn address(validator: &Person) -> ValidatorAddress {
    ValidatorAddress::of_key(&validator.secret.public())
}

pub fn balance(world: &World, who: &Person) -> u64 {
    modules::account::get(&world.state(), &who.id).unwrap().unwrap().balance
}

/// What people do in one block, in order; what becomes of each.
pub fn together(world: &mut World, acts: Vec<(Person, Action)>) -> Vec<ExecTxResult> {
    let mut nonces = BTreeMap::new();
    let txs = acts.into_iter().map(|(who, action)| {
        let nonce = nonces.entry(who.id).or_insert_with(|| world.nonce(&who));
        let tx = world.tx_at(&who, *nonce, &[action]);
        *nonce += 1;
        tx
    });
    let txs = txs.collect();
    world.block(txs).results
}

/// Somebody does something alone in a block, and it takes effect.
pub fn done(world: &mut World, who: &Person, action: Action) {
    let outcome = world.block(vec![world.tx(who, &[action])]);
    let last = outcome.results.len() - 1;
    assert_eq!(outcome.code(last), None, "{}", outcome.results[last].log);
}

/// Somebody tries something alone in a block; the rule that says no, and what is in its sentence.
pub fn refused(world: &mut World, who: &Person, action: Action, code: Code, text: &str) {
    let (found, sentence) = world.refused(world.tx(who, &[action]));
    assert_eq!(found, code, "{sentence}");
    assert!(sentence.contains(text), "{sentence}");
}
