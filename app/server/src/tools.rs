//! Work on the state of a node that does not run: auditing it, making a genesis document of it,
//! packing its files, taking it back to an older height, and reading it as from a node that runs.

use std::fs;
use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use guts_abci::proto::google::protobuf::Timestamp;
use guts_app_core::whole::Whole;
use guts_app_core::{App, AppState, Broken, Head, modules};
use guts_schema::{keys, proto};
use guts_state::StateError;
use guts_state_disk::{Database, DiskError};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::api;
use crate::chain::{Chain, Committed};
use crate::config::Config;
use crate::gateway;
use crate::page::{self, About};

/// Why a tool cannot do its work.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// The database.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The state, or what is wrong with it.
    #[error(transparent)]
    State(#[from] Broken),
    /// There is no state yet.
    #[error("{0} has no state: nothing was committed there yet")]
    Empty(PathBuf),
    /// A height to go back to that lies before the chain.
    #[error(
        "nothing was changed: block {initial} is the first of the chain, and there is no state \
         before it: to begin anew, delete {}, and the engine executes every block again",
        state.display()
    )]
    First {
        /// The first height.
        initial: u64,
        /// Where the state lies.
        state: PathBuf,
    },
    /// The genesis document that the chain began with.
    #[error("{0}: {1}")]
    Document(PathBuf, String),
    /// Where it should be read from.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, std::io::Error),
}

/// The database of a stopped node. Fails while the node runs: a database has one user.
fn open(config: &Config) -> Result<(Database, PathBuf), ToolError> {
    let dir = config.data.join("state");
    if !dir.exists() {
        return Err(ToolError::Empty(config.data.clone()));
    }
    Ok((Database::open(&dir)?, dir))
}

/// Bytes of the files in a directory.
fn size(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).map(|meta| meta.len()).sum()
}

/// Packs the files of the database. The directory, and its bytes before and after.
pub fn compact(config: &Config) -> Result<(PathBuf, u64, u64), ToolError> {
    let (database, dir) = open(config)?;
    let before = size(&dir);
    database.compact()?;
    database.sync()?;
    drop(database);
    let after = size(&dir);
    Ok((dir, before, after))
}

/// Takes the state back to that height, or to the one below the newest: the engine executes the
/// blocks above it again. The head there, and the hash of the state. One that is ended half-way
/// leaves the state of a height in between, whole, and is done when it is run again.
pub fn rollback(config: &Config, height: Option<u64>) -> Result<(Head, [u8; 32]), ToolError> {
    let (database, state) = open(config)?;
    let newest = database.head()?.ok_or_else(|| ToolError::Empty(config.data.clone()))?;
    let initial = Head::from_bytes(&newest.memo)?.initial_height;
    let height = height.unwrap_or(newest.height.saturating_sub(1));
    if height < initial {
        return Err(ToolError::First { initial, state });
    }
    let head = database.rollback(height)?;
    let root = database.snapshot(height)?.root();
    let root = root.ok_or(Broken::State(StateError::NoVersion(height)))?;
    Ok((Head::from_bytes(&head.memo)?, root.hash))
}

/// Answers on the gateway's address what can be read of a stopped node: its page, its health and
/// every `guts_*` method, with proofs, behind the same door as of one that runs. No git, no
/// metrics. Says where it listens through `ready`.
pub async fn inspect(
    config: &Config,
    ready: impl FnOnce(SocketAddr),
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ToolError> {
    let (database, _) = open(config)?;
    let head = database.head()?.ok_or_else(|| ToolError::Empty(config.data.clone()))?;
    let head = Some(Head::from_bytes(&head.memo)?);
    let state = App::new(database.store(), head.clone()).state()?;
    let chain = Chain::new(Committed::new(head, state));
    let failed = |error| ToolError::Listen(config.gateway, error);
    let listener = TcpListener::bind(config.gateway).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let about = About::new(&chain, &config.listening(address));
    let routes = page::router(about).merge(api::router(chain, database.store()));
    ready(address);
    gateway::serve_until(listener, gateway::bounds(config), routes, shutdown).await;
    Ok(())
}

/// The whole newest state of a stopped node.
pub struct Stopped {
    /// What the database has with it.
    pub head: Head,
    /// Every entry.
    pub whole: Whole,
}

impl Stopped {
    /// Reads it. Fails while the node runs: a database has one user.
    pub fn read(config: &Config) -> Result<Self, ToolError> {
        let (database, _) = open(config)?;
        let head = database.head()?.ok_or_else(|| ToolError::Empty(config.data.clone()))?;
        let whole = Whole::new(database.entries(head.height)?);
        Ok(Self { head: Head::from_bytes(&head.memo)?, whole })
    }

    /// Checks every invariant of every module over the whole state.
    pub fn audit(&self) -> Result<(), ToolError> {
        Ok(modules::audit(&self.whole)?)
    }

    /// A genesis document from which the chain goes on at the next height: that of `document`,
    /// which it began with, with this state, its validators and its time. Every node of a network
    /// that stopped at one height makes the same one.
    pub fn genesis(&self, document: &Path) -> Result<Value, ToolError> {
        let wrong = |why: String| ToolError::Document(document.to_owned(), why);
        let text = fs::read(document).map_err(|error| wrong(error.to_string()))?;
        let mut genesis: Value =
            serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
        if genesis["chain_id"] != self.head.chain_id.as_str() {
            let found = &genesis["chain_id"];
            return Err(wrong(format!("it is of chain {found}, not {}", self.head.chain_id)));
        }
        self.audit()?;
        let seconds = i64::try_from(self.head.time_s.saturating_add(1)).unwrap_or(i64::MAX);
        genesis["genesis_time"] = json!(Timestamp { seconds, nanos: 0 });
        genesis["initial_height"] = json!(self.head.height.saturating_add(1).to_string());
        genesis["validators"] = self.validators()?;
        // The application makes it when it reads the state.
        genesis["app_hash"] = json!("");
        genesis["app_state"] = AppState::of(&self.whole).to_value();
        Ok(genesis)
    }

    fn validators(&self) -> Result<Value, ToolError> {
        let set = self.whole.get::<proto::Validators>(&keys::validators())?.unwrap_or_default();
        let one = |validator: &proto::Validator| {
            json!({
                "address": hex::encode_upper(&validator.address),
                "pub_key": {
                    "type": "tendermint/PubKeyEd25519",
                    "value": STANDARD.encode(&validator.consensus_key),
                },
                "power": validator.power.to_string(),
                "name": "",
            })
        };
        Ok(set.validators.iter().map(one).collect())
    }
}
