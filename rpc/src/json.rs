//! The few rules in which CometBFT's JSON differs from serde's: integers of 64 bits are strings,
//! bytes are hex or base64, lists may be null, and strings are escaped for HTML as Go does it.

use std::fmt;
use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::ser::Formatter;

/// Bytes that are upper-case hex in JSON, `""` when empty. Either case is read.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hex(pub Vec<u8>);

/// Bytes that are base64 in JSON, `null` when empty.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Base64(pub Vec<u8>);

/// Bytes that are base64 in JSON, `""` when empty: transactions and Merkle leaves in lists.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Text64(pub Vec<u8>);

macro_rules! bytes_newtype {
    ($name:ident) => {
        impl From<Vec<u8>> for $name {
            fn from(bytes: Vec<u8>) -> Self {
                Self(bytes)
            }
        }
        impl From<bytes::Bytes> for $name {
            fn from(bytes: bytes::Bytes) -> Self {
                Self(bytes.into())
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode_upper(&self.0))
            }
        }
        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }
    };
}
bytes_newtype!(Hex);
bytes_newtype!(Base64);
bytes_newtype!(Text64);

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode_upper(&self.0))
    }
}

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&hex::encode_upper(&self.0))
    }
}

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = Option::<std::borrow::Cow<'de, str>>::deserialize(from)?.unwrap_or_default();
        hex::decode(text.as_bytes()).map(Hex).map_err(de::Error::custom)
    }
}

impl Serialize for Base64 {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if self.0.is_empty() {
            return to.serialize_none();
        }
        to.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl Serialize for Text64 {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(&self.0))
    }
}

fn base64_bytes<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
    let text = Option::<std::borrow::Cow<'de, str>>::deserialize(from)?.unwrap_or_default();
    STANDARD.decode(text.as_bytes()).map_err(de::Error::custom)
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        base64_bytes(from).map(Base64)
    }
}

impl<'de> Deserialize<'de> for Text64 {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        base64_bytes(from).map(Text64)
    }
}

/// Integers of 64 bits: strings, because a JSON number loses digits in many readers.
/// Use as `#[serde(with = "crate::json::text")]`.
pub mod text {
    use std::borrow::Cow;
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::de::{self, Deserialize, Deserializer};
    use serde::ser::Serializer;

    /// Writes a decimal string.
    pub fn serialize<T: Display, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(value)
    }

    /// Reads a decimal string.
    pub fn deserialize<'de, T, D>(from: D) -> Result<T, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        Cow::<'de, str>::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

/// A list that CometBFT writes as `null` when it is empty.
/// Use as `#[serde(with = "crate::json::null_list")]`.
pub mod null_list {
    use serde::de::{Deserialize, Deserializer};
    use serde::ser::{Serialize, Serializer};

    /// Writes the list, or null.
    pub fn serialize<T: Serialize, S: Serializer>(list: &[T], to: S) -> Result<S::Ok, S::Error> {
        if list.is_empty() { to.serialize_none() } else { list.serialize(to) }
    }

    /// Reads a list or null.
    pub fn deserialize<'de, T, D>(from: D) -> Result<Vec<T>, D::Error>
    where
        T: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Ok(Option::deserialize(from)?.unwrap_or_default())
    }
}

/// Reads `null` as the default of the type, as Go does.
pub fn null_default<'de, T, D>(from: D) -> Result<T, D::Error>
where
    T: Deserialize<'de> + Default,
    D: Deserializer<'de>,
{
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// Whether a field that Go leaves out when zero is to be left out.
pub(crate) fn is_zero<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Compact JSON with Go's escapes: `<`, `>`, `&`, U+2028 and U+2029 never appear as themselves.
#[derive(Debug, Clone, Copy)]
pub struct GoFormatter;

impl Formatter for GoFormatter {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        to: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let bytes = fragment.as_bytes();
        let mut start = 0;
        let mut at = 0;
        while at < bytes.len() {
            let (escape, len): (&[u8], usize) = match bytes[at] {
                b'<' => (b"\\u003c", 1),
                b'>' => (b"\\u003e", 1),
                b'&' => (b"\\u0026", 1),
                0xE2 if bytes[at..].starts_with(&[0xE2, 0x80, 0xA8]) => (b"\\u2028", 3),
                0xE2 if bytes[at..].starts_with(&[0xE2, 0x80, 0xA9]) => (b"\\u2029", 3),
                _ => {
                    at += 1;
                    continue;
                }
            };
            to.write_all(&bytes[start..at])?;
            to.write_all(escape)?;
            at += len;
            start = at;
        }
        to.write_all(&bytes[start..])
    }
}

/// Appends `value` as CometBFT would print it.
///
/// # Errors
/// Only if the value's own `Serialize` fails (a map with keys that are not strings).
pub fn append<T: Serialize + ?Sized>(value: &T, to: &mut Vec<u8>) -> serde_json::Result<()> {
    value.serialize(&mut serde_json::Serializer::with_formatter(to, GoFormatter))
}

/// `value` as CometBFT would print it.
///
/// # Errors
/// As [`append`].
pub fn to_string<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<String> {
    let mut out = Vec::new();
    append(value, &mut out)?;
    String::from_utf8(out).map_err(serde::ser::Error::custom)
}
