//! Servers on ports of their own, and requests written byte by byte: what a client library would
//! not send must be answered too.

use std::sync::Arc;
use std::time::Duration;

use guts_rpc::Backend;
use guts_rpc::server::{Limits, Methods, Service, serve_service};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// How long anything may take; nothing takes a hundredth of it.
pub const DEADLINE: Duration = Duration::from_secs(20);

pub struct Server {
    pub address: String,
    stop: oneshot::Sender<()>,
    done: JoinHandle<()>,
}

impl Server {
    pub async fn start(backend: Arc<dyn Backend>, limits: Limits, methods: Methods) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (stop, stopped) = oneshot::channel();
        let service = Arc::new(Service::new(backend, limits, methods));
        let done = tokio::spawn(serve_service(listener, service, async {
            stopped.await.unwrap();
        }));
        Self { address, stop, done }
    }

    pub async fn stop(self) {
        self.stop.send(()).unwrap();
        tokio::time::timeout(DEADLINE, self.done).await.expect("the server stops").unwrap();
    }
}

#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// Sends one request on a connection of its own and reads until the server closes it.
pub async fn send(
    address: &str,
    method: &str,
    path: &str,
    headers: &[(String, String)],
    body: Option<&[u8]>,
) -> Response {
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if let Some(body) = body {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    let exchange = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // A server that refuses early may close before it has read everything.
        let _ = stream.write_all(head.as_bytes()).await;
        let _ = stream.write_all(body.unwrap_or_default()).await;
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes).await;
        bytes
    };
    let bytes = tokio::time::timeout(DEADLINE, exchange).await.expect("an answer in time");
    parse(&bytes)
}

fn parse(bytes: &[u8]) -> Response {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head: {text:?}"));
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines
        .map(|line| line.split_once(": ").unwrap_or((line, "")))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    Response { status, headers, body: body.to_owned() }
}
