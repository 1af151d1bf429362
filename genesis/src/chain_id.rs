//! The name of a chain.
use std::fmt;

use thiserror::Error;

/// Why a chain id is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ChainIdError {
    /// No characters.
    #[error("chain_id is empty")]
    Empty,
    /// More than [`ChainId::LEN_MAX`] bytes.
    #[error("chain_id has {0} bytes, at most {max} are allowed", max = ChainId::LEN_MAX)]
    TooLong(usize),
}

/// The name of a chain: 1 to 50 bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChainId(String);

impl ChainId {
    /// Longest chain id, in bytes (CometBFT's `MaxChainIDLen`).
    pub const LEN_MAX: usize = 50;

    /// Checks and wraps `text`.
    pub fn new(text: impl Into<String>) -> Result<ChainId, ChainIdError> {
        let text = text.into();
        match text.len() {
            0 => Err(ChainIdError::Empty),
            len if len > Self::LEN_MAX => Err(ChainIdError::TooLong(len)),
            _ => Ok(ChainId(text)),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ChainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for ChainId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}
