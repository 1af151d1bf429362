//! Node settings: `config/config.toml` under the home, then the environment, then `--set`.
//!
//! Names are CometBFT's where the same thing exists. Unknown keys are refused wherever they come
//! from, so that a misspelt setting is never silently the default.

mod span;
#[cfg(test)]
mod tests;

pub use span::Span;

use crate::network::Transport;
use crate::network::dial::{AddressError, PeerAddress, parse_peers};
use guts_consensus::config as engine;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use toml::{Table, Value};

/// First letters of every environment variable that overrides a setting.
pub const ENV_PREFIX: &str = "GUTS_ENGINE_";
/// Variables with the prefix that are no settings.
const ENV_OTHERS: [&str; 1] = ["GUTS_ENGINE_HOME"];

/// Why the settings are refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Not TOML, an unknown key or a wrong type.
    #[error("{source_name}: {reason}")]
    Text {
        /// Which file, variable or flag.
        source_name: String,
        /// What is wrong.
        reason: String,
    },
    /// A value that parses but cannot be.
    #[error("{key}: {reason}")]
    Value {
        /// Which setting.
        key: &'static str,
        /// Why not.
        reason: String,
    },
}

/// All settings of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The operator's name for this node.
    pub moniker: String,
    /// Where the application listens: `unix://PATH` or `tcp://HOST:PORT`.
    pub proxy_app: String,
    /// `error`, `warn`, `info`, `debug`, or a filter by module.
    pub log_level: String,
    /// `plain` or `json`.
    pub log_format: String,
    /// JSON-RPC.
    pub rpc: Rpc,
    /// Peers.
    pub p2p: P2p,
    /// Transactions that wait.
    pub mempool: Mempool,
    /// Rounds and pacing.
    pub consensus: Consensus,
    /// Disk.
    pub storage: Storage,
    /// Searches.
    pub tx_index: TxIndex,
    /// Metrics.
    pub instrumentation: Instrumentation,
}

/// `[rpc]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rpc {
    /// Where to listen: `tcp://HOST:PORT`.
    pub laddr: String,
    /// Origins that browsers may call from, and open WebSockets from besides the node's own.
    pub cors_allowed_origins: Vec<String>,
    /// Connections at a time.
    pub max_open_connections: usize,
    /// Bytes of a request.
    pub max_body_bytes: usize,
    /// WebSocket clients with subscriptions at a time, and waiting calls of `broadcast_tx_commit`.
    pub max_subscription_clients: usize,
    /// Subscriptions of one of them.
    pub max_subscriptions_per_client: usize,
    /// Requests in a batch; 0 for no limit.
    pub max_request_batch_size: usize,
    /// Whether `dial_peers`, `dial_seeds` and `unsafe_flush_mempool` are served: to everybody who
    /// can reach `laddr`.
    #[serde(rename = "unsafe")]
    pub is_unsafe: bool,
    /// How long `broadcast_tx_commit` waits.
    pub timeout_broadcast_tx_commit: Span,
}

/// `[p2p]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct P2p {
    /// Where to listen: `tcp://HOST:PORT`, the same port for every transport.
    pub laddr: String,
    /// `tcp`, `quic` (over UDP) or both: what is listened on, and what a peer is dialled over, one
    /// after the other in this order.
    pub transports: Vec<Transport>,
    /// `PEERID@HOST:PORT` each, with `tcp://` or `quic://` before it to dial that peer over nothing
    /// else; a text with commas is read too.
    #[serde(with = "peer_list")]
    pub persistent_peers: Vec<String>,
    /// Most connections opened by others.
    pub max_num_inbound_peers: u32,
    /// Most connections opened by us.
    pub max_num_outbound_peers: u32,
}

/// `[mempool]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mempool {
    /// Transactions at which it is full for clients; for peers it is at twice as many.
    pub size: u64,
    /// The same of the bytes of all of them.
    pub max_txs_bytes: u64,
    /// Most bytes of one.
    pub max_tx_bytes: u64,
    /// Hashes remembered.
    pub cache_size: u64,
}

/// `[consensus]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)] // CometBFT's names, described at `guts_consensus::config::Pacing`
pub struct Consensus {
    pub timeout_propose: Span,
    pub timeout_propose_delta: Span,
    pub timeout_prevote: Span,
    pub timeout_prevote_delta: Span,
    pub timeout_precommit: Span,
    pub timeout_precommit_delta: Span,
    pub timeout_commit: Span,
    pub create_empty_blocks: bool,
    pub create_empty_blocks_interval: Span,
}

/// `[storage]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Storage {
    /// MiB of blocks kept in memory for reading.
    pub cache_mb: u32,
    /// MiB of what was written but is not in table files yet.
    pub memtables_mb: u32,
    /// Bytes of the write-ahead log after which a new file is begun.
    pub wal_segment_bytes: u64,
}

/// `[tx_index]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TxIndex {
    /// `kv`: events are indexed, and transactions and blocks found by them. `null`: `tx`,
    /// `tx_search` and `block_search` are refused. `guts-engine reindex` makes the index anew, or
    /// the part of some heights.
    pub indexer: String,
}

impl TxIndex {
    /// Whether there is an index.
    pub fn is_on(&self) -> bool {
        self.indexer == "kv"
    }

    /// As nodes tell each other.
    pub fn on_or_off(&self) -> &'static str {
        if self.is_on() { "on" } else { "off" }
    }
}

impl Default for TxIndex {
    fn default() -> Self {
        TxIndex { indexer: "kv".into() }
    }
}

/// `[instrumentation]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Instrumentation {
    /// Whether `/metrics` is served.
    pub prometheus: bool,
    /// Where: `tcp://HOST:PORT`.
    pub prometheus_listen_addr: String,
}

impl Default for Instrumentation {
    fn default() -> Self {
        Instrumentation {
            prometheus: false,
            prometheus_listen_addr: "tcp://127.0.0.1:26660".into(),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Config {
            moniker: "node".into(),
            proxy_app: "tcp://127.0.0.1:26658".into(),
            log_level: "info".into(),
            log_format: "plain".into(),
            rpc: Rpc::default(),
            p2p: P2p::default(),
            mempool: Mempool::default(),
            consensus: Consensus::default(),
            storage: Storage::default(),
            tx_index: TxIndex::default(),
            instrumentation: Instrumentation::default(),
        }
    }
}

impl Default for Rpc {
    fn default() -> Self {
        Rpc {
            laddr: "tcp://127.0.0.1:26657".into(),
            cors_allowed_origins: Vec::new(),
            max_open_connections: 900,
            max_body_bytes: 1_000_000,
            max_subscription_clients: 100,
            max_subscriptions_per_client: 5,
            max_request_batch_size: 10,
            is_unsafe: false,
            timeout_broadcast_tx_commit: Span(Duration::from_secs(10)),
        }
    }
}

impl Default for P2p {
    fn default() -> Self {
        P2p {
            laddr: "tcp://0.0.0.0:26656".into(),
            transports: vec![Transport::Tcp],
            persistent_peers: Vec::new(),
            max_num_inbound_peers: 40,
            max_num_outbound_peers: 10,
        }
    }
}

impl Default for Mempool {
    fn default() -> Self {
        let limits = engine::MempoolLimits::default();
        Mempool {
            size: limits.txs_max,
            max_txs_bytes: limits.bytes_max,
            max_tx_bytes: limits.tx_bytes_max,
            cache_size: limits.cache_max,
        }
    }
}

impl Default for Consensus {
    fn default() -> Self {
        let p = engine::Pacing::default();
        Consensus {
            timeout_propose: Span(p.timeout_propose),
            timeout_propose_delta: Span(p.timeout_propose_delta),
            timeout_prevote: Span(p.timeout_prevote),
            timeout_prevote_delta: Span(p.timeout_prevote_delta),
            timeout_precommit: Span(p.timeout_precommit),
            timeout_precommit_delta: Span(p.timeout_precommit_delta),
            timeout_commit: Span(p.timeout_commit),
            create_empty_blocks: p.create_empty_blocks,
            create_empty_blocks_interval: Span(p.create_empty_blocks_interval),
        }
    }
}

impl Default for Storage {
    fn default() -> Self {
        Storage { cache_mb: 16, memtables_mb: 16, wal_segment_bytes: 8 << 20 }
    }
}

impl Config {
    /// Reads the settings: `text` of the file (`name` in errors), overridden by `env` (all
    /// variables of the process), overridden by `sets` (`section.key=value`).
    ///
    /// # Errors
    /// Names the file, variable or flag and the key.
    pub fn read(
        name: &str,
        text: &str,
        env: impl Iterator<Item = (String, String)>,
        sets: &[String],
    ) -> Result<Config, ConfigError> {
        let fail =
            |source: &str, reason: String| ConfigError::Text { source_name: source.into(), reason };
        // First by itself, so that errors carry the file's lines.
        toml::from_str::<Config>(text).map_err(|e| fail(name, e.to_string()))?;
        let mut table: Table = text.parse().map_err(|e| fail(name, format!("{e}")))?;
        let known =
            Table::try_from(Config::default()).expect("the default settings are a TOML table");
        for (variable, value) in env {
            if let Some(key) = variable.strip_prefix(ENV_PREFIX)
                && !ENV_OTHERS.contains(&variable.as_str())
            {
                let path = env_path(&known, key)
                    .ok_or_else(|| fail(&variable, "there is no such setting".into()))?;
                put(&mut table, &known, &path, &value).map_err(|e| fail(&variable, e))?;
            }
        }
        for set in sets {
            let wrong = || fail(&format!("--set {set}"), "expected section.key=value".into());
            let (path, value) = set.split_once('=').ok_or_else(wrong)?;
            let path: Vec<String> = path.trim().split('.').map(str::to_owned).collect();
            put(&mut table, &known, &path, value).map_err(|e| fail(&format!("--set {set}"), e))?;
        }
        let config: Config =
            table.try_into().map_err(|e: toml::de::Error| fail("settings", e.to_string()))?;
        config.check()?;
        Ok(config)
    }

    /// The settings as a file.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("settings are a TOML table")
    }

    /// The peers to keep connected to.
    ///
    /// # Errors
    /// Names the entry that is wrong.
    pub fn peers(&self) -> Result<Vec<PeerAddress>, AddressError> {
        parse_peers(&self.p2p.persistent_peers.join(","))
    }

    /// The settings of the engine proper.
    pub fn engine(&self) -> engine::Config {
        let c = &self.consensus;
        engine::Config {
            pacing: engine::Pacing {
                timeout_propose: c.timeout_propose.0,
                timeout_propose_delta: c.timeout_propose_delta.0,
                timeout_prevote: c.timeout_prevote.0,
                timeout_prevote_delta: c.timeout_prevote_delta.0,
                timeout_precommit: c.timeout_precommit.0,
                timeout_precommit_delta: c.timeout_precommit_delta.0,
                timeout_commit: c.timeout_commit.0,
                create_empty_blocks: c.create_empty_blocks,
                create_empty_blocks_interval: c.create_empty_blocks_interval.0,
            },
            mempool: engine::MempoolLimits {
                txs_max: self.mempool.size,
                bytes_max: self.mempool.max_txs_bytes,
                tx_bytes_max: self.mempool.max_tx_bytes,
                cache_max: self.mempool.cache_size,
            },
            ..engine::Config::default()
        }
    }

    fn check_peers(&self) -> Result<(), ConfigError> {
        let value = |key, reason: String| Err(ConfigError::Value { key, reason });
        let transports = &self.p2p.transports;
        let times = |one: &Transport| transports.iter().filter(|other| *other == one).count();
        if transports.is_empty() {
            return value("p2p.transports", "name tcp, quic or both".into());
        }
        if let Some(twice) = transports.iter().find(|one| times(one) > 1) {
            return value("p2p.transports", format!("{twice} is named twice"));
        }
        let key = "p2p.persistent_peers";
        let peers = match self.peers() {
            Ok(peers) => peers,
            Err(e) => return value(key, e.to_string()),
        };
        match peers.iter().filter_map(|peer| peer.transport).find(|one| times(one) == 0) {
            Some(off) => value(key, format!("{off}:// is not among p2p.transports")),
            None => Ok(()),
        }
    }

    fn check(&self) -> Result<(), ConfigError> {
        let value = |key, reason: String| Err(ConfigError::Value { key, reason });
        self.check_peers()?;
        if let Err(e) = crate::network::dial::parse_address(&self.p2p.laddr) {
            return value("p2p.laddr", e.to_string());
        }
        if let Err(e) = crate::network::dial::parse_address(&self.rpc.laddr) {
            return value("rpc.laddr", e.to_string());
        }
        let metrics = &self.instrumentation.prometheus_listen_addr;
        if let Err(e) = crate::network::dial::parse_address(metrics) {
            return value("instrumentation.prometheus_listen_addr", e.to_string());
        }
        if let Err(e) = self.proxy_app.parse::<guts_abci::Address>() {
            return value("proxy_app", e.to_string());
        }
        if !["plain", "json"].contains(&self.log_format.as_str()) {
            return value("log_format", format!("{:?} is neither plain nor json", self.log_format));
        }
        if !["kv", "null"].contains(&self.tx_index.indexer.as_str()) {
            let found = &self.tx_index.indexer;
            return value("tx_index.indexer", format!("{found:?} is neither kv nor null"));
        }
        if self.consensus.timeout_propose.0.is_zero() {
            return value("consensus.timeout_propose", "a proposal needs some time".into());
        }
        if self.mempool.max_tx_bytes > 8 << 20 {
            return value("mempool.max_tx_bytes", "peers take at most 8 MiB".into());
        }
        Ok(())
    }
}

/// The setting that a variable's name (without prefix, in capitals) means.
fn env_path(known: &Table, name: &str) -> Option<Vec<String>> {
    for (key, value) in known {
        if key.to_uppercase() == name && !value.is_table() {
            return Some(vec![key.clone()]);
        }
        let Value::Table(section) = value else { continue };
        let prefix = format!("{}_", key.to_uppercase());
        let Some(rest) = name.strip_prefix(&prefix) else { continue };
        if let Some(inner) = section.keys().find(|k| k.to_uppercase() == rest) {
            return Some(vec![key.clone(), inner.clone()]);
        }
    }
    None
}

fn put(table: &mut Table, known: &Table, path: &[String], text: &str) -> Result<(), String> {
    let unknown = || format!("there is no setting {}", path.join("."));
    let (section, key) = match path {
        [key] => (None, key),
        [section, key] => (Some(section), key),
        _ => return Err(unknown()),
    };
    let known = match section {
        None => known,
        Some(section) => known.get(section).and_then(Value::as_table).ok_or_else(unknown)?,
    };
    let like = known.get(key).filter(|v| !v.is_table()).ok_or_else(unknown)?;
    let text = text.trim();
    // Texts need no quotes; a list may be one text with commas.
    let quoted = text.starts_with('"') || text.starts_with('[');
    let value = if like.is_str() && !quoted {
        Value::String(text.into())
    } else if like.is_array() && !quoted {
        let items = text.split(',').map(str::trim).filter(|t| !t.is_empty());
        Value::Array(items.map(|t| Value::String(t.into())).collect())
    } else {
        let line = format!("v = {text}");
        let parsed: Table = line.parse().map_err(|_| format!("{text:?} is not a value"))?;
        parsed.get("v").cloned().ok_or_else(|| format!("{text:?} is not a value"))?
    };
    let target = match section {
        None => table,
        Some(section) => table
            .entry(section.clone())
            .or_insert_with(|| Value::Table(Table::new()))
            .as_table_mut()
            .ok_or_else(unknown)?,
    };
    target.insert(key.clone(), value);
    Ok(())
}

/// A list of texts, or one text with commas.
mod peer_list {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Form {
        Text(String),
        List(Vec<String>),
    }

    pub(super) fn serialize<S: Serializer>(list: &[String], to: S) -> Result<S::Ok, S::Error> {
        list.serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
        Ok(match Form::deserialize(from)? {
            Form::List(list) => list,
            Form::Text(text) => text
                .split(',')
                .map(str::trim)
                .filter(|entry| !entry.is_empty())
                .map(str::to_owned)
                .collect(),
        })
    }
}
