//! The two forms of a transaction.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::proto::abci::ValidatorUpdate;
use crate::proto::crypto::{PublicKey, public_key::Sum};

/// What a validator update begins with.
const VALIDATOR_PREFIX: &[u8] = b"val=";

/// A transaction that has one of the forms.
#[derive(Clone, Debug, PartialEq)]
pub enum Transaction {
    /// `key=value` or `key:value`.
    Pair,
    /// `val=TYPE!BASE64KEY!POWER`.
    Validator(ValidatorUpdate),
}

/// Why a transaction has none of the forms.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// Not a pair.
    #[error("expected one '=' or one ':', with something on both sides of it")]
    Pair,
    /// Not three parts.
    #[error("expected val=TYPE!BASE64KEY!POWER")]
    Parts,
    /// A key type other than ed25519.
    #[error("the key type of a validator is ed25519")]
    KeyType,
    /// Not 32 bytes of base64.
    #[error("the key of a validator is 32 bytes in base64")]
    Key,
    /// Not a number from 0 up.
    #[error("the power of a validator is a whole number, 0 or more")]
    Power,
}

impl Transaction {
    /// Tells the form of `tx`.
    pub fn parse(tx: &[u8]) -> Result<Self, FormatError> {
        match tx.strip_prefix(VALIDATOR_PREFIX) {
            Some(update) => parse_validator(update).map(Self::Validator),
            None => check_pair(tx).map(|()| Self::Pair),
        }
    }
}

/// Exactly one separator, of either kind, and neither first nor last.
fn check_pair(tx: &[u8]) -> Result<(), FormatError> {
    let mut separators = (0..tx.len()).filter(|&index| matches!(tx[index], b'=' | b':'));
    match (separators.next(), separators.next()) {
        (Some(index), None) if index > 0 && index + 1 < tx.len() => Ok(()),
        _ => Err(FormatError::Pair),
    }
}

fn parse_validator(update: &[u8]) -> Result<ValidatorUpdate, FormatError> {
    let text = std::str::from_utf8(update).map_err(|_| FormatError::Parts)?;
    let parts: Vec<&str> = text.split('!').collect();
    let &[key_type, key, power] = &parts[..] else { return Err(FormatError::Parts) };
    if key_type != "ed25519" {
        return Err(FormatError::KeyType);
    }
    let key = STANDARD.decode(key).map_err(|_| FormatError::Key)?;
    if key.len() != 32 {
        return Err(FormatError::Key);
    }
    let power: i64 = power.parse().map_err(|_| FormatError::Power)?;
    if power < 0 {
        return Err(FormatError::Power);
    }
    Ok(ValidatorUpdate { pub_key: Some(PublicKey { sum: Some(Sum::Ed25519(key)) }), power })
}

/// Key and value of a transaction that goes into a block: split at its only '=', or, when it has
/// none or several, the whole of it for both.
pub fn split(tx: &Bytes) -> (Bytes, Bytes) {
    let mut signs = (0..tx.len()).filter(|&index| tx[index] == b'=');
    match (signs.next(), signs.next()) {
        (Some(sign), None) => (tx.slice(..sign), tx.slice(sign + 1..)),
        _ => (tx.clone(), tx.clone()),
    }
}

/// `key:value` as `key=value`; anything else as it is.
pub fn with_equals_sign(tx: &Bytes) -> Bytes {
    match tx.iter().position(|&byte| byte == b':') {
        None => tx.clone(),
        Some(index) => {
            let mut written = tx.to_vec();
            written[index] = b'=';
            written.into()
        }
    }
}

/// The address of an ed25519 public key: the first 20 bytes of its SHA-256.
pub fn address_of(key: &[u8]) -> [u8; 20] {
    let hash = Sha256::digest(key);
    let mut address = [0; 20];
    address.copy_from_slice(&hash[..20]);
    address
}
