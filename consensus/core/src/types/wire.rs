//! The few protobuf primitives that hand-written encodings need.
//!
//! Scalars of value zero and empty bytes are left out, as proto3 does; `put_message` always
//! writes, as CometBFT does for embedded messages that are not nullable.
use bytes::{Buf, Bytes};
use guts_genesis::Time;

use super::Invalid;

pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Bytes that `value` takes as a varint.
pub(crate) fn varint_len(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

fn put_tag(out: &mut Vec<u8>, field: u32, wire_type: u32) {
    put_varint(out, u64::from(field << 3 | wire_type));
}

pub(crate) fn put_uint(out: &mut Vec<u8>, field: u32, value: u64) {
    if value != 0 {
        put_tag(out, field, 0);
        put_varint(out, value);
    }
}

/// An int32, int64 or enum: negative values take ten bytes.
pub(crate) fn put_int(out: &mut Vec<u8>, field: u32, value: i64) {
    put_uint(out, field, value as u64);
}

pub(crate) fn put_sfixed64(out: &mut Vec<u8>, field: u32, value: i64) {
    if value != 0 {
        put_tag(out, field, 1);
        out.extend_from_slice(&value.to_le_bytes());
    }
}

pub(crate) fn put_bytes(out: &mut Vec<u8>, field: u32, bytes: &[u8]) {
    if !bytes.is_empty() {
        put_message(out, field, bytes);
    }
}

pub(crate) fn put_message(out: &mut Vec<u8>, field: u32, bytes: &[u8]) {
    put_head(out, field, bytes.len());
    out.extend_from_slice(bytes);
}

/// What stands before the `len` bytes of a message.
pub(crate) fn put_head(out: &mut Vec<u8>, field: u32, len: usize) {
    put_tag(out, field, 2);
    put_varint(out, len as u64);
}

/// The timestamp message of `time`.
pub(crate) fn timestamp(time: Time) -> Vec<u8> {
    let mut out = Vec::with_capacity(16);
    put_int(&mut out, 1, time.seconds());
    put_int(&mut out, 2, i64::from(time.nanos()));
    out
}

/// Bytes of a length-delimited field of `len` bytes with a field number below 16.
pub(crate) fn field_len(len: usize) -> usize {
    1 + varint_len(len as u64) + len
}

/// The fields of a message, read without copying bytes.
pub(crate) struct Fields {
    rest: Bytes,
}

/// A field's value.
pub(crate) enum Value {
    /// Bytes, text or a message.
    Bytes(Bytes),
    /// A number, which no reader here needs.
    Number,
}

impl Fields {
    pub(crate) fn of(message: Bytes) -> Fields {
        Fields { rest: message }
    }

    /// The next field number and value, or none at the end.
    pub(crate) fn next(&mut self) -> Result<Option<(u64, Value)>, Invalid> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let value = match tag & 7 {
            0 => self.varint().map(|_| Value::Number)?,
            1 => self.take(8).map(|_| Value::Number)?,
            2 => {
                let len = self.varint()?;
                Value::Bytes(self.take(len)?)
            }
            5 => self.take(4).map(|_| Value::Number)?,
            other => return Err(Invalid::Protobuf(format!("wire type {other}"))),
        };
        match tag >> 3 {
            0 => Err(Invalid::Protobuf("field number 0".into())),
            number => Ok(Some((number, value))),
        }
    }

    fn take(&mut self, len: u64) -> Result<Bytes, Invalid> {
        match usize::try_from(len) {
            Ok(len) if len <= self.rest.len() => Ok(self.rest.split_to(len)),
            _ => Err(Invalid::Protobuf("a field ends after its message".into())),
        }
    }

    fn varint(&mut self) -> Result<u64, Invalid> {
        let mut value = 0_u64;
        for shift in (0..70).step_by(7) {
            if self.rest.is_empty() {
                return Err(Invalid::Protobuf("unexpected end".into()));
            }
            let byte = self.rest.get_u8();
            if shift == 63 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Invalid::Protobuf("a number has more than 64 bits".into()))
    }
}
