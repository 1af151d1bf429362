//! Putting a node together: home, disk, keys, engine, network, application, RPC; and taking it
//! apart again.

use crate::backend::{Chain, Feed, NodeBackend, Searches, Tell, Waiting, Watchers};
use crate::config::Config;
use crate::genesis::{self, Genesis};
use crate::home::{FileError, Home, Lock};
use crate::index;
use crate::metrics::{Measured, Steps};
use crate::network::dial::AddressError;
use crate::network::hello::NodeInfo;
use crate::network::{self, Keypair, Network, channels};
use crate::readers::Readers;
use crate::shell::{Inbox, Parts, Shell, ShellError, Shown, app};
use crate::signer::{FileSigner, SignerError};
use crate::store::{Store, StoreError};
use crate::wal::{Found, Log, LogError};
use guts_consensus::engine::{Boot, BootError, Engine};
use guts_consensus::protocol::Tendermint;
use guts_consensus::types::{BLOCK_PROTOCOL, P2P_PROTOCOL, SOFTWARE_VERSION};
use guts_genesis::{GenesisDoc, Height, PrivateKey, Zip215, key_file};
use guts_rpc::Backend;
use guts_rpc::server::{self, Limits};
use key_file::KeyFileError;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, timeout_at};

/// Why a node does not start or has ended.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // each message says it
pub enum NodeError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Genesis(#[from] genesis::ReadError),
    #[error("{}: {source}", path.display())]
    Key { path: PathBuf, source: KeyFileError },
    #[error("opening the store: {0}")]
    Store(#[from] StoreError),
    #[error("opening the write-ahead log: {0}")]
    Log(#[from] LogError),
    #[error(
        "{} belongs to another genesis document than {}: put the old one back, or delete the \
         chain's data with `guts-engine reset --keep-keys`", data.display(), genesis.display()
    )]
    OtherGenesis { data: PathBuf, genesis: PathBuf },
    #[error(transparent)]
    Signer(#[from] SignerError),
    #[error("the engine cannot start from what is stored: {0}")]
    Boot(#[from] BootError),
    #[error(transparent)]
    Network(#[from] network::StartError),
    #[error("p2p.persistent_peers: {0}")]
    Peers(#[from] AddressError),
    #[error("proxy_app: {0}")]
    App(#[from] guts_abci::AddressError),
    #[error("cannot listen for RPC on {address}: {source}")]
    Rpc { address: String, source: std::io::Error },
    #[error("the engine stopped: {0}")]
    Shell(#[from] ShellError),
    #[error("cannot listen for metrics on {address}: {source}")]
    Metrics { address: String, source: std::io::Error },
    #[error("a thread could not be started: {0}")]
    Start(std::io::Error),
    #[error("the engine thread could not be started or has panicked")]
    Thread,
}

/// How long an ending waits for all that ends by itself: the engine's thread, the index, which may
/// be in the middle of a long height, and the answers that clients still get. What is not over by
/// then is cut off: whatever anybody has seen is durable.
pub const STOP_MAX: Duration = Duration::from_millis(1_500);

/// How long it waits then for the runtime, whose threads may be busy with a disk or a name server.
pub const RUNTIME_STOP: Duration = Duration::from_millis(300);

/// An ending takes no longer.
pub const STOP_WITHIN: Duration = Duration::from_secs(2);

const _: () = assert!(STOP_MAX.as_millis() + RUNTIME_STOP.as_millis() < STOP_WITHIN.as_millis());

/// A running node.
pub struct Node {
    inbox: Inbox,
    network: Network,
    rpc: String,
    ended: oneshot::Receiver<Result<(), ShellError>>,
    stop: watch::Sender<bool>,
    servers: Vec<tokio::task::JoinHandle<()>>,
    indexing: Option<std::thread::JoinHandle<()>>,
    readers: Readers,
    _lock: Lock,
}

/// What the disk holds.
struct Disk {
    store: Arc<Store>,
    log: Log,
    found: Found,
}

/// The two keys of a node.
struct Keys {
    validator: PrivateKey,
    node: PrivateKey,
}

impl Node {
    /// Starts a node on `home`.
    ///
    /// # Errors
    /// Says what is wrong and what to do about it.
    pub async fn start(home: &Home, config: Config) -> Result<Node, NodeError> {
        let lock = home.lock()?;
        let genesis = Arc::new(Genesis::open(home)?);
        let keys = read_keys(home)?;
        let disk = open_disk(home, &config, &genesis)?;
        let chain_id = genesis.doc().chain_id.as_str();
        let (key, signed) = (keys.validator.clone(), &disk.found.entries);
        let signer = FileSigner::open(key, chain_id, &home.last_sign(), signed)?;
        let shown = Arc::new(Shown::default());
        let engine = boot(&config, genesis.doc(), &disk, &signer, &shown)?
            .with_node(keys.node.public_key().address());
        let inbox = Inbox::default();
        let network = start_network(&config, &genesis, &keys.node, &inbox).await?;
        let (reader, app) = watch::channel(None);
        let waiting = Arc::new(Waiting::default());
        let Disk { store, log, .. } = disk;
        let feed = Feed::start();
        let measured = Arc::new(Measured::new(signer.address(), store.state()?));
        let chain = Chain {
            config: config.clone(),
            genesis: genesis.clone(),
            store: store.clone(),
            shown: shown.clone(),
            searches: Searches::default(),
        };
        let backend = Arc::new(NodeBackend {
            chain,
            key: keys.validator.public_key(),
            inbox: inbox.clone(),
            network: network.clone(),
            app,
            waiting: waiting.clone(),
            feed: feed.clone(),
            measured: measured.clone(),
        });
        let (index, indexing) = match config.tx_index.is_on() {
            true => index::start(store.clone(), shown.clone())
                .map(|(waker, thread)| (Some(waker), Some(thread)))
                .map_err(NodeError::Start)?,
            false => (None, None),
        };
        let (stop, stopped) = watch::channel(false);
        let metrics = serve_metrics(&config, backend.clone()).await?;
        let readers = Readers::start().map_err(NodeError::Start)?;
        let (rpc, server) = serve(&config, backend, &readers, stopped).await?;
        let waiting = Tell(waiting);
        let watchers = Watchers { waiting, index, feed, measured: measured.clone() };
        let shell = Shell::new(Parts {
            steps: Steps::new(measured.clone(), engine.position()),
            engine,
            inbox: inbox.clone(),
            genesis,
            store,
            log,
            segment_bytes: config.storage.wal_segment_bytes,
            signer: Some(signer),
            last_sign: home.last_sign(),
            network: network.clone(),
            runtime: tokio::runtime::Handle::current(),
            shown,
            observer: Box::new(watchers),
        });
        let ended = run_thread(shell)?;
        let address = config.proxy_app.parse()?;
        let place = readers.handle().clone();
        let keep = app::keep_connected(address, place, inbox.clone(), reader, measured);
        let mut servers = vec![server, tokio::spawn(keep)];
        servers.extend(metrics);
        Ok(Node { inbox, network, rpc, ended, stop, servers, indexing, readers, _lock: lock })
    }

    /// `host:port` the RPC listens on.
    pub fn rpc(&self) -> &str {
        &self.rpc
    }

    /// The network, for its address and counters.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Waits until the engine ends by itself (the disk failed) or `signal` is done, then stops
    /// everything in order.
    ///
    /// # Errors
    /// Why the engine ended by itself, or what could not be written at the end.
    pub async fn run_until(mut self, signal: impl Future<Output = ()>) -> Result<(), NodeError> {
        tokio::select! {
            ended = &mut self.ended => {
                // Nothing more may be promised to anybody: no graceful end for clients.
                self.servers.iter().for_each(tokio::task::JoinHandle::abort);
                let deadline = Instant::now() + STOP_MAX;
                self.join_index(deadline).await;
                self.readers.stop(deadline).await;
                return ended.map_err(|_| NodeError::Thread)?.map_err(NodeError::Shell);
            }
            () = signal => {}
        }
        tracing::info!("stopping");
        let deadline = Instant::now() + STOP_MAX;
        self.stop.send_replace(true);
        self.inbox.stop();
        let ended = timeout_at(deadline, &mut self.ended).await;
        self.join_index(deadline).await;
        self.network.shutdown();
        let Some((server, others)) = self.servers.split_first_mut() else {
            return Err(NodeError::Thread);
        };
        others.iter().for_each(tokio::task::JoinHandle::abort);
        // Clients hear that it ends, if they listen, and peers do.
        let _ = tokio::join!(
            timeout_at(deadline, &mut *server),
            timeout_at(deadline, self.network.closed())
        );
        server.abort();
        self.readers.stop(deadline).await;
        match ended {
            Ok(ended) => {
                tracing::info!("stopped");
                ended.map_err(|_| NodeError::Thread)?.map_err(NodeError::Shell)
            }
            // In a call to the disk, most likely. A start finds what a crash would have left.
            Err(_) => {
                tracing::warn!("the engine's thread is busy: stopped without it");
                Ok(())
            }
        }
    }

    /// Waits for the thread of the index, which ends with the engine's: the store is closed after
    /// both. A process that ends while one of them writes is aborted by RocksDB.
    async fn join_index(&mut self, deadline: Instant) {
        if let Some(thread) = self.indexing.take() {
            let joined = tokio::task::spawn_blocking(move || thread.join());
            let _ = timeout_at(deadline, joined).await;
        }
    }
}

fn run_thread(shell: Shell) -> Result<oneshot::Receiver<Result<(), ShellError>>, NodeError> {
    let (sender, ended) = oneshot::channel();
    std::thread::Builder::new()
        .name("engine".into())
        .spawn(move || {
            let _ = sender.send(shell.run());
        })
        .map_err(|_| NodeError::Thread)?;
    Ok(ended)
}

/// Reads the validator key.
///
/// # Errors
/// It is missing or wrong.
pub fn read_validator_key(home: &Home) -> Result<PrivateKey, NodeError> {
    let name = "priv_validator_key.json";
    key_file::parse_validator_key(&home.read_config(name)?)
        .map_err(|source| NodeError::Key { path: home.config(name), source })
}

/// Reads the node key.
///
/// # Errors
/// It is missing or wrong.
pub fn read_node_key(home: &Home) -> Result<PrivateKey, NodeError> {
    key_file::parse_node_key(&home.read_config("node_key.json")?)
        .map_err(|source| NodeError::Key { path: home.config("node_key.json"), source })
}

fn read_keys(home: &Home) -> Result<Keys, NodeError> {
    Ok(Keys { validator: read_validator_key(home)?, node: read_node_key(home)? })
}

fn open_disk(home: &Home, config: &Config, genesis: &Genesis) -> Result<Disk, NodeError> {
    let store = open_store(home, config, genesis)?;
    let (log, found) = Log::open(&home.data("wal"))?;
    if found.torn > 0 {
        tracing::warn!(bytes = found.torn, "cut off a half-written end of the write-ahead log");
    }
    Ok(Disk { store, log, found })
}

fn open_store(home: &Home, config: &Config, genesis: &Genesis) -> Result<Arc<Store>, NodeError> {
    let store = Arc::new(Store::open(&home.data("store"), (&config.storage).into())?);
    if !store.bind(genesis.hash())? {
        return Err(NodeError::OtherGenesis {
            data: home.data("store"),
            genesis: genesis.path().to_owned(),
        });
    }
    Ok(store)
}

fn boot(
    config: &Config,
    genesis: &Arc<GenesisDoc>,
    disk: &Disk,
    signer: &FileSigner,
    shown: &Shown,
) -> Result<Engine, NodeError> {
    let store = &disk.store;
    let state = store.state()?;
    let top = store.top()?;
    let last_block = match top {
        Height::ZERO => None,
        top => store.decided(top)?.map(Arc::new),
    };
    let committed = state.as_ref().map_or(Height::ZERO, |s| s.last_block_height);
    tracing::info!(
        chain_id = genesis.chain_id.as_str(),
        block = top.0,
        state = committed.0,
        log = disk.found.entries.len(),
        "starting"
    );
    let base = store.base()?;
    shown.base.store(base.0, Ordering::Release);
    shown.top.store(committed.0, Ordering::Release);
    Ok(Engine::new(
        config.engine(),
        Boot {
            genesis: genesis.clone(),
            me: Some(signer.address()),
            scheme: Arc::new(Zip215),
            protocol: Arc::new(Tendermint),
            state,
            base,
            last_block,
            log: disk.found.entries.clone(),
            last_sign: signer.position(),
            evidence: store.evidence()?,
        },
    )?
    .with_evidence_done(store.evidence_done()?))
}

async fn start_network(
    config: &Config,
    genesis: &Genesis,
    node: &PrivateKey,
    inbox: &Inbox,
) -> Result<Network, NodeError> {
    let channels = channels::all();
    let ours = NodeInfo {
        chain_id: genesis.doc().chain_id.as_str().into(),
        genesis_hash: genesis.hash().to_vec(),
        block_protocol: BLOCK_PROTOCOL,
        p2p_protocol: P2P_PROTOCOL,
        app_version: 0,
        channels: channels.iter().map(|c| c.id).collect(),
        moniker: config.moniker.clone(),
        version: SOFTWARE_VERSION.into(),
        listen_addr: config.p2p.laddr.clone(),
        rpc_addr: config.rpc.laddr.clone(),
        session: rand::random(),
        tx_index: config.tx_index.on_or_off().into(),
    };
    let key =
        Keypair::ed25519_from_bytes(node.seed()).expect("a seed of 32 bytes is an ed25519 key");
    let settings = network::Settings {
        listen: config.p2p.laddr.clone(),
        transports: config.p2p.transports.clone(),
        persistent: config.peers()?,
        inbound_max: config.p2p.max_num_inbound_peers,
        outbound_max: config.p2p.max_num_outbound_peers,
        channels,
    };
    let network = Network::start(key, ours, settings, inbox.peers()).await?;
    for (transport, address) in network.listening() {
        tracing::info!(id = %network.local(), %transport, address, "listening for peers");
    }
    Ok(network)
}

/// Begins to serve metrics, if that is wanted.
async fn serve_metrics(
    config: &Config,
    backend: Arc<NodeBackend>,
) -> Result<Option<tokio::task::JoinHandle<()>>, NodeError> {
    let settings = &config.instrumentation;
    if !settings.prometheus {
        return Ok(None);
    }
    let address = settings.prometheus_listen_addr.clone();
    let plain = address.strip_prefix("tcp://").unwrap_or(&address);
    let listener = TcpListener::bind(plain)
        .await
        .map_err(|source| NodeError::Metrics { address: address.clone(), source })?;
    tracing::info!(address, "listening for metrics");
    Ok(Some(tokio::spawn(crate::metrics::serve(listener, backend))))
}

/// Serves what a stopped node has stored, until `signal` is done. Calls about anything but the
/// chain are refused. Says where it listens through `ready`. Of what is stored it changes only the
/// index of events, if a kill has left that behind the chain: it is brought up to it before, as the
/// node would do it at its start. The write-ahead log is not opened.
///
/// # Errors
/// The home is in use or unreadable, or the address taken.
pub async fn inspect(
    home: &Home,
    config: Config,
    ready: impl FnOnce(&str),
    signal: impl Future<Output = ()>,
) -> Result<(), NodeError> {
    let _lock = home.lock()?;
    let genesis = Arc::new(Genesis::open(home)?);
    let store = open_store(home, &config, &genesis)?;
    let shown = Arc::new(Shown::default());
    let top = store.state()?.map_or(Height::ZERO, |state| state.last_block_height);
    shown.base.store(store.base()?.0, Ordering::Release);
    shown.top.store(top.0, Ordering::Release);
    let mut signal = std::pin::pin!(signal);
    if config.tx_index.is_on() && store.indexed()? < top {
        let is_over = Arc::new(AtomicBool::new(false));
        let mut indexing = tokio::task::spawn_blocking({
            let (store, is_over) = (store.clone(), is_over.clone());
            move || bring_index(&store, top, &is_over)
        });
        tokio::select! {
            done = &mut indexing => done.map_err(|_| NodeError::Thread)??,
            () = signal.as_mut() => {
                is_over.store(true, Ordering::Release);
                return indexing.await.map_err(|_| NodeError::Thread)?.map_err(NodeError::Store);
            }
        }
    }
    let searches = Searches::default();
    let chain = Chain { config: config.clone(), genesis, store, shown, searches };
    let (stop, stopped) = watch::channel(false);
    let readers = Readers::start().map_err(NodeError::Start)?;
    let (address, server) = serve(&config, Arc::new(chain), &readers, stopped).await?;
    ready(&address);
    signal.await;
    stop.send_replace(true);
    let deadline = Instant::now() + STOP_MAX;
    let _ = timeout_at(deadline, server).await;
    readers.stop(deadline).await;
    Ok(())
}

/// Brings the index of events up to `top`, and keeps it so; less when `is_over`.
fn bring_index(store: &Store, top: Height, is_over: &AtomicBool) -> Result<(), StoreError> {
    tracing::info!(from = store.indexed()?.0, to = top.0, "indexing what a kill took of the index");
    index::catch_up(store, || top, |_| !is_over.load(Ordering::Acquire))?;
    store.save_index()
}

async fn serve(
    config: &Config,
    backend: Arc<dyn Backend>,
    readers: &Readers,
    mut stopped: watch::Receiver<bool>,
) -> Result<(String, tokio::task::JoinHandle<()>), NodeError> {
    let address = config.rpc.laddr.clone();
    let plain = address.strip_prefix("tcp://").unwrap_or(&address).to_owned();
    let failed = |source| NodeError::Rpc { address: address.clone(), source };
    let listener = readers.handle().spawn(TcpListener::bind(plain)).await;
    let listener = listener.map_err(|_| NodeError::Thread)?.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?.to_string();
    let limits = Limits {
        body_bytes_max: config.rpc.max_body_bytes,
        batch_max: config.rpc.max_request_batch_size,
        connections_max: config.rpc.max_open_connections,
        ws_clients_max: config.rpc.max_subscription_clients,
        ws_subscriptions_max: config.rpc.max_subscriptions_per_client,
        is_unsafe: config.rpc.is_unsafe,
        cors_origins: config.rpc.cors_allowed_origins.clone(),
        ..Limits::default()
    };
    tracing::info!(address = bound, "listening for RPC");
    let shutdown = async move {
        let _ = stopped.wait_for(|stop| *stop).await;
    };
    let server = readers.handle().spawn(server::serve(listener, backend, limits, shutdown));
    Ok((bound, server))
}
