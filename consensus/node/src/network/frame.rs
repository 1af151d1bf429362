//! `uvarint(len) || bytes` framing of the streams: bounded, incremental, whole messages out.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Why a stream of frames is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The declared length passes the channel's limit.
    #[error("a message of {len} bytes; at most {max} are allowed here")]
    Oversize {
        /// Declared length.
        len: u64,
        /// The limit.
        max: usize,
    },
    /// The length is not a varint of 64 bits.
    #[error("a message length that is not a varint")]
    Length,
    /// Empty messages mean nothing on any channel.
    #[error("an empty message")]
    Empty,
}

/// Appends `message` with its length.
pub fn put(message: &[u8], out: &mut BytesMut) {
    out.reserve(message.len() + 10);
    let mut len = message.len() as u64;
    while len >= 0x80 {
        out.put_u8((len as u8) | 0x80);
        len >>= 7;
    }
    out.put_u8(len as u8);
    out.put_slice(message);
}

/// Takes the next whole message off `buffer`, `None` when it has not come yet.
///
/// # Errors
/// The stream cannot be read any further.
pub fn take(buffer: &mut BytesMut, max: usize) -> Result<Option<Bytes>, FrameError> {
    let Some((len, head)) = length(buffer)? else { return Ok(None) };
    if len == 0 {
        return Err(FrameError::Empty);
    }
    let size = usize::try_from(len).ok().filter(|s| *s <= max);
    let Some(size) = size else { return Err(FrameError::Oversize { len, max }) };
    if buffer.len() - head < size {
        return Ok(None);
    }
    buffer.advance(head);
    // A copy: a small message must not keep a whole read buffer alive while it waits.
    let message = Bytes::copy_from_slice(&buffer[..size]);
    buffer.advance(size);
    Ok(Some(message))
}

fn length(buffer: &[u8]) -> Result<Option<(u64, usize)>, FrameError> {
    let mut len = 0_u64;
    for (i, byte) in buffer.iter().enumerate().take(10) {
        let part = u64::from(byte & 0x7f);
        if i == 9 && *byte > 1 {
            return Err(FrameError::Length);
        }
        len |= part << (7 * i);
        if byte & 0x80 == 0 {
            return Ok(Some((len, i + 1)));
        }
    }
    if buffer.len() >= 10 { Err(FrameError::Length) } else { Ok(None) }
}
