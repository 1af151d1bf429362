//! A node put together: database, state machine, repositories, gateway; and its two servers.

use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use guts_abci::socket::{STOP_TIMEOUT, ServeError, Server};
use guts_abci::{Reader, Served as AbciServed};
use guts_app_core::rules::Rules;
use guts_app_core::{App, Broken, Head};
use guts_git::{Gateway, GitError, Limits, PackStore, Repositories};
use guts_rpc::client::{Client, ClientError};
use guts_state_disk::{Database, DiskError};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::api;
use crate::application::{Machine, Reading, Shared};
use crate::catch_up::CatchUp;
use crate::chain::{Chain, Committed};
use crate::checker::Checker;
use crate::config::{Config, ConfigError};
use crate::follower::{Follower, Served};
use crate::gateway;
use crate::gateways::Gateways;
use crate::held::Held;
use crate::host::{ChainHost, HostParts, Receipts};
use crate::identity::{Identity, IdentityError};
use crate::kept::Kept;
use crate::metrics::{self, Meters};
use crate::page::{self, About};
use crate::pruner;
use crate::submit::Submitter;
use crate::timings::Timings;
use crate::trials::Trials;
use crate::verified::VerifiedCache;

/// Why a node does not start or run.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// Settings.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The gateway's key.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The database.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The state.
    #[error(transparent)]
    State(#[from] Broken),
    /// Repositories and packs.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The address of the engine's RPC.
    #[error("engine_rpc: {0}")]
    Engine(#[from] ClientError),
    /// The ABCI socket.
    #[error(transparent)]
    Abci(#[from] ServeError),
    /// A directory or the gateway's port.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: std::io::Error,
    },
}

impl NodeError {
    fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}

/// What a node is made of besides its settings.
pub struct Parts {
    /// Who pays for pushes.
    pub identity: Identity,
    /// The engine's RPC.
    pub engine: Client,
    /// The program that receive-pack's hooks start.
    pub hook: PathBuf,
    /// The versions of the rules that the program knows.
    pub rules: Rules,
    /// That of [`crate::memory::FreedMemory`].
    pub give_back: fn(),
}

/// A node ready to run.
pub struct Node {
    /// For the engine.
    pub abci: AbciServed,
    /// The gateway's routes.
    pub http: axum::Router,
    /// The newest state.
    pub chain: Chain,
    /// What the repositories show.
    pub served: Served,
    database: Database,
}

impl Node {
    /// Opens everything under `config.data` and starts the background work. Must be called within
    /// a tokio runtime.
    pub fn open(config: &Config, parts: Parts) -> Result<Self, NodeError> {
        let data = &config.data;
        fs::create_dir_all(data).map_err(NodeError::io(format!("making {}", data.display())))?;
        let (database, app, chain) = open_state(&data.join("state"), parts.rules)?;
        let served = Served::new(chain.newest());
        let limits = Limits::default();
        let repositories = Repositories::open(data, &parts.hook, limits, chain.format_of())?;
        let packs = PackStore::open(data)?;
        let gateways = Gateways::new(chain.clone(), parts.identity.account, config);
        let runtime = tokio::runtime::Handle::current();
        let checker = Checker::new(
            chain.clone(),
            served.clone(),
            &repositories,
            &packs,
            gateways.clone(),
            runtime,
        );
        let (receipts, held) = (Receipts::default(), Held::default());
        let (notify, notices) = tokio::sync::mpsc::unbounded_channel();
        let catch_up = CatchUp::new(repositories.clone(), gateways.clone(), notify.clone());
        let shared = Arc::new(Shared {
            chain: chain.clone(),
            verified: VerifiedCache::default(),
            waiting: Kept::default(),
            checker: checker.clone(),
            trials: Trials::default(),
            receipts: receipts.clone(),
            repositories: repositories.clone(),
            packs: packs.clone(),
            notices: notify,
            timings: Timings::default(),
        });
        let reader: Arc<dyn Reader> = Arc::new(Reading::new(database.store(), shared.clone()));
        let submitter = Submitter::new(chain.clone(), parts.identity, parts.engine, reader.clone());
        let host = ChainHost::new(HostParts {
            chain: chain.clone(),
            served: served.clone(),
            checker: checker.clone(),
            packs: packs.clone(),
            held: held.clone(),
            submitter,
            receipts,
            gateways: gateways.clone(),
        });
        let (host, share) = (Arc::new(host), config.address_share_percent);
        let gateway = Gateway::open(data, repositories.clone(), packs.clone(), host, share)?;
        let meters = Meters {
            shared: shared.clone(),
            served: served.clone(),
            packs: packs.clone(),
            database: database.clone(),
        };
        let follower = Follower {
            chain: chain.clone(),
            served: served.clone(),
            repositories,
            packs,
            held,
            checker,
            catch_up,
            notices,
        };
        tokio::spawn(follower.run());
        tokio::spawn(pruner::run(chain.clone(), database.clone(), config.keep_heights));
        let http = routes(config, &chain, meters).merge(guts_git::http::router(gateway));
        let machine = Machine::new(app, database.clone(), shared, parts.give_back)?;
        let abci = AbciServed { app: Box::new(machine), reader };
        Ok(Self { abci, http, chain, served, database })
    }
}

/// The database in `dir`, the machine on its newest state, and what others see of that.
fn open_state(dir: &Path, rules: Rules) -> Result<(Database, App, Chain), NodeError> {
    let database = Database::open(dir)?;
    let head = database.head()?.map(|head| Head::from_bytes(&head.memo)).transpose()?;
    let app = App::with_rules(database.store(), head.clone(), rules);
    // Nothing of such a state is sure to be read as it is meant.
    app.check_rules(0)?;
    let chain = Chain::new(Committed::new(head, app.state()?));
    Ok((database, app, chain))
}

/// What the gateway answers besides git.
fn routes(config: &Config, chain: &Chain, meters: Meters) -> axum::Router {
    let about = About::new(chain, config);
    let api = api::router(chain.clone(), meters.database.store());
    page::router(about).merge(api).merge(metrics::router(meters))
}

/// Runs the node of a home directory until `shutdown`; `rules` and `give_back` are those of
/// [`Parts`].
pub async fn run(
    home: &Path,
    config: &Config,
    rules: Rules,
    give_back: fn(),
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), NodeError> {
    let parts = Parts {
        identity: Identity::load(home)?,
        engine: Client::new(&config.engine_rpc)?,
        hook: std::env::current_exe().map_err(NodeError::io("finding this program"))?,
        rules,
        give_back,
    };
    let account = parts.identity.account;
    let what = format!("the gateway cannot listen on {}", config.gateway);
    let failed = || NodeError::io(what.clone());
    let listener = TcpListener::bind(config.gateway).await.map_err(failed())?;
    let config = config.listening(listener.local_addr().map_err(failed())?);
    let node = Node::open(&config, parts)?;
    let server = Server::bind(&config.abci_address()?).await?;
    let height = node.chain.newest().height;
    tracing::info!(abci = %server.address(), gateway = config.public_url, %account, height, "ready");
    let (stop, mut stopped) = watch::channel(false);
    let both = async move {
        shutdown.await;
        stop.send_replace(true);
    };
    let until = async move { drop(stopped.wait_for(|stop| *stop).await) };
    let bounds = gateway::bounds(&config);
    let mut serving = tokio::spawn(gateway::serve(listener, bounds, node.http, until));
    let ended = server.run(node.abci, both).await;
    let _ = tokio::time::timeout(gateway::STOP_TIMEOUT, &mut serving).await;
    serving.abort();
    node.database.sync()?;
    Ok(ended?)
}

/// How long it waits then for what runs on threads of their own; all that counts is on disk.
pub const RUNTIME_STOP: Duration = Duration::from_millis(300);

/// An ending takes no longer, but for the disk.
pub const STOP_WITHIN: Duration = Duration::from_secs(2);

const _: () = assert!(
    STOP_TIMEOUT.as_millis() + gateway::STOP_TIMEOUT.as_millis() + RUNTIME_STOP.as_millis()
        < STOP_WITHIN.as_millis()
);

/// Makes the home directory: settings and gateway key. Keeps what is there.
pub fn init(home: &Path) -> Result<Identity, NodeError> {
    let failed = || NodeError::io(format!("making {}", home.display()));
    fs::create_dir_all(home).map_err(failed())?;
    let home = home.canonicalize().map_err(failed())?;
    let file = Config::file(&home);
    if !file.exists() {
        let abci = format!("unix://{}", home.join("app.sock").display());
        let config = Config { abci, ..Config::default() };
        let failed = NodeError::io(format!("writing {}", file.display()));
        fs::write(&file, config.to_toml()).map_err(failed)?;
    }
    Ok(Identity::make(&home)?)
}
