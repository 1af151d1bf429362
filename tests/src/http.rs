//! One GET on a connection of its own: enough for a test to look at a node.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(10);

/// The JSON a server at `address` answers to `GET /call`, or `None`.
pub fn get(address: &str, call: &str) -> Option<serde_json::Value> {
    serde_json::from_str(&text(address, call)?).ok()
}

/// The body a server at `address` answers to `GET /path`, or `None`.
pub fn text(address: &str, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let request = format!("GET /{path} HTTP/1.0\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer.split_once("\r\n\r\n")?.1.to_string())
}
