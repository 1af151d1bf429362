//! When to dial which configured peer: at once, then with doubling pauses and jitter.

use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use rand::RngExt;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Pause after the first failure.
const PAUSE_MIN: Duration = Duration::from_millis(250);
/// Longest pause, before jitter.
const PAUSE_MAX: Duration = Duration::from_secs(20);

/// A connection that lasted this long makes the pauses short again.
const STEADY: Duration = Duration::from_secs(10);

/// A peer of the configuration: `PEERID@HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerAddress {
    /// Who must answer there.
    pub peer: PeerId,
    /// Where.
    pub address: Multiaddr,
}

/// Why an address of a peer, or to listen on, is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// No `@`.
    #[error("{0:?} is not PEERID@HOST:PORT")]
    Shape(String),
    /// The peer id.
    #[error("{0:?} is not a libp2p peer id (12D3Koo...; `guts-engine show-node-id` prints it)")]
    PeerId(String),
    /// Host or port.
    #[error("{0:?} is not HOST:PORT")]
    HostPort(String),
}

/// Reads `HOST:PORT` or `tcp://HOST:PORT`.
///
/// # Errors
/// It is neither.
pub fn parse_address(text: &str) -> Result<Multiaddr, AddressError> {
    let wrong = || AddressError::HostPort(text.into());
    let plain = text.strip_prefix("tcp://").unwrap_or(text);
    let (host, port) = plain.rsplit_once(':').ok_or_else(wrong)?;
    let port: u16 = port.parse().map_err(|_| wrong())?;
    let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    let mut address = Multiaddr::empty();
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => address.push(Protocol::Ip4(ip)),
        Ok(IpAddr::V6(ip)) => address.push(Protocol::Ip6(ip)),
        Err(_) if host == "localhost" => address.push(Protocol::Ip4([127, 0, 0, 1].into())),
        Err(_) if is_name(host) => address.push(Protocol::Dns(host.to_owned().into())),
        Err(_) => return Err(wrong()),
    }
    address.push(Protocol::Tcp(port));
    Ok(address)
}

fn is_name(host: &str) -> bool {
    let is_good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    !host.is_empty() && host.len() <= 253 && host.chars().all(is_good)
}

/// Looks a host name up; an address without one comes back as it is.
pub(super) async fn resolve(address: Multiaddr) -> std::io::Result<Vec<Multiaddr>> {
    let mut parts = address.iter();
    let (Some(Protocol::Dns(name)), Some(Protocol::Tcp(port))) = (parts.next(), parts.next())
    else {
        return Ok(vec![address]);
    };
    let found = tokio::net::lookup_host((name.as_ref(), port)).await?;
    Ok(found.map(|at| Multiaddr::empty().with(at.ip().into()).with(Protocol::Tcp(port))).collect())
}

/// Reads a comma-separated list of peers; empty text is no peer.
///
/// # Errors
/// Names the entry that is wrong.
pub fn parse_peers(text: &str) -> Result<Vec<PeerAddress>, AddressError> {
    let entries = text.split(',').map(str::trim).filter(|e| !e.is_empty());
    entries
        .map(|entry| {
            let (id, address) =
                entry.split_once('@').ok_or_else(|| AddressError::Shape(entry.into()))?;
            let id = id.strip_prefix("tcp://").unwrap_or(id);
            let peer = id.parse().map_err(|_| AddressError::PeerId(id.into()))?;
            Ok(PeerAddress { peer, address: parse_address(address)? })
        })
        .collect()
}

#[derive(Debug)]
struct Target {
    to: PeerAddress,
    failures: u32,
    /// Since when it is connected.
    up: Option<Instant>,
    /// `None` while connected or being dialled.
    at: Option<Instant>,
}

/// The schedule over all configured peers.
#[derive(Debug)]
pub(super) struct Schedule(Vec<Target>);

impl Schedule {
    pub(super) fn new(peers: Vec<PeerAddress>, now: Instant) -> Self {
        let target = |to| Target { to, failures: 0, up: None, at: Some(now) };
        Schedule(peers.into_iter().map(target).collect())
    }

    /// When the next dial is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.iter().filter_map(|t| t.at).min()
    }

    /// Peers to dial now; they are taken to be in progress until told otherwise.
    pub(super) fn due(&mut self, now: Instant) -> Vec<PeerAddress> {
        let due = self.0.iter_mut().filter(|t| t.at.is_some_and(|at| at <= now));
        due.map(|t| {
            t.at = None;
            t.to.clone()
        })
        .collect()
    }

    /// The peer is connected: no dialling while it stays.
    pub(super) fn on_up(&mut self, peer: PeerId, now: Instant) {
        for t in self.0.iter_mut().filter(|t| t.to.peer == peer) {
            t.up = Some(now);
            t.at = None;
        }
    }

    /// A dial failed or the connection ended: again after a pause, not before `earliest`.
    pub(super) fn on_down(&mut self, peer: PeerId, now: Instant, earliest: Option<Instant>) {
        for t in self.0.iter_mut().filter(|t| t.to.peer == peer && t.at.is_none()) {
            // A connection that ended at once (refused, say) is a failure like any other.
            if t.up.take().is_some_and(|up| now.saturating_duration_since(up) >= STEADY) {
                t.failures = 0;
            }
            let at = now + jittered(pause(t.failures));
            t.failures = t.failures.saturating_add(1);
            t.at = Some(earliest.map_or(at, |e| at.max(e)));
        }
    }
}

/// Pause before attempt `failures + 1`.
pub(super) fn pause(failures: u32) -> Duration {
    PAUSE_MIN.saturating_mul(1_u32.checked_shl(failures.min(16)).unwrap_or(1)).min(PAUSE_MAX)
}

fn jittered(pause: Duration) -> Duration {
    // Between 3/4 and 5/4, so that nodes that fell together do not dial together.
    pause.mul_f64(rand::rng().random_range(0.75..1.25))
}
