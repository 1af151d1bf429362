//! The frames of the socket protocol: `uvarint(length) || protobuf`.
//!
//! Reading is incremental and linear: bytes are appended to one buffer, a frame that is whole is
//! split off without a copy, and its fields are slices of it. A length is checked against a limit
//! before anything is kept, and the buffer grows with the bytes that arrived, never with a length
//! that was only claimed.

use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;

#[cfg(test)]
mod tests;

/// The longest frame either side accepts by default, in bytes without the length. A block has at
/// most 100 MiB by CometBFT's rules, and genesis state or a FinalizeBlock response may be larger.
pub const FRAME_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// The longest length prefix: a `u64` as an unsigned varint.
const PREFIX_BYTES_MAX: usize = 10;

/// A buffer that held more bytes than this keeps no memory once it is empty: so many are those of
/// usual blocks, and more those of the one genesis state that a connection ever sees.
const KEPT_BYTES: usize = 16 << 20;

/// Bytes that are not a frame. The stream they came from cannot be read any further.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The length is not a varint of 64 bits.
    #[error("the length of a frame is a malformed varint")]
    Prefix,
    /// The length is over the limit.
    #[error("a frame of {length} bytes is longer than the limit of {limit}")]
    Oversize {
        /// The length the frame claims, in bytes.
        length: u64,
        /// The limit, in bytes.
        limit: u64,
    },
    /// The frame is not the protobuf message expected.
    #[error("a frame is not a message of the contract: {0}")]
    Message(#[from] prost::DecodeError),
}

/// Appends `message` as one frame.
pub fn encode(message: &impl Message, out: &mut BytesMut) {
    let length = message.encoded_len();
    out.reserve(length + PREFIX_BYTES_MAX);
    put_uvarint(length as u64, out);
    message.encode(out).expect("a BytesMut grows as needed");
}

/// Gives back the memory of a buffer once it is empty, if it held more than usual; `most` is the
/// most it held since it was empty before.
pub(crate) fn give_back(buffer: &mut BytesMut, most: &mut usize) {
    if buffer.is_empty() && std::mem::take(most) > KEPT_BYTES {
        *buffer = BytesMut::new();
    }
}

/// Splits a stream of bytes into frames, and frames into messages.
#[derive(Clone, Copy, Debug)]
pub struct Decoder {
    length_max: u64,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new(FRAME_BYTES_MAX)
    }
}

impl Decoder {
    /// A decoder that refuses frames of more than `length_max` bytes.
    pub fn new(length_max: u64) -> Self {
        Self { length_max }
    }

    /// Takes the next whole frame off the front of `buffer` and decodes it; `None` when more bytes
    /// are needed. After an error the buffer's position is meaningless.
    pub fn decode<M: Message + Default>(
        self,
        buffer: &mut BytesMut,
    ) -> Result<Option<M>, FrameError> {
        match self.split_frame(buffer)? {
            Some(frame) => Ok(Some(M::decode(frame)?)),
            None => Ok(None),
        }
    }

    /// Takes the next whole frame off the front of `buffer`, without its length.
    fn split_frame(self, buffer: &mut BytesMut) -> Result<Option<Bytes>, FrameError> {
        let Some((length, prefix)) = read_uvarint(buffer)? else { return Ok(None) };
        if length > self.length_max {
            return Err(FrameError::Oversize { length, limit: self.length_max });
        }
        let oversize = FrameError::Oversize { length, limit: usize::MAX as u64 };
        let length = usize::try_from(length).map_err(|_| oversize)?;
        // Compared by subtraction: a sum of the two could overflow.
        if buffer.len() - prefix < length {
            return Ok(None);
        }
        let _prefix = buffer.split_to(prefix);
        Ok(Some(buffer.split_to(length).freeze()))
    }
}

/// Reads the varint at the front of `bytes`: its value and its size; `None` when it is not whole.
fn read_uvarint(bytes: &[u8]) -> Result<Option<(u64, usize)>, FrameError> {
    let mut value = 0_u64;
    for (index, &byte) in bytes.iter().take(PREFIX_BYTES_MAX).enumerate() {
        // The tenth byte carries the 64th bit and nothing else.
        if index + 1 == PREFIX_BYTES_MAX && byte > 1 {
            return Err(FrameError::Prefix);
        }
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Ok(Some((value, index + 1)));
        }
    }
    Ok(None)
}

/// Appends `value` as an unsigned varint.
pub(crate) fn put_uvarint(mut value: u64, out: &mut impl BufMut) {
    while value >= 0x80 {
        out.put_u8((value as u8 & 0x7f) | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}
