//! What the recordings do not show: methods of one's own, keep-alive, shutting down.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::FutureExt as _;
use guts_rpc::client::Client;
use guts_rpc::search::Search;
use guts_rpc::server::{Coding, Limits, Methods};
use guts_rpc::{Backend, Replies, Reply, RpcError, types};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::chain::sha256;
use crate::requests::{DEADLINE, send};
use crate::wire::Server;

/// A backend without any method.
struct Nothing;

impl Backend for Nothing {}

fn greeting() -> Methods {
    Methods::default().with("guts_greet", &["name", "data"], |args| {
        let (name, data) = (args.string(0)?, args.bytes(1, Coding::Hex)?);
        let answer = async move {
            if name.is_empty() {
                return Err(RpcError::internal("nobody to greet"));
            }
            Ok(json!({ "greeting": format!("<{name}>"), "len": data.len() }))
        };
        Ok(answer.boxed())
    })
}

#[tokio::test]
async fn further_methods_are_called_like_the_others() {
    let server = Server::start(Arc::new(Nothing), Limits::default(), greeting()).await;
    let client = Client::new(&server.address).unwrap();
    let params = json!({ "name": "é", "data": "00ff" });
    let answer: Value = client.call("guts_greet", params).await.unwrap();
    assert_eq!(answer, json!({ "greeting": "<é>", "len": 2 }));
    let got = send(&server.address, "GET", "/guts_greet?name=\"x\"", &[], None).await;
    let wanted = r#"{"jsonrpc":"2.0","id":-1,"result":{"greeting":"\u003cx\u003e","len":0}}"#;
    assert_eq!((got.status, got.body.as_str()), (200, wanted));
    let refused = client.call::<_, Value>("guts_greet", json!({})).await.unwrap_err();
    assert!(refused.to_string().contains("nobody to greet"), "{refused}");
    let wrong = client.call::<_, Value>("guts_greet", json!({ "name": 5 })).await.unwrap_err();
    assert!(wrong.to_string().contains("-32602"), "{wrong}");
    let index = send(&server.address, "GET", "/", &[], None).await;
    assert!(index.body.contains("/guts_greet?name=_&data=_"), "{}", index.body);
    server.stop().await;
}

#[tokio::test]
async fn a_backend_without_a_method_says_so() {
    let server = Server::start(Arc::new(Nothing), Limits::default(), Methods::default()).await;
    let client = Client::new(&server.address).unwrap();
    let error = client.status().await.unwrap_err().to_string();
    assert!(error.contains("status is not supported by this server"), "{error}");
    client.health().await.unwrap();
    server.stop().await;
}

#[tokio::test]
#[should_panic(expected = "the method health is there already")]
async fn a_method_of_the_table_cannot_be_replaced() {
    let taken = Methods::default().with("health", &[], |_| Ok(async { Ok(()) }.boxed()));
    drop(taken);
}

/// Reads one answer with a Content-Length off a connection that stays open.
async fn read_one(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let mut byte = [0];
        stream.read_exact(&mut byte).await.unwrap();
        bytes.push(byte[0]);
        if bytes.ends_with(b"\r\n\r\n") {
            break;
        }
    }
    let head = String::from_utf8(bytes).unwrap().to_ascii_lowercase();
    let len = head.split("content-length: ").nth(1).unwrap().split("\r\n").next().unwrap();
    let mut body = vec![0; len.parse().unwrap()];
    stream.read_exact(&mut body).await.unwrap();
    String::from_utf8(body).unwrap()
}

#[tokio::test]
async fn connections_are_kept_and_pipelined_and_closed_on_shutdown() {
    let server = Server::start(Arc::new(Nothing), Limits::default(), Methods::default()).await;
    let mut stream = TcpStream::connect(&server.address).await.unwrap();
    let body = |id: u32| format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"health"}}"#);
    let request = |id: u32| {
        let body = body(id);
        format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    };
    let two = request(1) + &request(2);
    stream.write_all(two.as_bytes()).await.unwrap();
    for id in [1, 2] {
        let wanted = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#);
        assert_eq!(read_one(&mut stream).await, wanted);
    }
    stream.write_all(request(3).as_bytes()).await.unwrap();
    assert!(read_one(&mut stream).await.contains("\"id\":3"));
    server.stop().await;
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut rest)).await;
    assert_eq!(ended.expect("the server closes idle connections").unwrap(), 0);
}

#[tokio::test]
async fn connections_over_the_limit_wait_for_their_turn() {
    let limits = Limits { connections_max: 1, ..Limits::default() };
    let server = Server::start(Arc::new(Nothing), limits, Methods::default()).await;
    let first = TcpStream::connect(&server.address).await.unwrap();
    let address = server.address.clone();
    let second =
        tokio::spawn(async move { send(&address, "GET", "/health", &[], None).await.status });
    drop(first);
    assert_eq!(second.await.unwrap(), 200);
    server.stop().await;
}

/// Finds one block, which is long; says when two are read at a time.
#[derive(Default)]
struct Long(AtomicUsize);

const LONG_BYTES: usize = 12 << 20;

impl Backend for Long {
    fn block_hits(&self, _search: Search) -> Reply<'_, Vec<u64>> {
        async { Ok(vec![1]) }.boxed()
    }

    fn blocks_at(&self, _heights: Vec<u64>) -> Reply<'_, Vec<types::BlockResult>> {
        async {
            assert_eq!(self.0.fetch_add(1, Ordering::SeqCst), 0, "one after another");
            tokio::task::yield_now().await;
            self.0.fetch_sub(1, Ordering::SeqCst);
            let mut found = types::BlockResult::default();
            let mut block = types::Block::default();
            block.data.txs = vec![vec![0; LONG_BYTES].into()];
            found.block = Some(block);
            Ok(vec![found])
        }
        .boxed()
    }
}

#[tokio::test]
async fn long_answers_of_a_batch_come_one_after_another_and_not_without_end() {
    let server = Server::start(Arc::new(Long::default()), Limits::default(), <_>::default()).await;
    let search = |id: usize| {
        let params = json!({ "query": "block.height = 1" });
        json!({ "jsonrpc": "2.0", "id": id, "method": "block_search", "params": params })
    };
    let mut batch: Vec<Value> = (0..9).map(search).collect();
    batch.insert(4, json!({ "jsonrpc": "2.0", "id": 100, "method": "health" }));
    let body = Value::from(batch).to_string();
    let got = send(&server.address, "POST", "/", &[], Some(body.as_bytes())).await;
    let answers: Vec<Value> = serde_json::from_str(&got.body).unwrap();
    let ids: Vec<u64> = answers.iter().map(|one| one["id"].as_u64().unwrap()).collect();
    assert_eq!(ids, [0, 1, 2, 3, 100, 4, 5, 6, 7, 8], "in the order of the calls");
    // Each is 16 MiB in base64: beyond 64 MiB none is begun.
    let is_refused = |one: &Value| one["error"]["data"].as_str().is_some();
    let refused: Vec<bool> = answers.iter().map(is_refused).collect();
    assert_eq!(refused, [false, false, false, false, false, true, true, true, true, true]);
    let says = answers[9]["error"]["data"].as_str().unwrap();
    assert_eq!(says, "the answers to this batch are longer than 67108864 bytes: ask for less");
    server.stop().await;
}

/// Takes every transaction but the empty one and remembers which came together.
#[derive(Default)]
struct Taking(Mutex<Vec<Vec<Bytes>>>);

impl Backend for Taking {
    fn broadcast_txs_async(&self, txs: Vec<Bytes>) -> Replies<'_, types::BroadcastTx> {
        self.0.lock().unwrap().push(txs.clone());
        let told = |tx: Bytes| match tx.is_empty() {
            false => Ok(types::BroadcastTx { hash: sha256(&tx).into(), ..<_>::default() }),
            true => Err(RpcError::internal("nothing to take")),
        };
        async move { txs.into_iter().map(told).collect() }.boxed()
    }
}

#[tokio::test]
async fn transactions_in_a_row_are_handed_over_together_and_each_is_answered() {
    let backend = Arc::new(Taking::default());
    let server = Server::start(backend.clone(), Limits::default(), <_>::default()).await;
    let submit = |id: Value, tx: Value| {
        let params = json!({ "tx": tx });
        json!({ "jsonrpc": "2.0", "id": id, "method": "broadcast_tx_async", "params": params })
    };
    let batch = json!([
        submit(json!(1), json!("YQ==")),
        submit(Value::Null, json!("bm9ib2R5IGFza3M=")),
        submit(json!(2), json!("no base64")),
        submit(json!("three"), json!("Yg==")),
        submit(json!(4), json!("")),
        json!({ "jsonrpc": "2.0", "id": 5, "method": "health" }),
        submit(json!(6), json!("Yw==")),
    ]);
    let body = batch.to_string();
    let got = send(&server.address, "POST", "/", &[], Some(body.as_bytes())).await;
    assert_eq!(got.status, 200);
    let answers: Vec<Value> = serde_json::from_str(&got.body).unwrap();
    let said: Vec<(&Value, &str)> = answers
        .iter()
        .map(|one| {
            let says = [&one["result"]["hash"], &one["error"]["data"]];
            (&one["id"], says.into_iter().find_map(Value::as_str).unwrap_or_default())
        })
        .collect();
    let hash = |tx: &[u8]| hex::encode_upper(sha256(tx));
    let (a, b, c) = (hash(b"a"), hash(b"b"), hash(b"c"));
    let refused = "error converting json params to arguments: illegal base64 data: Invalid symbol \
                   32, offset 2.";
    let wanted = [
        (&json!(1), a.as_str()),
        (&json!(2), refused),
        (&json!("three"), &b),
        (&json!(4), "nothing to take"),
        (&json!(5), ""),
        (&json!(6), &c),
    ];
    assert_eq!(said, wanted);
    let together: Vec<Vec<&[u8]>> = vec![vec![b"a", b"b", b""], vec![b"c"]];
    assert_eq!(*backend.0.lock().unwrap(), together, "none but those in a row");
    server.stop().await;
}

#[tokio::test]
async fn a_body_that_waits_to_be_asked_for_is_read() {
    let server = Server::start(Arc::new(Nothing), Limits::default(), Methods::default()).await;
    let mut stream = TcpStream::connect(&server.address).await.unwrap();
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"health"}"#;
    let len = body.len();
    let head =
        format!("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: {len}");
    for _ in 0..2 {
        stream.write_all(format!("{head}\r\n\r\n").as_bytes()).await.unwrap();
        let wanted = "HTTP/1.1 100 Continue\r\n\r\n";
        let mut asked = vec![0; wanted.len()];
        stream.read_exact(&mut asked).await.unwrap();
        assert_eq!(String::from_utf8(asked).unwrap(), wanted);
        stream.write_all(body.as_bytes()).await.unwrap();
        let answer = tokio::time::timeout(DEADLINE, read_one(&mut stream)).await.unwrap();
        assert_eq!(answer, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
    }
    drop(stream);
    server.stop().await;
}

#[tokio::test]
async fn a_request_may_be_in_the_middle_of_its_body_when_the_one_before_is_answered() {
    let server = Server::start(Arc::new(Nothing), Limits::default(), Methods::default()).await;
    let mut stream = TcpStream::connect(&server.address).await.unwrap();
    let body = |id: u32| format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"health"}}"#);
    let head = format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body(1).len());
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body(1).as_bytes()).await.unwrap();
    for id in 1..9 {
        let next = body(id + 1);
        let (first, rest) = next.split_at(4 * id as usize);
        stream.write_all(format!("{head}{first}").as_bytes()).await.unwrap();
        let answer = tokio::time::timeout(DEADLINE, read_one(&mut stream)).await.unwrap();
        assert_eq!(answer, format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#));
        stream.write_all(rest.as_bytes()).await.unwrap();
    }
    let answer = tokio::time::timeout(DEADLINE, read_one(&mut stream)).await.unwrap();
    assert_eq!(answer, r#"{"jsonrpc":"2.0","id":9,"result":{}}"#);
    drop(stream);
    server.stop().await;
}

/// The genesis document of a chain with much in its application's state.
struct Large;

impl Backend for Large {
    fn genesis(&self) -> Reply<'_, types::GenesisResult> {
        let genesis = json!({ "app_state": "x".repeat(16 << 20) });
        let genesis = serde_json::value::to_raw_value(&genesis).unwrap();
        async { Ok(types::GenesisResult { genesis }) }.boxed()
    }
}

#[tokio::test]
async fn a_large_genesis_document_is_given_in_chunks_alone() {
    let server = Server::start(Arc::new(Large), Limits::default(), Methods::default()).await;
    let client = Client::new(&server.address).unwrap();
    let refused = client.genesis().await.unwrap_err().to_string();
    let says = "genesis response is large, please use the genesis_chunked API instead";
    assert!(refused.contains(says), "{refused}");
    let mut bytes = 0;
    for chunk in ["0", "1"] {
        let params = json!({ "chunk": chunk });
        let got: types::GenesisChunk = client.call("genesis_chunked", params).await.unwrap();
        assert_eq!(got.total, 2);
        bytes += got.data.0.len();
    }
    assert_eq!(bytes, (16 << 20) + r#"{"app_state":""}"#.len());
    server.stop().await;
}
