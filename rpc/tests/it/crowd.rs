//! Clients that take room and do nothing with it: each is bounded in time, all are in number.

use std::sync::Arc;

use futures::FutureExt as _;
use guts_rpc::Backend;
use guts_rpc::server::{Limits, Methods};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::requests::{DEADLINE, send};
use crate::wire::Server;

struct Nothing;

impl Backend for Nothing {}

/// One connection at a time, and nobody waits.
fn narrow() -> Limits {
    Limits { connections_max: 1, waiting_max: 0, ..Limits::default() }
}

async fn connect(server: &Server, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(&server.address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

/// All that comes until the server ends the connection.
async fn rest(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    let reading = stream.read_to_end(&mut bytes);
    let _ = tokio::time::timeout(DEADLINE, reading).await.expect("the connection ends");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Asks until the server has room.
async fn until_answered(server: &Server) {
    let asking = async {
        loop {
            match send(&server.address, "GET", "/health", &[], None).await.status {
                200 => return,
                other => assert_eq!(other, 503),
            }
        }
    };
    tokio::time::timeout(DEADLINE, asking).await.expect("there is room in time");
}

#[tokio::test]
async fn whoever_comes_when_there_is_no_room_is_told_so() {
    let limits = Limits { header_timeout_s: 60, ..narrow() };
    let server = Server::start(Arc::new(Nothing), limits, Methods::default()).await;
    let mut first = connect(&server, "").await;
    // It is in for sure when it was answered.
    let request = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
    first.write_all(request.as_bytes()).await.unwrap();
    let mut some = [0; 16];
    first.read_exact(&mut some).await.unwrap();
    for _ in 0..50 {
        let said = rest(TcpStream::connect(&server.address).await.unwrap()).await;
        assert!(said.starts_with("HTTP/1.1 503 "), "{said}");
        let (head, body) = said.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}", body.len())), "{said}");
        assert!(body.contains("too many open connections"), "{said}");
    }
    drop(first);
    until_answered(&server).await;
    server.stop().await;
}

#[tokio::test]
async fn who_waits_too_long_for_room_is_told_so() {
    let limits = Limits { waiting_max: 1, waiting_timeout_s: 1, ..narrow() };
    let server = Server::start(Arc::new(Nothing), limits, Methods::default()).await;
    let first = connect(&server, "GET /health HTTP/1.1\r\n").await;
    let waiting = connect(&server, "").await;
    let said = rest(waiting).await;
    assert!(said.starts_with("HTTP/1.1 503 "), "{said}");
    drop(first);
    until_answered(&server).await;
    server.stop().await;
}

#[tokio::test]
async fn halves_of_requests_end_in_time() {
    let limits = Limits { header_timeout_s: 1, body_timeout_s: 1, ..narrow() };
    let server = Server::start(Arc::new(Nothing), limits, Methods::default()).await;
    for text in ["", "POST / HT", "GET /health HTTP/1.1\r\nHost: x\r\n"] {
        let said = rest(connect(&server, text).await).await;
        assert!(!said.contains("200 OK"), "{text:?}: {said}");
        until_answered(&server).await;
    }
    let half = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{\"jsonrpc\"";
    let said = rest(connect(&server, half).await).await;
    assert!(said.starts_with("HTTP/1.1 408 ") && said.contains("too slow"), "{said}");
    until_answered(&server).await;
    server.stop().await;
}

#[tokio::test]
async fn who_does_not_read_its_answer_gives_way() {
    // More than the buffers between the two hold.
    let large = Methods::default()
        .with("guts_large", &[], |_| Ok(async { Ok("x".repeat(64 << 20)) }.boxed()));
    let limits = Limits { write_timeout_s: 1, ..narrow() };
    let server = Server::start(Arc::new(Nothing), limits, large).await;
    let request = "GET /guts_large HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut deaf = connect(&server, request).await;
    let mut some = [0; 16];
    deaf.read_exact(&mut some).await.unwrap();
    until_answered(&server).await;
    let said = rest(deaf).await;
    assert!(said.len() < 64 << 20, "the answer was cut off");
    server.stop().await;
}
