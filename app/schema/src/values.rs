//! How values of the state are encoded: protobuf (`proto`), canonical, never empty.
//!
//! A proof of an empty value does not verify under ICS-23, so an empty message is written as one
//! zero byte, which is no protobuf.

use prost::Message;

/// Bytes that are no value of the kind asked for: a damaged store or a lying node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the canonical encoding of {0}")]
pub struct ValueError(&'static str);

/// What stands for a message without a field set.
const EMPTY: [u8; 1] = [0];

/// The one encoding of a value.
pub fn encode<M: Message>(value: &M) -> Vec<u8> {
    let bytes = value.encode_to_vec();
    if bytes.is_empty() { EMPTY.to_vec() } else { bytes }
}

/// The protobuf encoding of a value's message.
pub fn body(bytes: &[u8]) -> &[u8] {
    if bytes == EMPTY { &[] } else { bytes }
}

/// Reads a value; `encode(&decode(x)?) == x`.
pub fn decode<M: Message + Default>(bytes: &[u8]) -> Result<M, ValueError> {
    let wrong = ValueError(std::any::type_name::<M>());
    let value = M::decode(body(bytes)).map_err(|_| wrong.clone())?;
    if encode(&value) == bytes { Ok(value) } else { Err(wrong) }
}

#[cfg(test)]
mod tests;
