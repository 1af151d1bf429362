//! Identifiers, each a type of its own. None is made from a bare integer or byte string by
//! accident: there is no `From<u64>`, and a slice of another length is refused.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

/// Bytes or text that are no identifier of the kind asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The wrong number of bytes.
    #[error("{what} has {expected} bytes, not {found}")]
    Length {
        /// The kind of identifier.
        what: &'static str,
        /// How many bytes it has.
        expected: usize,
        /// How many were given.
        found: usize,
    },
    /// Text that is not lowercase hex.
    #[error("{what} is written in lowercase hex digits")]
    Hex {
        /// The kind of identifier.
        what: &'static str,
    },
    /// Text that is no positive decimal number.
    #[error("a repository id is a number from 1 on")]
    Number,
}

macro_rules! bytes_id {
    ($(#[$doc:meta])* $name:ident, $len:literal, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $len]);

        impl $name {
            /// Length in bytes.
            pub const LEN: usize = $len;

            /// From the bytes themselves.
            pub const fn new(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            /// From a slice of exactly that length.
            pub fn from_slice(bytes: &[u8]) -> Result<Self, IdError> {
                let found = bytes.len();
                let bytes = bytes
                    .try_into()
                    .map_err(|_| IdError::Length { what: $what, expected: $len, found })?;
                Ok(Self(bytes))
            }

            /// The bytes.
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }

            /// A copy of the bytes, as protobuf messages hold them.
            pub fn to_vec(&self) -> Vec<u8> {
                self.0.to_vec()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hex(f, &self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::from_slice(&hex_bytes(text, $what)?)
            }
        }
    };
}

bytes_id!(
    /// An account: the first 20 bytes of a digest of the key that made it, so that it is known
    /// before the chain has seen it. It stays when keys come and go.
    AccountId, 20, "an account id"
);
bytes_id!(
    /// An ed25519 public key.
    Key, 32, "an ed25519 public key"
);
bytes_id!(
    /// A push: the digest of its certificate, of who brings it, and of its pack.
    PushId, 32, "a push id"
);
bytes_id!(
    /// A SHA-256 digest: of a pack, a transaction, a commitment, an anchor.
    Hash, 32, "a SHA-256 digest"
);
bytes_id!(
    /// A consensus address: the first 20 bytes of SHA-256 of the validator's key.
    ValidatorAddress, 20, "a validator address"
);
bytes_id!(
    /// An ed25519 signature.
    Signature, 64, "an ed25519 signature"
);

impl AccountId {
    /// The account that `key` makes.
    pub fn of_key(key: &Key) -> Self {
        let digest =
            Sha256::new().chain_update(b"guts.v1.account\0").chain_update(key.0).finalize();
        let mut id = [0; 20];
        id.copy_from_slice(&digest[..20]);
        Self(id)
    }
}

impl AccountId {
    /// The account of the organisation with that number. No key makes it.
    pub fn of_org(number: u64) -> Self {
        let digest = Sha256::new()
            .chain_update(b"guts.v1.org\0")
            .chain_update(number.to_be_bytes())
            .finalize();
        let mut id = [0; 20];
        id.copy_from_slice(&digest[..20]);
        Self(id)
    }
}

impl Hash {
    /// SHA-256 of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl ValidatorAddress {
    /// The address of an ed25519 consensus key, as CometBFT computes it.
    pub fn of_key(key: &Key) -> Self {
        let digest = Sha256::digest(key.0);
        let mut address = [0; 20];
        address.copy_from_slice(&digest[..20]);
        Self(address)
    }
}

/// A repository: dense, from 1 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepoId(u64);

impl RepoId {
    /// The repository with that number; 0 is none.
    pub const fn new(number: u64) -> Option<Self> {
        if number == 0 { None } else { Some(Self(number)) }
    }

    /// Its number.
    pub const fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for RepoId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for RepoId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let number = if plain { text.parse().ok() } else { None };
        number.and_then(Self::new).ok_or(IdError::Number)
    }
}

/// A git object id, SHA-1 or SHA-256. The null id ("no such object") is not one: where git writes
/// it, this crate has `None`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Oid {
    /// 20 bytes.
    Sha1([u8; 20]),
    /// 32 bytes.
    Sha256([u8; 32]),
}

impl Oid {
    /// From 20 or 32 bytes that are not all zero.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, IdError> {
        let wrong = IdError::Length { what: "an object id", expected: 20, found: bytes.len() };
        if bytes.iter().all(|b| *b == 0) {
            return Err(wrong);
        }
        match bytes.len() {
            20 => bytes.try_into().map(Self::Sha1).map_err(|_| wrong),
            32 => bytes.try_into().map(Self::Sha256).map_err(|_| wrong),
            _ => Err(wrong),
        }
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Sha1(bytes) => bytes,
            Self::Sha256(bytes) => bytes,
        }
    }

    /// A copy of the bytes, as protobuf messages hold them.
    pub fn to_vec(&self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, self.as_bytes())
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Oid({self})")
    }
}

impl FromStr for Oid {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::from_slice(&hex_bytes(text, "an object id")?)
    }
}

/// Without a string of its own: each transaction's events name several ids.
fn write_hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    let mut digits = [0; 2 * 32];
    for part in bytes.chunks(32) {
        let digits = &mut digits[..2 * part.len()];
        hex::encode_to_slice(part, &mut *digits).map_err(|_| fmt::Error)?;
        f.write_str(str::from_utf8(digits).map_err(|_| fmt::Error)?)?;
    }
    Ok(())
}

fn hex_bytes(text: &str, what: &'static str) -> Result<Vec<u8>, IdError> {
    if text.bytes().any(|b| b.is_ascii_uppercase()) {
        return Err(IdError::Hex { what });
    }
    hex::decode(text).map_err(|_| IdError::Hex { what })
}

#[cfg(test)]
mod tests;
