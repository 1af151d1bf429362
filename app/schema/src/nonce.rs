//! Push nonces: `guts1+CHAIN+OWNER/NAME+TIME`, TIME being Unix seconds of header time.
//!
//! git signs whatever nonce the server advertised, so a certificate is bound by it to one chain,
//! one repository and a moment. `+` occurs in none of the parts, so the nonce of one repository
//! is never another's. git takes letters, digits and `-./+=_`, fewer than 256 in all.

use crate::names::{NameError, check_chain_id, parse_repo_path};

/// A push nonce, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushNonce {
    /// Chain id.
    pub chain_id: String,
    /// Handle of the repository's owner.
    pub owner: String,
    /// Name of the repository.
    pub repo: String,
    /// Unix seconds of the header time at which it was advertised.
    pub time_s: u64,
}

/// Text that is no push nonce of Guts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NonceError {
    /// Not of the form.
    #[error("the push nonce is not one of Guts (guts1+CHAIN+OWNER/NAME+TIME)")]
    Form,
    /// A part breaks its own rule.
    #[error("the push nonce is wrong: {0}")]
    Name(#[from] NameError),
}

impl PushNonce {
    /// The nonce to advertise; its parts must be checked names.
    pub fn new(chain_id: &str, owner: &str, repo: &str, time_s: u64) -> Self {
        Self { chain_id: chain_id.into(), owner: owner.into(), repo: repo.into(), time_s }
    }

    /// Reads a nonce; `parse(x)?.to_string() == x`.
    pub fn parse(text: &str) -> Result<Self, NonceError> {
        let mut parts = text.split('+');
        let [Some("guts1"), Some(chain_id), Some(path), Some(time), None] =
            std::array::from_fn(|_| parts.next())
        else {
            return Err(NonceError::Form);
        };
        check_chain_id(chain_id)?;
        let (owner, repo) = parse_repo_path(path)?;
        let digits = time.bytes().all(|b| b.is_ascii_digit());
        let padded = time.len() > 1 && time.starts_with('0');
        if !digits || padded {
            return Err(NonceError::Form);
        }
        let time_s = time.parse().map_err(|_| NonceError::Form)?;
        Ok(Self::new(chain_id, owner, repo, time_s))
    }
}

impl std::fmt::Display for PushNonce {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "guts1+{}+{}/{}+{}", self.chain_id, self.owner, self.repo, self.time_s)
    }
}

#[cfg(test)]
mod tests;
