//! The node itself: status, peers, genesis, the transactions that wait.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Hex, PublicKey, Text64, Time};
use crate::json;

/// `/health`: an empty object.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {}

/// `/unsafe_flush_mempool`: an empty object.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flushed {}

/// `/dial_peers` and `/dial_seeds`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dialing {
    /// Where to look for what comes of it.
    pub log: String,
}

/// The protocols a node speaks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProtocolVersion {
    /// Peer protocol; CometBFT v0.38 says 8.
    #[serde(with = "json::text")]
    pub p2p: u64,
    /// Block protocol; 11.
    #[serde(with = "json::text")]
    pub block: u64,
    /// What the application said at the handshake.
    #[serde(with = "json::text")]
    pub app: u64,
}

/// What a node says of itself beside its protocols.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeInfoOther {
    /// `on` when transactions can be looked up.
    pub tx_index: String,
    /// Where its RPC listens.
    pub rpc_address: String,
}

/// Who a node is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeInfo {
    /// What it speaks.
    pub protocol_version: ProtocolVersion,
    /// Its name in the network, lower-case hex of 20 bytes in CometBFT's networks.
    pub id: String,
    /// Where it listens for peers.
    pub listen_addr: String,
    /// The chain id.
    pub network: String,
    /// Clients choose their decoder by it: begins with `0.38.`.
    pub version: String,
    /// The channels it speaks on, one byte each.
    pub channels: Hex,
    /// Its operator's name for it.
    pub moniker: String,
    /// Further facts.
    pub other: NodeInfoOther,
}

/// How far a node is. Hashes are empty and times 1970 before there is a block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // each name says it
pub struct SyncInfo {
    pub latest_block_hash: Hex,
    pub latest_app_hash: Hex,
    #[serde(with = "json::text")]
    pub latest_block_height: i64,
    pub latest_block_time: Time,
    pub earliest_block_hash: Hex,
    pub earliest_app_hash: Hex,
    #[serde(with = "json::text")]
    pub earliest_block_height: i64,
    pub earliest_block_time: Time,
    /// Whether the node fetches blocks rather than taking part.
    pub catching_up: bool,
}

impl Default for SyncInfo {
    /// The state before the first block.
    fn default() -> Self {
        Self {
            latest_block_hash: Hex::default(),
            latest_app_hash: Hex::default(),
            latest_block_height: 0,
            latest_block_time: Time::EPOCH,
            earliest_block_hash: Hex::default(),
            earliest_app_hash: Hex::default(),
            earliest_block_height: 0,
            earliest_block_time: Time::EPOCH,
            catching_up: false,
        }
    }
}

/// The node's own validator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidatorInfo {
    /// Address of its key.
    pub address: Hex,
    /// Its key.
    pub pub_key: PublicKey,
    /// 0 when it takes no part.
    #[serde(with = "json::text")]
    pub voting_power: i64,
}

/// `/status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusResult {
    /// Who the node is.
    pub node_info: NodeInfo,
    /// How far it is.
    pub sync_info: SyncInfo,
    /// Its validator.
    pub validator_info: ValidatorInfo,
}

/// Flow in one direction, in CometBFT's names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs)] // rates in bytes a second, durations in nanoseconds, otherwise bytes
pub struct Monitor {
    pub start: Time,
    #[serde(with = "json::text")]
    pub bytes: i64,
    #[serde(with = "json::text")]
    pub samples: i64,
    #[serde(with = "json::text")]
    pub inst_rate: i64,
    #[serde(with = "json::text")]
    pub cur_rate: i64,
    #[serde(with = "json::text")]
    pub avg_rate: i64,
    #[serde(with = "json::text")]
    pub peak_rate: i64,
    #[serde(with = "json::text")]
    pub bytes_rem: i64,
    #[serde(with = "json::text")]
    pub duration: i64,
    #[serde(with = "json::text")]
    pub idle: i64,
    #[serde(with = "json::text")]
    pub time_rem: i64,
    pub progress: u32,
    pub active: bool,
}

/// One channel of a connection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // each name says it
pub struct Channel {
    #[serde(rename = "ID")]
    pub id: u8,
    #[serde(rename = "SendQueueCapacity", with = "json::text")]
    pub send_queue_capacity: u64,
    #[serde(rename = "SendQueueSize", with = "json::text")]
    pub send_queue_size: u64,
    #[serde(rename = "Priority", with = "json::text")]
    pub priority: u64,
    #[serde(rename = "RecentlySent", with = "json::text")]
    pub recently_sent: i64,
}

/// A connection to a peer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ConnectionStatus {
    /// Nanoseconds it has been up.
    #[serde(with = "json::text")]
    pub duration: i64,
    /// Towards the peer.
    pub send_monitor: Monitor,
    /// From the peer.
    pub recv_monitor: Monitor,
    /// Its channels.
    #[serde(deserialize_with = "json::null_default")]
    pub channels: Vec<Channel>,
}

/// A connected peer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// Who it is.
    pub node_info: NodeInfo,
    /// Whether this node dialled.
    pub is_outbound: bool,
    /// The connection.
    pub connection_status: ConnectionStatus,
    /// Its address without port.
    pub remote_ip: String,
}

/// `/net_info`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetInfo {
    /// Whether peers can dial this node.
    pub listening: bool,
    /// Where.
    #[serde(deserialize_with = "json::null_default")]
    pub listeners: Vec<String>,
    /// How many peers.
    #[serde(with = "json::text")]
    pub n_peers: u64,
    /// The peers.
    #[serde(deserialize_with = "json::null_default")]
    pub peers: Vec<Peer>,
}

/// `/genesis`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GenesisResult {
    /// The genesis document as compact JSON, as it was read.
    pub genesis: Box<RawValue>,
}

/// `/genesis_chunked`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GenesisChunk {
    /// Which, from 0.
    #[serde(with = "json::text")]
    pub chunk: u64,
    /// How many there are.
    #[serde(with = "json::text")]
    pub total: u64,
    /// A piece of the genesis document as compact JSON.
    pub data: Text64,
}

/// `/num_unconfirmed_txs` (without transactions) and `/unconfirmed_txs`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnconfirmedTxs {
    /// How many this answer speaks of.
    #[serde(with = "json::text")]
    pub n_txs: u64,
    /// How many wait.
    #[serde(with = "json::text")]
    pub total: u64,
    /// Their bytes.
    #[serde(with = "json::text")]
    pub total_bytes: u64,
    /// The transactions; null when only counted.
    pub txs: Option<Vec<Text64>>,
}
