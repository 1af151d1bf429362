//! The canonical bytes a validator signs for its vote extension.

use prost::Message as _;

use crate::proto::types::CanonicalVoteExtension;

#[cfg(test)]
mod tests;

/// What the signature of a vote extension covers: CometBFT's `CanonicalVoteExtension`, with its
/// length in front. Both sides need it: the engine signs and checks, and an application that
/// carries extensions in a block checks them again.
pub fn extension_sign_bytes(chain_id: &str, height: i64, round: i32, extension: &[u8]) -> Vec<u8> {
    CanonicalVoteExtension {
        extension: extension.to_vec(),
        height,
        round: i64::from(round),
        chain_id: chain_id.to_owned(),
    }
    .encode_length_delimited_to_vec()
}
