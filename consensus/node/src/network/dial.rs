//! When to dial which configured peer, and how: at once, then with doubling pauses and jitter, each
//! time over the transports in their order until one works. And others, once, in the same order.

use super::transport::Transport;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use rand::RngExt;
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Pause after the first failure.
const PAUSE_MIN: Duration = Duration::from_millis(250);
/// Longest pause, before jitter.
const PAUSE_MAX: Duration = Duration::from_secs(20);

/// A connection that lasted this long makes the pauses short again.
const STEADY: Duration = Duration::from_secs(10);

/// A host, by number or by name, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    host: Protocol<'static>,
    port: u16,
}

impl HostPort {
    /// As libp2p spells it for a transport.
    #[must_use]
    pub fn over(&self, transport: Transport) -> Multiaddr {
        let host = Multiaddr::empty().with(self.host.clone());
        match transport {
            Transport::Tcp => host.with(Protocol::Tcp(self.port)),
            Transport::Quic => host.with(Protocol::Udp(self.port)).with(Protocol::QuicV1),
        }
    }
}

/// A peer of the configuration: `PEERID@HOST:PORT`, with `tcp://` or `quic://` before it to reach
/// it over that alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerAddress {
    /// Who must answer there.
    pub peer: PeerId,
    /// Where.
    pub address: HostPort,
    /// The one transport to use, if one was named.
    pub transport: Option<Transport>,
}

/// Why an address of a peer, or to listen on, is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// No `@`.
    #[error("{0:?} is not PEERID@HOST:PORT (tcp:// or quic:// may stand before it)")]
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
pub fn parse_address(text: &str) -> Result<HostPort, AddressError> {
    let wrong = || AddressError::HostPort(text.into());
    let plain = text.strip_prefix("tcp://").unwrap_or(text);
    let (host, port) = plain.rsplit_once(':').ok_or_else(wrong)?;
    let port: u16 = port.parse().map_err(|_| wrong())?;
    let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    let host = match host.parse::<IpAddr>() {
        Ok(ip) => ip.into(),
        Err(_) if host == "localhost" => Protocol::Ip4([127, 0, 0, 1].into()),
        Err(_) if is_name(host) => Protocol::Dns(host.to_owned().into()),
        Err(_) => return Err(wrong()),
    };
    Ok(HostPort { host, port })
}

fn is_name(host: &str) -> bool {
    let is_good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    !host.is_empty() && host.len() <= 253 && host.chars().all(is_good)
}

/// Looks a host name up; an address without one comes back as it is.
pub(super) async fn resolve(address: &HostPort) -> std::io::Result<Vec<HostPort>> {
    let Protocol::Dns(name) = &address.host else { return Ok(vec![address.clone()]) };
    let found = tokio::net::lookup_host((name.as_ref(), address.port)).await?;
    Ok(found.map(|at| HostPort { host: at.ip().into(), port: at.port() }).collect())
}

/// Reads a comma-separated list of peers; empty text is no peer.
///
/// # Errors
/// Names the entry that is wrong.
pub fn parse_peers(text: &str) -> Result<Vec<PeerAddress>, AddressError> {
    let entries = text.split(',').map(str::trim).filter(|e| !e.is_empty());
    entries
        .map(|entry| {
            let (transport, plain) = Transport::strip(entry);
            let (id, address) =
                plain.split_once('@').ok_or_else(|| AddressError::Shape(entry.into()))?;
            let peer = id.parse().map_err(|_| AddressError::PeerId(id.into()))?;
            Ok(PeerAddress { peer, address: parse_address(address)?, transport })
        })
        .collect()
}

/// One way to reach a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) address: HostPort,
    pub(super) transport: Transport,
}

/// The ways to a peer; `transports` are those to an address that names none.
pub(super) fn ways(to: PeerAddress, transports: &[Transport]) -> Vec<Way> {
    let over = to.transport.map_or(transports.to_vec(), |one| vec![one]);
    over.into_iter().map(|transport| Way { address: to.address.clone(), transport }).collect()
}

#[derive(Debug)]
struct Target {
    peer: PeerId,
    /// At least one; all are tried before a pause.
    ways: Vec<Way>,
    /// Index of the next to try.
    next: usize,
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
    /// A peer that is named several times is one, with several ways to reach it; `transports` are
    /// the ways to an address that names none, the preferred first.
    pub(super) fn new(peers: Vec<PeerAddress>, transports: &[Transport], now: Instant) -> Self {
        let mut schedule = Schedule(Vec::new());
        schedule.add(peers, transports, now);
        schedule
    }

    /// Further peers, and further ways to those that are known.
    pub(super) fn add(&mut self, peers: Vec<PeerAddress>, transports: &[Transport], now: Instant) {
        for one in peers {
            let (peer, ways) = (one.peer, ways(one, transports));
            match self.0.iter_mut().find(|target| target.peer == peer) {
                Some(target) => {
                    for way in ways {
                        if !target.ways.contains(&way) {
                            target.ways.push(way);
                        }
                    }
                }
                None => {
                    let at = Some(now);
                    self.0.push(Target { peer, ways, next: 0, failures: 0, up: None, at });
                }
            }
        }
    }

    /// When the next dial is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.iter().filter_map(|t| t.at).min()
    }

    /// Peers to dial now; they are taken to be in progress until told otherwise.
    pub(super) fn due(&mut self, now: Instant) -> Vec<(PeerId, Way)> {
        let due = self.0.iter_mut().filter(|t| t.at.is_some_and(|at| at <= now));
        due.filter_map(|t| {
            t.at = None;
            Some((t.peer, t.ways.get(t.next)?.clone()))
        })
        .collect()
    }

    /// The peer is connected: no dialling while it stays.
    pub(super) fn on_up(&mut self, peer: PeerId, now: Instant) {
        for t in self.0.iter_mut().filter(|t| t.peer == peer) {
            t.up = Some(now);
            t.at = None;
        }
    }

    /// Whether no way to the peer has failed since it was last connected for a while.
    pub(super) fn is_first_failure(&self, peer: &PeerId) -> bool {
        self.0.iter().any(|t| t.peer == *peer && t.failures == 0)
    }

    /// A dial failed or the connection ended: on to the next way, or again after a pause, not
    /// before `earliest`.
    pub(super) fn on_down(&mut self, peer: PeerId, now: Instant, earliest: Option<Instant>) {
        for t in self.0.iter_mut().filter(|t| t.peer == peer && t.at.is_none()) {
            let up = t.up.take();
            t.next += 1;
            let at = if up.is_none() && t.next < t.ways.len() {
                now
            } else {
                // A connection that ended at once (refused, say) is a failure like any other.
                if up.is_some_and(|up| now.saturating_duration_since(up) >= STEADY) {
                    (t.failures, t.next) = (0, 0);
                }
                let at = now + jittered(pause(t.failures));
                t.failures = t.failures.saturating_add(1);
                at
            };
            t.next %= t.ways.len().max(1);
            t.at = Some(earliest.map_or(at, |e| at.max(e)));
        }
    }
}

/// Peers that are dialled once: over one transport after the other, until one works.
#[derive(Debug, Default)]
pub(super) struct Once(BTreeMap<PeerId, VecDeque<Way>>);

impl Once {
    /// The way to try first; none if the peer is being dialled: then these are tried after others.
    pub(super) fn begin(&mut self, to: PeerAddress, transports: &[Transport]) -> Option<Way> {
        let is_new = !self.0.contains_key(&to.peer);
        let left = self.0.entry(to.peer).or_default();
        left.extend(ways(to, transports));
        if is_new { left.pop_front() } else { None }
    }

    /// It has failed: the way to try next, or none, and it is not dialled any more. Nothing, if it
    /// was not.
    pub(super) fn on_failure(&mut self, peer: &PeerId) -> Option<Option<Way>> {
        let next = self.0.get_mut(peer)?.pop_front();
        if next.is_none() {
            self.0.remove(peer);
        }
        Some(next)
    }

    /// It is connected.
    pub(super) fn on_up(&mut self, peer: &PeerId) {
        self.0.remove(peer);
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

#[cfg(test)]
mod tests;
