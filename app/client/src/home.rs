//! `GUTS_HOME`: configuration, the pinned genesis, and what was believed last.
//!
//! | file | holds |
//! |---|---|
//! | `config.toml` | node, gateway, genesis hash, account, key |
//! | `genesis.json` | the genesis whose hash is pinned |
//! | `trusted.json` | the newest header that was verified |
//! | `id_ed25519` | a key that `guts init` made, when it was not given one |

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use guts_genesis::GenesisDoc;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::Error;
use crate::light::Trusted;

/// Where a node is asked when nothing says otherwise: the first of a local network.
pub const NODE_DEFAULT: &str = "http://127.0.0.1:26657";
/// Where repositories are pushed to when nothing says otherwise.
pub const GATEWAY_DEFAULT: &str = "http://127.0.0.1:8080";

/// `config.toml`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// RPC address of the node that is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Address of the gateway that repositories are pushed to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
    /// SHA-256 of the compact genesis document, lowercase hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub genesis_hash: Option<String>,
    /// Account id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The key that signs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyPlace>,
}

/// Where the key is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum KeyPlace {
    /// An OpenSSH private key file.
    File(PathBuf),
    /// The ssh-agent; this is the public key, `ssh-ed25519 AAAA...`.
    Agent(String),
}

/// A `GUTS_HOME`.
#[derive(Clone, Debug)]
pub struct Home {
    dir: PathBuf,
    /// Its configuration; [`Home::save`] writes it.
    pub config: Config,
}

impl Home {
    /// Reads it; a directory that does not exist is an empty home.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        let home = Self { dir: dir.to_owned(), config: Config::default() };
        match home.read("config.toml")? {
            None => Ok(home),
            Some(text) => match toml::from_str(&text) {
                Ok(config) => Ok(Self { config, ..home }),
                Err(error) => Err(home.wrong("config.toml", error.to_string())),
            },
        }
    }

    /// A file in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The node to ask, `flag` first.
    pub fn node(&self, flag: Option<&str>) -> String {
        flag.or(self.config.node.as_deref()).unwrap_or(NODE_DEFAULT).to_owned()
    }

    /// The gateway to push to, `flag` first.
    pub fn gateway(&self, flag: Option<&str>) -> String {
        let url = flag.or(self.config.gateway.as_deref()).unwrap_or(GATEWAY_DEFAULT);
        url.trim_end_matches('/').to_owned()
    }

    /// Writes the configuration.
    pub fn save(&self) -> Result<(), Error> {
        let text = toml::to_string(&self.config);
        let text = text.map_err(|error| self.wrong("config.toml", error.to_string()))?;
        self.write("config.toml", text.as_bytes())
    }

    /// The pinned genesis; `None` before there is one.
    pub fn genesis(&self) -> Result<Option<GenesisDoc>, Error> {
        let Some(pinned) = &self.config.genesis_hash else { return Ok(None) };
        let text = self.read("genesis.json")?;
        let text = text.ok_or_else(|| self.wrong("genesis.json", "is missing: pin it again"))?;
        let doc = GenesisDoc::parse(&text);
        let doc = doc.map_err(|error| self.wrong("genesis.json", error.to_string()))?;
        if genesis_hash(&doc) != *pinned {
            return Err(self.wrong("genesis.json", "is not the one whose hash is pinned"));
        }
        Ok(Some(doc))
    }

    /// Pins a genesis: from now on nothing is believed that does not follow from it.
    pub fn pin(&mut self, doc: &GenesisDoc) -> Result<(), Error> {
        self.write("genesis.json", doc.to_json().as_bytes())?;
        self.config.genesis_hash = Some(genesis_hash(doc));
        self.save()
    }

    /// What was believed last.
    pub fn trusted(&self) -> Result<Option<Trusted>, Error> {
        let Some(text) = self.read("trusted.json")? else { return Ok(None) };
        let read = serde_json::from_str(&text);
        read.map(Some).map_err(|error| {
            self.wrong("trusted.json", format!("{error}: delete it to start from the genesis"))
        })
    }

    /// Remembers it.
    pub fn save_trusted(&self, trusted: &Trusted) -> Result<(), Error> {
        let text = serde_json::to_vec(trusted);
        self.write("trusted.json", &text.map_err(|e| self.wrong("trusted.json", e.to_string()))?)
    }

    /// Writes a file whole or not at all, readable by its owner alone.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let target = self.path(name);
        let made = self.path(&format!("{name}.{}.new", std::process::id()));
        let write = || {
            fs::create_dir_all(&self.dir)?;
            let mut options = fs::OpenOptions::new();
            options.write(true).create(true).truncate(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let mut file = options.open(&made)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&made, &target)
        };
        write().map_err(|error| self.wrong(name, error.to_string()))
    }

    fn read(&self, name: &str) -> Result<Option<String>, Error> {
        match fs::read_to_string(self.path(name)) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.wrong(name, error.to_string())),
        }
    }

    fn wrong(&self, name: &str, why: impl Into<String>) -> Error {
        Error::Home { path: self.path(name).display().to_string(), why: why.into() }
    }
}

/// SHA-256 of the compact document: the same however the file is indented.
pub fn genesis_hash(doc: &GenesisDoc) -> String {
    hex::encode(Sha256::digest(doc.to_compact_json()))
}

#[cfg(test)]
mod tests;
