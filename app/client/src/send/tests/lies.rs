//! A node that says of prices what it likes: it gets nothing for it.
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use guts_genesis::GenesisDoc;
use guts_rpc::client::{Client, Transport};
use guts_rpc::types::{AbciQuery, Base64, BroadcastTx};
use guts_schema::sign::SecretKey;
use guts_schema::{ChainRules, Payment, Tx, validate, values};
use serde_json::{Value, json};
use tendermint::{AppHash, Time};

use super::*;
use crate::Home;
use crate::chain::tests::{GENESIS, header, signed, validator};
use crate::light::Trusted;
use crate::proof::tests::Tree;

/// What the account has, and a liar wants.
const BALANCE: u64 = 1_000_000_000_000;
/// The newest header.
const NEWEST: u64 = 2;

fn secret() -> SecretKey {
    SecretKey::from_seed([9; 32])
}

fn account() -> AccountId {
    AccountId::of_key(&secret().public())
}

pub(super) fn params(work: u64, fee: u64) -> proto::Params {
    let kind = ActionKind::CreateAccount.number();
    let price = proto::KindPrice { kind, work, fee, stake: false, owner: false };
    proto::Params {
        accept_work: true,
        accept_fee: true,
        prices: vec![price],
        light_trust_s: 86_400,
        ..Default::default()
    }
}

/// Proves the state it has, and says something else wherever no proof is asked for.
pub(super) struct Liar {
    pub(super) begun: Time,
    pub(super) tree: Tree,
    /// What it says of the parameters, in place of what it proves.
    lie: proto::Params,
    /// Whether it shows the lie with a proof of something else.
    forges: bool,
    /// What it was given to have executed.
    got: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Liar {
    /// One that proves these parameters, and has said nothing else yet.
    pub(super) fn honest(begun: Time, params: proto::Params) -> Self {
        let (anchors, anchor) = (
            proto::Anchors { recorded: 1 },
            proto::Anchor { hash: vec![3; 32], ..Default::default() },
        );
        let entries = [
            (keys::params(), values::encode(&params)),
            (keys::anchors(), values::encode(&anchors)),
            (keys::anchor(0), values::encode(&anchor)),
        ];
        let tree = Tree::of(&entries.each_ref().map(|(key, value)| (&key[..], &value[..])));
        Self { begun, tree, lie: params, forges: false, got: Arc::default() }
    }

    pub(super) fn query(&self, params: &Value) -> Value {
        let text = |name: &str| params[name].as_str().unwrap_or_default().to_owned();
        let data = hex::decode(text("data")).expect("hex");
        let (value, ops) = match &text("path")[..] {
            query::NONCE => (proto::PendingNonce::default().encode_to_vec(), None),
            query::TERMS => {
                let (params, anchor) = (Some(self.lie.clone()), vec![3; 32]);
                (proto::PaymentTerms { params, anchor, anchor_number: 0 }.encode_to_vec(), None)
            }
            query::SIMULATE => {
                self.got.lock().expect("whole").push(data);
                (proto::Simulation::default().encode_to_vec(), None)
            }
            query::STORE => {
                let (value, ops) = self.tree.get(&data).expect("a key of this state");
                let lies = self.forges && data == keys::params();
                (if lies { values::encode(&self.lie) } else { value }, Some(ops))
            }
            other => panic!("{other} is asked for"),
        };
        let height = i64::try_from(NEWEST - 1).expect("small");
        let (value, proof_ops) = (Base64::from(value), ops);
        json!({ "response": AbciQuery { value, proof_ops, height, ..Default::default() } })
    }
}

impl Transport for Liar {
    fn post(&self, body: Bytes) -> BoxFuture<'_, Result<Bytes, ClientError>> {
        let call: Value = serde_json::from_slice(&body).expect("JSON");
        let result = match call["method"].as_str() {
            Some("commit") => {
                let app_hash = AppHash::try_from(self.tree.root.to_vec()).expect("a hash");
                let header = tendermint::block::Header { app_hash, ..header(NEWEST, self.begun) };
                json!({ "signed_header": signed(header), "canonical": true })
            }
            Some("abci_query") => self.query(&call["params"]),
            Some("broadcast_tx_sync") => {
                let tx: Base64 = serde_json::from_value(call["params"]["tx"].clone()).expect("tx");
                self.got.lock().expect("whole").push(tx.0);
                // The end of it: that it came so far is all there is to see.
                json!(BroadcastTx { code: 1, ..Default::default() })
            }
            other => panic!("{other:?} is asked for"),
        };
        let answer = json!({ "jsonrpc": "2.0", "id": call["id"], "result": result });
        async move { Ok(answer.to_string().into()) }.boxed()
    }
}

/// A chain seen through that node, on which the first header is believed.
pub(super) fn opened(node: Arc<dyn Transport>, begun: Time) -> (tempfile::TempDir, Chain) {
    let dir = tempfile::tempdir().expect("a directory");
    let mut home = Home::open(dir.path()).expect("empty");
    home.pin(&GenesisDoc::parse(GENESIS).expect("good")).expect("pinned");
    let first = header(1, begun);
    let trusted = Trusted {
        chain_id: first.chain_id.clone(),
        height: 1,
        time: first.time,
        next_validators: vec![validator()],
        header: Some(first),
        light_trust_s: 86_400,
    };
    home.save_trusted(&trusted).expect("written");
    let chain = Chain::over(&home, "http://node", Client::over(node)).expect("open");
    (dir, chain)
}

/// Sends what makes an account.
pub(super) async fn make_account(chain: &mut Chain) -> Result<Sent, Error> {
    let actions = [Action::CreateAccount { actor: account(), key: secret().public() }];
    let signer = Signer::File { secret: Box::new(secret()), path: Default::default() };
    chain.send(account(), &actions, &signer, &Silent).await
}

/// What becomes of making an account, and what the node has got then.
struct Try {
    error: Error,
    got: Vec<Tx>,
}

/// Sends through a node that proves the one parameters and says the others.
async fn send(
    proved: proto::Params,
    lie: proto::Params,
    forges: bool,
    change: impl FnOnce(&mut Chain),
) -> Try {
    let begun = Time::now().checked_sub(Duration::from_secs(3600)).expect("a time");
    let liar = Liar { lie, forges, ..Liar::honest(begun, proved) };
    let got = Arc::clone(&liar.got);
    let (_dir, mut chain) = opened(Arc::new(liar), begun);
    change(&mut chain);
    let error = make_account(&mut chain).await;
    let rules = ChainRules::new("guts-test");
    let got = got.lock().expect("whole");
    let got = got.iter().map(|bytes| validate(bytes, &rules).expect("valid").into_inner());
    Try { error: error.expect_err("it never is executed"), got: got.collect() }
}

fn by_fee(chain: &mut Chain) {
    chain.paying.how = Some(Pay::Fee);
}

#[tokio::test]
async fn a_lie_about_prices_changes_no_fee() {
    let Try { got, .. } = send(params(0, 500), params(0, BALANCE), false, by_fee).await;
    assert_eq!(got.iter().map(|tx| tx.payment).collect::<Vec<_>>(), [Payment::Fee(500)]);
    // Nor does one that work is not taken, nor one about how much there is to do.
    let lie = proto::Params { accept_work: false, ..params(1 << 63, BALANCE) };
    let Try { got, .. } = send(params(256, 500), lie, false, |_| {}).await;
    assert!(matches!(got[..], [Tx { payment: Payment::Work { .. }, .. }]), "{got:?}");
}

#[tokio::test]
async fn a_lie_with_a_proof_of_something_else_is_no_proof() {
    let Try { error, got } = send(params(0, 500), params(0, BALANCE), true, by_fee).await;
    assert_eq!((error.exit_code(), got.len()), (3, 0), "{error}");
}

#[tokio::test]
async fn a_fee_above_the_bound_is_not_signed() {
    let dear = params(1 << 63, FEE_MAX_DEFAULT + 1);
    let Try { error, got } = send(dear.clone(), dear.clone(), false, by_fee).await;
    assert_eq!((&error.kind()[..], got.len()), ("too_dear", 0), "{error}");
    let Try { got, .. } = send(dear.clone(), dear, false, |chain| {
        by_fee(chain);
        chain.paying.fee_max = FEE_MAX_DEFAULT + 1;
    })
    .await;
    assert_eq!(
        got.iter().map(|tx| tx.payment).collect::<Vec<_>>(),
        [Payment::Fee(FEE_MAX_DEFAULT + 1)]
    );
}

#[tokio::test]
async fn work_without_end_is_not_begun() {
    let dear = params(1 << 63, 1);
    let Try { error, got } = send(dear.clone(), dear, false, |_| {}).await;
    assert_eq!((&error.kind()[..], got.len()), ("too_dear", 0), "{error}");
}

#[tokio::test]
async fn what_is_shown_for_a_trial_cannot_be_executed() {
    let dear = params(1 << 63, FEE_MAX_DEFAULT + 1);
    let Try { error, got } = send(dear.clone(), dear, false, |chain| {
        by_fee(chain);
        chain.dry_run = true;
    })
    .await;
    assert!(matches!(error, Error::NotSent(_)), "{error}");
    let begun = Time::now().checked_sub(Duration::from_secs(3600)).expect("a time");
    let newest = u64::try_from(begun.unix_timestamp()).expect("after 1970") + NEWEST;
    let until_s = got[0].valid_until_s.expect("it ends");
    assert!(until_s < newest, "{until_s} is not before header time {newest}");
}
