//! Parameters: JSON by place or by name, and the URI's own quoting, read into Rust types with
//! CometBFT's refusals.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::RpcError;

/// How a bytes parameter is written in JSON. In a URI it is always `0x..` or `"raw text"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// Standard alphabet, padded.
    Base64,
    /// Hex without `0x`.
    Hex,
}

#[derive(Debug, Clone)]
enum Value<'a> {
    /// JSON text.
    Json(&'a str),
    /// An unescaped, not empty value of a query string.
    Uri(Cow<'a, str>),
}

/// The parameters of one call, in the order of the method's names.
#[derive(Debug, Clone)]
pub struct Args<'a> {
    values: Vec<Option<Value<'a>>>,
    is_uri: bool,
}

/// A string that borrows when it has no escapes.
#[derive(Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

impl<'a> Args<'a> {
    /// Reads the `params` member. None stands for an absent one: every parameter its default.
    pub(super) fn from_json(
        names: &[&str],
        params: Option<&'a RawValue>,
    ) -> Result<Self, RpcError> {
        let mut args = Self { values: vec![None; names.len()], is_uri: false };
        let text = params.map_or("null", RawValue::get);
        match text.as_bytes().first() {
            Some(b'[') => {
                let list: Vec<&RawValue> =
                    serde_json::from_str(text).map_err(|e| args.refuse(&e.to_string()))?;
                if list.len() != names.len() {
                    return Err(args.refuse(&count_text(names, &list)));
                }
                args.values = list.into_iter().map(|raw| json_value(raw.get())).collect();
            }
            Some(b'{') => {
                let mut values = vec![None; names.len()];
                let mut from = serde_json::Deserializer::from_str(text);
                let filler = Filler { names, values: &mut values };
                from.deserialize_map(filler).map_err(|e| args.refuse(&e.to_string()))?;
                args.values = values;
            }
            Some(b'n') => {}
            _ => return Err(args.refuse("unknown type for JSON params. Expected map or array")),
        }
        Ok(args)
    }

    /// Picks the named parameters from the pairs of a query string or form; the first of a name
    /// counts.
    pub(super) fn from_uri(names: &[&str], pairs: &[(Cow<'a, str>, Cow<'a, str>)]) -> Self {
        let pick = |name: &&str| {
            let (_, value) = pairs.iter().find(|(key, _)| key == name)?;
            (!value.is_empty()).then(|| Value::Uri(value.clone()))
        };
        Self { values: names.iter().map(pick).collect(), is_uri: true }
    }

    /// The refusal of a parameter, in CometBFT's form.
    pub fn refuse(&self, why: &str) -> RpcError {
        let form = if self.is_uri { "http" } else { "json" };
        RpcError::invalid_params(format!("error converting {form} params to arguments: {why}"))
    }

    /// Whether the parameter at this place was given and not null.
    pub fn is_given(&self, at: usize) -> bool {
        self.values.get(at).is_some_and(Option::is_some)
    }

    fn value(&self, at: usize) -> Option<&Value<'a>> {
        self.values.get(at).and_then(Option::as_ref)
    }

    /// An integer: a decimal in a JSON string; in a URI quoted or bare.
    ///
    /// # Errors
    /// Invalid params, for anything else.
    pub fn int(&self, at: usize) -> Result<Option<i64>, RpcError> {
        let text = match self.value(at) {
            None => return Ok(None),
            Some(Value::Json(text)) => *text,
            Some(Value::Uri(text)) => {
                let digits = text.strip_prefix('-').unwrap_or(text);
                if digits.bytes().all(|b| b.is_ascii_digit()) {
                    return self.decimal(text).map(Some);
                }
                if is_hex(text) {
                    return Err(self.refuse("got a hex string arg, but expected 'int64'"));
                }
                text
            }
        };
        match text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
            Some(inner) => self.decimal(inner).map(Some),
            None => {
                let why = format!("invalid 64-bit integer encoding {text:?}, expected string");
                Err(self.refuse(&why))
            }
        }
    }

    /// The decimal as JSON has it: no sign but minus, no leading zero; white space around.
    fn decimal(&self, text: &str) -> Result<i64, RpcError> {
        let trimmed = text.trim_matches([' ', '\t', '\r', '\n']);
        let digits = trimmed.strip_prefix('-').unwrap_or(trimmed);
        let is_json = !digits.is_empty()
            && digits.bytes().all(|b| b.is_ascii_digit())
            && (digits == "0" || !digits.starts_with('0'));
        match trimmed.parse() {
            Ok(int) if is_json => Ok(int),
            _ => Err(self.refuse(&format!("{text:?} is not a 64-bit integer"))),
        }
    }

    /// A boolean: JSON's, in a URI too.
    ///
    /// # Errors
    /// Invalid params, for anything else.
    pub fn bool(&self, at: usize) -> Result<bool, RpcError> {
        let text = match self.value(at) {
            None => return Ok(false),
            Some(Value::Json(text)) => *text,
            Some(Value::Uri(text)) if is_hex(text) => {
                return Err(self.refuse("got a hex string arg, but expected 'bool'"));
            }
            Some(Value::Uri(text)) => text,
        };
        match text {
            "true" => Ok(true),
            "false" | "null" => Ok(false),
            _ => Err(self.refuse(&format!("{text} is not a boolean"))),
        }
    }

    /// A string; in a URI in double quotes, or `0x..` for its bytes.
    ///
    /// # Errors
    /// Invalid params, for anything else.
    pub fn string(&self, at: usize) -> Result<String, RpcError> {
        let text = match self.value(at) {
            None => return Ok(String::new()),
            Some(Value::Json(text)) => *text,
            Some(Value::Uri(text)) if is_hex(text) => {
                let bytes = self.hex(text.get(2..).unwrap_or_default())?;
                return Ok(String::from_utf8_lossy(&bytes).into_owned());
            }
            Some(Value::Uri(text)) => text,
        };
        let read = serde_json::from_str::<Text<'_>>(text);
        read.map(|text| text.0.into_owned()).map_err(|_| self.refuse("expected a string in quotes"))
    }

    /// Bytes.
    ///
    /// # Errors
    /// Invalid params when they are not in the coding.
    pub fn bytes(&self, at: usize, coding: Coding) -> Result<Bytes, RpcError> {
        let text = match self.value(at) {
            None => return Ok(Bytes::new()),
            Some(Value::Json(text)) => *text,
            Some(Value::Uri(text)) => return self.uri_bytes(text, coding),
        };
        let Ok(Text(text)) = serde_json::from_str(text) else {
            return Err(match coding {
                Coding::Base64 => self.refuse("expected a base64 string"),
                Coding::Hex => self.refuse(&format!("invalid hex string: {text}")),
            });
        };
        match coding {
            Coding::Base64 => STANDARD
                .decode(text.as_bytes())
                .map(Bytes::from)
                .map_err(|e| self.refuse(&format!("illegal base64 data: {e}"))),
            Coding::Hex => self.hex(&text),
        }
    }

    fn uri_bytes(&self, text: &str, coding: Coding) -> Result<Bytes, RpcError> {
        if is_hex(text) {
            return self.hex(text.get(2..).unwrap_or_default());
        }
        match serde_json::from_str::<Text<'_>>(text) {
            Ok(Text(raw)) => Ok(Bytes::copy_from_slice(raw.as_bytes())),
            Err(_) if coding == Coding::Hex => {
                Err(self.refuse(&format!("invalid hex string: {text}")))
            }
            Err(_) => Err(self.refuse("expected 0x and hex digits, or text in double quotes")),
        }
    }

    /// A JSON value, in a URI too; none if it is absent or null.
    pub(super) fn json(&self, at: usize) -> Option<&str> {
        match self.value(at)? {
            Value::Json(text) => Some(*text),
            Value::Uri(text) => Some(text.as_ref()).filter(|text| *text != "null"),
        }
    }

    /// A list of strings, as JSON in a URI too; empty if it is absent or null.
    ///
    /// # Errors
    /// Invalid params, for anything else.
    pub(super) fn strings(&self, at: usize) -> Result<Vec<String>, RpcError> {
        let Some(text) = self.json(at) else { return Ok(Vec::new()) };
        serde_json::from_str(text).map_err(|error| self.refuse(&format!("json: {error}")))
    }

    fn hex(&self, digits: &str) -> Result<Bytes, RpcError> {
        decode_hex(digits).map(Bytes::from).map_err(|why| self.refuse(&why))
    }
}

/// Hex digits as bytes, refused as Go does it: a bad digit is named before the length is.
pub(super) fn decode_hex(digits: &str) -> Result<Vec<u8>, String> {
    hex::decode(digits).map_err(|error| match digits.chars().find(|c| !c.is_ascii_hexdigit()) {
        Some(c) => format!("encoding/hex: invalid byte: U+{:04X} {c:?}", u32::from(c)),
        None if digits.len() % 2 == 1 => "encoding/hex: odd length hex string".to_owned(),
        None => error.to_string(),
    })
}

fn is_hex(text: &str) -> bool {
    text.starts_with("0x") || text.starts_with("0X")
}

fn json_value(text: &str) -> Option<Value<'_>> {
    (text != "null").then_some(Value::Json(text))
}

/// "expected 1 parameters ([height]), got 2 ([[34 53 34] [51]])": the values as their bytes.
fn count_text(names: &[&str], list: &[&RawValue]) -> String {
    let bytes = |raw: &&RawValue| {
        let bytes: Vec<String> = raw.get().bytes().map(|b| b.to_string()).collect();
        format!("[{}]", bytes.join(" "))
    };
    let got: Vec<String> = list.iter().take(16).map(bytes).collect();
    let names = names.join(" ");
    let (want, len) = (names.split_whitespace().count(), list.len());
    format!("expected {want} parameters ([{names}]), got {len} ([{}])", got.join(" "))
}

/// Fills the values from a JSON object; the last of a name counts, unknown names are passed over.
struct Filler<'n, 'v, 'a> {
    names: &'n [&'n str],
    values: &'v mut [Option<Value<'a>>],
}

impl<'a> Visitor<'a> for Filler<'_, '_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("parameters by name")
    }

    fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some(Text(key)) = map.next_key()? {
            match self.names.iter().position(|name| *name == key) {
                Some(at) => {
                    let raw: &'a RawValue = map.next_value()?;
                    self.values[at] = json_value(raw.get());
                }
                None => {
                    map.next_value::<de::IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// The pairs of a query string or form. A pair with a bad escape or a semicolon is dropped.
pub(super) fn query_pairs(query: &str) -> Vec<(Cow<'_, str>, Cow<'_, str>)> {
    let pair = |part: &str| {
        if part.is_empty() || part.contains(';') {
            return None;
        }
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        Some((unescape(key)?, unescape(value)?))
    };
    query.split('&').filter_map(pair).map(|(k, v)| (Cow::Owned(k), Cow::Owned(v))).collect()
}

fn unescape(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let high = char::from(bytes.next()?).to_digit(16)?;
                let low = char::from(bytes.next()?).to_digit(16)?;
                out.push(u8::try_from(high * 16 + low).ok()?);
            }
            byte => out.push(byte),
        }
    }
    Some(String::from_utf8_lossy(&out).into_owned())
}
