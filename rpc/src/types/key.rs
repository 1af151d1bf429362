//! Public keys, in the two forms CometBFT prints them.

use guts_abci::proto::crypto;
use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize, Serializer};

use super::Base64;

/// A public key with its type's name: the form of validators and of genesis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "value")]
pub enum PublicKey {
    /// 32 bytes.
    #[serde(rename = "tendermint/PubKeyEd25519")]
    Ed25519(Base64),
    /// 33 bytes, compressed.
    #[serde(rename = "tendermint/PubKeySecp256k1")]
    Secp256k1(Base64),
}

/// A public key as the protobuf `oneof` it is in ABCI: the form of validator updates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProtoKey(pub PublicKey);

impl From<crypto::PublicKey> for PublicKey {
    /// A key without a type, which no validator has, becomes an empty ed25519 key.
    fn from(key: crypto::PublicKey) -> Self {
        match key.sum {
            Some(crypto::public_key::Sum::Ed25519(bytes)) => Self::Ed25519(bytes.into()),
            Some(crypto::public_key::Sum::Secp256k1(bytes)) => Self::Secp256k1(bytes.into()),
            None => Self::Ed25519(Base64::default()),
        }
    }
}

impl From<PublicKey> for crypto::PublicKey {
    fn from(key: PublicKey) -> Self {
        let sum = match key {
            PublicKey::Ed25519(bytes) => crypto::public_key::Sum::Ed25519(bytes.0),
            PublicKey::Secp256k1(bytes) => crypto::public_key::Sum::Secp256k1(bytes.0),
        };
        Self { sum: Some(sum) }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", content = "value")]
enum Sum {
    #[serde(rename = "tendermint.crypto.PublicKey_Ed25519")]
    Ed25519 { ed25519: Base64 },
    #[serde(rename = "tendermint.crypto.PublicKey_Secp256K1")]
    Secp256k1 { secp256k1: Base64 },
}

#[derive(Serialize, Deserialize)]
struct OneOf {
    #[serde(rename = "Sum")]
    sum: Sum,
}

impl Serialize for ProtoKey {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let sum = match self.0.clone() {
            PublicKey::Ed25519(ed25519) => Sum::Ed25519 { ed25519 },
            PublicKey::Secp256k1(secp256k1) => Sum::Secp256k1 { secp256k1 },
        };
        OneOf { sum }.serialize(to)
    }
}

impl<'de> Deserialize<'de> for ProtoKey {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let key = match OneOf::deserialize(from).map_err(de::Error::custom)?.sum {
            Sum::Ed25519 { ed25519 } => PublicKey::Ed25519(ed25519),
            Sum::Secp256k1 { secp256k1 } => PublicKey::Secp256k1(secp256k1),
        };
        Ok(Self(key))
    }
}
