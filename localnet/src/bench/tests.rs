//! The generator's own arithmetic: due times, what was refused, percentiles, answers in pieces.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use clap::Parser as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use guts_localnet::{app_state, create, process, start};
use guts_schema::{AccountId, Action, ChainRules, validate};

use crate::http::Connection;
use crate::options::Options;
use crate::{clone, developer, guts, kill, load, plain, report, target, usage, watch, work};

#[test]
fn transactions_are_due_at_the_rate_and_recognised() {
    let plan = work::kvstore(25, 64, 10, 100).expect("a plan");
    assert_eq!(plan.bodies.len(), 3);
    assert_eq!(plan.due(0), Duration::ZERO);
    assert_eq!(plan.due(9), Duration::ZERO, "those of one request are due together");
    assert_eq!(plan.due(10), Duration::from_millis(100));
    let body: serde_json::Value = serde_json::from_slice(&plan.bodies[2]).expect("JSON");
    assert_eq!(body.as_array().map(Vec::len), Some(5));
    let tx = body[4]["params"]["tx"].as_str().expect("a transaction");
    let tx = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, tx).expect("it");
    assert_eq!(tx.len(), 64);
    assert_eq!(plan.index(&tx), Some(24));
    assert_eq!(plan.index(b"somebody=else"), None);
    assert!(work::kvstore(1, 10, 1, 1).is_err(), "too small for a number");
}

#[test]
fn an_account_sends_to_one_node_and_counts_its_nonces_up() {
    let keys: Vec<_> = (0..5).map(|index| app_state::load_key(&[7; 32], index)).collect();
    let accounts: Vec<_> = keys.iter().map(|key| AccountId::of_key(&key.public())).collect();
    let chain =
        guts::Chain { id: "chain".into(), keys, nonces: vec![3; 5], fee: 10, others: vec![] };
    let plan = guts::plan(chain, 20, 2, 100, 2).expect("a plan");
    assert_eq!((plan.bodies.len(), plan.lanes), (10, 2));
    let rules = ChainRules::new("chain");
    let mut next = vec![3; 5];
    for (request, body) in plan.bodies.iter().enumerate() {
        let body: serde_json::Value = serde_json::from_slice(body).expect("JSON");
        for (at, call) in body.as_array().expect("a batch").iter().enumerate() {
            let tx = call["params"]["tx"].as_str().expect("a transaction");
            let tx = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, tx);
            let tx = tx.expect("base64");
            assert_eq!(plan.index(&tx), Some((request * 2 + at) as u64));
            let tx = validate(&tx, &rules).expect("well formed and signed").into_inner();
            let from = accounts.iter().position(|id| *id == tx.payer).expect("funded");
            assert_eq!(from % 2, request % 2, "the node of the account");
            assert_eq!(tx.nonce, next[from]);
            next[from] += 1;
        }
    }
    assert_eq!(next, [8, 8, 8, 8, 3], "the last has no partner on the other node");
    assert_eq!(plan.index(b"somebody's"), None);
}

#[test]
fn refusals_are_counted() {
    let good = r#"{"jsonrpc":"2.0","id":0,"result":{"code":0,"data":"","log":""}}"#;
    let code = r#"{"jsonrpc":"2.0","id":0,"result":{"code":2,"data":"","log":""}}"#;
    let error = r#"{"jsonrpc":"2.0","id":0,"error":{"code":-32603,"message":"full"}}"#;
    let count = |parts: &[&str]| load::refusals(parts.join(",").as_bytes());
    assert_eq!(count(&[good]), 0);
    assert_eq!(count(&[good, code, error, good]), 2);
}

#[test]
fn what_a_full_mempool_does_not_take_is_told_apart() {
    let call = |id: u64| json!({"jsonrpc": "2.0", "id": id, "method": "m", "params": {}});
    let full = "mempool is full: number of txs 1 (max: 1), total txs bytes 2 (max: 3)";
    let error = |id: u64, data: &str| json!({"jsonrpc": "2.0", "id": id, "error": {"data": data}});
    let good = |id: u64| json!({"jsonrpc": "2.0", "id": id, "result": {"code": 0}});
    let untaken = |body: &Value, answer: &Value| {
        load::untaken(body.to_string().as_bytes(), answer.to_string().as_bytes()).expect("JSON")
    };
    let again = |body: Value, count| Some(load::Untaken { body: body.to_string().into(), count });
    let body = json!([call(0), call(1), call(2), call(3)]);
    // A node answers in whichever order it likes.
    let answer = json!([error(3, full), good(0), error(1, full), error(2, "in cache")]);
    assert_eq!(untaken(&body, &answer), again(json!([call(1), call(3)]), 2));
    assert_eq!(untaken(&body, &json!([good(0), error(1, "in cache")])), None);
    assert_eq!(untaken(&call(0), &good(0)), None);
    assert_eq!(untaken(&call(0), &error(0, full)), again(call(0), 1));
    assert_eq!(untaken(&json!([call(1)]), &error(1, full)), again(json!([call(1)]), 1));
}

/// The second request is not taken at first, and one call in the third is wrong besides.
#[tokio::test(flavor = "current_thread")]
async fn what_a_full_mempool_does_not_take_is_sent_again() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = asked.clone();
    let node = node(move |_, body| {
        let calls: Vec<Value> = serde_json::from_str(body).expect("a batch");
        let mut log = log.lock().expect("not poisoned");
        let answers = calls.iter().map(|call| {
            let (id, tx) = (&call["id"], call["params"]["tx"].as_str().expect("text").to_owned());
            let is_first = !log.contains(&tx);
            log.push(tx);
            match id.as_u64() {
                Some(1) if is_first => json!({"jsonrpc": "2.0", "id": id,
                    "error": {"code": -32603, "data": "mempool is full: number of txs 5"}}),
                Some(2) => json!({"jsonrpc": "2.0", "id": id, "error": {"data": "no"}}),
                _ => json!({"jsonrpc": "2.0", "id": id, "result": {"code": 0}}),
            }
        });
        let mut answers: Vec<Value> = answers.collect();
        if answers.len() == 1 { answers.remove(0) } else { answers.into() }
    })
    .await;
    let txs: Vec<Vec<u8>> = (0..6).map(|number| vec![number]).collect();
    let plan = Arc::new(work::Plan::of(&txs, 3, 1_000, 1));
    let connections = vec![(0, Connection::open(&node).await.expect("connected"))];
    let sent = load::send(plan, connections, Instant::now()).await.expect("sent");
    assert_eq!((sent.sent, sent.accepted, sent.refused, sent.unsent), (6, 4, 2, 0));
    let order = [0, 1, 2, 1, 3, 4, 5, 4].map(|number: u8| base64(&[number]));
    assert_eq!(*asked.lock().expect("not poisoned"), order);
}

/// An account's later transaction that finds room before an earlier one is lost.
#[tokio::test(flavor = "current_thread")]
async fn what_comes_after_waits_until_a_full_node_has_room() {
    const REFUSED: usize = 4;
    let asked = Arc::new(Mutex::new(BTreeMap::<String, usize>::new()));
    let taken = Arc::new(Mutex::new(Vec::new()));
    let (asks, takes) = (asked.clone(), taken.clone());
    let first = base64(&[0]);
    let node = node(move |_, body| {
        let call: Value = serde_json::from_str(body).expect("one call");
        let (id, tx) = (&call["id"], call["params"]["tx"].as_str().expect("text"));
        let mut asks = asks.lock().expect("not poisoned");
        *asks.entry(tx.to_owned()).or_default() += 1;
        if asks.get(&first).is_none_or(|count| *count <= REFUSED) {
            let full = json!({"code": -32603, "data": "mempool is full: number of txs 5"});
            return json!({"jsonrpc": "2.0", "id": id, "error": full});
        }
        takes.lock().expect("not poisoned").push(tx.to_owned());
        json!({"jsonrpc": "2.0", "id": id, "result": {"code": 0}})
    })
    .await;
    let txs: Vec<Vec<u8>> = (0..8).map(|number| vec![number]).collect();
    let plan = Arc::new(work::Plan::of(&txs, 1, 1_000, 1));
    let mut connections = Vec::new();
    for _ in 0..4 {
        connections.push((0, Connection::open(&node).await.expect("connected")));
    }
    let sent = load::send(plan, connections, Instant::now()).await.expect("sent");
    assert_eq!((sent.sent, sent.accepted, sent.refused, sent.unsent), (8, 8, 0, 0));
    let (asked, taken) = (asked.lock().expect("not poisoned"), taken.lock().expect("not poisoned"));
    let first = base64(&[0]);
    assert_eq!((taken.len(), &taken[0]), (8, &first), "nothing finds room before it");
    assert_eq!(asked[&first], REFUSED + 1);
    let of_others = asked.iter().filter(|(tx, _)| **tx != first).map(|(_, count)| *count);
    // Once when they were on their way already, and once more.
    assert!(of_others.max() <= Some(2), "{asked:?}");
}

#[test]
fn a_request_waits_for_its_accounts_and_for_room() {
    let line = load::Line::new(2);
    let [first, second, third] = [0, 1, 2].map(|turn| line.enter(turn));
    let mut context = Context::from_waker(Waker::noop());
    let mut may_go = |place: &load::Place<'_>| pin!(place.wait()).poll(&mut context).is_ready();
    assert!(may_go(&first) && may_go(&second));
    assert!(!may_go(&third), "it is of the first one's accounts");
    drop(first);
    assert!(may_go(&third));
    second.set_full();
    assert!(may_go(&second) && !may_go(&third), "there was no room for what comes before it");
    drop(second);
    assert!(may_go(&third));
}

#[test]
fn calls_are_timed_and_an_error_is_none() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let server = std::thread::spawn(move || {
        // The last of the connections is told that something is wrong.
        for body in [r#"{"result":{}}"#, r#"{"result":{}}"#, r#"{"error":{}}"#, r#"{"error":{}}"#] {
            let (mut stream, _) = listener.accept().expect("a client");
            std::thread::spawn(move || {
                use std::io::{Read as _, Write as _};
                let mut request = [0u8; 4096];
                while stream.read(&mut request).is_ok_and(|read| read > 0) {
                    let length = body.len();
                    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
                    stream.write_all([head.as_bytes(), body.as_bytes()].concat().as_slice()).ok();
                }
            });
        }
    });
    let answered = work::calls(3, 1_000).make_alone(&address, Instant::now()).expect("answers");
    assert_eq!((answered.check_tx.answers, answered.query.answers), (3, 3));
    let refused = work::calls(3, 1_000).make_alone(&address, Instant::now()).err();
    assert!(refused.expect("an error").to_string().contains("error"));
    server.join().expect("the server ends");
}

#[test]
fn percentiles_are_of_what_was_seen() {
    let sorted: Vec<u64> = (1..=1000).map(|ms| ms * 1000).collect();
    assert_eq!(report::percentile(&sorted, 50), 500.0);
    assert_eq!(report::percentile(&sorted, 99), 990.0);
    assert_eq!(report::percentile(&sorted, 100), 1000.0);
    assert_eq!(report::percentile(&[], 50), 0.0);
}

#[tokio::test(flavor = "current_thread")]
async fn answers_come_whole_or_in_chunks() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a client");
        let mut request = [0u8; 1024];
        for answer in [
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
        ] {
            let read = stream.read(&mut request).await.expect("a request");
            assert!(request[..read].starts_with(b"GET /x"), "a request");
            for byte in answer.as_bytes().chunks(7) {
                stream.write_all(byte).await.expect("written");
                stream.flush().await.expect("flushed");
            }
        }
    });
    let mut connection = Connection::open(&address).await.expect("connected");
    for _ in 0..2 {
        assert_eq!(connection.get("/x").await.expect("an answer"), b"hello");
    }
    server.await.expect("the server ends");
}

#[tokio::test(flavor = "current_thread")]
async fn a_connection_that_was_closed_is_opened_once_more() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let server = tokio::spawn(async move {
        // How many requests each connection answers before it is closed.
        for answers in [0, 1, 1, 0] {
            let (mut stream, _) = listener.accept().await.expect("a client");
            let mut request = [0u8; 1024];
            for _ in 0..answers {
                let read = stream.read(&mut request).await.expect("a request");
                assert!(request[..read].starts_with(b"GET /x"), "a request");
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
                stream.write_all(answer).await.expect("written");
            }
        }
    });
    let mut connection = Connection::open(&address).await.expect("connected");
    for when in ["before its first request", "between two"] {
        assert_eq!(connection.get("/x").await.expect(when), b"hello");
    }
    assert!(connection.get("/x").await.is_err(), "nor is there an answer on the new one");
    server.await.expect("the server ends");
    let error = connection.get("/x").await.expect_err("nobody listens any more").to_string();
    assert!(error.starts_with("cannot connect to"), "{error}");
}

#[test]
fn heads_of_cgi_answers_are_read() {
    let head = |text: &[u8]| plain::head(text).expect("a head").body(()).expect("an answer");
    let answer = head(b"Status: 403 Forbidden\r\nContent-Type: text/plain");
    assert_eq!(answer.status(), 403);
    assert_eq!(answer.headers()["content-type"], "text/plain");
    assert_eq!(head(b"").status(), 200);
    assert!(plain::head(b"\xff").is_err());
}

#[tokio::test(flavor = "current_thread")]
async fn plain_git_takes_pushes_over_http() {
    let dir = tempfile::tempdir().expect("a directory");
    let bare = dir.path().join("served/x.git");
    plain::repository(&bare).await.expect("made");
    let plain = plain::Plain::serve(dir.path().join("served")).await.expect("served");
    let work = dir.path().join("work");
    std::fs::create_dir_all(&work).expect("made");
    for args in [
        &["init", "-q", "-b", "main"][..],
        &["commit", "-q", "--allow-empty", "-m", "one"],
        &["push", "-q", &format!("{}/x.git", plain.url), "main"],
    ] {
        developer::git(args, &work).await.expect("done");
    }
    developer::git(&["rev-parse", "--verify", "-q", "refs/heads/main"], &bare)
        .await
        .expect("pushed");
}

/// A node that answers each request as `answer(path, body)` says; its address.
async fn node(answer: impl Fn(&str, &str) -> Value + Send + Sync + 'static) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut request = Vec::new();
                while stream.read_buf(&mut request).await.is_ok_and(|read| read > 0) {
                    let text = String::from_utf8_lossy(&request).into_owned();
                    let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                    let length =
                        head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
                    if length.is_some_and(|length| length.parse() != Ok(body.len())) {
                        continue;
                    }
                    let path = head.split(' ').nth(1).expect("a path");
                    let said = answer(path, body).to_string();
                    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}", said.len());
                    let said = format!("{head}\r\n\r\n{said}");
                    stream.write_all(said.as_bytes()).await.expect("written");
                    request.clear();
                }
            });
        }
    });
    address
}

/// Two transactions as a plan has them.
fn two() -> (work::Plan, [Vec<u8>; 2]) {
    let txs = [b"one".to_vec(), b"two".to_vec()];
    (work::Plan::of(&txs, 1, 10, 1), txs)
}

fn base64(bytes: &[u8]) -> String {
    base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes)
}

#[tokio::test(flavor = "current_thread")]
async fn a_transaction_with_a_code_is_not_committed() {
    let (plan, txs) = two();
    let txs = [b"not ours".to_vec(), txs[0].clone(), txs[1].clone()].map(|tx| base64(&tx));
    let asked = std::sync::atomic::AtomicBool::new(false);
    let address = node(move |path, _| match path {
        "/status" => json!({"result": {"sync_info": {"latest_block_height": "1"}}}),
        "/block?height=2" => {
            json!({"result": {"block_id": {"hash": "AA"}, "block": {"data": {"txs": txs}}}})
        }
        // As a node that shows a block before it has executed it.
        "/block_results?height=2" if !asked.swap(true, std::sync::atomic::Ordering::Relaxed) => {
            json!({"error": {"code": -32603}})
        }
        "/block_results?height=2" => {
            json!({"result": {"txs_results": [{"code": 1}, {"code": 0}, {"code": 5}]}})
        }
        _ => json!({"error": {"code": -32603}}),
    })
    .await;
    let mut watcher = watch::Watcher::at_tip(&address).await.expect("it answers");
    let mut seen = report::Seen::new(2);
    let begun = Instant::now();
    while seen.found() < 2 {
        let end = Instant::now() + Duration::from_millis(20);
        watcher.follow(end, begun, &plan, &mut seen).await.expect("it answers");
    }
    assert_eq!((seen.committed(), seen.found()), (1, 2));
}

#[tokio::test(flavor = "current_thread")]
async fn what_a_node_lost_is_counted() {
    let (_, txs) = two();
    let mut shown = kill::Shown::default();
    shown.block(1, "AA".into());
    shown.block(2, "BB".into());
    txs.iter().for_each(|tx| shown.tx(2, tx));
    // `with` answers for the transactions that a node has, at `height`.
    let at = |height: &'static str, with: usize, hash: &'static str| {
        let first = format!("/tx?hash=0x{}", hex::encode_upper(Sha256::digest(b"one")));
        node(move |path, _| match path {
            "/block?height=1" => json!({"result": {"block_id": {"hash": "AA"}}}),
            "/block?height=2" => json!({"result": {"block_id": {"hash": hash}}}),
            _ if path == first || with == 2 => json!({"result": {"height": height}}),
            _ => json!({"error": {"code": -32603, "data": "tx (AA) not found"}}),
        })
    };
    let good = at("2", 2, "BB").await;
    let lost = |nodes: Vec<String>| {
        let shown = &shown;
        async move { kill::losses(&nodes, shown).await.expect("they answer") }
    };
    assert_eq!(lost(vec![good.clone()]).await, (0, 0));
    assert_eq!(lost(vec![good.clone(), at("2", 1, "BB").await]).await, (1, 0));
    assert_eq!(lost(vec![good.clone(), at("3", 2, "BB").await]).await, (2, 0));
    assert_eq!(lost(vec![at("2", 2, "CC").await, good]).await, (0, 1));
}

#[test]
fn what_is_sent_goes_to_those_who_send_nothing() {
    let key = |index| app_state::load_key(&[7; 32], index);
    let keys: Vec<_> = (0..4).map(key).collect();
    let others: Vec<_> = (4..7).map(|index| AccountId::of_key(&key(index).public())).collect();
    let nonces = vec![0; 4];
    let chain = guts::Chain { id: "chain".into(), keys, nonces, fee: 10, others: others.clone() };
    let plan = guts::plan(chain, 5, 1, 100, 1).expect("a plan");
    let rules = ChainRules::new("chain");
    let to = |body: &Vec<u8>| {
        let body: Value = serde_json::from_slice(body).expect("JSON");
        let tx = body["params"]["tx"].as_str().expect("a transaction").to_owned();
        let tx = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, tx);
        let tx = validate(&tx.expect("base64"), &rules).expect("signed").into_inner();
        match tx.actions[..] {
            [Action::Transfer { to, .. }] => to,
            _ => panic!("one transfer"),
        }
    };
    let found: Vec<_> = plan.bodies.iter().map(to).collect();
    let wanted: Vec<_> = others.iter().copied().cycle().take(5).collect();
    assert_eq!(found, wanted);
    // Those of a whole network are met one after the other, and nearly each only once.
    let met: std::collections::BTreeSet<_> =
        (0..1000).map(|number| crate::spread(number, 1_000_000)).collect();
    assert!(met.len() > 990 && met.last() > Some(&990_000), "{}", met.len());
}

#[test]
fn what_lies_on_the_disk_is_counted_with_what_is_below() {
    let dir = tempfile::tempdir().expect("a directory");
    let dirs = [("app0".to_owned(), dir.path().to_path_buf())];
    let before = usage::on_disk(&dirs);
    let below = dir.path().join("data/deeper");
    std::fs::create_dir_all(&below).expect("made");
    let bytes: Vec<u8> =
        (0..3_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    std::fs::write(below.join("file"), &bytes).expect("written");
    std::fs::File::open(below.join("file")).and_then(|file| file.sync_all()).expect("on disk");
    let [disk] = &usage::grown(&dirs, &before)[..] else { panic!("one directory") };
    assert_eq!(disk.name, "app0");
    assert!((2.9..4.0).contains(&disk.grown_mb) && disk.mb >= disk.grown_mb, "{disk:?}");
    let gone = [("app1".to_owned(), dir.path().join("gone"))];
    assert_eq!(usage::on_disk(&gone), [0]);
}

#[test]
fn the_figures_add_up() {
    let options = Options::parse_from(["guts-bench", "--rate", "10", "--seconds", "1"]);
    let mut seen = report::Seen::new(10);
    for ms in [10, 20, 30, 40] {
        seen.block(Duration::from_millis(ms));
        seen.commit(Duration::from_millis(ms), Duration::from_millis(ms / 2));
    }
    seen.fail();
    let sent = load::Sent { sent: 9, accepted: 7, refused: 2, unsent: 1 };
    let used = |name: &str, cpu_s| usage::Usage { name: name.into(), cpu_s, rss_mb: 1.5 };
    let usage = [used("app0", 0.1), used("engine0", 0.3), used("bench", 0.1)];
    let report = report::Report::new(&options, &sent, &seen, &usage);
    let said = serde_json::to_value(&report).expect("JSON");
    assert_eq!(
        (&said["committed"], &said["failed"], &said["unseen"]),
        (&4.into(), &1.into(), &2.into())
    );
    assert_eq!(said["latency_ms"], json!({"p50": 10.0, "p90": 20.0, "p99": 20.0, "max": 20.0}));
    assert_eq!(said["block_interval_ms"], 10.0);
    assert_eq!(said["tx_per_s"], 4.0, "over the second that was asked for");
    assert_eq!(said["tx_per_cpu_s"], 10.0, "of the network's CPU, not of the load's");
    assert_eq!(said["cpu_us_per_tx"], 100_000.0);
    assert_eq!(said["engine_cpu_us_per_tx"], 75_000.0);
    assert_eq!(said["bench_cpu_percent"], 20.0);
    assert!(report.warning().expect("a warning").contains("20 %"));

    let usage = [used("app0", 0.9), used("bench", 0.05)];
    assert_eq!(report::Report::new(&options, &sent, &seen, &usage).warning(), None);
    let alone = [used("bench", 0.05)];
    assert_eq!(report::Report::new(&options, &sent, &seen, &alone).warning(), None, "of what?");

    let idle = report::Idle::new(Duration::from_secs(2), &[used("app0", 0.01)]);
    let idle = serde_json::to_value(idle).expect("JSON");
    let process = json!({"name": "app0", "core_percent": 0.5, "rss_mb": 1.5});
    assert_eq!(idle, json!({"seconds": 2.0, "processes": [process]}));

    let cloned = clone::Cloned::of(2_000_000, vec![4000, 2000, 9000], vec![1000, 1000, 5000]);
    let cloned = serde_json::to_value(cloned).expect("JSON");
    assert_eq!((&cloned["clone_p50_ms"], &cloned["plain_p50_ms"]), (&json!(4.0), &json!(1.0)));
    assert_eq!(
        (&cloned["clone_mb_per_s"], &cloned["speed_over_plain"]),
        (&json!(500.0), &json!(0.25))
    );
}

#[test]
fn processes_are_those_of_the_network_that_gets_the_load() {
    let home = tempfile::tempdir().expect("a directory");
    let options = start::Options {
        home: home.path().to_path_buf(),
        validators: None,
        app: Some("kvstore".into()),
        settings: Vec::new(),
        accounts: None,
        detach: true,
        allow_small: false,
        params: Vec::new(),
        fund: Vec::new(),
        port_offset: None,
        patience: start::PATIENCE.as_secs(),
    };
    let mut network = create::create(&options, 4).expect("made");
    let own = process::recorded(std::process::id());
    let mut reused = own.clone();
    reused.start_ticks += 1;
    network.validators[0].engine = Some(own);
    network.validators[1].engine = Some(reused);
    let names = |args: &[&str]| {
        let options = Options::parse_from([&["guts-bench"], args].concat());
        let targets = target::targets(&options, Some(&network)).expect("targets");
        let found = target::processes(&options, Some(&network), &targets).expect("processes");
        found.into_iter().map(|process| process.name).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(&[]), "engine0", "the other pid is another process's now");
    assert_eq!(names(&["--rpc", "http://localhost:26657"]), "engine0");
    assert_eq!(names(&["--rpc", "http://127.0.0.1:1", "--pid", "theirs=1"]), "theirs");
}

#[test]
fn more_than_a_run_can_hold_is_refused() {
    let check = |args: &[&str]| Options::parse_from([&["guts-bench"], args].concat()).check();
    assert!(check(&["--rate", "500000", "--calls", "500000", "--seconds", "20"]).is_ok());
    for (option, what) in [("--rate", "transactions"), ("--calls", "calls")] {
        for number in ["500001", "18446744073709551615"] {
            let refused =
                check(&[option, number, "--seconds", "20"]).expect_err(option).to_string();
            assert_eq!(refused, format!("more than 10000000 {what}: lower {option} or --seconds"));
        }
    }
}

#[test]
fn a_load_is_over_all_funded_accounts_or_the_first_of_them() {
    let accounts =
        |args: &[&str]| Options::parse_from([&["guts-bench"], args].concat()).accounts(2048);
    assert_eq!(accounts(&[]).expect("all"), 2048);
    assert_eq!(accounts(&["--accounts", "2048"]).expect("all"), 2048);
    assert_eq!(accounts(&["--accounts", "9"]).expect("some"), 9);
    for wrong in ["0", "2049"] {
        let error = accounts(&["--accounts", wrong]).expect_err("not so many").to_string();
        assert_eq!(error, "--accounts takes 1 to 2048: genesis funds so many for load");
    }
    let check =
        |kind: &str| Options::parse_from(["guts-bench", "--kind", kind, "--accounts", "9"]).check();
    assert!(check("guts").is_ok() && check("kill").is_ok());
    for kind in ["kvstore", "push", "clone", "idle"] {
        let error = check(kind).expect_err(kind).to_string();
        let said = format!("--accounts is for Guts transactions: leave it out of --kind {kind}");
        assert_eq!(error, said);
    }
}
