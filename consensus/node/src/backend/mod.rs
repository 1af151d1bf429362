//! What the RPC answers from: the store, the engine's status, the application, the mempool.

mod chain;
mod feed;
mod page;
mod rounds;
mod search;
mod submit;
#[cfg(test)]
mod tests;

use crate::config::Config;
use crate::genesis::Genesis;
use crate::metrics::{Asked, Measured};
use crate::network::Network;
use crate::shell::app::Reader;
use crate::shell::{Inbox, Shown};
use crate::store::{Store, StoreError};
use bytes::Bytes;
pub(crate) use feed::Feed;
use guts_abci::Kind;
use guts_abci::proto::abci as pb;
use guts_abci::socket::{CallError, Client};
use guts_consensus::io::Status;
use guts_consensus::types::{BLOCK_PROTOCOL, P2P_PROTOCOL, SOFTWARE_VERSION, abci};
use guts_genesis::{PublicKey, key_file};
use guts_rpc::events::Batch;
use guts_rpc::search::Search;
use guts_rpc::{Backend, Dial, Heights, Query, Replies, Reply, RpcError, TxHit, types};
pub(crate) use search::{Searches, Watchers};
use std::future::Future;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Instant;
pub(crate) use submit::{Tell, Waiting};
use tokio::sync::broadcast::Receiver;

/// The chain that a node has stored: what can be answered whether it runs or not.
pub(crate) struct Chain {
    pub(crate) config: Config,
    pub(crate) genesis: Arc<Genesis>,
    pub(crate) store: Arc<Store>,
    pub(crate) shown: Arc<Shown>,
    pub(crate) searches: Searches,
}

/// The node as its RPC shows it.
pub(crate) struct NodeBackend {
    pub(crate) chain: Chain,
    pub(crate) key: PublicKey,
    pub(crate) inbox: Inbox,
    pub(crate) network: Network,
    pub(crate) app: Reader,
    pub(crate) waiting: Arc<Waiting>,
    pub(crate) feed: Feed,
    pub(crate) measured: Arc<Measured>,
}

fn internal(error: &dyn std::fmt::Display) -> RpcError {
    RpcError::internal(error.to_string())
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Failed(internal(&error))
    }
}

/// An RPC error that store errors turn into.
struct Failed(RpcError);

impl From<RpcError> for Failed {
    fn from(error: RpcError) -> Self {
        Failed(error)
    }
}

fn reply<'a, T, F>(work: F) -> Reply<'a, T>
where
    F: Future<Output = Result<T, Failed>> + Send + 'a,
{
    Box::pin(async move { work.await.map_err(|failed| failed.0) })
}

fn missing(what: &str, height: u64) -> RpcError {
    RpcError::internal(format!("the node has no {what} of height {height}"))
}

impl Deref for NodeBackend {
    type Target = Chain;

    fn deref(&self) -> &Chain {
        &self.chain
    }
}

impl NodeBackend {
    fn app(&self) -> Result<Arc<Client>, RpcError> {
        self.app.borrow().clone().ok_or_else(|| internal(&"the application is not connected"))
    }

    /// The application's answer; how long it took is measured.
    async fn timed<T>(
        &self,
        kind: Kind,
        asking: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, RpcError> {
        let begun = Instant::now();
        let answer = asking.await.map_err(|e| internal(&e))?;
        self.measured.on_answered(kind, Asked::Sync, begun.elapsed());
        Ok(answer)
    }

    async fn engine_status(&self) -> Result<Status, RpcError> {
        self.inbox.status().await.map_err(|_| internal(&"the engine has stopped"))
    }

    fn node_info(&self, app_version: u64) -> types::NodeInfo {
        let channels: Vec<u8> =
            crate::network::channels::all().iter().map(|channel| channel.id).collect();
        let first = self.network.listening().first().map(|(over, at)| format!("{over}://{at}"));
        types::NodeInfo {
            protocol_version: types::ProtocolVersion {
                p2p: P2P_PROTOCOL,
                block: BLOCK_PROTOCOL,
                app: app_version,
            },
            id: node_id(&self.network.local()),
            listen_addr: first.unwrap_or_default(),
            network: self.genesis.doc().chain_id.as_str().into(),
            version: SOFTWARE_VERSION.into(),
            channels: channels.into(),
            moniker: self.config.moniker.clone(),
            other: types::NodeInfoOther {
                tx_index: self.config.tx_index.on_or_off().into(),
                rpc_address: self.config.rpc.laddr.clone(),
            },
        }
    }

    fn sync_info(&self, status: &Status) -> Result<types::SyncInfo, Failed> {
        let mut info = types::SyncInfo { catching_up: status.catching_up, ..Default::default() };
        // Of the status, not what is newest now: the application's hash belongs to it.
        let (Heights { base, .. }, top) = (self.heights(), status.height.0);
        if let Some(header) = self.header_at(top)? {
            info.latest_block_height = header.height;
            info.latest_block_hash = self.hash_at(top)?.into();
            info.latest_block_time = header.time.into();
            // In no header yet.
            info.latest_app_hash = status.app_hash.to_vec().into();
        }
        if let Some(header) = self.header_at(base)? {
            info.earliest_block_height = header.height;
            info.earliest_block_hash = self.hash_at(base)?.into();
            info.earliest_block_time = header.time.into();
            info.earliest_app_hash = header.app_hash.into();
        }
        Ok(info)
    }
}

impl Backend for NodeBackend {
    fn heights(&self) -> Heights {
        self.chain.heights()
    }

    fn status(&self) -> Reply<'_, types::StatusResult> {
        reply(async {
            let status = self.engine_status().await?;
            let power = status.validator.map_or(0, |(_, power)| power.wire());
            Ok(types::StatusResult {
                node_info: self.node_info(status.app_version),
                sync_info: self.sync_info(&status)?,
                validator_info: types::ValidatorInfo {
                    address: self.key.address().as_bytes().to_vec().into(),
                    pub_key: self.key.to_proto().into(),
                    voting_power: power,
                },
            })
        })
    }

    fn net_info(&self) -> Reply<'_, types::NetInfo> {
        reply(async {
            let peers: Vec<_> = self.network.connected().into_iter().map(peer).collect();
            let listening = self.network.listening().iter();
            Ok(types::NetInfo {
                listening: true,
                listeners: listening.map(|(_, at)| format!("Listener(@{at})")).collect(),
                n_peers: peers.len() as u64,
                peers,
            })
        })
    }

    fn genesis(&self) -> Reply<'_, types::GenesisResult> {
        self.chain.genesis()
    }

    fn genesis_part(&self, from: u64, len: u64) -> Reply<'_, (Vec<u8>, u64)> {
        self.chain.genesis_part(from, len)
    }

    fn block(&self, height: u64) -> Reply<'_, types::BlockResult> {
        self.chain.block(height)
    }

    fn block_by_hash(&self, hash: Vec<u8>) -> Reply<'_, Option<types::BlockResult>> {
        self.chain.block_by_hash(hash)
    }

    fn block_results(&self, height: u64) -> Reply<'_, types::BlockResults> {
        self.chain.block_results(height)
    }

    fn block_metas(&self, min: u64, max: u64) -> Reply<'_, Vec<types::BlockMeta>> {
        self.chain.block_metas(min, max)
    }

    fn header(&self, height: u64) -> Reply<'_, types::Header> {
        self.chain.header(height)
    }

    fn commit(&self, height: u64) -> Reply<'_, types::CommitResult> {
        self.chain.commit(height)
    }

    fn validators(&self, height: u64) -> Reply<'_, Vec<types::Validator>> {
        self.chain.validators(height)
    }

    fn consensus_params(&self, height: u64) -> Reply<'_, types::ConsensusParams> {
        self.chain.consensus_params(height)
    }

    fn abci_info(&self) -> Reply<'_, types::AbciInfoResult> {
        reply(async {
            let asking = self.app()?;
            let info = self.timed(Kind::Info, asking.info(abci::info())).await?;
            Ok(info.into())
        })
    }

    fn abci_query(&self, query: Query) -> Reply<'_, types::AbciQueryResult> {
        reply(async move {
            let request = pb::RequestQuery {
                data: query.data,
                path: query.path,
                height: query.height,
                prove: query.prove,
            };
            let asking = self.app()?;
            let answer = self.timed(Kind::Query, asking.query(request)).await?;
            Ok(answer.into())
        })
    }

    fn broadcast_txs_async(&self, txs: Vec<Bytes>) -> Replies<'_, types::BroadcastTx> {
        Box::pin(self.submit_async(txs))
    }

    fn broadcast_tx_sync(&self, tx: Bytes) -> Reply<'_, types::BroadcastTx> {
        self.submit_sync(tx)
    }

    fn broadcast_tx_commit(&self, tx: Bytes) -> Reply<'_, types::BroadcastTxCommit> {
        self.submit_commit(tx)
    }

    fn tx(&self, hash: Vec<u8>, prove: bool) -> Reply<'_, Option<types::TxResponse>> {
        self.chain.tx(hash, prove)
    }

    fn tx_hits(&self, search: Search) -> Reply<'_, Vec<TxHit>> {
        self.chain.tx_hits(search)
    }

    fn txs_at(&self, hits: Vec<TxHit>, prove: bool) -> Reply<'_, Vec<types::TxResponse>> {
        self.chain.txs_at(hits, prove)
    }

    fn block_hits(&self, search: Search) -> Reply<'_, Vec<u64>> {
        self.chain.block_hits(search)
    }

    fn blocks_at(&self, heights: Vec<u64>) -> Reply<'_, Vec<types::BlockResult>> {
        self.chain.blocks_at(heights)
    }

    fn events(&self) -> Option<Receiver<Arc<Batch>>> {
        Some(self.feed.subscribe())
    }

    fn header_by_hash(&self, hash: Vec<u8>) -> Reply<'_, Option<types::Header>> {
        self.chain.header_by_hash(hash)
    }

    fn check_tx(&self, tx: Bytes) -> Reply<'_, types::TxResult> {
        self.ask_app(tx)
    }

    fn unconfirmed_txs(&self, limit: u64) -> Reply<'_, types::UnconfirmedTxs> {
        self.unconfirmed(limit)
    }

    fn broadcast_evidence(&self, evidence: types::Evidence) -> Reply<'_, types::EvidenceHash> {
        self.submit_evidence(evidence)
    }

    fn num_unconfirmed_txs(&self) -> Reply<'_, types::UnconfirmedTxs> {
        self.unconfirmed(0)
    }

    fn dial(&self, dial: Dial) -> Reply<'_, ()> {
        self.dial_peers(dial)
    }

    fn flush_mempool(&self) -> Reply<'_, types::Flushed> {
        self.forget_txs()
    }

    fn consensus_state(&self) -> Reply<'_, types::ConsensusState> {
        self.rounds_in_short()
    }

    fn dump_consensus_state(&self) -> Reply<'_, types::DumpConsensusState> {
        self.rounds_whole()
    }
}

/// CometBFT's id of a node, which its clients parse: the address of the key in the peer id.
pub(crate) fn node_id(peer: &crate::network::PeerId) -> String {
    // An identity multihash of the protobuf key: six bytes, then an ed25519 key.
    let bytes = peer.to_bytes();
    let key = bytes.get(6..).and_then(|key| PublicKey::ed25519(key).ok());
    key.map_or_else(|| peer.to_string(), |key| key_file::node_id(&key))
}

fn peer(connected: crate::network::Connected) -> types::Peer {
    let info = &connected.info;
    // Without the brackets that an address of IPv6 has before a port.
    let remote = connected.remote.parse::<std::net::SocketAddr>();
    let remote_ip = remote.map_or_else(|_| connected.remote.clone(), |at| at.ip().to_string());
    types::Peer {
        node_info: types::NodeInfo {
            protocol_version: types::ProtocolVersion {
                p2p: info.p2p_protocol,
                block: info.block_protocol,
                app: info.app_version,
            },
            id: node_id(&connected.peer),
            listen_addr: info.listen_addr.clone(),
            network: info.chain_id.clone(),
            version: info.version.clone(),
            channels: info.channels.clone().into(),
            moniker: info.moniker.clone(),
            other: types::NodeInfoOther {
                tx_index: info.tx_index.clone(),
                rpc_address: info.rpc_addr.clone(),
            },
        },
        is_outbound: connected.is_outbound,
        connection_status: connection_status(&connected),
        remote_ip,
    }
}

fn connection_status(connected: &crate::network::Connected) -> types::ConnectionStatus {
    let channel = |lane: &crate::network::LaneStatus| types::Channel {
        id: lane.channel.id,
        send_queue_capacity: lane.capacity as u64,
        send_queue_size: lane.waiting as u64,
        priority: lane.channel.class.priority(),
        recently_sent: signed(lane.recently_sent),
    };
    types::ConnectionStatus {
        duration: nanos(connected.duration),
        send_monitor: monitor(&connected.sent),
        recv_monitor: monitor(&connected.received),
        channels: connected.lanes.iter().map(channel).collect(),
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn nanos(span: std::time::Duration) -> i64 {
    i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)
}

/// A connection's flow in CometBFT's terms. It sets no goal for a flow, so the fields that speak
/// of one (`BytesRem`, `TimeRem`, `Progress`) are zero there too.
fn monitor(flow: &crate::network::Flow) -> types::Monitor {
    let since = flow.start.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let start = types::Time { seconds: signed(since.as_secs()), nanos: since.subsec_nanos() };
    types::Monitor {
        start,
        bytes: signed(flow.bytes),
        samples: signed(flow.samples),
        inst_rate: signed(flow.rate_last),
        cur_rate: signed(flow.rate_now),
        avg_rate: signed(flow.rate_mean),
        peak_rate: signed(flow.rate_peak),
        duration: nanos(flow.duration),
        idle: nanos(flow.idle),
        active: true,
        ..types::Monitor::default()
    }
}
