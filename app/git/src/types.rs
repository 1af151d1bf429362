//! The few words this crate shares with its users: repository ids, object ids, pack hashes and
//! ref updates.

use std::fmt;
use std::str::FromStr;

use crate::error::GitError;

/// A repository's number in the state; names its directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepoId(pub u64);

impl fmt::Display for RepoId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for RepoId {
    type Err = std::num::ParseIntError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// A git object id (SHA-1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Oid(pub [u8; 20]);

impl Oid {
    /// What git writes for "no object": the ref is not there.
    pub const ZERO: Self = Self([0; 20]);
}

/// The SHA-256 of a whole pack file: how gateways ask each other for it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackHash(pub [u8; 32]);

macro_rules! hex_text {
    ($name:ident, $length:literal, $what:literal) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
        impl FromStr for $name {
            type Err = GitError;
            fn from_str(text: &str) -> Result<Self, GitError> {
                let mut bytes = [0; $length];
                let lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
                match hex::decode_to_slice(text, &mut bytes) {
                    Ok(()) if lower => Ok(Self(bytes)),
                    _ => Err(GitError::Protocol($what)),
                }
            }
        }
    };
}
hex_text!(Oid, 20, "an object id that is not 40 hexadecimal digits");
hex_text!(PackHash, 32, "a pack hash that is not 64 hexadecimal digits");

/// One ref a push moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefUpdate {
    /// The full name, `refs/...`.
    pub name: String,
    /// What it is expected to be; [`Oid::ZERO`] when it must not exist.
    pub old: Oid,
    /// What it becomes; [`Oid::ZERO`] deletes it.
    pub new: Oid,
}

/// A pack in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackInfo {
    /// Its content hash.
    pub hash: PackHash,
    /// Its length in bytes.
    pub size: u64,
}
