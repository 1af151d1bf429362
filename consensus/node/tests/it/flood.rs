//! WebSockets that say more than they read, subscribe to everything, ping without end, and come and
//! go: the node they flood goes on making blocks in little memory, and one that behaves hears all.

use crate::network::{Network, eventually};
use crate::subscribe::{connect, subscribe, text};
use futures::{Sink, SinkExt};
use std::collections::BTreeSet;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;

/// WebSockets of each kind of flood; all together fewer than the connections a node allows.
const EACH: usize = 25;
/// What all of it may cost the engine at most.
const MEMORY_KIB_MAX: u64 = 128 << 10;
/// Transactions that are committed meanwhile, each in a block of its own.
const TXS: usize = 10;
/// The most bytes of a message are taken; this is a message of about a quarter.
const LONG: usize = 250_000;

/// What one kind of flood says in its turn.
fn said(kind: usize, turn: usize) -> Message {
    let call = |method: &str, params: serde_json::Value| {
        let call =
            serde_json::json!({ "jsonrpc": "2.0", "id": turn, "method": method, "params": params });
        Message::text(call.to_string())
    };
    match kind {
        // Answers of some size, never read.
        0 => call("validators", serde_json::json!({})),
        // Subscriptions to everything there is.
        1 => call("subscribe", serde_json::json!({ "query": format!("tx.height > {turn}") })),
        2 => Message::Ping(vec![0; 125].into()),
        // No call at all.
        _ => Message::text("[".repeat(LONG)),
    }
}

/// Says the same again and again; for kind 3, over a new WebSocket when the old one is ended.
async fn flood(network: &Network, kind: usize) {
    while let Some(mut socket) = connect(network).await {
        let mut turn = 0;
        while say(&mut socket, said(kind, turn)).await {
            turn += 1;
        }
    }
}

async fn say(socket: &mut (impl Sink<Message> + Unpin), message: Message) -> bool {
    socket.send(message).await.is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_over_websockets_stops_no_block_and_no_reader() {
    let network = std::sync::Arc::new(Network::start(2, &[]).await);
    network.reach(1).await;
    network.nodes[1].commit("before", "1").await;
    let before = network.nodes[0].memory_kib();
    let mut reader = subscribe(&network, &[(1, "tm.event = 'Tx'")]).await;
    let mut floods = JoinSet::new();
    for kind in (0..4).cycle().take(4 * EACH) {
        let network = network.clone();
        floods.spawn(async move { flood(&network, kind).await });
    }
    let mut wanted = BTreeSet::new();
    for n in 0..TXS {
        // Two of two must agree: the flooded one votes, too.
        let height = network.nodes[1].commit(&format!("during{n}"), "1").await;
        wanted.insert(height.to_string());
    }
    let memory = network.nodes[0].memory_kib().saturating_sub(before);
    assert!(memory < MEMORY_KIB_MAX, "{memory} KiB more");
    while !wanted.is_empty() {
        let told = text(&mut reader).await;
        let height = told["result"]["events"]["tx.height"][0].as_str();
        wanted.remove(height.unwrap_or_else(|| panic!("ended: {told}")));
    }
    floods.shutdown().await;
    // Once they are gone, there is room for others.
    let room = eventually(|| async {
        let mut socket = connect(&network).await?;
        let call = r#"{"jsonrpc":"2.0","id":1,"method":"subscribe","params":{"query":"a.b = 1"}}"#;
        socket.send(Message::text(call)).await.ok()?;
        text(&mut socket).await["result"].is_object().then_some(())
    });
    room.await.expect("a place for one that behaves");
    assert!(network.nodes[0].commit("after", "1").await > 0);
}
