//! What subscribers are told: the recorded events of blocks and rounds again.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::SinkExt;
use guts_rpc::events::{Batch, NewBlock, NodeEvent, Place, RoundEvent};
use guts_rpc::server::Limits;
use guts_rpc::types;
use serde_json::{Value, from_value};
use tokio_tungstenite::tungstenite::Message;

use crate::chain::{Chain, sha256};
use crate::ws::{connect, conversations, start, text};

/// What is told of a height of the recorded chain.
pub fn new_block(chain: &Chain, height: u64) -> NewBlock {
    let block: types::BlockResult = chain.get(height, "block");
    let results: types::BlockResults = chain.get(height, "block_results");
    let updated = |update: &types::ValidatorUpdate| {
        let types::PublicKey::Ed25519(key) = &update.pub_key.0 else { panic!("{update:?}") };
        types::Validator {
            address: sha256(&key.0)[..20].to_vec().into(),
            pub_key: update.pub_key.0.clone(),
            voting_power: update.power,
            proposer_priority: 0,
        }
    };
    let block_of = block.block.unwrap();
    NewBlock {
        tx_hashes: block_of.data.txs.iter().map(|tx| sha256(&tx.0).into()).collect(),
        updates: results.validator_updates.iter().map(updated).collect(),
        block_id: block.block_id,
        block: block_of,
        results,
    }
}

pub fn tell(chain: &Chain, height: u64) {
    let events = NodeEvent::of_block(&new_block(chain, height));
    chain.events.send(Arc::new(Batch::new(events))).unwrap();
}

/// Kinds of events that this server tells.
const TOLD: [&str; 6] =
    ["NewBlock", "NewBlockHeader", "NewBlockEvents", "NewEvidence", "Tx", "ValidatorSetUpdates"];

#[tokio::test]
async fn recorded_events_are_told_alike() {
    let mut count = 0;
    for recorded in conversations("websocket_events") {
        let (server, chain) = start(Limits::default()).await;
        let mut socket = connect(&server).await;
        let mut wanted: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for frame in recorded["frames"].as_array().unwrap() {
            let payload = frame["payload"].as_str().unwrap_or_default();
            if frame["dir"] == "c2s" {
                if frame["opcode"] == 1 {
                    socket.send(Message::text(payload)).await.unwrap();
                    text(&mut socket).await.unwrap();
                }
                continue;
            }
            let Ok(event) = serde_json::from_str::<Value>(payload) else { continue };
            let kind = event["result"]["data"]["type"].as_str().unwrap_or_default();
            if TOLD.iter().any(|told| kind == format!("tendermint/event/{told}")) {
                wanted.entry(event["id"].to_string()).or_default().push(event);
            }
        }
        let total: usize = wanted.values().map(Vec::len).sum();
        let mut got: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for height in 1..=26 {
            tell(&chain, height);
        }
        for _ in 0..total {
            let event = text(&mut socket).await.unwrap();
            got.entry(event["id"].to_string()).or_default().push(event);
        }
        let name = &recorded["name"];
        assert_eq!(got.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>(), "{name}");
        for (id, wanted) in &wanted {
            for (got, wanted) in got[id].iter().zip(wanted) {
                assert_eq!(got, wanted, "{name} {id}");
            }
            assert_eq!(got[id].len(), wanted.len(), "{name} {id}");
        }
        count += total;
        drop(socket);
        server.stop().await;
    }
    assert_eq!(count, EVENTS);
}

const EVENTS: usize = 148;

const STEPS: [&str; 8] = [
    "RoundStepNewHeight",
    "RoundStepNewRound",
    "RoundStepPropose",
    "RoundStepPrevote",
    "RoundStepPrevoteWait",
    "RoundStepPrecommit",
    "RoundStepPrecommitWait",
    "RoundStepCommit",
];

/// What happened in a round, from what was told of it; none for what is told of blocks.
fn round_event(told: &Value) -> Option<NodeEvent> {
    let value = &told["data"]["value"];
    let event = match told["events"]["tm.event"][0].as_str()? {
        "Vote" => RoundEvent::Vote(Box::new(from_value(value["Vote"].clone()).unwrap())),
        "NewRound" => RoundEvent::NewRound(from_value(value["proposer"].clone()).unwrap()),
        "NewRoundStep" => RoundEvent::NewRoundStep,
        "CompleteProposal" => {
            RoundEvent::CompleteProposal(from_value(value["block_id"].clone()).unwrap())
        }
        "Polka" => RoundEvent::Polka,
        "Lock" => RoundEvent::Lock,
        "TimeoutPropose" => RoundEvent::TimeoutPropose,
        "TimeoutWait" => RoundEvent::TimeoutWait,
        _ => return None,
    };
    let height = value["height"].as_str().map_or(0, |height| height.parse().unwrap());
    let round = i32::try_from(value["round"].as_i64().unwrap_or_default()).unwrap();
    let step = STEPS.into_iter().find(|step| value["step"] == *step).unwrap_or_default();
    Some(NodeEvent::of_round(Place { height, round, step }, &event))
}

#[tokio::test]
async fn recorded_rounds_are_told_alike() {
    let mut count = 0;
    for recorded in conversations("websocket_events") {
        let (server, chain) = start(Limits::default()).await;
        let mut socket = connect(&server).await;
        for frame in recorded["frames"].as_array().unwrap() {
            let payload = frame["payload"].as_str().unwrap_or_default();
            if frame["dir"] == "c2s" {
                if frame["opcode"] == 1 {
                    socket.send(Message::text(payload)).await.unwrap();
                    text(&mut socket).await.unwrap();
                }
                continue;
            }
            let Ok(wanted) = serde_json::from_str::<Value>(payload) else { continue };
            let Some(event) = round_event(&wanted["result"]) else { continue };
            chain.events.send(Arc::new(Batch::new(vec![event]))).unwrap();
            assert_eq!(text(&mut socket).await.unwrap(), wanted);
            count += 1;
        }
        drop(socket);
        server.stop().await;
    }
    assert_eq!(count, ROUND_EVENTS);
}

const ROUND_EVENTS: usize = 448;
