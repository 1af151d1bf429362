//! Node settings: `<home>/config.toml`, unknown keys refused; `GUTS_APP_<KEY>` in the environment
//! wins over the file.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use guts_abci::{Address, AddressError};
use serde::{Deserialize, Serialize};

/// Settings that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is not there or not readable.
    #[error("{0}: {1} (make one with 'guts-app init')")]
    Read(PathBuf, std::io::Error),
    /// Not TOML, or an unknown key.
    #[error("{0}: {1}")]
    Parse(PathBuf, toml::de::Error),
    /// A value in the environment that its key does not take.
    #[error("{variable}: {why}")]
    Variable {
        /// Its name.
        variable: String,
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
    /// Gateways of the other validators, asked for packs and for objects missed.
    pub gateways: Vec<String>,
    /// Where state, repositories and packs lie; relative to the home directory.
    pub data: PathBuf,
    /// What this node is called on its page.
    pub name: String,
    /// What is logged: `error`, `warn`, `info`, `debug`, or a filter such as `guts_git=debug`.
    pub log: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            abci: "tcp://127.0.0.1:26658".into(),
            gateway: SocketAddr::from(([127, 0, 0, 1], 8080)),
            public_url: String::new(),
            engine_rpc: "http://127.0.0.1:26657".into(),
            gateways: Vec::new(),
            data: "data".into(),
            name: "guts".into(),
            log: "info".into(),
        }
    }
}

impl Config {
    /// The file of a home directory.
    pub fn file(home: &Path) -> PathBuf {
        home.join("config.toml")
    }

    /// Reads the file, then the environment through `variable`.
    pub fn load(
        home: &Path,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let home = &std::path::absolute(home).map_err(|e| ConfigError::Read(home.into(), e))?;
        let file = Self::file(home);
        let text = fs::read_to_string(&file).map_err(|e| ConfigError::Read(file.clone(), e))?;
        let mut config = Self::parse(&text).map_err(|e| ConfigError::Parse(file, e))?;
        config.override_by(variable)?;
        if !config.data.is_absolute() {
            config.data = home.join(&config.data);
        }
        if config.gateway.port() != 0 {
            config = config.listening(config.gateway);
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

    fn override_by(
        &mut self,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<(), ConfigError> {
        let get = |key: &str| variable(&format!("GUTS_APP_{key}"));
        let texts = [
            ("ABCI", &mut self.abci),
            ("PUBLIC_URL", &mut self.public_url),
            ("ENGINE_RPC", &mut self.engine_rpc),
            ("NAME", &mut self.name),
            ("LOG", &mut self.log),
        ];
        for (key, value) in texts {
            if let Some(given) = get(key) {
                *value = given;
            }
        }
        if let Some(given) = get("DATA") {
            self.data = given.into();
        }
        if let Some(given) = get("GATEWAYS") {
            let list = given.split(',').map(str::trim).filter(|url| !url.is_empty());
            self.gateways = list.map(str::to_owned).collect();
        }
        if let Some(given) = get("GATEWAY") {
            self.gateway = given.parse().map_err(|_| ConfigError::Variable {
                variable: "GUTS_APP_GATEWAY".into(),
                why: format!("{given} is not HOST:PORT with a numeric host"),
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
