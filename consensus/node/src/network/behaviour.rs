//! What the swarm runs: our streams beside identify, ping and the connection limits.

use super::door::Door;
use super::handler::{Ended, Handler};
use super::shared::{Link, Shared};
use super::transport::Transport;
use super::upgrade;
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{
    CloseConnection, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, StreamProtocol,
    THandler, THandlerInEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId, connection_limits, identify, ping};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// How long a peer that broke a rule of the streams is kept away.
const FAULT_BAN: Duration = Duration::from_secs(60);

/// All behaviours of a node.
#[derive(NetworkBehaviour)]
pub(super) struct Behaviour {
    pub(super) limits: connection_limits::Behaviour,
    pub(super) identify: identify::Behaviour,
    pub(super) ping: ping::Behaviour,
    pub(super) streams: Streams,
}

/// A connection is being ended.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) peer: PeerId,
    pub(super) ended: Ended,
}

#[derive(Debug, thiserror::Error)]
#[error("it is banned for another {left_s} s")]
struct Banned {
    left_s: u64,
}

#[derive(Debug, thiserror::Error)]
#[error("it is this node itself")]
struct IsOurselves;

/// Makes the handlers, keeps the bans and the door.
pub(super) struct Streams {
    shared: Arc<Shared>,
    names: Arc<[StreamProtocol]>,
    banned: BTreeMap<PeerId, Instant>,
    pub(super) door: Door,
    queue: VecDeque<ToSwarm<Ending, std::convert::Infallible>>,
}

impl Streams {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let names = upgrade::names(&shared);
        Streams {
            shared,
            names,
            banned: BTreeMap::new(),
            door: Door::default(),
            queue: VecDeque::new(),
        }
    }

    /// Ends every connection to `peer` and refuses new ones for `time`.
    pub(super) fn ban(&mut self, peer: PeerId, time: Duration) {
        self.keep_away(peer, time);
        self.queue.push_back(ToSwarm::CloseConnection {
            peer_id: peer,
            connection: CloseConnection::All,
        });
    }

    /// Refuses `peer` for `time`, and forgets the bans that are over.
    fn keep_away(&mut self, peer: PeerId, time: Duration) {
        let now = Instant::now();
        self.banned.retain(|_, until| *until > now);
        if !time.is_zero() {
            self.banned.insert(peer, now + time);
        }
    }

    /// Until when `peer` is banned.
    pub(super) fn banned_until(&self, peer: &PeerId) -> Option<Instant> {
        self.banned.get(peer).copied().filter(|until| *until > Instant::now())
    }

    fn check(&self, peer: PeerId) -> Result<(), ConnectionDenied> {
        if peer == self.shared.local {
            return Err(ConnectionDenied::new(IsOurselves));
        }
        match self.banned_until(&peer) {
            None => Ok(()),
            Some(until) => Err(ConnectionDenied::new(Banned {
                left_s: until.saturating_duration_since(Instant::now()).as_secs() + 1,
            })),
        }
    }

    fn handler(
        &self,
        connection: ConnectionId,
        peer: PeerId,
        remote: &Multiaddr,
        is_outbound: bool,
    ) -> Handler {
        let (remote, transport) = (address_text(remote), Transport::of(remote));
        let link = Link { connection, is_outbound, remote, transport };
        Handler::new(self.shared.clone(), self.names.clone(), peer, link)
    }
}

/// `host:port` of an address, or the address itself when it has none.
pub(super) fn address_text(address: &Multiaddr) -> String {
    let mut host = None;
    for part in address {
        match part {
            Protocol::Ip4(ip) => host = Some(ip.to_string()),
            Protocol::Ip6(ip) => host = Some(format!("[{ip}]")),
            Protocol::Dns(name) | Protocol::Dns4(name) | Protocol::Dns6(name) => {
                host = Some(name.into_owned());
            }
            Protocol::Tcp(port) | Protocol::Udp(port) => {
                return format!("{}:{port}", host.unwrap_or_default());
            }
            _ => {}
        }
    }
    address.to_string()
}

impl NetworkBehaviour for Streams {
    type ConnectionHandler = Handler;
    type ToSwarm = Ending;

    fn handle_pending_inbound_connection(
        &mut self,
        id: ConnectionId,
        _local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        self.door.begin(id, remote).map_err(ConnectionDenied::new)
    }

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        _local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.check(peer)?;
        Ok(self.handler(id, peer, remote, false))
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        remote: &Multiaddr,
        _role: Endpoint,
        _port: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.check(peer)?;
        Ok(self.handler(id, peer, remote, true))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(up) => self.door.end(up.connection_id),
            FromSwarm::ListenFailure(failed) => self.door.end(failed.connection_id),
            _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, id: ConnectionId, ended: Ended) {
        if ended.is_fault {
            self.keep_away(peer, FAULT_BAN);
        }
        self.queue.push_back(ToSwarm::CloseConnection {
            peer_id: peer,
            connection: CloseConnection::One(id),
        });
        self.queue.push_back(ToSwarm::GenerateEvent(Ending { peer, ended }));
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Ending, THandlerInEvent<Self>>> {
        self.queue.pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}
