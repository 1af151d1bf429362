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

async fn text(socket: &mut WebSocketStream<TcpStream>) -> Value {
    loop {
        let next = tokio::time::timeout(DEADLINE, socket.next()).await.expect("in time");
        if let Message::Text(text) = next.expect("open").expect("whole") {
            return serde_json::from_str(&text).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscribers_hear_of_blocks_that_can_be_read_and_of_the_end() {
    let mut network = Network::start(1, &[]).await;
    network.reach(1).await;
    let address = network.nodes[0].rpc();
    let stream = TcpStream::connect(&address).await.unwrap();
    let url = format!("ws://{address}/websocket");
    let (mut socket, _) = tokio_tungstenite::client_async(url, stream).await.unwrap();
    for (id, query) in [(1, "tm.event='Tx' AND app.key='heard'"), (2, "tm.event='NewBlock'")] {
        let request = serde_json::json!({
            "jsonrpc": "2.0", "id": id, "method": "subscribe", "params": { "query": query }
        });
        socket.send(Message::text(request.to_string())).await.unwrap();
        assert_eq!(text(&mut socket).await["result"], serde_json::json!({}));
    }
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
