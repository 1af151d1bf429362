//! The generator's own arithmetic: due times, what was refused, percentiles, answers in pieces.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use guts_localnet::app_state;
use guts_schema::{AccountId, ChainRules, validate};

use crate::http::Connection;
use crate::{guts, load, plain, push, report, work};

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
    let chain = guts::Chain { id: "chain".into(), keys, nonces: vec![3; 5], fee: 10 };
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

#[test]
fn answers_of_cgi_programs_are_read() {
    let output = b"Status: 403 Forbidden\r\nContent-Type: text/plain\r\n\r\nno\r\n\r\n";
    let answer = plain::answer(output).expect("an answer");
    assert_eq!(answer.status(), 403);
    assert_eq!(answer.headers()["content-type"], "text/plain");
    assert_eq!(plain::answer(b"\r\n\r\nx").expect("an answer").status(), 200);
    assert!(plain::answer(b"Status: 200 OK\r\n").is_err());
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
        push::git(args, &work).await.expect("done");
    }
    push::git(&["rev-parse", "--verify", "-q", "refs/heads/main"], &bare).await.expect("pushed");
}
