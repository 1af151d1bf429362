//! Node settings: `<home>/config.toml`, unknown keys refused; `GUTS_APP_<KEY>` in the environment
//! wins over the file.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use guts_abci::{Address, AddressError};
use serde::{Deserialize, Serialize};

/// What the names of variables begin with that set something.
const VARIABLE_PREFIX: &str = "GUTS_APP_";

/// The fewest heights that can be kept: a read takes the state of the newest height, or of the one
/// before, and is not over when the next blocks are there.
const KEEP_HEIGHTS_MIN: u64 = 10;

/// Settings that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is not there or not readable.
    #[error("{0}: {1} (make one with 'guts-app init')")]
    Read(PathBuf, std::io::Error),
    /// Not TOML, or an unknown key.
    #[error("{0}: {1}")]
    Parse(PathBuf, toml::de::Error),
    /// A variable that is no setting, or a value that its setting does not take.
    #[error("{variable}: {why}")]
    Variable {
        /// Its name.
        variable: String,
        /// The rule.
        why: String,
    },
    /// A value that its setting does not take.
    #[error("{key}: {why}")]
    Value {
        /// The setting.
        key: &'static str,
        /// The rule.
        why: String,
    },
    /// The ABCI address.
    #[error("abci: {0}")]
    Address(#[from] AddressError),
}

/// What an operator sets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the engine finds the application: `unix://PATH` or `tcp://HOST:PORT`.
    pub abci: String,
    /// Where the gateway listens for git, browsers and other gateways; on port 0 the system
    /// chooses one, which the log tells.
    pub gateway: SocketAddr,
    /// How others reach the gateway; `http://<gateway>` when empty.
    pub public_url: String,
    /// RPC of this node's engine, to which the gateway gives pushes.
    pub engine_rpc: String,
    /// How others reach that RPC, for the page; `engine_rpc` when empty.
    pub public_rpc: String,
    /// Gateways that are asked for packs and for objects missed before those that the state says
    /// for its validators: private ways to them, or others that have what this node trusts.
    pub gateways: Vec<String>,
    /// Whether gateways that only the state says are asked at addresses that are not of the public
    /// internet: of this machine, of private networks. Any validator says where its gateway is, and
    /// could send this node's requests there; for networks on one machine or behind one firewall.
    pub allow_private_gateways: bool,
    /// Where state, repositories and packs lie; relative to the home directory.
    pub data: PathBuf,
    /// Of how many heights below the newest the state is kept, for reads and for `guts-app
    /// rollback`; 0 keeps all. A hundred thousand are a day of a block a second, and a month of a
    /// chain at rest.
    pub keep_heights: u64,
    /// What this node is called on its page.
    pub name: String,
    /// What is logged: `error`, `warn`, `info`, `debug`, or a filter such as `guts_git=debug`.
    pub log: String,
    /// How it is logged: `plain` for people, `json` for programs, an object a line.
    pub log_format: String,
    /// Connections that the gateway takes at a time; fewer where the system allows fewer than
    /// four open files for each.
    pub connections_max: usize,
    /// Of them, from one address (of IPv6: from one network of 64 bits); 0 for no bound, as it
    /// should be behind a proxy.
    pub connections_per_address_max: usize,
    /// How much of what the gateway does at a time (clones, pushes, and those that wait) one
    /// address may have, in percent: nobody alone keeps others out. 100 for no bound, as it should
    /// be behind a proxy, whose clients have one address: there, it is the proxy's to bound them.
    pub address_share_percent: u8,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            abci: "tcp://127.0.0.1:26658".into(),
            gateway: SocketAddr::from(([127, 0, 0, 1], 8080)),
            public_url: String::new(),
            engine_rpc: "http://127.0.0.1:26657".into(),
            public_rpc: String::new(),
            gateways: Vec::new(),
            allow_private_gateways: false,
            data: "data".into(),
            keep_heights: 100_000,
            name: "guts".into(),
            log: "info".into(),
            log_format: "plain".into(),
            connections_max: 900,
            connections_per_address_max: 200,
            address_share_percent: 25,
        }
    }
}

impl Config {
    /// The file of a home directory.
    pub fn file(home: &Path) -> PathBuf {
        home.join("config.toml")
    }

    /// Reads the file, then the environment: of `variables`, those that begin with `GUTS_APP_`.
    pub fn load(
        home: &Path,
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let home = &std::path::absolute(home).map_err(|e| ConfigError::Read(home.into(), e))?;
        let file = Self::file(home);
        let text = fs::read_to_string(&file).map_err(|e| ConfigError::Read(file.clone(), e))?;
        let mut config = Self::parse(&text).map_err(|e| ConfigError::Parse(file, e))?;
        let own = |(name, value): (String, String)| {
            Some((name.strip_prefix(VARIABLE_PREFIX)?.to_owned(), value))
        };
        for (key, value) in variables.filter_map(own) {
            config.set(&key, value).map_err(|why| ConfigError::Variable {
                variable: format!("{VARIABLE_PREFIX}{key}"),
                why,
            })?;
        }
        config.check()?;
        if !config.data.is_absolute() {
            config.data = home.join(&config.data);
        }
        if config.gateway.port() != 0 {
            config = config.listening(config.gateway);
        }
        if config.public_rpc.is_empty() {
            config.public_rpc.clone_from(&config.engine_rpc);
        }
        Ok(config)
    }

    /// The settings of a node whose gateway listens on that address.
    pub fn listening(&self, gateway: SocketAddr) -> Self {
        let mut config = Self { gateway, ..self.clone() };
        if config.public_url.is_empty() {
            config.public_url = format!("http://{gateway}");
        }
        config
    }

    /// Reads the text of a file.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// The text of a file with these settings.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("plain settings have a TOML form")
    }

    /// The ABCI address, read.
    pub fn abci_address(&self) -> Result<Address, ConfigError> {
        Ok(self.abci.parse()?)
    }

    /// What no type says.
    fn check(&self) -> Result<(), ConfigError> {
        let refuse = |key, why| Err(ConfigError::Value { key, why });
        if !["plain", "json"].contains(&self.log_format.as_str()) {
            return refuse(
                "log_format",
                format!("{:?} is neither plain nor json", self.log_format),
            );
        }
        if self.connections_max == 0 {
            return refuse("connections_max", "nobody could connect: 1 or more".into());
        }
        if !(1..=100).contains(&self.address_share_percent) {
            let why = format!("{} is not within 1 and 100", self.address_share_percent);
            return refuse("address_share_percent", why);
        }
        if (1..KEEP_HEIGHTS_MIN).contains(&self.keep_heights) {
            let least = format!("at least {KEEP_HEIGHTS_MIN} are needed; 0 keeps all");
            return refuse("keep_heights", format!("{} are too few, {least}", self.keep_heights));
        }
        Ok(())
    }

    /// Sets the key that a variable names; an error is the rule it breaks.
    fn set(&mut self, key: &str, value: String) -> Result<(), String> {
        match key {
            "ABCI" => self.abci = value,
            "GATEWAY" => {
                let wrong = |_| format!("{value} is not HOST:PORT with a numeric host");
                self.gateway = value.parse().map_err(wrong)?;
            }
            "PUBLIC_URL" => self.public_url = value,
            "ENGINE_RPC" => self.engine_rpc = value,
            "PUBLIC_RPC" => self.public_rpc = value,
            "GATEWAYS" => {
                let list = value.split(',').map(str::trim).filter(|url| !url.is_empty());
                self.gateways = list.map(str::to_owned).collect();
            }
            "ALLOW_PRIVATE_GATEWAYS" => {
                let wrong = |_| format!("{value} is neither true nor false");
                self.allow_private_gateways = value.parse().map_err(wrong)?;
            }
            "DATA" => self.data = value.into(),
            "KEEP_HEIGHTS" => {
                let wrong = |_| format!("{value} is not a number of heights");
                self.keep_heights = value.parse().map_err(wrong)?;
            }
            "NAME" => self.name = value,
            "LOG" => self.log = value,
            "LOG_FORMAT" => self.log_format = value,
            "CONNECTIONS_MAX" => self.connections_max = whole(&value)?,
            "CONNECTIONS_PER_ADDRESS_MAX" => {
                self.connections_per_address_max = whole(&value)?;
            }
            "ADDRESS_SHARE_PERCENT" => {
                let wrong = |_| format!("{value} is not a whole number of percent");
                self.address_share_percent = value.parse().map_err(wrong)?;
            }
            // Read with the command line: it says where the file is.
            "HOME" => {}
            _ => {
                return Err(
                    "no setting is called like that: see 'guts-app run --print-config'".into()
                );
            }
        }
        Ok(())
    }
}

fn whole(value: &str) -> Result<usize, String> {
    value.parse().map_err(|_| format!("{value} is not a whole number"))
}

#[cfg(test)]
mod tests;
