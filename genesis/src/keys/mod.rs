//! Keys, addresses and signatures of validators and nodes.
//!
//! Ed25519 follows ZIP-215 ([ed25519-zebra](https://docs.rs/ed25519-zebra)), as CometBFT's
//! does: every node accepts the same signatures, singly and in batches. Key types are an enum,
//! as on the wire, so that others can be added. Secp256k1 ([k256](https://docs.rs/k256)) is for
//! networks whose parameters allow it, and whose other nodes sign with it: our own signer's key
//! is ed25519.
use std::fmt;

use guts_abci::proto::{self, crypto::public_key::Sum};
use ripemd::Ripemd160;
use sha2::{Digest, Sha256};
use thiserror::Error;

mod scheme;

#[cfg(test)]
mod tests;

pub use scheme::{SignatureScheme, SignedBytes, Zip215};

/// Why bytes are not a key, an address or a signature.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    /// Wrong number of bytes.
    #[error("{what} has {got} bytes instead of {want}")]
    Size {
        /// What was read.
        what: &'static str,
        /// Bytes found.
        got: usize,
        /// Bytes wanted.
        want: usize,
    },
    /// A key type nobody here knows.
    #[error("key type `{0}` is not supported")]
    Type(String),
    /// The wire form names no key.
    #[error("the public key is missing")]
    Missing,
    /// A signature longer than [`Signature::LEN_MAX`].
    #[error("signature has {0} bytes, at most {max} are allowed", max = Signature::LEN_MAX)]
    SignatureTooBig(usize),
}

/// The first 20 bytes of the SHA-256 of an ed25519 key (or CometBFT's hash of another type).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(pub [u8; 20]);

impl Address {
    /// Reads 20 bytes.
    pub fn from_slice(bytes: &[u8]) -> Result<Address, KeyError> {
        let want = <[u8; 20]>::try_from(bytes);
        want.map(Address).map_err(|_| KeyError::Size {
            what: "address",
            got: bytes.len(),
            want: 20,
        })
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Upper-case hexadecimal.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode_upper(self.0))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A public key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PublicKey {
    /// Ed25519, 32 bytes, possibly not a point of the curve: then no signature is good.
    Ed25519([u8; 32]),
    /// Secp256k1, compressed, 33 bytes.
    Secp256k1([u8; 33]),
}

impl PublicKey {
    /// The name of ed25519 in consensus parameters.
    pub const ED25519: &'static str = "ed25519";
    /// The name of secp256k1 in consensus parameters.
    pub const SECP256K1: &'static str = "secp256k1";

    /// Reads an ed25519 key of 32 bytes.
    pub fn ed25519(bytes: &[u8]) -> Result<PublicKey, KeyError> {
        let (got, want) = (bytes.len(), 32);
        let bytes = <[u8; 32]>::try_from(bytes).map_err(|_| KeyError::Size {
            what: "ed25519 key",
            got,
            want,
        })?;
        Ok(PublicKey::Ed25519(bytes))
    }

    /// Reads a secp256k1 key of 33 bytes.
    pub fn secp256k1(bytes: &[u8]) -> Result<PublicKey, KeyError> {
        let (got, want) = (bytes.len(), 33);
        let bytes = <[u8; 33]>::try_from(bytes).map_err(|_| KeyError::Size {
            what: "secp256k1 key",
            got,
            want,
        })?;
        Ok(PublicKey::Secp256k1(bytes))
    }

    /// Reads a key of the named type.
    pub fn from_type_name(name: &str, bytes: &[u8]) -> Result<PublicKey, KeyError> {
        match name {
            Self::ED25519 => Self::ed25519(bytes),
            Self::SECP256K1 => Self::secp256k1(bytes),
            other => Err(KeyError::Type(other.chars().take(64).collect())),
        }
    }

    /// The key type as consensus parameters name it.
    pub fn type_name(&self) -> &'static str {
        match self {
            PublicKey::Ed25519(_) => Self::ED25519,
            PublicKey::Secp256k1(_) => Self::SECP256K1,
        }
    }

    /// The bytes of the key.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            PublicKey::Ed25519(bytes) => bytes,
            PublicKey::Secp256k1(bytes) => bytes,
        }
    }

    /// The address of the key.
    pub fn address(&self) -> Address {
        let mut address = [0; 20];
        match self {
            PublicKey::Ed25519(key) => address.copy_from_slice(&Sha256::digest(key)[..20]),
            PublicKey::Secp256k1(key) => {
                address.copy_from_slice(&Ripemd160::digest(Sha256::digest(key)));
            }
        }
        Address(address)
    }

    /// Reads the wire form.
    pub fn from_proto(key: Option<&proto::crypto::PublicKey>) -> Result<PublicKey, KeyError> {
        match key.and_then(|key| key.sum.as_ref()) {
            Some(Sum::Ed25519(bytes)) => Self::ed25519(bytes),
            Some(Sum::Secp256k1(bytes)) => Self::secp256k1(bytes),
            None => Err(KeyError::Missing),
        }
    }

    /// The wire form.
    pub fn to_proto(&self) -> proto::crypto::PublicKey {
        let bytes = self.as_bytes().to_vec();
        let sum = match self {
            PublicKey::Ed25519(_) => Sum::Ed25519(bytes),
            PublicKey::Secp256k1(_) => Sum::Secp256k1(bytes),
        };
        proto::crypto::PublicKey { sum: Some(sum) }
    }

    /// Whether `signature` over `message` is this key's, under CometBFT's rules.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> bool {
        Zip215.verify(self, message, signature)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.type_name(), hex::encode(self.as_bytes()))
    }
}

/// An ed25519 signing key. Its debug form shows the public half only.
#[derive(Clone)]
pub struct PrivateKey(ed25519_zebra::SigningKey);

impl PrivateKey {
    /// The key of a 32-byte seed.
    pub fn from_seed(seed: [u8; 32]) -> PrivateKey {
        PrivateKey(ed25519_zebra::SigningKey::from(seed))
    }

    /// Reads CometBFT's form of 64 bytes: seed, then public key. The second half is ignored:
    /// only the seed says what the key is.
    pub fn from_slice(bytes: &[u8]) -> Result<PrivateKey, KeyError> {
        let size = KeyError::Size { what: "private key", got: bytes.len(), want: 64 };
        let seed = bytes.get(..32).and_then(|half| <[u8; 32]>::try_from(half).ok());
        match seed {
            Some(seed) if bytes.len() == 64 => Ok(PrivateKey::from_seed(seed)),
            _ => Err(size),
        }
    }

    /// The key CometBFT makes of a secret text: its SHA-256 is the seed. For tests and tools.
    pub fn from_secret(secret: &[u8]) -> PrivateKey {
        PrivateKey::from_seed(Sha256::digest(secret).into())
    }

    /// The seed; keep it secret.
    pub fn seed(&self) -> [u8; 32] {
        *self.0.as_bytes()
    }

    /// CometBFT's form of 64 bytes: seed, then public key.
    pub fn to_bytes(&self) -> [u8; 64] {
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(self.0.as_bytes());
        bytes[32..].copy_from_slice(self.public_key().as_bytes());
        bytes
    }

    /// The public half.
    pub fn public_key(&self) -> PublicKey {
        PublicKey::Ed25519(ed25519_zebra::VerificationKeyBytes::from(&self.0).into())
    }

    /// Signs; deterministic (RFC 8032).
    pub fn sign(&self, message: &[u8]) -> Signature {
        let bytes: [u8; 64] = self.0.sign(message).to_bytes();
        Signature { len: 64, bytes }
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({:?})", self.public_key())
    }
}

/// A signature as messages carry it: 0 to 64 bytes. Empty means none; whether a length is right
/// is for the key type to say.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signature {
    len: u8,
    bytes: [u8; 64],
}

impl Signature {
    /// Longest signature, in bytes (CometBFT's `MaxSignatureSize`).
    pub const LEN_MAX: usize = 64;
    /// No signature.
    pub const NONE: Signature = Signature { len: 0, bytes: [0; 64] };

    /// Reads at most [`Signature::LEN_MAX`] bytes.
    pub fn from_slice(slice: &[u8]) -> Result<Signature, KeyError> {
        let len = u8::try_from(slice.len()).ok().filter(|_| slice.len() <= Self::LEN_MAX);
        let len = len.ok_or(KeyError::SignatureTooBig(slice.len()))?;
        let mut bytes = [0; 64];
        bytes[..slice.len()].copy_from_slice(slice);
        Ok(Signature { len, bytes })
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl Default for Signature {
    fn default() -> Signature {
        Signature::NONE
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.as_bytes()))
    }
}
