//! Who signs: an OpenSSH ed25519 key from a file, or one that an ssh-agent holds.

pub mod agent;
pub mod file;

use std::path::{Path, PathBuf};

use guts_schema::proto::SignatureForm;
use guts_schema::sign::{ProofOf, SecretKey, proof_message};
use guts_schema::tx::{Draft, KeyProof};
use guts_schema::{AccountId, Key, sshsig};

use self::agent::Agent;
use crate::Error;
use crate::home::{Home, KeyPlace};

/// A key that can sign.
pub enum Signer {
    /// From a file.
    File {
        /// The key.
        secret: Box<SecretKey>,
        /// The private key file.
        path: PathBuf,
    },
    /// In the agent at `SSH_AUTH_SOCK`.
    Agent {
        /// Its public half.
        key: Key,
    },
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signer({})", sshsig::fingerprint(&self.key()))
    }
}

impl Signer {
    /// The signer that `guts init --key` names: a private key file, a public one whose other half
    /// the agent holds, the word `agent`, or nothing: a key of our own, made if need be.
    pub async fn choose(home: &Home, flag: Option<&str>) -> Result<Self, Error> {
        match flag {
            Some("agent") => Agent::here()?.first().await.map(|key| Self::Agent { key }),
            Some(path) => Self::from_path(&expand(path)).await,
            None => {
                let path = home.path("id_ed25519");
                if !path.exists() {
                    file::make(home, "id_ed25519")?;
                }
                Self::from_path(&path).await
            }
        }
    }

    /// The signer that the configuration names.
    pub async fn open(home: &Home) -> Result<Self, Error> {
        match &home.config.key {
            Some(KeyPlace::File(path)) => Self::from_path(path).await,
            Some(KeyPlace::Agent(text)) => {
                let key = sshsig::key_from_text(text).map_err(|e| Error::Key(e.to_string()))?;
                Ok(Self::Agent { key })
            }
            None => Err(Error::Key("there is none yet: run 'guts init'".into())),
        }
    }

    /// The signer in a private key file, or the agent's for a public one.
    pub async fn from_path(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| Error::Key(format!("{}: {error}", path.display())))?;
        if let Ok(key) = sshsig::key_from_text(&text) {
            Agent::here()?.require(&key).await?;
            return Ok(Self::Agent { key });
        }
        let secret = file::read(path, &text)?;
        // git needs the whole path: it runs elsewhere.
        let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        Ok(Self::File { secret: Box::new(secret), path })
    }

    /// The public half.
    pub fn key(&self) -> Key {
        match self {
            Self::File { secret, .. } => secret.public(),
            Self::Agent { key } => *key,
        }
    }

    /// Where the configuration finds it again.
    pub fn place(&self) -> KeyPlace {
        match self {
            Self::File { path, .. } => KeyPlace::File(path.clone()),
            Self::Agent { key } => KeyPlace::Agent(sshsig::key_to_text(key)),
        }
    }

    /// What git's `user.signingKey` is set to.
    pub fn for_git(&self) -> String {
        match self {
            Self::File { path, .. } => path.display().to_string(),
            Self::Agent { key } => format!("key::{}", sshsig::key_to_text(key)),
        }
    }

    /// Signs that the holder of this key agrees to what it is used for.
    pub async fn prove(
        &self,
        of: ProofOf,
        chain_id: &str,
        account: &AccountId,
    ) -> Result<KeyProof, Error> {
        let form = match self {
            Self::File { .. } => SignatureForm::Plain,
            Self::Agent { .. } => SignatureForm::Sshsig,
        };
        let message = proof_message(of, chain_id, account, form);
        let signature = match self {
            Self::File { secret, .. } => secret.sign(&message),
            Self::Agent { key } => Agent::here()?.sign(key, &message).await?,
        };
        Ok(KeyProof { signature, form })
    }

    /// Signs a transaction for `account`.
    pub async fn sign(&self, draft: Draft, account: AccountId) -> Result<Draft, Error> {
        match self {
            Self::File { secret, .. } => Ok(draft.sign(account, secret)),
            // Wrapped, so that what the agent signs says what it is for.
            Self::Agent { key } => {
                let form = SignatureForm::Sshsig;
                let signature = Agent::here()?.sign(key, &draft.message(form)).await?;
                Ok(draft.signature(account, *key, form, signature))
            }
        }
    }
}

/// `~/` at the start means the home directory.
pub(crate) fn expand(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => PathBuf::from(path),
    }
}

#[cfg(test)]
mod tests;
