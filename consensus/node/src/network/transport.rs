//! What a connection runs over: TCP with Noise and Yamux, or QUIC. Both prove the same node key,
//! and everything above them is one.

use super::behaviour::Behaviour;
use super::{Keypair, StartError};
use guts_consensus::messages::Channel;
use libp2p::multiaddr::{Multiaddr, Protocol};
use libp2p::{Swarm, noise, quic, tcp, yamux};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// Streams of one connection: two hellos, identify, ping, and each channel both ways.
const STREAMS_MAX: u32 = 64;

/// QUIC: a peer that is silent for so long is gone. Short, because what is sent to one that died
/// without a word waits for so long.
const IDLE_MAX: Duration = Duration::from_secs(5);
/// QUIC: how often a connection with nothing to say shows that it lives.
const ALIVE_EVERY: Duration = Duration::from_secs(2);
/// How long a peer may take to answer a dial, or after it has dialled, to prove its key.
pub(super) const HANDSHAKE_MAX: Duration = Duration::from_secs(5);
/// QUIC: bytes that a peer may send ahead of this node's reading, on one stream.
const STREAM_WINDOW: u32 = 2 << 20;
/// The same over all its streams: a channel that is not read must not hold up the others.
const CONNECTION_WINDOW: u32 = 16 << 20;

const _: () = assert!(STREAM_WINDOW as usize * Channel::ALL.len() <= CONNECTION_WINDOW as usize);
const _: () = assert!(2 * ALIVE_EVERY.as_millis() < IDLE_MAX.as_millis());

/// What a connection runs over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// TCP, encrypted by Noise, divided into streams by Yamux.
    Tcp,
    /// QUIC version 1, over UDP.
    Quic,
}

impl Transport {
    /// All there are.
    pub const ALL: [Transport; 2] = [Transport::Tcp, Transport::Quic];

    /// Its name in settings and before addresses.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Transport::Tcp => "tcp",
            Transport::Quic => "quic",
        }
    }

    /// What a connection to or from `address` runs over.
    pub(super) fn of(address: &Multiaddr) -> Transport {
        match address.iter().any(|part| part == Protocol::QuicV1) {
            true => Transport::Quic,
            false => Transport::Tcp,
        }
    }

    /// Takes `tcp://` or `quic://` from the front of `text`.
    pub(super) fn strip(text: &str) -> (Option<Transport>, &str) {
        let known = Transport::ALL.into_iter().find_map(|transport| {
            let rest = text.strip_prefix(transport.name())?.strip_prefix("://")?;
            Some((Some(transport), rest))
        });
        known.unwrap_or((None, text))
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn over_yamux() -> yamux::Config {
    let mut config = yamux::Config::default();
    config.set_max_num_streams(STREAMS_MAX as usize);
    config
}

fn over_quic(mut config: quic::Config) -> quic::Config {
    config.max_idle_timeout = IDLE_MAX.as_millis() as u32;
    config.keep_alive_interval = ALIVE_EVERY;
    config.handshake_timeout = HANDSHAKE_MAX;
    config.max_concurrent_stream_limit = STREAMS_MAX;
    config.max_stream_data = STREAM_WINDOW;
    config.max_connection_data = CONNECTION_WINDOW;
    config
}

/// A swarm that can listen and dial on every transport; it does neither yet.
pub(super) fn swarm(key: Keypair, behaviour: Behaviour) -> Result<Swarm<Behaviour>, StartError> {
    let failed = |e: &dyn fmt::Display| StartError::Transport(e.to_string());
    let swarm = libp2p::SwarmBuilder::with_existing_identity(key)
        .with_tokio()
        .with_tcp(tcp::Config::new().nodelay(true), noise::Config::new, over_yamux)
        .map_err(|e| failed(&e))?
        .with_quic_config(over_quic)
        .with_behaviour(|_| behaviour)
        .map_err(|e| failed(&e))?
        .with_swarm_config(std::convert::identity)
        .with_connection_timeout(HANDSHAKE_MAX)
        .build();
    Ok(swarm)
}
