//! Who may begin a handshake: connections that others open and that have not proved a key yet.
//!
//! They cost nothing to open and, on UDP, can be opened under any address. So there is room for far
//! more of them than for peers, no address may take all of it, and the addresses of configured
//! peers have room of their own.

use super::transport::Transport;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

#[cfg(test)]
mod tests;

/// Handshakes at a time that strangers have begun.
pub(super) const STRANGERS_MAX: usize = 512;
/// Handshakes at a time from one address over one transport, a configured peer's or not. Of IPv6,
/// everything in one network of 64 bits is one address: that is what a host is given.
pub(super) const HOST_MAX: usize = 64;

const _: () = assert!(HOST_MAX * 8 <= STRANGERS_MAX);

/// Why a connection is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Closed {
    /// By all strangers together.
    #[error("too many handshakes are under way")]
    Full,
    /// By one address.
    #[error("too many handshakes are under way with its address")]
    Host,
}

/// Where a handshake comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Origin {
    host: Option<IpAddr>,
    transport: Transport,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Door {
    pending: BTreeMap<ConnectionId, Origin>,
    /// Where configured peers were last looked for.
    known: BTreeMap<PeerId, Vec<IpAddr>>,
}

/// The host of an address, as it is counted.
fn host_of(address: &Multiaddr) -> Option<IpAddr> {
    address.iter().find_map(|part| match part {
        Protocol::Ip4(ip) => Some(IpAddr::V4(ip)),
        Protocol::Ip6(ip) => Some(match ip.to_ipv4_mapped() {
            Some(ip) => IpAddr::V4(ip),
            None => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX))),
        }),
        _ => None,
    })
}

impl Door {
    /// A configured peer is looked for at these addresses.
    pub(super) fn know(&mut self, peer: PeerId, addresses: &[Multiaddr]) {
        // A name that could not be looked up says nothing new.
        if !addresses.is_empty() {
            self.known.insert(peer, addresses.iter().filter_map(host_of).collect());
        }
    }

    fn is_known(&self, origin: &Origin) -> bool {
        origin.host.is_some_and(|host| self.known.values().flatten().any(|known| *known == host))
    }

    /// Somebody begins a handshake.
    pub(super) fn begin(&mut self, id: ConnectionId, from: &Multiaddr) -> Result<(), Closed> {
        let origin = Origin { host: host_of(from), transport: Transport::of(from) };
        if self.pending.values().filter(|other| **other == origin).count() >= HOST_MAX {
            return Err(Closed::Host);
        }
        let strangers = || self.pending.values().filter(|other| !self.is_known(other)).count();
        if !self.is_known(&origin) && strangers() >= STRANGERS_MAX {
            return Err(Closed::Full);
        }
        self.pending.insert(id, origin);
        Ok(())
    }

    /// It is over, one way or the other.
    pub(super) fn end(&mut self, id: ConnectionId) {
        self.pending.remove(&id);
    }
}
