//! What is looked at before it is ordered, for how long, and who waits for it.

use std::sync::RwLock;

use guts_abci::proto::abci::{RequestInitChain, ValidatorUpdate};
use guts_abci::proto::crypto::{PublicKey, public_key::Sum};
use guts_abci::proto::google::protobuf::Timestamp;
use guts_app_core::{App, Head};
use guts_git::Limits;
use guts_schema::certificate::{Certificate, NAMESPACE};
use guts_schema::nonce::PushNonce;
use guts_schema::sign::SecretKey;
use guts_schema::sshsig::{self, SshSignature};
use guts_schema::tx::Draft;
use guts_schema::{Action, ChainRules, keys, proto, validate, values};
use guts_state::{MemoryStore, Overlay, Snapshot};
use tempfile::TempDir;

use super::*;
use crate::config::Config;
use crate::held::Held;

const BYTES_MAX: u64 = 1000;

/// The checks of a node. Where it knows no gateway, none ends.
struct Node {
    checker: Checker,
    dir: TempDir,
}

fn node() -> Node {
    node_with(&Config::default())
}

fn node_with(config: &Config) -> Node {
    let dir = TempDir::new().unwrap();
    let empty = Snapshot::at(Arc::new(MemoryStore::new()), 0).unwrap();
    let mut overlay = Overlay::new(&empty);
    let params = proto::Params { pending_bytes_max: BYTES_MAX, ..Default::default() };
    overlay.put(keys::params(), values::encode(&params)).unwrap();
    let mut store = MemoryStore::new();
    store.write(&empty.commit(&overlay.into_changes(), 1).unwrap().unwrap());
    let head = Head { chain_id: "guts-test".into(), initial_height: 1, height: 1, time_s: 0 };
    let chain = Chain::new(Committed::new(Some(head), Snapshot::at(Arc::new(store), 1).unwrap()));
    let (hook, limits) = (dir.path().join("hook"), Limits::default());
    let repositories = Repositories::open(dir.path(), &hook, limits, chain.format_of()).unwrap();
    let packs = PackStore::open(dir.path()).unwrap();
    let own = AccountId::new([9; AccountId::LEN]);
    let gateways = Gateways::new(chain.clone(), own, config);
    let served = Served::new(chain.newest());
    let runtime = tokio::runtime::Handle::current();
    let checker = Checker::new(chain, served, &repositories, &packs, gateways, runtime);
    Node { checker, dir }
}

fn id(number: u8) -> PushId {
    PushId::new([number; PushId::LEN])
}

fn subject(number: u8, size: u64) -> Subject {
    let pack = Some(PackInfo { hash: PackHash::new([number; 32]), size });
    Subject { id: id(number), repo: RepoId::new(1).unwrap(), operator: None, pack, updates: vec![] }
}

impl Node {
    /// The pushes that are looked at.
    fn looked_at(&self) -> Vec<PushId> {
        self.checker.entries().keys().copied().collect()
    }

    fn waiting(&self, number: u8) -> u8 {
        self.checker.entries()[&id(number)].votes_waiting
    }
}

#[tokio::test]
async fn packs_of_pushes_that_are_not_ordered_have_no_more_bytes_than_may_be_pending() {
    let node = node();
    node.checker.learn(subject(1, 600), false);
    node.checker.learn(subject(2, 401), false);
    node.checker.learn(subject(3, u64::MAX), false);
    assert_eq!(node.looked_at(), [id(1)]);
    // What is ordered was counted by the chain.
    node.checker.learn(subject(2, 401), true);
    assert_eq!(node.looked_at(), [id(1), id(2)]);
    node.checker.learn(subject(4, 400), false);
    node.checker.learn(subject(5, 1), false);
    assert_eq!(node.looked_at(), [id(1), id(2), id(4)]);
}

#[tokio::test]
async fn a_push_whose_transaction_failed_is_forgotten_with_its_pack() {
    let node = node();
    (1..4).for_each(|number| node.checker.learn(subject(number, 100), false));
    // The third is ordered all the same, by another transaction.
    node.checker.failed([id(1), id(3)]);
    node.checker.learn(subject(3, 100), true);
    assert!(node.checker.needs(&PackHash::new([1; 32])));
    assert_eq!(node.checker.retain(&[id(3)], &[], 0), [PackHash::new([1; 32])]);
    assert_eq!(node.looked_at(), [id(2), id(3)]);
    assert!(!node.checker.needs(&PackHash::new([1; 32])));
    assert!(node.checker.needs(&PackHash::new([2; 32])));
}

#[tokio::test]
async fn a_pack_is_kept_while_a_push_that_has_it_is_checked() {
    let node = node();
    let packs = PackStore::open(node.dir.path()).unwrap();
    let (held, pack) = (Held::default(), PackHash::new([1; 32]));
    std::fs::create_dir(packs.objects(&pack)).unwrap();
    node.checker.learn(subject(1, 100), false);
    held.drop_unneeded(&pack, &node.checker, &packs);
    assert!(packs.has(&pack));
    node.checker.forget(&id(1));
    held.drop_unneeded(&pack, &node.checker, &packs);
    assert!(!packs.has(&pack));
}

#[tokio::test]
async fn a_gateway_that_does_not_answer_loses_its_place() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (dead, alive) = ("http://127.0.0.1:1".to_owned(), listener.local_addr().unwrap());
    let alive = format!("http://{alive}");
    tokio::spawn(async move {
        let nothing = axum::Router::new();
        axum::serve(listener, nothing).await
    });
    let config = Config { gateways: vec![dead.clone(), alive.clone()], ..Config::default() };
    let node = node_with(&config);
    let gateways = node.checker.inner.gateways.clone();
    let urls = || gateways.peers(None).into_iter().map(|peer| peer.url).collect::<Vec<_>>();
    assert_eq!(urls(), [dead.clone(), alive.clone()]);
    assert_eq!(node.checker.attempt(&subject(1, 100)).await.unwrap(), None);
    assert_eq!(urls(), [alive, dead], "the other one only did not have the pack");
}

#[tokio::test]
async fn a_vote_waits_only_for_pushes_that_it_could_speak_of() {
    let node = node();
    (1..4).for_each(|number| node.checker.learn(subject(number, 100), number == 3));
    let waits = |pending: Vec<PushId>| {
        let checker = node.checker.clone();
        tokio::task::spawn_blocking(move || checker.wait_for_checks(&pending))
    };
    waits(vec![]).await.unwrap();
    assert_eq!([1, 2, 3].map(|number| node.waiting(number)), [VOTES_WAITING; 3]);
    waits(vec![id(2), id(3)]).await.unwrap();
    let left = VOTES_WAITING - 1;
    assert_eq!([1, 2, 3].map(|number| node.waiting(number)), [VOTES_WAITING, left, left]);
}

const CHAIN: &str = "guts-test";
const GENESIS_S: u64 = 1_800_000_000;

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed([seed; 32])
}

/// A chain that begins with a repository of the first key's account.
fn begun() -> Committed {
    let mut app = App::new(Arc::new(RwLock::new(MemoryStore::new())), None);
    let account = |seed, handle: &str| {
        let key = key(seed).public().to_string();
        serde_json::json!({ "key": key, "handle": handle, "balance": "1000000" })
    };
    let accounts = [account(1, "alice"), account(2, "")];
    let state = serde_json::json!({
        "account": { "accounts": accounts },
        "repo": { "repos": [{ "owner": "alice", "name": "hello" }] },
    });
    let sum = Some(Sum::Ed25519(key(3).public().to_vec()));
    let genesis = RequestInitChain {
        time: Some(Timestamp { seconds: GENESIS_S as i64, nanos: 0 }),
        chain_id: CHAIN.into(),
        validators: vec![ValidatorUpdate { pub_key: Some(PublicKey { sum }), power: 10 }],
        app_state_bytes: serde_json::to_vec(&state).unwrap().into(),
        initial_height: 1,
        ..Default::default()
    };
    app.init_chain(&genesis).unwrap();
    Committed::new(app.head().cloned(), app.state().unwrap())
}

/// What is learned of a transaction of the second account that has a push signed by `signer`, with
/// a pack of that size.
fn learned(state: &Committed, signer: &SecretKey, size: u64) -> Vec<u64> {
    let nonce = PushNonce::new(CHAIN, "alice", "hello", GENESIS_S);
    let (none, oid) = ("0".repeat(40), "1".repeat(40));
    let text = format!(
        "certificate version 0.1\npusher SHA256:x  1795239997 +0000\nnonce {nonce}\n\n\
         {none} {oid} refs/heads/main\n"
    );
    let signature = signer.sign(&sshsig::message(NAMESPACE, text.as_bytes()));
    let signature = SshSignature { key: signer.public(), signature };
    let bytes = format!("{text}{}", signature.to_armour(NAMESPACE));
    let certificate = Certificate::parse(bytes.as_bytes()).unwrap();
    let pack = Some((PackHash::new([1; 32]), size));
    let push = Action::PushRefs(Box::new(PushRefs { certificate, pack, operator: None }));
    let payer = AccountId::of_key(&key(2).public());
    // Its nonce is far from what comes next: nobody has tried it.
    let tx = Draft::new(CHAIN, payer, 7, &[push]).fee(9000).sign(payer, &key(2)).encode();
    let tx = validate(&tx, &ChainRules::new(CHAIN)).unwrap();
    let next = state.next_block().unwrap();
    let subjects = Subject::of_tx(&tx, state, &next, |_| false);
    assert!(Subject::of_tx(&tx, state, &next, |_| true).is_empty());
    subjects.into_iter().filter_map(|subject| Some(subject.pack?.size)).collect()
}

#[test]
fn packs_that_the_chain_would_refuse_are_not_fetched() {
    let state = begun();
    let most = state.params().unwrap().pack_bytes_max;
    assert_eq!(learned(&state, &key(1), most), [most]);
    for size in [most + 1, 1 << 60] {
        assert!(learned(&state, &key(1), size).is_empty(), "{size}");
    }
    for signer in [key(2), key(9)] {
        assert!(learned(&state, &signer, 1).is_empty(), "it may not push there");
    }
}
