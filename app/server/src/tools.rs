//! Work on the state of a node that does not run: auditing it, and making a genesis document of it.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use guts_abci::proto::google::protobuf::Timestamp;
use guts_app_core::whole::Whole;
use guts_app_core::{AppState, Broken, Head, modules};
use guts_schema::{keys, proto};
use guts_state_disk::{Database, DiskError};
use serde_json::{Value, json};

use crate::config::Config;

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
    /// The genesis document that the chain began with.
    #[error("{0}: {1}")]
    Document(PathBuf, String),
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
        let dir = config.data.join("state");
        if !dir.exists() {
            return Err(ToolError::Empty(config.data.clone()));
        }
        let database = Database::open(&dir)?;
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
        genesis["app_state"] = json!(AppState::of(&self.whole));
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
