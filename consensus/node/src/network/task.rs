//! The task that owns the swarm: listens, dials, closes, and says in the log what happens.

use super::behaviour::{Behaviour, BehaviourEvent, Ending, Streams, address_text};
use super::dial::{HostPort, Once, PeerAddress, Schedule, Way, parse_address, resolve};
use super::shared::Shared;
use super::transport::{self, Transport};
use super::{Command, Settings, StartError};
use futures::StreamExt;
use libp2p::connection_limits::{self, ConnectionLimits};
use libp2p::identity::Keypair;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{DialError, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Swarm, identify, ping};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

/// How often a connection is probed, and how long an answer may take.
const PING_INTERVAL: Duration = Duration::from_secs(15);
const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// QUIC's own tasks say goodbye after the swarm holds a connection for closed, which nothing tells.
const PARTING: Duration = Duration::from_millis(100);

pub(super) async fn start(
    key: Keypair,
    settings: Settings,
    shared: Arc<Shared>,
    (to_self, commands): (UnboundedSender<Command>, UnboundedReceiver<Command>),
) -> Result<Vec<(Transport, String)>, StartError> {
    let address = parse_address(&settings.listen)?;
    let behaviour = behaviour(&key, &settings, shared.clone());
    let mut swarm = transport::swarm(key, behaviour)?;
    let mut listening = Vec::new();
    for &transport in &settings.transports {
        let at = listen(&mut swarm, &address, transport).await.map_err(|reason| {
            StartError::Listen { address: settings.listen.clone(), transport, reason }
        })?;
        listening.push((transport, at));
    }
    for peer in &settings.persistent {
        swarm.behaviour_mut().limits.bypass_peer_id(&peer.peer);
    }
    let persistent = settings.persistent.into_iter().filter(|p| p.peer != shared.local).collect();
    let schedule = Schedule::new(persistent, &settings.transports, Instant::now());
    let transports = settings.transports;
    let once = Once::default();
    tokio::spawn(Task { swarm, shared, schedule, once, transports, to_self }.run(commands));
    Ok(listening)
}

/// Listens on one transport, and says where: `host:port`.
async fn listen(
    swarm: &mut Swarm<Behaviour>,
    address: &HostPort,
    transport: Transport,
) -> Result<String, String> {
    let ours = swarm.listen_on(address.over(transport)).map_err(|e| e.to_string())?;
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::NewListenAddr { listener_id, address } if listener_id == ours => {
                return Ok(address_text(&address));
            }
            SwarmEvent::ListenerClosed { listener_id, reason: Err(e), .. }
                if listener_id == ours =>
            {
                return Err(e.to_string());
            }
            SwarmEvent::ListenerError { listener_id, error } if listener_id == ours => {
                return Err(error.to_string());
            }
            _ => {}
        }
    }
}

fn behaviour(key: &Keypair, settings: &Settings, shared: Arc<Shared>) -> Behaviour {
    let limits = ConnectionLimits::default()
        .with_max_established_incoming(Some(settings.inbound_max))
        .with_max_established_outgoing(Some(settings.outbound_max))
        .with_max_established_per_peer(Some(4));
    let agent = format!("guts-engine/{}", env!("CARGO_PKG_VERSION"));
    let identify = identify::Config::new("guts/1".into(), key.public()).with_agent_version(agent);
    let ping = ping::Config::new().with_interval(PING_INTERVAL).with_timeout(PING_TIMEOUT);
    Behaviour {
        limits: connection_limits::Behaviour::new(limits),
        identify: identify::Behaviour::new(identify),
        ping: ping::Behaviour::new(ping),
        streams: Streams::new(shared),
    }
}

struct Task {
    swarm: Swarm<Behaviour>,
    shared: Arc<Shared>,
    schedule: Schedule,
    once: Once,
    /// The preferred first.
    transports: Vec<Transport>,
    to_self: UnboundedSender<Command>,
}

impl Task {
    async fn run(mut self, mut commands: UnboundedReceiver<Command>) {
        loop {
            let due = self.schedule.next();
            let timer = async {
                match due {
                    Some(at) => tokio::time::sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                event = self.swarm.select_next_some() => self.on_swarm_event(event),
                command = commands.recv() => match command {
                    Some(Command::Ban { peer, reason, time }) => self.on_ban(peer, &reason, time),
                    Some(Command::Dial { peer, over, addresses }) => {
                        self.dial_at(peer, over, addresses);
                    }
                    Some(Command::Connect { peers, is_kept }) => self.connect(peers, is_kept),
                    Some(Command::Prefer { peer }) => {
                        self.swarm.behaviour_mut().limits.bypass_peer_id(&peer);
                    }
                    Some(Command::Shutdown) | None => return self.close().await,
                },
                () = timer => self.dial(),
            }
        }
    }

    fn on_ban(&mut self, peer: PeerId, reason: &str, time: Duration) {
        tracing::warn!(%peer, reason, ban_s = time.as_secs(), "disconnecting a peer");
        self.swarm.behaviour_mut().streams.ban(peer, time);
    }

    /// Dials those who are due.
    fn dial(&mut self) {
        for (peer, to) in self.schedule.due(Instant::now()) {
            self.look_up(peer, to);
        }
    }

    /// Dials peers that were not configured: once, over each transport in their order until one
    /// works, or as those.
    fn connect(&mut self, mut peers: Vec<PeerAddress>, is_kept: bool) {
        peers.retain(|one| one.peer != self.shared.local);
        if is_kept {
            for one in &peers {
                self.swarm.behaviour_mut().limits.bypass_peer_id(&one.peer);
            }
            // One that is connected already is not dialled, and again when that connection ends.
            return self.schedule.add(peers, &self.transports, Instant::now());
        }
        peers.retain(|one| !self.swarm.is_connected(&one.peer));
        for one in peers {
            let peer = one.peer;
            if let Some(way) = self.once.begin(one, &self.transports) {
                self.look_up(peer, way);
            }
        }
    }

    /// Looks up the name of a peer, which is dialled when that is done.
    fn look_up(&self, peer: PeerId, to: Way) {
        let to_self = self.to_self.clone();
        tokio::spawn(async move {
            let found = resolve(&to.address).await.unwrap_or_else(|error| {
                let address = to.address.over(to.transport);
                tracing::warn!(%address, %error, "cannot look up a peer");
                Vec::new()
            });
            let addresses = found.iter().map(|at| at.over(to.transport)).collect();
            // Fails only when the network is ending.
            let _ = to_self.send(Command::Dial { peer, over: to.transport, addresses });
        });
    }

    fn dial_at(&mut self, peer: PeerId, over: Transport, addresses: Vec<Multiaddr>) {
        self.swarm.behaviour_mut().streams.door.know(peer, &addresses);
        let opts = DialOpts::peer_id(peer)
            .condition(PeerCondition::DisconnectedAndNotDialing)
            .addresses(addresses);
        let opts = match over {
            // From a port of its own. Taking the one that is listened on would bind it on every
            // address of the host, and fail for as long as anything else has it on one of them;
            // and two nodes that dial each other at once would meet in one TCP connection, in
            // which each takes the other for the side that was dialled.
            Transport::Tcp => opts.allocate_new_port(),
            // One socket serves whatever is sent and received.
            Transport::Quic => opts,
        };
        match self.swarm.dial(opts.build()) {
            // The connection that exists already tells when it ends.
            Ok(()) | Err(DialError::DialPeerConditionFalse(_)) => {}
            Err(error) => self.on_dial_error(peer, &error),
        }
    }

    fn on_dial_error(&mut self, peer: PeerId, error: &DialError) {
        if self.schedule.is_first_failure(&peer) {
            tracing::info!(%peer, %error, "dialling failed; it is tried again and again");
        } else {
            tracing::debug!(%peer, %error, "dialling failed");
        }
        match self.once.on_failure(&peer) {
            Some(Some(way)) => self.look_up(peer, way),
            Some(None) => tracing::info!(%peer, %error, "dialling failed; it is not tried again"),
            None => {}
        }
        self.on_down(peer);
    }

    fn on_down(&mut self, peer: PeerId) {
        let banned = self.swarm.behaviour().streams.banned_until(&peer);
        self.schedule.on_down(peer, Instant::now(), banned);
    }

    fn on_swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::ConnectionEstablished { peer_id, .. } => {
                self.schedule.on_up(peer_id, Instant::now());
                self.once.on_up(&peer_id);
            }
            SwarmEvent::ConnectionClosed { peer_id, num_established: 0, cause, .. } => {
                let cause = cause.map(|c| c.to_string());
                tracing::debug!(peer = %peer_id, cause, "connection closed");
                self.on_down(peer_id);
            }
            SwarmEvent::OutgoingConnectionError { peer_id: Some(peer), error, .. }
                if !self.swarm.is_connected(&peer) =>
            {
                self.on_dial_error(peer, &error);
            }
            SwarmEvent::IncomingConnectionError { send_back_addr, error, .. } => {
                tracing::debug!(from = %send_back_addr, %error, "incoming connection failed");
            }
            SwarmEvent::Behaviour(BehaviourEvent::Streams(Ending { peer, ended })) => {
                if ended.is_fault {
                    tracing::warn!(%peer, reason = ended.reason, "peer dropped and kept away");
                } else {
                    tracing::info!(%peer, reason = ended.reason, "peer dropped");
                }
            }
            SwarmEvent::Behaviour(BehaviourEvent::Ping(ping::Event {
                peer,
                connection,
                result: Err(error),
            })) => {
                tracing::info!(%peer, %error, "peer does not answer");
                self.swarm.close_connection(connection);
            }
            _ => {}
        }
    }

    /// Closes cleanly, so that peers see it at once.
    async fn close(mut self) {
        let peers: Vec<PeerId> = self.swarm.connected_peers().copied().collect();
        if peers.is_empty() {
            return;
        }
        for peer in peers {
            let _ = self.swarm.disconnect_peer_id(peer);
        }
        let closing = async {
            while self.swarm.connected_peers().next().is_some() {
                self.swarm.select_next_some().await;
            }
        };
        let _ = tokio::time::timeout(Duration::from_secs(2), closing).await;
        tokio::time::sleep(PARTING).await;
        tracing::debug!(local = %self.shared.local, "network closed");
    }
}
