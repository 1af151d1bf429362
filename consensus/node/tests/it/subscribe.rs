//! Subscribers of a node that runs, and of one that is stopped.

use crate::network::{DEADLINE, Network};
use futures::{SinkExt, StreamExt};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// What a graceful stop may take here: twenty times what it takes at most where nothing else runs.
const STOP_MAX: Duration = Duration::from_secs(30);

/// The next text of a WebSocket.
pub async fn text(socket: &mut WebSocketStream<TcpStream>) -> Value {
    loop {
        let next = tokio::time::timeout(DEADLINE, socket.next()).await.expect("in time");
        if let Message::Text(text) = next.expect("open").expect("whole") {
            return serde_json::from_str(&text).unwrap();
        }
    }
}

/// A WebSocket to the first node; none when it is refused.
pub async fn connect(network: &Network) -> Option<WebSocketStream<TcpStream>> {
    let address = network.nodes[0].rpc();
    let stream = TcpStream::connect(address).await.ok()?;
    let url = format!("ws://{address}/websocket");
    Some(tokio_tungstenite::client_async(url, stream).await.ok()?.0)
}

/// A WebSocket to the first node with these subscriptions.
pub async fn subscribe(network: &Network, queries: &[(u64, &str)]) -> WebSocketStream<TcpStream> {
    let mut socket = connect(network).await.unwrap();
    for (id, query) in queries {
        let request = serde_json::json!({
            "jsonrpc": "2.0", "id": id, "method": "subscribe", "params": { "query": query }
        });
        socket.send(Message::text(request.to_string())).await.unwrap();
        assert_eq!(text(&mut socket).await["result"], serde_json::json!({}));
    }
    socket
}

/// The kind of an event, its height and round. A vote's are its own.
fn place(told: &Value) -> (String, i64, i64) {
    let value = &told["data"]["value"];
    let of = if value["Vote"].is_object() { &value["Vote"] } else { value };
    let of = if of["block"].is_object() { &of["block"]["header"] } else { of };
    let height = of["height"].as_str().map_or(0, |height| height.parse().unwrap());
    let kind = told["events"]["tm.event"][0].as_str().unwrap().to_owned();
    (kind, height, of["round"].as_i64().unwrap_or_default())
}

/// With one of four dead, a round that it should have led takes place, and the next one decides.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscribers_hear_of_rounds() {
    let mut network = Network::start(4, &[]).await;
    network.reach(1).await;
    let mut socket = subscribe(&network, &[(1, "tm.event EXISTS")]).await;
    network.nodes[3].kill_engine();
    for n in 0..4 {
        network.nodes[0].commit(&format!("round{n}"), "x").await;
    }
    let mut told: Vec<(String, i64, i64)> = Vec::new();
    let (late, slow) = loop {
        let event = text(&mut socket).await;
        assert_eq!(event["id"], 1, "{event}");
        let (kind, height, round) = place(&event["result"]);
        told.push((kind.clone(), height, round));
        let late = told.iter().find(|(kind, ..)| kind == "TimeoutPropose");
        if let Some((_, late, slow)) = late
            && (kind.as_str(), height) == ("NewRound", late + 1)
        {
            break (*late, *slow);
        }
    };
    let of_height = told.iter().filter(|(kind, height, _)| *height == late && kind != "Vote");
    let of_height: Vec<_> = of_height.map(|(kind, _, round)| (kind.as_str(), *round)).collect();
    let at = |kind: &str, round: i64| {
        let found = of_height.iter().position(|one| *one == (kind, round));
        found.unwrap_or_else(|| panic!("{kind} {round}: {of_height:?}"))
    };
    let decided = of_height.iter().rev().find(|(kind, _)| *kind == "Polka").unwrap().1;
    let is_lock = |one: &(&str, i64)| ["Lock", "Relock"].contains(&one.0) && one.1 == decided;
    let order = [
        at("NewRound", slow),
        at("TimeoutPropose", slow),
        at("NewRound", decided),
        at("CompleteProposal", decided),
        at("Polka", decided),
        of_height.iter().position(is_lock).expect("it locks what it decides"),
        at("NewBlock", 0),
    ];
    assert!(order.is_sorted(), "{order:?} {of_height:?}");
    assert!(of_height.iter().any(|(kind, _)| *kind == "NewRoundStep"));
    let votes = told.iter().filter(|(kind, height, _)| kind == "Vote" && *height == late);
    assert!(votes.count() >= 6, "prevotes and precommits of three");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscribers_hear_of_blocks_that_can_be_read_and_of_the_end() {
    let mut network = Network::start(1, &[]).await;
    network.reach(1).await;
    let queries = [(1, "tm.event='Tx' AND app.key='heard'"), (2, "tm.event='NewBlock'")];
    let mut socket = subscribe(&network, &queries).await;
    let height = network.nodes[0].commit("heard", "1").await;
    let mut seen_block = false;
    loop {
        let event = text(&mut socket).await;
        let told = &event["result"]["events"];
        if event["id"] == 2 {
            let block = &event["result"]["data"]["value"]["block"]["header"]["height"];
            seen_block |= block.as_str() == Some(height.to_string().as_str());
            continue;
        }
        assert_eq!(told["tx.height"][0], height.to_string());
        let hash = Sha256::digest("heard=1");
        assert_eq!(told["tx.hash"][0], hex::encode_upper(hash));
        let found = network.nodes[0].client().tx(&hash, false).await.unwrap();
        assert_eq!(found.height, height);
        break;
    }
    assert!(seen_block, "the block is told of before its transactions");
    let began = Instant::now();
    assert!(network.nodes[0].end_engine());
    assert!(began.elapsed() < STOP_MAX, "stopped in {:?}", began.elapsed());
    loop {
        let last = text(&mut socket).await;
        if last["error"].is_object() {
            assert_eq!(last["error"]["code"], -32000);
            break;
        }
    }
}
