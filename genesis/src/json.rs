//! JSON as CometBFT reads and writes it: 64-bit integers are strings, the last of equal members
//! counts, unknown members are ignored, null is as good as missing, and HTML is escaped.
use std::collections::BTreeMap;

use serde_json::value::RawValue;
use thiserror::Error;

use crate::{KeyError, PrivateKey, PublicKey, Time};

/// Why JSON is refused. The first member of each variant is the path of the field.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum JsonError {
    /// Not the JSON that belongs here.
    #[error("{0}: {1}")]
    Syntax(String, String),
    /// A 64-bit integer that is not a string.
    #[error("{0}: a 64-bit integer must be a string")]
    Integer(String),
    /// Not an RFC 3339 time in UTC.
    #[error("{0}: not an RFC 3339 time in UTC that ends in Z")]
    Time(String),
    /// A key of an unknown type.
    #[error("{0}: unknown key type `{1}`")]
    KeyType(String, String),
    /// A key of the wrong size, or none.
    #[error("{0}: {1}")]
    Key(String, KeyError),
}

impl JsonError {
    /// A short, stable name of the reason.
    pub fn kind(&self) -> &'static str {
        match self {
            JsonError::Syntax(..) => "json",
            JsonError::Integer(_) => "json-integer",
            JsonError::Time(_) => "json-time",
            JsonError::KeyType(..) => "json-type-unknown",
            JsonError::Key(_, KeyError::Missing) => "key-missing",
            JsonError::Key(..) => "key-size",
        }
    }
}

/// A JSON object whose members are read one by one.
#[derive(Debug)]
pub(crate) struct Object<'a> {
    path: String,
    members: BTreeMap<String, &'a RawValue>,
}

impl<'a> Object<'a> {
    /// Parses `text`; `path` names it in errors.
    pub(crate) fn parse(path: &str, text: &'a str) -> Result<Object<'a>, JsonError> {
        let members = read(path, text)?;
        Ok(Object { path: path.to_owned(), members })
    }

    fn path(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// A member's text as it stands; none if missing or null.
    pub(crate) fn raw(&self, name: &str) -> Option<&'a str> {
        self.members.get(name).map(|raw| raw.get()).filter(|text| *text != "null")
    }

    /// A member that is an object; empty if missing.
    pub(crate) fn object(&self, name: &str) -> Result<Object<'a>, JsonError> {
        Object::parse(&self.path(name), self.raw(name).unwrap_or("{}"))
    }

    /// A member that is a list of objects; empty if missing.
    pub(crate) fn objects(&self, name: &str) -> Result<Vec<Object<'a>>, JsonError> {
        let path = self.path(name);
        let items: Vec<&'a RawValue> = read(&path, self.raw(name).unwrap_or("[]"))?;
        let item =
            |(i, raw): (usize, &'a RawValue)| Object::parse(&format!("{path}[{i}]"), raw.get());
        items.into_iter().enumerate().map(item).collect()
    }

    /// A member that is a list of strings; empty if missing.
    pub(crate) fn strings(&self, name: &str) -> Result<Vec<String>, JsonError> {
        read(&self.path(name), self.raw(name).unwrap_or("[]"))
    }

    /// A member that is a string; empty if missing.
    pub(crate) fn string(&self, name: &str) -> Result<String, JsonError> {
        read(&self.path(name), self.raw(name).unwrap_or("\"\""))
    }

    /// A member that is a 32-bit number; zero if missing.
    pub(crate) fn int32(&self, name: &str) -> Result<i32, JsonError> {
        read(&self.path(name), self.raw(name).unwrap_or("0"))
    }

    /// A member that is a 64-bit integer in a string; zero if missing.
    pub(crate) fn int64(&self, name: &str) -> Result<i64, JsonError> {
        let path = self.path(name);
        self.integer(name)?.map_or(Ok(0), |text| read(&path, &text))
    }

    /// A member that is an unsigned 64-bit integer in a string; zero if missing.
    pub(crate) fn uint64(&self, name: &str) -> Result<u64, JsonError> {
        let path = self.path(name);
        self.integer(name)?.map_or(Ok(0), |text| read(&path, &text))
    }

    fn integer(&self, name: &str) -> Result<Option<String>, JsonError> {
        match self.raw(name) {
            None => Ok(None),
            Some(raw) if raw.starts_with('"') => read(&self.path(name), raw).map(Some),
            Some(_) => Err(JsonError::Integer(self.path(name))),
        }
    }

    /// A member that is a time; none if missing.
    pub(crate) fn time(&self, name: &str) -> Result<Option<Time>, JsonError> {
        let Some(raw) = self.raw(name) else { return Ok(None) };
        let bad = || JsonError::Time(self.path(name));
        let text: String = serde_json::from_str(raw).map_err(|_| bad())?;
        Time::parse_rfc3339(&text).map(Some).map_err(|_| bad())
    }

    /// A member that is bytes in hexadecimal of either case; empty if missing.
    pub(crate) fn hex(&self, name: &str) -> Result<Vec<u8>, JsonError> {
        let bad = |e: hex::FromHexError| JsonError::Syntax(self.path(name), e.to_string());
        hex::decode(self.string(name)?).map_err(bad)
    }

    /// A member that is bytes in base64; empty if missing.
    pub(crate) fn base64(&self, name: &str) -> Result<Vec<u8>, JsonError> {
        use base64::Engine;
        let bad = |e: base64::DecodeError| JsonError::Syntax(self.path(name), e.to_string());
        base64::engine::general_purpose::STANDARD.decode(self.string(name)?).map_err(bad)
    }

    /// A member that is a public key.
    pub(crate) fn public_key(&self, name: &str) -> Result<PublicKey, JsonError> {
        let path = self.path(name);
        if self.raw(name).is_none() {
            return Err(JsonError::Key(path, KeyError::Missing));
        }
        let key = self.object(name)?;
        let bytes = key.base64("value")?;
        match key.string("type")?.as_str() {
            "tendermint/PubKeyEd25519" => PublicKey::ed25519(&bytes),
            "tendermint/PubKeySecp256k1" => PublicKey::secp256k1(&bytes),
            other => return Err(JsonError::KeyType(path, other.chars().take(64).collect())),
        }
        .map_err(|error| JsonError::Key(path, error))
    }

    /// A member that is an ed25519 private key.
    pub(crate) fn private_key(&self, name: &str) -> Result<PrivateKey, JsonError> {
        let path = self.path(name);
        if self.raw(name).is_none() {
            return Err(JsonError::Key(path, KeyError::Missing));
        }
        let key = self.object(name)?;
        match key.string("type")?.as_str() {
            "tendermint/PrivKeyEd25519" => PrivateKey::from_slice(&key.base64("value")?)
                .map_err(|error| JsonError::Key(path, error)),
            other => Err(JsonError::KeyType(path, other.chars().take(64).collect())),
        }
    }
}

fn read<'a, T: serde::Deserialize<'a>>(path: &str, text: &'a str) -> Result<T, JsonError> {
    serde_json::from_str(text)
        .map_err(|error| JsonError::Syntax(path.to_owned(), error.to_string()))
}

/// A JSON string.
pub(crate) fn quote(text: &str) -> String {
    let quoted = serde_json::to_string(text).expect("any text is a JSON string");
    escape_html(&quoted)
}

/// Bytes as a base64 string.
pub(crate) fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// A public key.
pub(crate) fn public_key(key: &PublicKey) -> String {
    let name = match key {
        PublicKey::Ed25519(_) => "tendermint/PubKeyEd25519",
        PublicKey::Secp256k1(_) => "tendermint/PubKeySecp256k1",
    };
    format!("{{\"type\":\"{name}\",\"value\":\"{}\"}}", base64(key.as_bytes()))
}

/// A private key.
pub(crate) fn private_key(key: &PrivateKey) -> String {
    let value = base64(&key.to_bytes());
    format!("{{\"type\":\"tendermint/PrivKeyEd25519\",\"value\":\"{value}\"}}")
}

/// What browsers might take for markup, and line separators, as escapes.
fn escape_html(json: &str) -> String {
    json.replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

/// Valid JSON without spaces between tokens, numbers and strings as they stand but for HTML.
pub(crate) fn compact(json: &str) -> String {
    let mut out = Vec::with_capacity(json.len());
    let mut compactor = Compactor::default();
    compactor.push(json.as_bytes(), &mut out);
    compactor.end(&mut out);
    String::from_utf8(out).expect("what is left out and put in is ASCII, or a whole character")
}

/// What U+2028 and U+2029 begin with in UTF-8.
const SEPARATOR: [u8; 2] = [0xe2, 0x80];

/// Makes JSON compact piece by piece: spaces between tokens are left out, numbers and strings stay
/// as they are, but what browsers might take for markup, and line separators, become escapes, as
/// CometBFT writes them. The pieces must be valid JSON together.
#[derive(Clone, Copy, Debug, Default)]
pub struct Compactor {
    in_string: bool,
    escaped: bool,
    /// Bytes of [`SEPARATOR`] that were seen and are not yet written.
    held: usize,
}

impl Compactor {
    /// Takes the next piece, and appends to `out` what is known of the outcome.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        for &byte in piece {
            self.push_byte(byte, out);
        }
    }

    /// Appends what the last piece left open.
    pub fn end(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&SEPARATOR[..self.held]);
    }

    fn push_byte(&mut self, byte: u8, out: &mut Vec<u8>) {
        match (std::mem::take(&mut self.held), byte) {
            (2, 0xa8) => return out.extend_from_slice(b"\\u2028"),
            (2, 0xa9) => return out.extend_from_slice(b"\\u2029"),
            (held, byte) if SEPARATOR.get(held) == Some(&byte) => {
                self.held = held + 1;
                self.escaped = false;
                return;
            }
            // Its first byte begins no other: what was held is no separator.
            (held, _) => out.extend_from_slice(&SEPARATOR[..held]),
        }
        if self.in_string {
            self.in_string = self.escaped || byte != b'"';
            self.escaped = !self.escaped && byte == b'\\';
        } else if byte.is_ascii_whitespace() {
            return;
        } else {
            self.in_string = byte == b'"';
        }
        match byte {
            b'<' => out.extend_from_slice(b"\\u003c"),
            b'>' => out.extend_from_slice(b"\\u003e"),
            b'&' => out.extend_from_slice(b"\\u0026"),
            byte => out.push(byte),
        }
    }
}

/// Compact JSON spread over lines, two spaces a level.
pub(crate) fn indent(compact: &str) -> String {
    let mut out = String::with_capacity(compact.len() * 2);
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    let mut chars = compact.chars().peekable();
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    };
    while let Some(c) = chars.next() {
        if in_string {
            in_string = escaped || c != '"';
            escaped = !escaped && c == '\\';
            out.push(c);
            continue;
        }
        match c {
            '{' | '[' => {
                out.push(c);
                match chars.next_if(|next| matches!(next, '}' | ']')) {
                    Some(close) => out.push(close),
                    None => {
                        depth += 1;
                        line(&mut out, depth);
                    }
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            _ => {
                in_string = c == '"';
                out.push(c);
            }
        }
    }
    out
}
