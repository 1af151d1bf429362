//! Recorded requests of CometBFT into our kvstore, through our server: the answers are those of
//! CometBFT's kvstore, in the order the relay saw them.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::BytesMut;
use guts_abci::Served;
use guts_abci::codec::encode;
use guts_abci::kvstore::{KvStore, Memory, served};
use guts_abci::proto::abci::{Response, response};

use crate::harness::{Raw, Running};
use crate::recordings::{Recorded, read};

/// Recordings of CometBFT's kvstore from genesis.
const RECORDINGS: [&str; 11] = [
    "fresh_start",
    "pipelining",
    "app_absent_at_start",
    "blocksync_full_node",
    "crash_1_before",
    "exception_bad_length",
    "exception_commit_answered_by_flush",
    "exception_unsolicited_response",
    "four_validators",
    "query",
    "process_reject",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_equal_those_of_cometbfts_kvstore() {
    for name in RECORDINGS {
        let store = Arc::new(Memory::new());
        let mut app = served(store.clone());
        // The wrapper, and the node's built-in kvstore, emit events of the block as well.
        let emits = |frame: &Recorded| frame.decoded.to_string().contains("begin_event");
        if read(name).iter().any(emits) {
            app.app = Box::new(KvStore::new(store).with_block_events());
        }
        let compared = replay(name, app).await;
        assert!(compared >= 8, "{name}: only {compared} answers compared");
    }
}

/// Sends the recorded requests one after the other, each on its connection, and compares the
/// answers but for those the wrapper made. Returns how many were compared.
async fn replay(name: &str, served: Served) -> usize {
    let running = Running::unix(served).await;
    let address = running.address.clone();
    let frames = read(name);
    let name = name.to_owned();
    let compare = move || {
        let mut connections: HashMap<String, Raw> = HashMap::new();
        let mut compared = 0;
        for (index, frame) in frames.iter().enumerate() {
            if !frame.is_request || frame.kind == "flush" {
                continue;
            }
            let raw = connections
                .entry(frame.connection.clone())
                .or_insert_with(|| Raw::connect(&address));
            raw.send(frame.request().value.unwrap());
            let ours = raw.receive().unwrap();
            let earlier = frames[..index].iter().filter(|other| {
                other.is_request && other.kind == frame.kind && other.connection == frame.connection
            });
            let mut answers = frames.iter().filter(|other| {
                !other.is_request
                    && other.kind == frame.kind
                    && other.connection == frame.connection
            });
            // The answer of the n-th request of a kind is the n-th answer of that kind.
            let Some(recorded) = answers.nth(earlier.count()) else { continue };
            if is_of_wrapper(recorded) {
                continue;
            }
            let mut theirs = recorded.response().value.unwrap();
            if let response::Value::FinalizeBlock(response) = &mut theirs {
                // The kvstore never changes parameters; the wrapper did.
                response.consensus_param_updates = None;
            }
            assert_eq!(to_hex(ours), to_hex(theirs), "{name} {}", frame.seq);
            compared += 1;
        }
        compared
    };
    let compared = tokio::task::spawn_blocking(compare).await.unwrap();
    running.stop().await.unwrap();
    compared
}

fn to_hex(value: response::Value) -> String {
    let mut bytes = BytesMut::new();
    encode(&Response { value: Some(value) }, &mut bytes);
    hex::encode(&bytes)
}

/// Was it made by the wrapper around the recorded kvstore, to show rich answers and a rejection?
fn is_of_wrapper(recorded: &Recorded) -> bool {
    let text = recorded.decoded.to_string();
    text.contains(r#""codespace":"wire""#) || text.contains(r#""status":"REJECT""#)
}
