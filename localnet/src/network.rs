//! What a network looks like on disk: `HOME/network.json`, and `HOME/v<i>/{app,engine}` with a
//! log beside each.

use std::fs::File;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::app_state::ACCOUNTS_DEFAULT;
use crate::{Error, Result, at};

/// Most validators one machine is asked to run.
pub const VALIDATORS_MAX: usize = 16;
/// A network of fewer validators survives no fault at all.
pub const VALIDATORS_SAFE_MIN: usize = 4;

/// The network's own file in its directory.
pub const STATE_FILE: &str = "network.json";
const LOCK_FILE: &str = "network.lock";
const PORT_STRIDE: u16 = 10;
/// No port is above what there is.
pub const PORT_OFFSET_MAX: u16 = 38_000;
const P2P_PORT: u16 = 26656;
const RPC_PORT: u16 = 26657;
const METRICS_PORT: u16 = 26660;
const GATEWAY_PORT: u16 = 8080;

const _: () = assert!(
    METRICS_PORT as u32 + PORT_STRIDE as u32 * VALIDATORS_MAX as u32 + PORT_OFFSET_MAX as u32
        <= u16::MAX as u32
);

/// One half of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Half {
    /// `guts-app`, or the program given with `--app`.
    App,
    /// `guts-engine`.
    Engine,
}

impl Half {
    /// The word used in file names and messages.
    pub fn name(self) -> &'static str {
        match self {
            Half::App => "app",
            Half::Engine => "engine",
        }
    }
}

impl std::fmt::Display for Half {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// The commands that end processes.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum EndedBy {
    /// `./localnet/kill`.
    Kill,
    /// `./localnet/stop`.
    Stop,
}

impl std::fmt::Display for EndedBy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            EndedBy::Kill => "./localnet/kill",
            EndedBy::Stop => "./localnet/stop",
        })
    }
}

/// A process that was started, as it can be found again.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Started {
    /// Process id.
    pub pid: u32,
    /// Start time in clock ticks since boot: tells this process from a later one with its pid.
    pub start_ticks: u64,
    /// The command that was told to end it, noted before it does: such an end surprises nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<EndedBy>,
}

impl Started {
    /// Whether both are records of one process.
    pub fn is_same(&self, other: &Started) -> bool {
        (self.pid, self.start_ticks) == (other.pid, other.start_ticks)
    }
}

/// One validator: a pair of processes and its addresses.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Validator {
    /// 0-based.
    pub index: usize,
    /// What is added to each of its ports.
    #[serde(default)]
    pub port_offset: u16,
    /// Node id of the engine, as peers dial it.
    pub node_id: String,
    /// The application, when it was last started.
    pub app: Option<Started>,
    /// The engine, when it was last started.
    pub engine: Option<Started>,
}

impl Validator {
    /// One that was never started.
    pub fn new(index: usize, port_offset: u16, node_id: String) -> Validator {
        Validator { index, port_offset, node_id, app: None, engine: None }
    }

    fn port(&self, base: u16) -> u16 {
        let (index, offset) = (self.index, self.port_offset);
        assert!(index < VALIDATORS_MAX, "validator index {index} out of range");
        assert!(offset <= PORT_OFFSET_MAX, "port offset {offset} out of range");
        base + PORT_STRIDE * index as u16 + offset
    }

    /// TCP port of the engine's peer-to-peer listener.
    pub fn p2p_port(&self) -> u16 {
        self.port(P2P_PORT)
    }

    /// TCP port of the engine's RPC.
    pub fn rpc_port(&self) -> u16 {
        self.port(RPC_PORT)
    }

    /// TCP port where the engine shows its metrics.
    pub fn metrics_port(&self) -> u16 {
        self.port(METRICS_PORT)
    }

    /// TCP port of the application's git gateway.
    pub fn gateway_port(&self) -> u16 {
        self.port(GATEWAY_PORT)
    }

    /// The engine's RPC as a URL.
    pub fn rpc_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.rpc_port())
    }

    /// The gateway as a URL.
    pub fn gateway_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.gateway_port())
    }

    /// What was last started of this half.
    pub fn started(&self, half: Half) -> Option<&Started> {
        match half {
            Half::App => self.app.as_ref(),
            Half::Engine => self.engine.as_ref(),
        }
    }

    /// Where the half's record is kept.
    pub fn started_mut(&mut self, half: Half) -> &mut Option<Started> {
        match half {
            Half::App => &mut self.app,
            Half::Engine => &mut self.engine,
        }
    }
}

/// A whole network.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Network {
    /// Where it lives; not written to the file, so that the directory can be moved.
    #[serde(skip)]
    pub home: PathBuf,
    /// The chain's id.
    pub chain_id: String,
    /// 32 bytes in hexadecimal from which every key of the network follows.
    pub seed: String,
    /// The command that replaces `guts-app`, with `{socket}` for the path of the socket.
    pub app_command: Option<String>,
    /// Engine settings for all, as `section.key=value`.
    pub settings: Vec<String>,
    /// How many accounts its genesis funds for load, where it runs `guts-app`.
    #[serde(default = "accounts_default")]
    pub accounts: u64,
    /// The validators, by index.
    pub validators: Vec<Validator>,
}

/// Of networks that were made when there was no choice.
fn accounts_default() -> u64 {
    ACCOUNTS_DEFAULT
}

impl Network {
    /// Whether a network was made in `home`.
    pub fn exists(home: &Path) -> bool {
        home.join(STATE_FILE).is_file()
    }

    /// Reads the network in `home`.
    pub fn load(home: &Path) -> Result<Network> {
        if !Self::exists(home) {
            return Err(Error::NoNetwork(home.display().to_string()));
        }
        let path = home.join(STATE_FILE);
        let text = at("cannot read", &path, std::fs::read_to_string(&path))?;
        let mut network: Network = serde_json::from_str(&text).map_err(|error| {
            Error::Usage(format!(
                "{} is not a network file ({error}): delete {} and start anew",
                path.display(),
                home.display()
            ))
        })?;
        network.home = home.to_path_buf();
        Ok(network)
    }

    /// Reads the network in `home` to change it: others who want to wait until the file that is
    /// returned is dropped.
    ///
    /// # Errors
    /// As [`Network::load`], and when the file that is locked cannot be made.
    pub fn load_to_change(home: &Path) -> Result<(Network, File)> {
        // Nothing is written into a directory without a network.
        Self::load(home)?;
        let path = home.join(LOCK_FILE);
        let turn = at("cannot open", &path, File::create(&path))?;
        at("cannot lock", &path, turn.lock())?;
        Ok((Self::load(home)?, turn))
    }

    /// Writes `network.json`, atomically.
    pub fn save(&self) -> Result<()> {
        let path = self.home.join(STATE_FILE);
        let part = self.home.join(format!("{STATE_FILE}.part"));
        let text = serde_json::to_string_pretty(self).expect("plain data encodes");
        at("cannot write", &part, std::fs::write(&part, text + "\n"))?;
        at("cannot rename to", &path, std::fs::rename(&part, &path))
    }

    /// What is added to each of its ports: the same for all validators.
    pub fn port_offset(&self) -> u16 {
        self.validators.first().map_or(0, |first| first.port_offset)
    }

    /// Directory of one half of a validator.
    pub fn dir(&self, index: usize, half: Half) -> PathBuf {
        self.home.join(format!("v{index}")).join(half.name())
    }

    /// Log of one half of a validator.
    pub fn log(&self, index: usize, half: Half) -> PathBuf {
        self.home.join(format!("v{index}")).join(format!("{}.log", half.name()))
    }

    /// The Unix socket between the two halves.
    pub fn socket(&self, index: usize) -> PathBuf {
        self.home.join(format!("v{index}")).join("abci.sock")
    }

    /// The validator with this index.
    pub fn validator(&self, index: usize) -> Result<&Validator> {
        self.validators.get(index).ok_or_else(|| {
            Error::Usage(format!(
                "no validator {index}: this network has 0 to {}",
                self.validators.len() - 1
            ))
        })
    }

    /// Whether the validators run `guts-app`, and so have gateways.
    pub fn is_guts(&self) -> bool {
        self.app_command.is_none()
    }
}
