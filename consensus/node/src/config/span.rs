//! Lengths of time as CometBFT writes them: `500ms`, `3s`, `1m30s`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A length of time in the settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span(pub Duration);

/// Units with their nanoseconds, the largest first.
const UNITS: [(&str, u64); 6] = [
    ("h", 3_600_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
];

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Span, String> {
        let wrong = || format!("{text:?} is not a length of time such as 500ms, 3s or 1m30s");
        if text == "0" {
            return Ok(Span(Duration::ZERO));
        }
        let mut rest = text;
        let mut nanos = 0_u64;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).filter(|at| *at > 0);
            let (number, tail) = rest.split_at(digits.ok_or_else(wrong)?);
            let number: u64 = number.parse().map_err(|_| wrong())?;
            let (unit, size) =
                UNITS.iter().find(|(unit, _)| tail.starts_with(unit)).ok_or_else(wrong)?;
            let part = number.checked_mul(*size).ok_or_else(wrong)?;
            nanos = nanos.checked_add(part).ok_or_else(wrong)?;
            rest = &tail[unit.len()..];
        }
        if text.is_empty() { Err(wrong()) } else { Ok(Span(Duration::from_nanos(nanos))) }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        let sizes = [("s", 1_000_000_000_u128), ("ms", 1_000_000), ("us", 1_000), ("ns", 1)];
        match sizes.iter().find(|(_, size)| nanos.is_multiple_of(*size)) {
            Some((unit, size)) => write!(f, "{}{unit}", nanos / size),
            None => write!(f, "{nanos}ns"),
        }
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}
