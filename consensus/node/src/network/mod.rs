//! The peer-to-peer network: libp2p over TCP and QUIC, carrying whole messages.
//!
//! A connection begins with the [`hello`] of both sides; from then on each channel is one
//! long-lived, ordered stream in each direction. What comes in is handed to a bounded queue in
//! priority classes ([`channels`]); what goes out waits in a bounded queue for each peer.

mod behaviour;
pub mod channels;
pub mod dial;
mod door;
mod frame;
mod half_read;
mod handler;
pub mod hello;
mod meter;
mod outbox;
mod shared;
mod task;
#[cfg(test)]
mod tests;
mod transport;
mod upgrade;

pub use self::meter::Flow;
pub use self::shared::Counters;
pub use self::transport::Transport;
use crate::queue::Queue;
use bytes::Bytes;
use channels::Channel;
use dial::{AddressError, PeerAddress};
use guts_consensus::messages::Message;
use hello::NodeInfo;
pub use libp2p::PeerId;
pub use libp2p::identity::Keypair;
use shared::Shared;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::mpsc;

/// What the network tells the engine.
#[derive(Clone, Debug)]
pub enum Event {
    /// Both sides have accepted each other.
    PeerUp {
        /// Who.
        peer: PeerId,
        /// What it said of itself.
        info: Arc<NodeInfo>,
        /// Whether we dialled it.
        is_outbound: bool,
    },
    /// The peer is gone; whatever was not yet sent to it is lost.
    PeerDown {
        /// Who.
        peer: PeerId,
    },
    /// One whole message, well-formed: it was decoded by the connection's task. The messages of a
    /// peer's channel come in their order.
    Message {
        /// From whom.
        peer: PeerId,
        /// What it says.
        message: Box<Message>,
    },
}

/// How the network is set up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to listen: `tcp://HOST:PORT`, on every transport; port 0 takes a free one for each.
    pub listen: String,
    /// What to listen on and to dial over, the preferred first.
    pub transports: Vec<Transport>,
    /// Peers to keep connected to.
    pub persistent: Vec<PeerAddress>,
    /// Most connections that others opened, configured peers not counted.
    pub inbound_max: u32,
    /// Most connections that we opened.
    pub outbound_max: u32,
    /// The channels spoken.
    pub channels: Vec<Channel>,
}

/// Why the network did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is none.
    #[error("p2p.laddr: {0}")]
    Address(#[from] AddressError),
    /// The transport could not be made.
    #[error("the encrypted transport could not be made: {0}")]
    Transport(String),
    /// The address cannot be listened on.
    #[error("cannot listen for peers on {address} ({transport}): {reason}")]
    Listen {
        /// Address as configured.
        address: String,
        /// Over what.
        transport: Transport,
        /// What the system says.
        reason: String,
    },
}

/// One connected peer, for `net_info`.
#[derive(Clone, Debug)]
pub struct Connected {
    /// Who.
    pub peer: PeerId,
    /// What it said of itself.
    pub info: Arc<NodeInfo>,
    /// Whether we dialled it.
    pub is_outbound: bool,
    /// `host:port` at the other end.
    pub remote: String,
    /// What the connection runs over.
    pub transport: Transport,
    /// How long it has been connected.
    pub duration: Duration,
    /// Bytes sent to it.
    pub sent: Flow,
    /// Bytes received from it.
    pub received: Flow,
    /// Bytes that wait to be sent to it.
    pub pending_bytes: u64,
    /// Each channel that both sides speak.
    pub lanes: Vec<LaneStatus>,
}

/// One channel of a connection, for `net_info`.
#[derive(Clone, Copy, Debug)]
pub struct LaneStatus {
    /// The channel.
    pub channel: Channel,
    /// Messages that may wait to be sent in its class.
    pub capacity: usize,
    /// Messages of the channel that wait to be sent.
    pub waiting: usize,
    /// Bytes sent since it was connected.
    pub sent: u64,
    /// Bytes received since then.
    pub received: u64,
    /// Bytes sent of late: an average that halves about every second.
    pub recently_sent: u64,
}

enum Command {
    Ban {
        peer: PeerId,
        reason: String,
        time: Duration,
    },
    /// Peers to be dialled, and whether to keep connected to them.
    Connect {
        peers: Vec<PeerAddress>,
        is_kept: bool,
    },
    /// To this peer and from it there may be a connection when there is no room for others.
    Prefer {
        peer: PeerId,
    },
    /// A name was looked up: no address when it could not be.
    Dial {
        peer: PeerId,
        over: Transport,
        addresses: Vec<libp2p::Multiaddr>,
    },
    Shutdown,
}

/// Handle to the running network; cheap to clone.
#[derive(Clone)]
pub struct Network {
    shared: Arc<Shared>,
    commands: mpsc::UnboundedSender<Command>,
    listening: Vec<(Transport, String)>,
}

impl Network {
    /// Starts the network; messages and peers arrive in `inbox`, whose classes are those of
    /// [`channels::INBOX_ROOMS`].
    ///
    /// # Errors
    /// The address is wrong or taken.
    pub async fn start(
        key: Keypair,
        ours: NodeInfo,
        settings: Settings,
        inbox: Arc<Queue<Event>>,
    ) -> Result<Network, StartError> {
        let local = key.public().to_peer_id();
        let channels = settings.channels.clone();
        let shared = Arc::new(Shared::new(local, ours, channels, inbox));
        let (commands, receiver) = mpsc::unbounded_channel();
        let listening =
            task::start(key, settings, shared.clone(), (commands.clone(), receiver)).await?;
        Ok(Network { shared, commands, listening })
    }

    /// Our own peer id.
    pub fn local(&self) -> PeerId {
        self.shared.local
    }

    /// `host:port` that is listened on, for each transport.
    pub fn listening(&self) -> &[(Transport, String)] {
        &self.listening
    }

    /// Queues `message` for `peer`; false (and counted) when it will not be sent. It is not asked
    /// for if the peer is gone or about to be ended: one that does not read must not cost the
    /// encoding of all that it is sent.
    pub fn send(&self, peer: PeerId, channel: u8, message: impl FnOnce() -> Bytes) -> bool {
        self.shared.send(peer, channel, message)
    }

    /// Queues `message` for every connected peer; the bytes are shared.
    pub fn send_all(&self, channel: u8, message: &Bytes) {
        self.shared.send_all(channel, message);
    }

    /// Whether `peer` has read most of what it was sent of the channel's class: a quarter of
    /// the room is free. False if it is gone.
    pub fn has_room(&self, peer: PeerId, channel: u8) -> bool {
        self.shared.has_room(peer, channel)
    }

    /// Ends the connections to `peer` and keeps it away for `time` (zero: only ends them).
    pub fn ban(&self, peer: PeerId, reason: impl Into<String>, time: Duration) {
        // Fails only while the process is ending.
        let _ = self.commands.send(Command::Ban { peer, reason: reason.into(), time });
    }

    /// Dials `peers` now: once, or again whenever they are not connected, beyond the limits of
    /// connections like those of the configuration.
    pub fn dial(&self, peers: Vec<PeerAddress>, is_kept: bool) {
        // Fails only while the process is ending.
        let _ = self.commands.send(Command::Connect { peers, is_kept });
    }

    /// Takes connections with `peer` when there is no room for others.
    pub fn prefer(&self, peer: PeerId) {
        let _ = self.commands.send(Command::Prefer { peer });
    }

    /// Who is connected.
    pub fn connected(&self) -> Vec<Connected> {
        let members = self.shared.members();
        let now = std::time::Instant::now();
        members
            .iter()
            .map(|(peer, m)| Connected {
                peer: *peer,
                info: m.info.clone(),
                is_outbound: m.link.is_outbound,
                remote: m.link.remote.clone(),
                transport: m.link.transport,
                duration: m.meters.age(now),
                sent: m.meters.sent(now),
                received: m.meters.received(now),
                pending_bytes: m.outbox.bytes(),
                lanes: self.lanes(m, now),
            })
            .collect()
    }

    fn lanes(&self, of: &shared::Member, now: std::time::Instant) -> Vec<LaneStatus> {
        let spoken = self.shared.channels.iter().enumerate();
        spoken
            .filter(|(_, channel)| of.info.channels.contains(&channel.id))
            .map(|(index, channel)| {
                let (sent, received, recently_sent) = of.meters.of_lane(index, now);
                LaneStatus {
                    channel: *channel,
                    capacity: channels::OUTBOX_ROOMS[channel.class.index()].items_max,
                    waiting: of.outbox.waiting_in(index),
                    sent,
                    received,
                    recently_sent,
                }
            })
            .collect()
    }

    /// Sums since the start: (name, value).
    pub fn counters(&self) -> Vec<(&'static str, u64)> {
        let c = &self.shared.counters;
        let value = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        vec![
            ("received", value(&c.received)),
            ("sent", value(&c.sent)),
            ("dropped", value(&c.dropped)),
            ("faults", value(&c.faults)),
            ("refused", value(&c.refused)),
            ("overflowed", value(&c.overflowed)),
        ]
    }

    /// Closes every connection and stops.
    pub fn shutdown(&self) {
        let _ = self.commands.send(Command::Shutdown);
    }

    /// Done when it has stopped and peers have been told.
    pub async fn closed(&self) {
        self.commands.closed().await;
    }
}
