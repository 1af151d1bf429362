//! Asks a validator how it is, over its RPC, without waiting long.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::network::Validator;

/// A validator on this machine that does not answer by then is not there.
const PATIENCE: Duration = Duration::from_secs(2);
/// More than any answer asked for here.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// What a validator said, as far as it said anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Probe {
    /// Height of the newest block.
    pub height: Option<u64>,
    /// Whether it is fetching blocks it missed.
    pub catching_up: bool,
    /// Connected peers.
    pub peers: Option<u64>,
}

/// Asks for status and peers.
pub fn status(validator: &Validator) -> Probe {
    let port = validator.rpc_port();
    let Some(status) = get(port, "status") else { return Probe::default() };
    Probe {
        height: height_in(&status),
        catching_up: status["result"]["sync_info"]["catching_up"].as_bool().unwrap_or(false),
        peers: get(port, "net_info")
            .and_then(|info| info["result"]["n_peers"].as_str().and_then(|n| n.parse().ok())),
    }
}

/// Asks for the height of the newest block alone.
pub fn height(validator: &Validator) -> Option<u64> {
    height_in(&get(validator.rpc_port(), "status")?)
}

fn height_in(status: &serde_json::Value) -> Option<u64> {
    status["result"]["sync_info"]["latest_block_height"].as_str()?.parse().ok()
}

/// One GET on a connection of its own; `None` when anything is not as it should be.
fn get(port: u16, method: &str) -> Option<serde_json::Value> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    // HTTP/1.0: the answer ends with the connection and comes unchunked.
    write!(stream, "GET /{method} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer).ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    serde_json::from_str(body).ok()
}
