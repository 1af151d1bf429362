//! Recorded requests to a node that runs: the recorded chain with the key of one of its validators,
//! alone, so that nothing is committed and what is sent stays in the mempool; and a chain of its
//! own, for what waits for a block.

use crate::network::{Network, Node, eventually};
use crate::recorded::{get, store_chain};
use crate::requests::{differences_but, leaves_out_params, send, vector};
use bytes::Bytes;
use guts_abci::kvstore::{self, Batch, Memory, State, Store};
use guts_abci::proto::abci::{
    RequestCheckTx, RequestInfo, RequestQuery, ResponseCheckTx, ResponseInfo, ResponseQuery,
    ValidatorUpdate,
};
use guts_abci::proto::crypto::{ProofOp, ProofOps};
use guts_abci::{Answer, Reader, Served};
use guts_genesis::GenesisDoc;
use guts_rpc::types::Validator;
use serde_json::Value;
use std::sync::Arc;

/// The reference application with what the recorded one answers beyond it.
struct Recorded(Arc<dyn Reader>);

impl Reader for Recorded {
    fn info(&self, request: RequestInfo) -> Answer<ResponseInfo> {
        self.0.info(request)
    }

    fn check_tx(&self, request: RequestCheckTx) -> Answer<ResponseCheckTx> {
        let mut answer = self.0.check_tx(request.clone())?;
        if request.tx.starts_with(b"deny=") {
            answer.code = 5;
            answer.data = Bytes::from_static(&[0, 1, 0xFE, 0xFF]);
            (answer.log, answer.info) = ("denied: <\"quoted\"> & é".into(), "info text".into());
            (answer.gas_wanted, answer.gas_used) = (7, 3);
            answer.codespace = "wire".into();
        } else if request.tx.starts_with(b"rich=") {
            answer.data = Bytes::from_static(b"check-data");
            (answer.log, answer.info) = ("check log".into(), "check info".into());
            (answer.gas_wanted, answer.gas_used) = (11, 12);
            answer.codespace = "wire".into();
        }
        Ok(answer)
    }

    fn query(&self, request: RequestQuery) -> Answer<ResponseQuery> {
        if request.path != "/rich" {
            return self.0.query(request);
        }
        let op = |kind: &str, key: &[u8], data: &[u8]| ProofOp {
            r#type: kind.into(),
            key: key.to_vec(),
            data: data.to_vec(),
        };
        Ok(ResponseQuery {
            code: 3,
            log: "rich log".into(),
            info: "rich info".into(),
            index: 4,
            key: Bytes::from_static(b"k"),
            value: Bytes::from_static(&[0, 1, 0xFF]),
            proof_ops: Some(ProofOps {
                ops: vec![op("wire:v", b"k", b"proof"), op("wire:m", b"", b"")],
            }),
            height: 77,
            codespace: "wire".into(),
        })
    }
}

fn recorded_app(disk: Memory) -> Served {
    let Served { app, reader } = kvstore::served(Arc::new(disk));
    Served { app, reader: Arc::new(Recorded(reader)) }
}

/// What the application has on its disk after the recorded chain.
fn disk_of(recorded: &Value) -> Memory {
    let disk = Memory::new();
    let app = &recorded["abci_info"]["response"];
    let size: Value = serde_json::from_str(app["data"].as_str().unwrap()).unwrap();
    let height = app["last_block_height"].as_str().unwrap().parse().unwrap();
    let state = State { height, size: size["size"].as_u64().unwrap() };
    let sent = recorded["sent_txs"].as_array().unwrap().iter().map(|tx| tx.as_str().unwrap());
    let pair =
        |(key, value): (&str, &str)| (Bytes::from(key.to_owned()), Bytes::from(value.to_owned()));
    let pairs = sent.filter_map(|tx| tx.split_once('=')).map(pair).collect();
    let validators: Vec<Validator> = get(&recorded["next_validators"]["validators"]);
    let update = |one: Validator| ValidatorUpdate {
        pub_key: Some(one.pub_key.into()),
        power: one.voting_power,
    };
    let validators = validators.into_iter().map(update).collect();
    disk.commit(Batch { state, pairs, validators }).unwrap();
    disk
}

/// The first node of the recorded network at the end of its chain; nothing runs yet.
fn last_of_its_network(recorded: &Value) -> Network {
    let mut network = Network::new(1, &[]);
    let node = &mut network.nodes[0];
    let text = recorded["genesis_file"].as_str().unwrap();
    let config = node.home().join("config");
    std::fs::write(config.join("genesis.json"), text).unwrap();
    let keys = [("priv_validator_key", "priv_validator_keys"), ("node_key", "node_keys")];
    for (file, of_all) in keys {
        let key = recorded[of_all][0].to_string();
        std::fs::write(config.join(file).with_extension("json"), key).unwrap();
    }
    let genesis = GenesisDoc::parse(text).unwrap();
    store_chain(recorded, &genesis, &node.home().join("data/store"));
    let output = node.command("reindex").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    network
}

const SETTINGS: [&str; 5] = [
    "moniker=val0",
    "mempool.max_tx_bytes=10240",
    "consensus.create_empty_blocks=false",
    "consensus.create_empty_blocks_interval=0s",
    "rpc.timeout_broadcast_tx_commit=1s",
];

/// Starts it in a state of the recording.
async fn start(node: &mut Node, settings: &[&str]) {
    node.settings = SETTINGS.iter().chain(settings).map(|one| (*one).to_owned()).collect();
    node.start_engine();
    node.until("its own pace", |status| !status.sync_info.catching_up).await;
}

/// What is compared.
#[derive(Default)]
struct Count {
    equal: usize,
    failures: Vec<String>,
}

impl Count {
    /// Runs the cases of one method and state that `is_asked` admits; `volatile` is not compared.
    async fn run(
        &mut self,
        node: &Node,
        (method, state): (&str, &str),
        volatile: &[&str],
        is_asked: impl Fn(&Value) -> bool,
    ) {
        let file = vector(&format!("rpc/{method}.json"));
        let cases = file["cases"].as_array().unwrap().iter().filter(|case| case["state"] == state);
        for case in cases.filter(|case| !leaves_out_params(case) && is_asked(case)) {
            if method == "broadcast_tx_async" && state == "building" {
                settle(node).await;
            }
            let found = differences_but(node.rpc(), method, case, volatile).await;
            match found.is_empty() {
                true => self.equal += 1,
                false => {
                    self.failures
                        .push(format!("{method} | {state} | {}: {found:#?}", case["name"]));
                }
            }
        }
    }

    fn assert(&self, equal: usize) {
        assert!(self.failures.is_empty(), "{} equal\n{}", self.equal, self.failures.join("\n"));
        assert_eq!(self.equal, equal);
    }
}

/// Waits until nothing is being checked that an answer did not wait for: the same transaction
/// would be known.
async fn settle(node: &Node) {
    let client = node.client();
    for tx in [&b""[..], b"deny=async"] {
        let refused = || async { client.broadcast_tx_sync(tx).await.ok() };
        assert_ne!(eventually(refused).await.expect("it is checked").code, 0);
    }
}

fn all(_: &Value) -> bool {
    true
}

/// Not what waits for a block, and for what a test of its own is needed.
fn is_refused(case: &Value) -> bool {
    let body: Value = serde_json::from_str(case["response"]["body"].as_str().unwrap()).unwrap();
    let is_answered = body["error"].is_object() || body["result"]["height"] == "0";
    is_answered && case["name"] != "limits: subscription clients exhausted"
}

/// The recording's states `final` and `building`: the application is asked, and transactions sent.
async fn ask_at_rest(count: &mut Count, node: &mut Node) {
    start(node, &[]).await;
    for method in ["abci_info", "abci_query", "check_tx", "unconfirmed_txs", "num_unconfirmed_txs"]
    {
        count.run(node, (method, "final"), &[], all).await;
    }
    for method in ["health", "dial_peers", "dial_seeds", "unsafe_flush_mempool"] {
        count.run(node, (method, "final"), &[], all).await;
    }
    // Where it listens, and what it has beyond CometBFT's channels, is its own. The application's
    // version is that of the last block, of which CometBFT tells from its next start on.
    let own = ["listen_addr", "channels", "other/rpc_address", "protocol_version/app"];
    let own = own.map(|name| format!("/result/node_info/{name}"));
    count.run(node, ("status", "final"), &own.each_ref().map(String::as_str), all).await;
    count.run(node, ("net_info", "stalled"), &["/result/listeners"], all).await;
    let start_time = ["/result/round_state/start_time"];
    count.run(node, ("consensus_state", "final"), &start_time, all).await;
    count.run(node, ("broadcast_evidence", "building"), &[], all).await;
    node.client().broadcast_tx_sync(b"name=satoshi").await.unwrap();
    let is_no_race = |case: &Value| case["name"] != "async: empty tx";
    count.run(node, ("broadcast_tx_async", "building"), &[], is_no_race).await;
    count.run(node, ("broadcast_tx_sync", "building"), &[], all).await;
    count.run(node, ("broadcast_tx_commit", "building"), &[], is_refused).await;
    assert!(node.end_engine());
}

/// The state `stalled`: three transactions wait.
async fn ask_while_stalled(count: &mut Count, node: &mut Node) {
    start(node, &[]).await;
    count.run(node, ("broadcast_tx_sync", "stalled"), &[], all).await;
    for method in ["unconfirmed_txs", "num_unconfirmed_txs", "tx"] {
        count.run(node, (method, "stalled"), &[], all).await;
    }
    count.run(node, ("broadcast_tx_commit", "stalled"), &[], all).await;
    let mine = ["start_time", "proposal_block_hash", "height_vote_set/0/prevotes/3"];
    let mine = mine.map(|name| format!("/result/round_state/{name}"));
    let mine = mine.each_ref().map(String::as_str);
    count.run(node, ("consensus_state", "stalled"), &mine, all).await;
    assert!(node.end_engine());
}

/// The state `limits`: room for two transactions, no index, and the unsafe routes.
async fn ask_within_limits(count: &mut Count, node: &mut Node) {
    let limits = [
        "mempool.size=2",
        "mempool.max_txs_bytes=1073741824",
        "rpc.max_request_batch_size=2",
        "rpc.max_body_bytes=2000",
        "rpc.unsafe=true",
        "rpc.cors_allowed_origins=[\"https://example.org\"]",
        "tx_index.indexer=null",
    ];
    start(node, &limits).await;
    for method in ["tx", "tx_search", "block_search", "dial_seeds"] {
        count.run(node, (method, "limits"), &[], all).await;
    }
    // A peer that exists has an id of libp2p here.
    let has_none = |case: &Value| !case["name"].as_str().unwrap().contains("25eee41033317a19");
    count.run(node, ("dial_peers", "limits"), &[], has_none).await;
    let is_after_flush = |case: &Value| {
        let name = case["name"].as_str().unwrap();
        name.contains("after a flush") || name.contains("times out")
    };
    let flush = async |node: &Node| {
        assert_eq!(send(node.rpc(), "GET", "/unsafe_flush_mempool", &[], None).await.status, 200);
    };
    count.run(node, ("broadcast_tx_sync", "limits"), &[], |case| !is_after_flush(case)).await;
    count.run(node, ("broadcast_tx_async", "limits"), &[], all).await;
    let is_full = |case: &Value| is_refused(case) && !is_after_flush(case);
    count.run(node, ("broadcast_tx_commit", "limits"), &[], is_full).await;
    flush(node).await;
    count.run(node, ("broadcast_tx_sync", "limits"), &[], is_after_flush).await;
    flush(node).await;
    count.run(node, ("broadcast_tx_commit", "limits"), &[], is_after_flush).await;
    count.run(node, ("unsafe_flush_mempool", "limits"), &[], all).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recorded_requests_are_answered_alike_by_a_node_that_runs() {
    let recorded = vector("rpc/chain.json");
    let mut network = last_of_its_network(&recorded);
    let node = &mut network.nodes[0];
    node.serve_app(recorded_app(disk_of(&recorded))).await;
    let mut count = Count::default();
    ask_at_rest(&mut count, node).await;
    ask_while_stalled(&mut count, node).await;
    ask_within_limits(&mut count, node).await;
    count.assert(EQUAL);
}

/// Recorded requests that such a node answers.
const EQUAL: usize = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recorded_transactions_are_committed_with_the_same_answer() {
    let mut network = Network::new(1, &["mempool.max_tx_bytes=10240"]);
    let node = &mut network.nodes[0];
    node.serve_app(recorded_app(Memory::new())).await;
    node.start_engine();
    node.reach(1).await;
    // The others change validators, or are what only the recorded application knows.
    let names = [
        "commit: POST named",
        "commit: while one validator is down",
        "commit: while one validator is down, again",
        "commit: while one validator is down, third",
        "commit: carries the evidence along",
    ];
    let mut count = Count::default();
    let is_plain = |case: &Value| names.iter().any(|name| case["name"] == *name);
    let method = ("broadcast_tx_commit", "building");
    count.run(node, method, &["/result/height"], is_plain).await;
    count.run(node, method, &[], |case| case["name"] == "commit: already in the cache").await;
    count.assert(names.len() + 1);
}
