//! WebSocket: the recorded conversations again; slow, silent and broken clients.

use std::sync::Arc;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use guts_rpc::events::{Batch, NodeEvent};
use guts_rpc::server::{Limits, Methods};
use guts_rpc::types;
use serde_json::{Value, json};
use tendermint_rpc::query::{EventType, Query};
use tendermint_rpc::{SubscriptionClient, WebSocketClient};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::chain::Chain;
use crate::events::{new_block, tell};
use crate::requests::{DEADLINE, differences, own_words, send, vector};
use crate::wire::Server;

type Socket = WebSocketStream<TcpStream>;

pub async fn connect(server: &Server) -> Socket {
    let stream = TcpStream::connect(&server.address).await.unwrap();
    let url = format!("ws://{}/websocket", server.address);
    tokio_tungstenite::client_async(url, stream).await.unwrap().0
}

/// The next text; none when the connection has ended.
pub async fn text(socket: &mut Socket) -> Option<Value> {
    loop {
        let next = tokio::time::timeout(DEADLINE, socket.next()).await.expect("in time");
        match next? {
            Ok(Message::Text(text)) => return Some(serde_json::from_str(&text).unwrap()),
            Ok(Message::Close(_)) | Err(_) => return None,
            Ok(_) => {}
        }
    }
}

async fn call(socket: &mut Socket, method: &str, params: Value) -> Value {
    let request = json!({ "jsonrpc": "2.0", "id": 9, "method": method, "params": params });
    socket.send(Message::text(request.to_string())).await.unwrap();
    text(socket).await.unwrap()
}

pub async fn start(limits: Limits) -> (Server, Arc<Chain>) {
    let chain = Arc::new(Chain::new(26));
    (Server::start(chain.clone(), limits, Methods::default()).await, chain)
}

pub fn conversations(file: &str) -> Vec<Value> {
    let mut recorded = vector(&format!("rpc/{file}.json"));
    match recorded["connections"].take() {
        Value::Array(connections) => connections,
        other => panic!("connections are a list: {other}"),
    }
}

/// The recorded answer without the words of Go's libraries.
fn own(mut answer: Value, wanted: &Value) -> Value {
    let data = wanted["error"]["data"].as_str().unwrap_or_default();
    let own = own_words(data);
    if own.len() < data.len()
        && let Some(place) = answer.pointer_mut("/error/data")
        && place.as_str().is_some_and(|text| text.starts_with(own))
    {
        *place = Value::from(own);
    }
    answer
}

#[tokio::test]
async fn recorded_conversations_go_alike() {
    let mut answers = 0;
    for recorded in conversations("websocket_protocol") {
        let name = recorded["name"].as_str().unwrap();
        let frames = recorded["frames"].as_array().unwrap();
        let is_plain = |f: &Value| f["opcode"] == 1 || f["opcode"] == 2;
        if recorded["state"] != "final" || !frames.iter().all(is_plain) || frames.is_empty() {
            continue;
        }
        let (server, _chain) = start(Limits::default()).await;
        let mut socket = connect(&server).await;
        for frame in frames {
            let payload = frame["payload"].as_str().unwrap();
            if frame["dir"] == "c2s" {
                let message = match frame["opcode"] == 1 {
                    true => Message::text(payload),
                    false => Message::binary(payload.as_bytes().to_vec()),
                };
                socket.send(message).await.unwrap();
                continue;
            }
            let wanted: Value = serde_json::from_str(payload).unwrap();
            let got = text(&mut socket).await.unwrap();
            if payload.contains("reflect: Call") {
                // Without `params`: answered as with empty ones.
                assert_ne!(got["id"], -1, "{name}");
                continue;
            }
            let (got, wanted) = (own(got, &wanted), own(wanted.clone(), &wanted));
            assert_eq!(got, wanted, "{name}");
            answers += 1;
        }
        drop(socket);
        server.stop().await;
    }
    assert_eq!(answers, 49);
}

#[tokio::test]
async fn the_websocket_client_of_tendermint_rs_hears_blocks_and_transactions() {
    let (server, chain) = start(Limits::default()).await;
    let url = format!("ws://{}/websocket", server.address);
    let (client, driver) = WebSocketClient::new(url.as_str()).await.unwrap();
    let driver = tokio::spawn(driver.run());
    let mut blocks = client.subscribe(EventType::NewBlock.into()).await.unwrap();
    let query = Query::from(EventType::Tx).and_eq("app.key", "name");
    let mut txs = client.subscribe(query).await.unwrap();
    tell(&chain, 2);
    let next = tokio::time::timeout(DEADLINE, blocks.next()).await.unwrap();
    let told = serde_json::to_string(&next.unwrap().unwrap().events).unwrap();
    assert!(told.contains("NewBlock"), "{told}");
    let next = tokio::time::timeout(DEADLINE, txs.next()).await.unwrap();
    let told = next.unwrap().unwrap().events.unwrap();
    assert_eq!(told["tx.height"], ["2"]);
    client.close().unwrap();
    driver.await.unwrap().unwrap();
    server.stop().await;
}

#[tokio::test]
async fn limits_are_those_of_clients_and_of_each() {
    // Origins as where the case below was recorded.
    let cors_origins = vec!["https://example.org".into()];
    let limits = Limits { ws_clients_max: 2, cors_origins, ..Limits::default() };
    let (server, _chain) = start(limits).await;
    let mut sockets = Vec::new();
    for _ in 0..2 {
        let mut socket = connect(&server).await;
        let answer = call(&mut socket, "subscribe", json!(["tm.event='Tx'"])).await;
        assert_eq!(answer["result"], json!({}));
        sockets.push(socket);
    }
    let mut third = connect(&server).await;
    let refused = call(&mut third, "subscribe", json!(["tm.event='Tx'"])).await;
    assert_eq!(refused["error"]["data"], "max_subscription_clients 2 reached");
    // A commit waits as a client does.
    let file = vector("rpc/broadcast_tx_commit.json");
    let cases = file["cases"].as_array().unwrap();
    let exhausted = |case: &&Value| case["name"] == "limits: subscription clients exhausted";
    let case = cases.iter().find(exhausted).unwrap();
    let found = differences(&server.address, "broadcast_tx_commit", case).await;
    assert!(found.is_empty(), "{found:#?}");
    let left = call(&mut sockets[0], "unsubscribe_all", json!({})).await;
    assert_eq!(left["result"], json!({}));
    let welcome = call(&mut third, "subscribe", json!(["tm.event='Tx'"])).await;
    assert_eq!(welcome["result"], json!({}));
    // A connection that goes makes room as well.
    drop(sockets);
    let mut fourth = connect(&server).await;
    let end = tokio::time::Instant::now() + DEADLINE;
    while call(&mut fourth, "subscribe", json!(["tm.event='Tx'"])).await["error"].is_object() {
        assert!(tokio::time::Instant::now() < end, "room is made");
        tokio::task::yield_now().await;
    }
    drop((third, fourth));
    server.stop().await;
}

#[tokio::test]
async fn who_does_not_read_loses_its_subscriptions_and_delays_nobody() {
    let limits = Limits { ws_write_s: 8, ..Limits::default() };
    let (server, chain) = start(limits).await;
    let mut slow = connect(&server).await;
    let mut good = connect(&server).await;
    for socket in [&mut slow, &mut good] {
        let answer = call(socket, "subscribe", json!(["tm.event='NewBlock'"])).await;
        assert_eq!(answer["result"], json!({}));
    }
    // Blocks of 4 MB: more than sockets hold.
    let mut big = new_block(&chain, 2);
    big.block.data.txs = vec![types::Text64(vec![7; 3 << 20])];
    for _ in 0..12 {
        chain.events.send(Arc::new(Batch::new(NodeEvent::of_block(&big)))).unwrap();
        assert_eq!(text(&mut good).await.unwrap()["result"]["query"], "tm.event='NewBlock'");
    }
    let end = tokio::time::Instant::now() + 2 * DEADLINE;
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    while chain.events.receiver_count() > 1 {
        assert!(tokio::time::Instant::now() < end, "it is dropped");
        ticks.tick().await;
    }
    let mut seen = 0;
    while let Some(event) = text(&mut slow).await {
        if event["error"]["code"] == -32000 {
            break;
        }
        seen += 1;
    }
    assert!(seen < 12, "it was dropped, or told that it is too slow");
    let answer = call(&mut good, "health", json!({})).await;
    assert_eq!(answer["result"], json!({}));
    drop((slow, good));
    server.stop().await;
}

#[tokio::test]
async fn silence_ends_a_connection_and_pongs_keep_it() {
    let limits = Limits { ws_ping_s: 1, ws_idle_s: 3, ..Limits::default() };
    let (server, _chain) = start(limits).await;
    let mut alive = connect(&server).await;
    let mut silent = TcpStream::connect(&server.address).await.unwrap();
    let request = "GET /websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\
                   Connection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    silent.write_all(request.as_bytes()).await.unwrap();
    let mut all = Vec::new();
    let ended = tokio::time::timeout(DEADLINE, silent.read_to_end(&mut all));
    tokio::pin!(ended);
    loop {
        tokio::select! {
            // Reading is what answers pings.
            Some(frame) = alive.next() => assert!(frame.unwrap().is_ping()),
            ended = &mut ended => {
                ended.expect("half-open connections end").unwrap();
                break;
            }
        }
    }
    let text = String::from_utf8_lossy(&all).into_owned();
    assert!(text.starts_with("HTTP/1.1 101"), "{text}");
    assert!(text.to_ascii_lowercase().contains("s3pplmbitxaq9kygzzhzrbk+xoo="), "{text}");
    assert_eq!(call(&mut alive, "health", json!({})).await["result"], json!({}));
    drop(alive);
    server.stop().await;
}

#[tokio::test]
async fn who_is_long_in_reading_is_not_taken_for_dead() {
    let limits = Limits { ws_idle_s: 2, ws_write_s: 60, ..Limits::default() };
    let (server, chain) = start(limits).await;
    // More than sockets hold, less than this client takes in one frame.
    let mut big = new_block(&chain, 2);
    big.block.data.txs = vec![types::Text64(vec![7; 11 << 20])];
    let batch = Arc::new(Batch::new(NodeEvent::of_block(&big)));
    let mut sockets = Vec::new();
    for _ in 0..4 {
        let mut socket = connect(&server).await;
        let answer = call(&mut socket, "subscribe", json!(["tm.event='NewBlock'"])).await;
        assert_eq!(answer["result"], json!({}));
        sockets.push(socket);
    }
    chain.events.send(batch).unwrap();
    let health = json!({ "jsonrpc": "2.0", "id": 7, "method": "health", "params": {} });
    for socket in &mut sockets {
        socket.send(Message::text(health.to_string())).await.unwrap();
    }
    // Longer than a silent client is kept.
    let mut ticks = tokio::time::interval(Duration::from_secs(3));
    ticks.tick().await;
    ticks.tick().await;
    for socket in &mut sockets {
        let mut ids = Vec::new();
        while ids.len() < 2 {
            ids.push(text(socket).await.expect("it is kept")["id"].clone());
        }
        assert!(ids.contains(&json!(7)) && ids.contains(&json!(9)), "{ids:?}");
    }
    drop(sockets);
    server.stop().await;
}

#[tokio::test]
async fn pages_of_other_origins_open_no_websocket() {
    let limits = Limits { cors_origins: vec!["https://good.example".into()], ..Limits::default() };
    let (server, chain) = start(limits).await;
    let handshake = async |server: &Server, origin: Option<&str>| {
        let address = &server.address;
        let origin = origin.map_or(String::new(), |origin| format!("Origin: {origin}\r\n"));
        let request = format!(
            "GET /websocket HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\n{origin}\
             Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut status = [0; 12];
        let read = tokio::time::timeout(DEADLINE, stream.read_exact(&mut status)).await;
        read.expect("an answer in time").unwrap();
        String::from_utf8_lossy(&status[9..]).into_owned()
    };
    let own = format!("http://{}", server.address);
    let longer = format!("{own}.example.org");
    for (origin, wanted) in [
        (None, "101"),
        (Some(own.as_str()), "101"),
        (Some("https://good.example"), "101"),
        (Some("https://bad.example"), "403"),
        (Some(longer.as_str()), "403"),
        (Some("null"), "403"),
        (Some("\u{fc}"), "403"),
    ] {
        assert_eq!(handshake(&server, origin).await, wanted, "{origin:?}");
    }
    server.stop().await;
    let any = Limits { cors_origins: vec!["*".into()], ..Limits::default() };
    let server = Server::start(chain, any, Methods::default()).await;
    assert_eq!(handshake(&server, Some("https://bad.example")).await, "101");
    server.stop().await;
}

#[tokio::test]
async fn subscribers_are_told_that_events_were_lost() {
    let (server, chain) = start(Limits::default()).await;
    let mut socket = connect(&server).await;
    call(&mut socket, "subscribe", json!(["tm.event='NewBlock'"])).await;
    chain.events.send(Arc::new(Batch::lost())).unwrap();
    let told = text(&mut socket).await.unwrap();
    assert_eq!((&told["id"], &told["error"]["code"]), (&json!(9), &json!(-32000)));
    let answer = call(&mut socket, "subscribe", json!(["tm.event='NewBlock'"])).await;
    assert_eq!(answer["result"], json!({}), "it may begin again");
    drop(socket);
    server.stop().await;
}

#[tokio::test]
async fn broken_handshakes_and_frames_are_refused() {
    let limits = Limits { body_bytes_max: 2_000, ..Limits::default() };
    let (server, _chain) = start(limits).await;
    let good: Vec<(String, String)> = [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ]
    .iter()
    .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
    .collect();
    for at in 0..good.len() {
        let mut headers = good.clone();
        headers[at].1 = "nonsense".into();
        let got = send(&server.address, "GET", "/websocket", &headers[at..=at], None).await;
        assert_eq!((got.status, got.body.as_str()), (400, "Bad Request\n"));
        assert_eq!(got.header("Sec-Websocket-Version"), Some("13"));
    }
    let mut socket = connect(&server).await;
    socket.send(Message::text("x".repeat(3_000))).await.unwrap();
    let closed = tokio::time::timeout(DEADLINE, socket.next()).await.unwrap();
    let Some(Ok(Message::Close(Some(frame)))) = closed else { panic!("{closed:?}") };
    assert_eq!(u16::from(frame.code), 1009);
    let mut socket = connect(&server).await;
    // A text frame without a mask.
    socket.get_mut().write_all(&[0x81, 0x01, b'x']).await.unwrap();
    let closed = tokio::time::timeout(DEADLINE, socket.next()).await.unwrap();
    let Some(Ok(Message::Close(Some(frame)))) = closed else { panic!("{closed:?}") };
    assert_eq!(u16::from(frame.code), 1002);
    drop(socket);
    server.stop().await;
}

#[tokio::test]
async fn a_server_that_stops_tells_its_subscribers() {
    let (server, _chain) = start(Limits::default()).await;
    let mut socket = connect(&server).await;
    call(&mut socket, "subscribe", json!({ "query": "tm.event='Tx'" })).await;
    server.stop().await;
    let last = text(&mut socket).await.unwrap();
    assert_eq!((&last["id"], &last["error"]["code"]), (&json!(9), &json!(-32000)));
    let why = "subscription was canceled (reason: CometBFT exited)";
    assert_eq!(last["error"]["data"], why);
}

#[tokio::test]
async fn idle_connections_take_turns_and_do_not_shut_others_out() {
    let limits = Limits {
        connections_max: 20,
        header_timeout_s: 1,
        waiting_timeout_s: 60,
        ..Limits::default()
    };
    let (server, _chain) = start(limits).await;
    let mut idle = Vec::new();
    for _ in 0..60 {
        idle.push(TcpStream::connect(&server.address).await.unwrap());
    }
    let asked = send(&server.address, "GET", "/health", &[], None);
    let got = tokio::time::timeout(Duration::from_secs(60), asked).await.expect("an answer");
    assert_eq!(got.status, 200);
    drop(idle);
    server.stop().await;
}
