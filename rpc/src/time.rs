//! Points in time as JSON has them: RFC 3339 in UTC, nanoseconds without trailing zeros.

use std::fmt;
use std::str::FromStr;

use guts_abci::proto::google::protobuf::Timestamp;
use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize, Serializer};

/// A point in time. The default is Go's zero time, the start of year 1, which stands for "none".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time {
    /// Seconds since 1970-01-01T00:00:00Z, negative before.
    pub seconds: i64,
    /// Nanoseconds within the second, below 1,000,000,000.
    pub nanos: u32,
}

/// Seconds of 0001-01-01T00:00:00Z.
const ZERO_SECONDS: i64 = -62_135_596_800;
const DAY_SECONDS: i64 = 86_400;

impl Default for Time {
    fn default() -> Self {
        Self { seconds: ZERO_SECONDS, nanos: 0 }
    }
}

impl Time {
    /// 1970-01-01T00:00:00Z, which `/status` gives before there is a block.
    pub const EPOCH: Self = Self { seconds: 0, nanos: 0 };

    /// Nanoseconds since 1970, for differences of times.
    pub fn as_nanos(&self) -> i128 {
        i128::from(self.seconds) * 1_000_000_000 + i128::from(self.nanos)
    }
}

impl From<Timestamp> for Time {
    fn from(stamp: Timestamp) -> Self {
        Self { seconds: stamp.seconds, nanos: u32::try_from(stamp.nanos).unwrap_or(0) }
    }
}

impl From<Time> for Timestamp {
    fn from(time: Time) -> Self {
        Self { seconds: time.seconds, nanos: i32::try_from(time.nanos).unwrap_or(0) }
    }
}

impl From<Option<Timestamp>> for Time {
    fn from(stamp: Option<Timestamp>) -> Self {
        stamp.map(Time::from).unwrap_or_default()
    }
}

/// Year, month, day of a day number (0 = 1970-01-01), by counting from 1 March of year 0 so that
/// the leap day is the last of its year.
fn civil(day: i64) -> (i64, i64, i64) {
    let z = day + 719_468;
    let era = z.div_euclid(146_097);
    let of_era = z.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// The inverse of [`civil`].
fn day_number(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year - 719_468
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil(self.seconds.div_euclid(DAY_SECONDS));
        let second = self.seconds.rem_euclid(DAY_SECONDS);
        let (h, m, s) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}")?;
        if self.nanos > 0 {
            let digits = format!("{:09}", self.nanos);
            write!(f, ".{}", digits.trim_end_matches('0'))?;
        }
        f.write_str("Z")
    }
}

/// A text is not a time in RFC 3339.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a time in RFC 3339 (2006-01-02T15:04:05.999999999Z)")]
pub struct TimeError;

impl FromStr for Time {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        let field = |from: usize, to: usize| -> Result<i64, TimeError> {
            let digits = text.get(from..to).ok_or(TimeError)?;
            if !digits.bytes().all(|b| b.is_ascii_digit()) {
                return Err(TimeError);
            }
            digits.parse().map_err(|_| TimeError)
        };
        let bytes = text.as_bytes();
        let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
        if bytes.len() < 20 || marks.iter().any(|(at, mark)| bytes[*at] != *mark) {
            return Err(TimeError);
        }
        let (year, month, day) = (field(0, 4)?, field(5, 7)?, field(8, 10)?);
        let (hour, minute, second) = (field(11, 13)?, field(14, 16)?, field(17, 19)?);
        let mut rest = text.get(19..).ok_or(TimeError)?;
        let mut nanos = 0;
        if let Some(fraction) = rest.strip_prefix('.') {
            let len = fraction.bytes().take_while(u8::is_ascii_digit).count();
            if len == 0 || len > 9 {
                return Err(TimeError);
            }
            let digits: u32 = fraction[..len].parse().map_err(|_| TimeError)?;
            nanos = digits * 10u32.pow(9 - u32::try_from(len).map_err(|_| TimeError)?);
            rest = &fraction[len..];
        }
        let days = day_number(year, month, day);
        let is_real = civil(days) == (year, month, day) && hour < 24 && minute < 60 && second < 60;
        if rest != "Z" || !is_real {
            return Err(TimeError);
        }
        Ok(Self { seconds: days * DAY_SECONDS + hour * 3600 + minute * 60 + second, nanos })
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

#[cfg(test)]
mod tests;

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}
