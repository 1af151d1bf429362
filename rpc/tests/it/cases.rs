//! Every recorded request of the methods this server has, answered alike: status, headers and
//! body, JSON value for value. What differs on purpose is counted and listed here.

use std::collections::BTreeMap;
use std::sync::Arc;

use guts_rpc::server::{Limits, Methods};
use guts_rpc::{Backend, Heights};
use serde_json::{Value, from_value};

use crate::chain::Chain;
use crate::requests::{differences, leaves_out_params, send, vector};
use crate::wire::Server;

const METHODS: [&str; 34] = [
    "abci_info",
    "abci_query",
    "block",
    "block_by_hash",
    "block_results",
    "block_search",
    "blockchain",
    "broadcast_evidence",
    "broadcast_tx_async",
    "broadcast_tx_commit",
    "broadcast_tx_sync",
    "check_tx",
    "commit",
    "consensus_params",
    "consensus_state",
    "dial_peers",
    "dial_seeds",
    "dump_consensus_state",
    "genesis",
    "genesis_chunked",
    "header",
    "header_by_hash",
    "health",
    "net_info",
    "num_unconfirmed_txs",
    "status",
    "subscribe",
    "tx",
    "tx_search",
    "unconfirmed_txs",
    "unsafe_flush_mempool",
    "unsubscribe",
    "unsubscribe_all",
    "validators",
];

/// Cases that differ, with why. Everything else must be equal.
const DIFFERENT: [(&str, &str); 10] = [
    ("limits: batch of three", "Vary is sent with every answer once origins are allowed"),
    ("body empty array", "an empty batch is an invalid request in JSON-RPC 2.0"),
    ("empty body POST", "the index lists this server's methods"),
    ("no body POST", "the index lists this server's methods"),
    ("GET index", "the index lists this server's methods"),
    ("GET index with Accept JSON", "the index lists this server's methods"),
    ("CORS disabled: preflight", "the index lists this server's methods"),
    ("index with unsafe routes", "the index lists this server's methods"),
    ("GET double slash", "paths are not cleaned"),
    ("GET dot path", "paths are not cleaned"),
];

/// Cases that cannot be asked by themselves.
const ABSENT: [(&str, &str); 3] = [
    ("limits: subscription clients exhausted", "asked beside its two clients, in `ws.rs`"),
    ("async: empty tx", "a race with CheckTx in the recording"),
    ("header too large", "hyper's limit is lower, and its answer has no text"),
];

/// Cases before which the mempool was flushed.
const FLUSHED: [&str; 2] =
    ["limits: after a flush the same tx is accepted again", "limits: times out after 1 s"];

fn limits(state: &str) -> Limits {
    let mut limits = Limits::default();
    if state == "limits" {
        limits.is_unsafe = true;
        limits.batch_max = 2;
        limits.body_bytes_max = 2_000;
        limits.cors_origins = vec!["https://example.org".into()];
    }
    limits
}

/// The node in one of the recording's states, as far as `file` asks for it.
fn backend(file: &str, state: &str, cases: &[&Value]) -> Chain {
    let top = if ["alone", "genesis"].contains(&state) { 0 } else { 26 };
    let mut chain = Chain::new(top);
    let recorded = |file: &str| {
        let texts = cases.iter().filter_map(|case| case["response"]["body"].as_str());
        let mut bodies = texts.filter_map(|text| serde_json::from_str::<Value>(text).ok());
        let body = bodies.find(|body| body["result"].is_object());
        body.unwrap_or_else(|| panic!("{file} has an answer"))["result"].take()
    };
    match file {
        "status" => chain.status = Some(serde_json::from_value(recorded(file)).unwrap()),
        "net_info" => chain.net_info = Some(serde_json::from_value(recorded(file)).unwrap()),
        "consensus_state" => chain.rounds.0 = Some(from_value(recorded(file)).unwrap()),
        "dump_consensus_state" => chain.rounds.1 = Some(from_value(recorded(file)).unwrap()),
        "broadcast_tx_sync" | "broadcast_tx_async" if state == "building" => {
            chain.remember("name=satoshi");
        }
        "broadcast_tx_commit" if state == "stalled" => chain.remember("stall0=1"),
        "num_unconfirmed_txs" | "unconfirmed_txs" if state == "stalled" => {
            for at in 0..3 {
                chain.wait(&format!("stall{at}=1"));
            }
        }
        _ => {}
    }
    if state == "limits" {
        chain.is_indexed = false;
        chain.pending_max = 2;
        if file != "broadcast_tx_sync" {
            chain.wait("full0=1");
            chain.wait("full1=1");
        }
    }
    chain
}

#[derive(Default)]
struct Count {
    equal: usize,
    different: usize,
    absent: usize,
    missing_params: usize,
    failures: Vec<String>,
}

async fn run(files: &[&str]) -> Count {
    let mut count = Count::default();
    for file in files {
        let cases = vector(&format!("rpc/{file}.json"));
        let mut by_state: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
        for case in cases["cases"].as_array().unwrap() {
            by_state.entry(case["state"].as_str().unwrap()).or_default().push(case);
        }
        for (state, cases) in by_state {
            let backend = Arc::new(backend(file, state, &cases));
            let server = Server::start(backend, limits(state), Methods::default()).await;
            for case in cases {
                let name = case["name"].as_str().unwrap();
                let is = |list: &[(&str, &str)]| list.iter().any(|(other, _)| *other == name);
                if is(&ABSENT) {
                    count.absent += 1;
                    continue;
                }
                if FLUSHED.contains(&name) {
                    let flushed =
                        send(&server.address, "GET", "/unsafe_flush_mempool", &[], None).await;
                    assert_eq!(flushed.status, 200);
                }
                let found = differences(&server.address, file, case).await;
                if leaves_out_params(case) {
                    // Answered as with empty parameters, which JSON-RPC 2.0 allows to leave out.
                    let is_answered = found.iter().any(|one| one.starts_with("status: got 200"));
                    assert!(is_answered, "{file} {state} {name}: {found:?}");
                    count.missing_params += 1;
                } else if is(&DIFFERENT) {
                    assert!(!found.is_empty(), "{name} is equal after all");
                    count.different += 1;
                } else if found.is_empty() {
                    count.equal += 1;
                } else {
                    count.failures.push(format!("{file} | {state} | {name}: {found:#?}"));
                }
            }
            server.stop().await;
        }
    }
    count
}

#[tokio::test]
async fn recorded_answers_of_every_method_are_equal() {
    let count = run(&METHODS).await;
    assert!(count.failures.is_empty(), "{}", count.failures.join("\n"));
    assert_eq!((count.equal, count.missing_params, count.different), (EQUAL, MISSING_PARAMS, 0));
    assert_eq!(count.absent, 2);
}

#[tokio::test]
async fn recorded_answers_of_the_protocol_are_equal() {
    let count = run(&["protocol"]).await;
    assert!(count.failures.is_empty(), "{}", count.failures.join("\n"));
    assert_eq!((count.equal, count.different), (103 - 1 - DIFFERENT.len(), DIFFERENT.len()));
    assert_eq!(count.absent, 1);
}

/// How many cases of the methods are equal, and how many leave out `params`.
const EQUAL: usize = 938;
const MISSING_PARAMS: usize = 20;

/// A node whose first block is not 1.
struct Pruned(Heights);

impl Backend for Pruned {
    fn heights(&self) -> Heights {
        self.0
    }
}

#[tokio::test]
async fn heights_below_the_base_are_refused_as_recorded() {
    let cases = vector("rpc/first_block_not_1.json");
    let mut equal = 0;
    for case in cases["cases"].as_array().unwrap() {
        let is_error = case["response"]["body"].as_str().unwrap().contains("\"error\"");
        let name = case["name"].as_str().unwrap();
        let has_method = METHODS.iter().any(|method| name.starts_with(&format!("{method} ")));
        // While it restores a snapshot the node has no heights, and says what its stores say.
        if !is_error || !has_method || name.contains("while restoring") {
            continue;
        }
        let height = |what: &str| case["chain"][what].as_u64().unwrap();
        let pruned = Pruned(Heights { base: height("base"), top: height("height") });
        let server = Server::start(Arc::new(pruned), Limits::default(), Methods::default()).await;
        let found = differences(&server.address, "", case).await;
        assert!(found.is_empty(), "{name}: {found:#?}");
        equal += 1;
        server.stop().await;
    }
    assert_eq!(equal, 46);
}
