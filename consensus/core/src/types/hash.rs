//! SHA-256 hashes that may be absent.
use std::fmt;

use sha2::{Digest, Sha256};

use super::Invalid;

/// A SHA-256 hash, or none: many fields are empty before the first block or for a nil vote.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(Option<[u8; 32]>);

impl Hash {
    /// No hash.
    pub const EMPTY: Hash = Hash(None);

    /// These 32 bytes.
    pub const fn new(bytes: [u8; 32]) -> Hash {
        Hash(Some(bytes))
    }

    /// The SHA-256 of `bytes`.
    pub fn of(bytes: &[u8]) -> Hash {
        Hash(Some(Sha256::digest(bytes).into()))
    }

    /// Reads 0 or 32 bytes.
    pub fn from_slice(bytes: &[u8]) -> Result<Hash, Invalid> {
        match <[u8; 32]>::try_from(bytes) {
            Ok(bytes) => Ok(Hash(Some(bytes))),
            Err(_) if bytes.is_empty() => Ok(Hash::EMPTY),
            Err(_) => Err(Invalid::HashSize),
        }
    }

    /// 0 or 32 bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], |bytes| bytes.as_slice())
    }

    /// 0 or 32 bytes, owned.
    pub fn to_vec(&self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

impl From<[u8; 32]> for Hash {
    fn from(bytes: [u8; 32]) -> Hash {
        Hash(Some(bytes))
    }
}

/// Upper-case hexadecimal.
impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode_upper(self.as_bytes()))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
