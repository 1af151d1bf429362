//! The channels of the peer protocol: number, priority class and the largest message of each.

use crate::queue::Room;

/// Priority of what travels: votes and round state before blocks, blocks before transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Peers coming and going; never held back (and never sent).
    Control = 0,
    /// Votes, round state, heartbeats.
    Votes = 1,
    /// Proposals, block parts, whole blocks, evidence.
    Blocks = 2,
    /// Mempool transactions.
    Txs = 3,
}

impl Class {
    /// Index of the class in a queue.
    pub fn index(self) -> usize {
        self as usize
    }

    /// CometBFT's scale of priorities, where more is more urgent.
    pub fn priority(self) -> u64 {
        match self {
            Class::Control => 12,
            Class::Votes => 10,
            Class::Blocks => 6,
            Class::Txs => 5,
        }
    }
}

/// One channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channel {
    /// Number on the wire, CometBFT's where the same channel exists.
    pub id: u8,
    /// Priority class.
    pub class: Class,
    /// Largest message, in bytes without framing.
    pub message_max: usize,
}

const MIB: usize = 1 << 20;

/// The channels every node speaks, the most urgent first.
pub fn all() -> Vec<Channel> {
    use guts_consensus::messages::Channel as Known;
    let channel = |known: &Known| Channel {
        id: known.id(),
        class: match known {
            Known::State | Known::Vote | Known::VoteSetBits | Known::Topology => Class::Votes,
            Known::Data | Known::Evidence | Known::BlockSync => Class::Blocks,
            Known::Mempool => Class::Txs,
        },
        message_max: known.message_bytes_max(),
    };
    Known::ALL.iter().map(channel).collect()
}

/// What may wait for the engine, all peers together, in the order of [`Class`].
pub const INBOX_ROOMS: [Room; 4] = [
    Room { items_max: usize::MAX, bytes_max: usize::MAX },
    Room { items_max: 8_192, bytes_max: 4 * MIB },
    Room { items_max: 1_024, bytes_max: 8 * MIB },
    Room { items_max: 1_024, bytes_max: 2 * MIB },
];

/// What may wait to be sent to one peer, in the order of [`Class`]. Passing the bound of votes or
/// blocks ends the connection (the streams promise to lose nothing); transactions are dropped.
pub const OUTBOX_ROOMS: [Room; 4] = [
    Room { items_max: 0, bytes_max: 0 },
    Room { items_max: 16_384, bytes_max: 8 * MIB },
    Room { items_max: 4_096, bytes_max: 16 * MIB },
    Room { items_max: 4_096, bytes_max: 4 * MIB },
];

/// Name of a channel's stream.
pub fn protocol_name(id: u8) -> String {
    format!("/guts/1/channel/{id:#04x}")
}
