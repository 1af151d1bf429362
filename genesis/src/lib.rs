//! Genesis documents, keys and network manifests.
//!
//! Everything a network agrees on before its first block: the numbers and times it counts in,
//! the keys of its validators, its consensus parameters and the genesis document that binds
//! them. Formats are those of CometBFT v0.38, so its tools read our files and we read its.
//!
//! The crate is pure: it parses and prints text, and leaves files to its callers.
mod chain_id;
mod document;
mod json;
pub mod key_file;
pub mod keys;
pub mod manifest;
mod number;
mod params;
mod time;

pub use chain_id::{ChainId, ChainIdError};
pub use document::{GenesisDoc, GenesisError, GenesisValidator};
pub use json::{Compactor, JsonError};
pub use key_file::{KeyFileError, LastSign, SignRefusal};
pub use keys::{
    Address, KeyError, PrivateKey, PublicKey, Signature, SignatureScheme, SignedBytes, Zip215,
};
pub use manifest::{Manifest, ManifestValidator};
pub use number::{Height, NumberError, Power, Round};
pub use params::{BLOCK_BYTES_LIMIT, ConsensusParams, ParamsError};
pub use time::{Time, TimeError};
