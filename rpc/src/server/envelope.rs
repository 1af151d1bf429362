//! The envelope: requests read without a tree of values, answers written straight into a buffer.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::args::Text;
use crate::{RpcError, json};

/// The id of a request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Id<'a> {
    /// Absent or null: a notification, which is not executed and not answered.
    #[default]
    None,
    /// A number; a fraction is cut off.
    Int(i64),
    /// A string.
    Str(Cow<'a, str>),
}

/// The id of URI answers.
pub(super) const URI_ID: Id<'static> = Id::Int(-1);

/// One request.
#[derive(Debug, Default)]
pub(super) struct Call<'a> {
    pub(super) id: Id<'a>,
    pub(super) method: Cow<'a, str>,
    pub(super) params: Option<&'a RawValue>,
}

/// A body: one request or several.
#[derive(Debug)]
pub(super) enum Body<'a> {
    One(Call<'a>),
    Batch(Vec<Call<'a>>),
}

impl<'a> Body<'a> {
    /// Reads a body.
    pub(super) fn read(text: &'a str) -> Result<Self, RpcError> {
        let refuse =
            |e: serde_json::Error| RpcError::parse(format!("error unmarshaling request: {e}"));
        if text.trim_start_matches([' ', '\t', '\r', '\n']).starts_with('[') {
            serde_json::from_str(text).map(Body::Batch).map_err(refuse)
        } else {
            serde_json::from_str(text).map(Body::One).map_err(refuse)
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Call<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct CallVisitor;
        impl<'de> Visitor<'de> for CallVisitor {
            type Value = Call<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON-RPC request")
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Call::default())
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut call = Call::default();
                while let Some(Text(key)) = map.next_key::<Text<'de>>()? {
                    if key.eq_ignore_ascii_case("id") {
                        call.id = read_id(map.next_value()?)?;
                    } else if key.eq_ignore_ascii_case("method") {
                        call.method = map
                            .next_value::<Option<Text<'de>>>()?
                            .map_or_else(Cow::default, |t| t.0);
                    } else if key.eq_ignore_ascii_case("params") {
                        call.params = Some(map.next_value()?);
                    } else if key.eq_ignore_ascii_case("jsonrpc") {
                        map.next_value::<Option<Text<'de>>>()?;
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(call)
            }
        }
        from.deserialize_any(CallVisitor)
    }
}

fn read_id<E: serde::de::Error>(raw: &RawValue) -> Result<Id<'_>, E> {
    let text = raw.get();
    match text.as_bytes().first() {
        Some(b'n') => Ok(Id::None),
        Some(b'"') => {
            serde_json::from_str(text).map(|Text(id)| Id::Str(id)).map_err(serde::de::Error::custom)
        }
        Some(b'0'..=b'9' | b'-') => Ok(Id::Int(int_of(text))),
        _ => Err(serde::de::Error::custom(format_args!("json-rpc ID ({text}) is of unknown type"))),
    }
}

/// A JSON number as 64 bits: fractions cut off, out of range the lowest, as Go converts it.
fn int_of(text: &str) -> i64 {
    if let Ok(int) = text.parse() {
        return int;
    }
    let float: f64 = text.parse().unwrap_or(f64::MAX);
    // The comparison is with 2^63, the first float that does not fit.
    #[allow(clippy::cast_possible_truncation)]
    if float.abs() < 9_223_372_036_854_775_808.0 { float as i64 } else { i64::MIN }
}

/// Writes everything of an answer up to its `result` or `error` member.
pub(super) fn begin(id: &Id<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"jsonrpc\":\"2.0\"");
    match id {
        Id::None => {}
        Id::Int(int) => out.extend_from_slice(format!(",\"id\":{int}").as_bytes()),
        Id::Str(text) => {
            out.extend_from_slice(b",\"id\":");
            json::append(&**text, out).expect("a string is always JSON");
        }
    }
}

/// A whole answer that is an error.
pub(super) fn error_answer(id: &Id<'_>, error: &RpcError) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    begin(id, &mut out);
    out.extend_from_slice(b",\"error\":");
    json::append(error, &mut out).expect("an error is always JSON");
    out.push(b'}');
    out
}
