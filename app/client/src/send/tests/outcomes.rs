//! A node that says of outcomes what it likes: what it cannot prove is not believed.
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use guts_rpc::client::Transport;
use guts_rpc::types::{Base64, BroadcastTx, TxProof, TxResult};
use serde_json::{Value, json};
use tendermint::block::{self, Header, parts};
use tendermint::{Hash as Digest, Time};

use super::lies::{self, Liar};
use super::*;
use crate::chain::tests::{hash, header, signed};
use crate::proof;
use crate::proof::tests::proof_of;

/// The newest header before anything is sent, and that of the block with the transaction, whose
/// next one proves how it ended.
const BEFORE: u64 = 2;
const BLOCK: u64 = 3;
/// Transactions of that block, of which the last is the one sent.
const COUNT: usize = 7;
/// A code that a block refuses with.
const REFUSED: u32 = 7;

/// What the chain did, and what the node says it did.
#[derive(Clone)]
struct Story {
    /// The code that was agreed on.
    code: u32,
    /// Whether the transaction is in the block at all.
    is_included: bool,
    /// What `/tx` says: the block, the code, and number and count that its proof is for.
    says: (u64, u32, u32, usize),
    has_proof: bool,
    /// The code that `/block_results` says, if it answers.
    shows: Option<u32>,
}

impl Story {
    /// An honest one.
    fn of(code: u32) -> Self {
        let says = (BLOCK, code, COUNT as u32 - 1, COUNT);
        Self { code, is_included: true, says, has_proof: true, shows: Some(code) }
    }
}

/// The chain once something was sent: headers from the newest before, and what is said to be in
/// the block.
struct After {
    headers: Vec<Header>,
    txs: Vec<Vec<u8>>,
}

struct Node {
    liar: Liar,
    story: Story,
    sent: Mutex<Option<After>>,
}

/// Results of the block, of which the last has that code, and the others succeeded.
fn results(code: u32) -> Vec<TxResult> {
    let result = |code| TxResult { code, log: "says the node".into(), ..Default::default() };
    let others = std::iter::repeat_n(result(0), COUNT - 1);
    others.chain([result(code)]).collect()
}

impl Node {
    fn before(&self) -> Header {
        let app_hash = self.liar.tree.root.to_vec().try_into().expect("a hash");
        Header { app_hash, ..header(BEFORE, self.liar.begun) }
    }

    fn take(&self, tx: Vec<u8>) {
        let after = |earlier: &Header| {
            let part_set_header = parts::Header::new(1, hash(0)).expect("a part");
            let last_block_id = Some(block::Id { hash: earlier.hash(), part_set_header });
            Header { last_block_id, ..header(earlier.height.value() + 1, self.liar.begun) }
        };
        let mut txs: Vec<Vec<u8>> = (1..COUNT).map(|n| vec![n as u8; n]).collect();
        txs.push(tx);
        let mut agreed = txs.clone();
        if !self.story.is_included {
            agreed[COUNT - 1] = b"another".to_vec();
        }
        let data_hash = Some(Digest::Sha256(proof::data_hash(&agreed)));
        let before = self.before();
        let block = Header { data_hash, ..after(&before) };
        let digest = Some(Digest::Sha256(proof::results_hash(&results(self.story.code))));
        let next = Header { last_results_hash: digest, ..after(&block) };
        *self.sent.lock().expect("whole") = Some(After { headers: vec![before, block, next], txs });
    }

    fn headers(&self) -> Vec<Header> {
        let sent = self.sent.lock().expect("whole");
        sent.as_ref().map_or_else(|| vec![self.before()], |after| after.headers.clone())
    }

    fn tx(&self) -> Option<Value> {
        let sent = self.sent.lock().expect("whole");
        let txs = &sent.as_ref()?.txs;
        let (height, code, index, total) = self.story.says;
        let mut proof = proof_of(txs, COUNT - 1);
        (proof.index, proof.total) = (index.into(), total as i64);
        let proof = TxProof { proof, ..Default::default() };
        let found = TxResponse {
            height: height as i64,
            index,
            tx_result: TxResult { code, ..Default::default() },
            tx: txs[COUNT - 1].clone().into(),
            proof: self.story.has_proof.then_some(proof),
            ..Default::default()
        };
        Some(json!(found))
    }

    fn answer(&self, method: &str, params: &Value) -> Option<Value> {
        let number = |name: &str| params[name].as_str().and_then(|text| text.parse::<u64>().ok());
        match method {
            "abci_query" => Some(self.liar.query(params)),
            "broadcast_tx_sync" => {
                let tx: Base64 = serde_json::from_value(params["tx"].clone()).expect("tx");
                self.take(tx.0);
                Some(json!(BroadcastTx::default()))
            }
            "commit" => {
                let headers = self.headers();
                let newest = headers.last()?.height.value();
                let asked = number("height").unwrap_or(newest);
                let found = headers.into_iter().find(|one| one.height.value() == asked)?;
                Some(json!({ "signed_header": signed(found), "canonical": true }))
            }
            "blockchain" => {
                let (min, max) = (number("minHeight")?, number("maxHeight")?);
                let mut headers = self.headers();
                headers.retain(|one| (min..=max).contains(&one.height.value()));
                let metas: Vec<_> =
                    headers.iter().rev().map(|one| json!({ "header": one })).collect();
                Some(json!({ "last_height": "4", "block_metas": metas }))
            }
            "tx" => self.tx(),
            "block_results" => {
                assert_eq!(number("height"), Some(BLOCK));
                let results = results(self.story.shows?);
                Some(json!(guts_rpc::types::BlockResults {
                    height: BLOCK as i64,
                    txs_results: results,
                    ..Default::default()
                }))
            }
            other => panic!("{other} is asked for"),
        }
    }
}

impl Transport for Node {
    fn post(&self, body: Bytes) -> BoxFuture<'_, Result<Bytes, ClientError>> {
        let call: Value = serde_json::from_slice(&body).expect("JSON");
        let answer = self.answer(call["method"].as_str().expect("a method"), &call["params"]);
        let mut answer = match answer {
            Some(result) => json!({ "result": result }),
            None => json!({ "error": { "code": -32603, "message": "Internal error" } }),
        };
        (answer["jsonrpc"], answer["id"]) = (json!("2.0"), call["id"].clone());
        async move { Ok(answer.to_string().into()) }.boxed()
    }
}

/// What comes of sending something that costs nothing.
async fn send(story: Story) -> Result<Sent, Error> {
    let begun = Time::now().checked_sub(Duration::from_secs(3600)).expect("a time");
    let liar = Liar::honest(begun, lies::params(0, 0));
    let node = Node { liar, story, sent: Mutex::default() };
    let (_dir, mut chain) = lies::opened(Arc::new(node), begun);
    lies::make_account(&mut chain).await
}

/// That nothing is believed, and why.
async fn assert_unproved(story: Story, why: &str) {
    let error = send(story).await.expect_err("it is not proved");
    assert_eq!(error.exit_code(), 3, "{error}");
    assert!(error.to_string().contains(why), "{error}");
}

#[tokio::test]
async fn what_is_proved_to_have_been_done_is() {
    let sent = send(Story::of(0)).await.expect("it is proved");
    assert_eq!((sent.height, sent.state.height()), (BLOCK, BLOCK));
    // Whatever else the node says of it: a refusal that was none has nobody do it twice.
    let sent = send(Story { says: (BLOCK, REFUSED, 6, COUNT), ..Story::of(0) }).await;
    assert_eq!(sent.expect("it is proved").height, BLOCK);
}

#[tokio::test]
async fn a_refusal_in_a_block_is_proved_too() {
    for code in [REFUSED, 0] {
        let story = Story { says: (BLOCK, code, 6, COUNT), ..Story::of(REFUSED) };
        let error = send(story).await.expect_err("it was refused");
        assert!(matches!(error, Error::Refused { code: REFUSED, .. }), "{error}");
    }
}

#[tokio::test]
async fn a_transaction_that_was_sent_nowhere_is_in_no_block() {
    let story = Story { is_included: false, ..Story::of(0) };
    assert_unproved(story.clone(), "the transaction's proof does not hold").await;
    assert_unproved(Story { has_proof: false, ..story }, "there is no proof").await;
    // Nor in a block without transactions, nor in one that is older than what is known.
    let story = Story { says: (BEFORE, 0, 0, 1), ..Story::of(0) };
    assert_unproved(story, "the transaction's proof does not hold").await;
}

#[tokio::test]
async fn an_outcome_that_was_not_agreed_on_is_not_believed() {
    let done = Story { says: (BLOCK, 0, 6, COUNT), ..Story::of(REFUSED) };
    let story = Story { shows: Some(0), ..done.clone() };
    assert_unproved(story, "block 3 has other results").await;
    assert_unproved(Story { shows: Some(REFUSED), ..Story::of(0) }, "other results").await;
    assert_unproved(Story { shows: None, ..done }, "does not show how it ended").await;
}

#[tokio::test]
async fn the_outcome_of_another_transaction_is_not_taken_for_its_own() {
    // The last of seven lies where the last of four would: its proof holds for that number, too.
    let story = Story { says: (BLOCK, 0, 3, 4), ..Story::of(REFUSED) };
    assert_unproved(story, "block 3 has 7 transactions").await;
}
