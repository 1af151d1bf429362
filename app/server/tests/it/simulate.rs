//! Trying transactions: the answer is what the block does, nothing stays, and only so many are
//! tried.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use guts_abci::Served;
use guts_abci::proto::abci::{
    RequestCheckTx, RequestCommit, RequestFinalizeBlock, RequestInitChain, RequestQuery,
    ResponseQuery, ValidatorUpdate,
};
use guts_abci::proto::crypto::{PublicKey, public_key::Sum};
use guts_abci::proto::google::protobuf::Timestamp;
use guts_app::config::Config;
use guts_app::identity::Identity;
use guts_app::node::{Node, Parts};
use guts_app::trials::TRIALS_PER_SECOND;
use guts_app_core::rules::RULES;
use guts_rpc::client::{Client, ClientError, Transport};
use guts_schema::sign::SecretKey;
use guts_schema::tx::Draft;
use guts_schema::{AccountId, Action, Code, Hash, proto, query, values};
use tempfile::TempDir;
use tokio::runtime::Runtime;

const CHAIN: &str = "guts-test";
const GENESIS_S: i64 = 1_795_000_000;

/// Nobody sends anything here.
struct NoEngine;

impl Transport for NoEngine {
    fn post(&self, _: Bytes) -> BoxFuture<'_, Result<Bytes, ClientError>> {
        unreachable!("no transaction is sent")
    }
}

/// One node, called as an engine calls it.
struct Lone {
    _dir: TempDir,
    _runtime: Runtime,
    abci: Served,
    height: i64,
    owner: SecretKey,
}

impl Lone {
    fn new() -> Self {
        let (dir, runtime) = (TempDir::new().unwrap(), Runtime::new().unwrap());
        let owner = SecretKey::from_seed([1; 32]);
        let config = Config { data: dir.path().join("data"), ..Config::default() };
        let parts = Parts {
            identity: Identity::new(SecretKey::from_seed([2; 32])),
            engine: Client::over(Arc::new(NoEngine)),
            hook: env!("CARGO_BIN_EXE_guts-app").into(),
            rules: RULES,
            give_back: || {},
        };
        let node = runtime.block_on(async { Node::open(&config, parts).unwrap() });
        let mut lone = Self { _dir: dir, _runtime: runtime, abci: node.abci, height: 0, owner };
        let key = SecretKey::from_seed([3; 32]).public().to_vec();
        let state = serde_json::json!({"account": {"accounts": [
            {"key": lone.owner.public().to_string(), "balance": "1000000"},
        ]}});
        let genesis = RequestInitChain {
            time: Some(Timestamp { seconds: GENESIS_S, nanos: 0 }),
            chain_id: CHAIN.into(),
            validators: vec![ValidatorUpdate {
                pub_key: Some(PublicKey { sum: Some(Sum::Ed25519(key)) }),
                power: 10,
            }],
            app_state_bytes: serde_json::to_vec(&state).unwrap().into(),
            initial_height: 1,
            ..Default::default()
        };
        lone.abci.app.init_chain(genesis).unwrap();
        lone
    }

    fn block(&mut self, txs: Vec<Bytes>) -> Vec<u32> {
        self.height += 1;
        let request = RequestFinalizeBlock {
            hash: Hash::of(&self.height.to_be_bytes()).to_vec().into(),
            height: self.height,
            time: Some(Timestamp { seconds: GENESIS_S + self.height, nanos: 0 }),
            txs,
            ..Default::default()
        };
        let response = self.abci.app.finalize_block(request).unwrap();
        self.abci.app.commit(RequestCommit {}).unwrap();
        response.tx_results.iter().map(|result| result.code).collect()
    }

    fn pay(&self, nonce: u64, amount: u64) -> Bytes {
        let actor = AccountId::of_key(&self.owner.public());
        let to = AccountId::of_key(&self.owner.public());
        let pay = Action::Transfer { actor, to, amount };
        Draft::new(CHAIN, actor, nonce, &[pay]).fee(9000).sign(actor, &self.owner).encode().into()
    }

    fn ask(&self, tx: &Bytes) -> ResponseQuery {
        let path = query::SIMULATE.to_owned();
        let request = RequestQuery { path, data: tx.clone(), ..Default::default() };
        self.abci.reader.query(request).unwrap()
    }

    fn simulation(&self, tx: &Bytes) -> proto::Simulation {
        let answer = self.ask(tx);
        assert_eq!(answer.code, 0, "{}", answer.log);
        values::decode(&answer.value).unwrap()
    }
}

#[test]
fn a_transaction_is_tried_and_nothing_stays() {
    let mut lone = Lone::new();
    lone.block(vec![]);
    let (good, bad) = (lone.pay(0, 5), lone.pay(1, u64::MAX));
    let root = |lone: &Lone| lone.abci.reader.info(Default::default()).unwrap();
    let before = root(&lone);
    let trial = lone.simulation(&good);
    assert_eq!((trial.code, trial.admitted, trial.height), (0, true, 1), "{}", trial.sentence);
    assert_eq!(trial.cost.unwrap().fee_paid, 9000);
    assert!(!trial.events.is_empty());
    // What CheckTx let in counts as gone before; the trial itself does not.
    assert_eq!(Code::from_number(lone.simulation(&bad).code), Some(Code::NonceHigh));
    let request = RequestCheckTx { tx: good.clone(), ..Default::default() };
    assert_eq!(lone.abci.reader.check_tx(request).unwrap().code, 0);
    let trial = lone.simulation(&bad);
    assert_eq!((Code::from_number(trial.code), trial.admitted), (Some(Code::BalanceLow), true));
    assert_eq!(root(&lone), before);
    assert_eq!(lone.block(vec![good, bad]), [0, Code::BalanceLow.number()]);
}

#[test]
fn bytes_that_are_no_transaction_have_an_outcome_and_no_cost() {
    let mut lone = Lone::new();
    lone.block(vec![]);
    let mut forged = lone.pay(0, 5).to_vec();
    *forged.last_mut().unwrap() ^= 1;
    for (tx, code) in [
        (Bytes::from(forged), Code::TxSignature),
        (Bytes::from(vec![7; 70_000]), Code::TxOversize),
        (Bytes::new(), Code::TxUndecodable),
    ] {
        let trial = lone.simulation(&tx);
        assert_eq!((Code::from_number(trial.code), trial.cost), (Some(code), None));
    }
}

#[test]
fn so_many_are_tried_and_the_rest_hear_of_it() {
    let mut lone = Lone::new();
    lone.block(vec![]);
    // No bytes cost no time: some run of these is far faster than trials are given out again.
    let nothing = Bytes::new();
    let mut asked = (0..1000 * TRIALS_PER_SECOND).map(|_| lone.ask(&nothing));
    let busy = asked.find(|answer| answer.code != 0).expect("not all are tried");
    assert_eq!(Code::from_number(busy.code), Some(Code::QueryBusy));
    assert!(busy.log.contains("50 transactions a second"), "{}", busy.log);
}
