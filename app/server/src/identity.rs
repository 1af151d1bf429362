//! The gateway's key: who pays for the pushes this gateway brings to the chain.
//!
//! A validator's gateway uses the account that operates the validator and pays by stake; any
//! other pays by proof of work.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use guts_schema::AccountId;
use guts_schema::sign::SecretKey;
use serde::{Deserialize, Serialize};

/// The file of a home directory.
pub const FILE: &str = "gateway_key.json";

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file cannot be read or written.
    #[error("{0}: {1}")]
    File(PathBuf, std::io::Error),
    /// It holds something else.
    #[error("{0}: it holds no gateway key ({1})")]
    Form(PathBuf, String),
}

/// What the file holds.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    /// The account, for people.
    account: String,
    /// The public key in hexadecimal, for genesis.
    key: String,
    /// The secret: 32 bytes in hexadecimal.
    seed: String,
}

/// The key and its account.
#[derive(Clone)]
pub struct Identity {
    /// Who pays.
    pub account: AccountId,
    /// With what it signs.
    pub secret: SecretKey,
}

impl Identity {
    /// Of a secret.
    pub fn new(secret: SecretKey) -> Self {
        Self { account: AccountId::of_key(&secret.public()), secret }
    }

    /// Reads `<home>/gateway_key.json`.
    pub fn load(home: &Path) -> Result<Self, IdentityError> {
        let file = home.join(FILE);
        let text = fs::read(&file).map_err(|e| IdentityError::File(file.clone(), e))?;
        let wrong = |why: String| IdentityError::Form(file.clone(), why);
        let form: Form = serde_json::from_slice(&text).map_err(|e| wrong(e.to_string()))?;
        let mut seed = [0; 32];
        let seed_is_good = hex::decode_to_slice(&form.seed, &mut seed).is_ok();
        let identity = Self::new(SecretKey::from_seed(seed));
        if !seed_is_good || identity.secret.public().to_string() != form.key {
            return Err(wrong("seed and key do not belong together".into()));
        }
        Ok(identity)
    }

    /// Makes the file, readable by its owner only; keeps one that is there.
    pub fn make(home: &Path) -> Result<Self, IdentityError> {
        use std::os::unix::fs::OpenOptionsExt;
        let file = home.join(FILE);
        if file.exists() {
            return Self::load(home);
        }
        let identity = Self::new(SecretKey::from_seed(rand::random()));
        let form = Form {
            account: identity.account.to_string(),
            key: identity.secret.public().to_string(),
            seed: hex::encode(identity.secret.seed()),
        };
        let text = serde_json::to_string_pretty(&form).expect("three strings have a JSON form");
        let failed = |error| IdentityError::File(file.clone(), error);
        let mut options = fs::OpenOptions::new();
        let mut open =
            options.write(true).create_new(true).mode(0o600).open(&file).map_err(failed)?;
        writeln!(open, "{text}").map_err(failed)?;
        open.sync_all().map_err(failed)?;
        Ok(identity)
    }
}

#[cfg(test)]
mod tests;
