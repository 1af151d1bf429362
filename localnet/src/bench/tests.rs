//! The generator's own arithmetic: due times, what was refused, percentiles, answers in pieces.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::http::Connection;
use crate::{load, report, work};

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
