//! Points in time as blocks and votes carry them: UTC, nanoseconds, RFC 3339 text.
use std::fmt;
use std::time::Duration;

use guts_abci::proto::google::protobuf::Timestamp;
use thiserror::Error;

#[cfg(test)]
mod tests;

/// A time that cannot be read or written.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TimeError {
    /// Not RFC 3339 text in UTC ending in `Z`.
    #[error("`{0}` is not an RFC 3339 time in UTC that ends in Z")]
    Text(String),
    /// Outside the years 1 to 9999, or nanoseconds outside 0 to 999,999,999.
    #[error("time of {seconds} s and {nanos} ns is outside the years 1 to 9999")]
    Range {
        /// Seconds since 1970.
        seconds: i64,
        /// Nanoseconds within the second.
        nanos: i64,
    },
}

/// A point in time: seconds since 1970-01-01T00:00:00Z (floored) and nanoseconds within the
/// second. Always within the years 1 to 9999, the range protobuf timestamps have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time {
    seconds: i64,
    nanos: u32,
}

const NANOS_PER_SECOND: u32 = 1_000_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

impl Time {
    /// The zero time of CometBFT, 0001-01-01T00:00:00Z: "no time", in every absent signature.
    pub const ZERO: Time = Time { seconds: -62_135_596_800, nanos: 0 };
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Time = Time { seconds: 0, nanos: 0 };
    /// The last time that can be written.
    pub const MAX: Time = Time { seconds: 253_402_300_799, nanos: NANOS_PER_SECOND - 1 };

    /// Checks and makes a time.
    pub fn new(seconds: i64, nanos: u32) -> Result<Time, TimeError> {
        let inside = (Self::ZERO.seconds..=Self::MAX.seconds).contains(&seconds);
        if inside && nanos < NANOS_PER_SECOND {
            Ok(Time { seconds, nanos })
        } else {
            Err(TimeError::Range { seconds, nanos: i64::from(nanos) })
        }
    }

    /// Reads the wire form of a protobuf timestamp.
    pub fn from_wire(seconds: i64, nanos: i32) -> Result<Time, TimeError> {
        let range = TimeError::Range { seconds, nanos: i64::from(nanos) };
        let nanos = u32::try_from(nanos).map_err(|_| range)?;
        Time::new(seconds, nanos)
    }

    /// Reads a protobuf timestamp; a missing one is the zero time, as in CometBFT.
    pub fn from_proto(time: Option<&Timestamp>) -> Result<Time, TimeError> {
        time.map_or(Ok(Time::ZERO), |time| Time::from_wire(time.seconds, time.nanos))
    }

    /// The protobuf timestamp.
    pub fn to_proto(self) -> Timestamp {
        let nanos = i32::try_from(self.nanos).expect("nanoseconds are below a billion");
        Timestamp { seconds: self.seconds, nanos }
    }

    /// From nanoseconds since 1970; times outside the range are cut to it.
    pub fn from_unix_nanos(nanos: i128) -> Time {
        let per_second = i128::from(NANOS_PER_SECOND);
        let (seconds, rest) = (nanos.div_euclid(per_second), nanos.rem_euclid(per_second));
        let rest = u32::try_from(rest).expect("a remainder of a billion fits 32 bits");
        match i64::try_from(seconds).ok().and_then(|s| Time::new(s, rest).ok()) {
            Some(time) => time,
            None if nanos < 0 => Time::ZERO,
            None => Time::MAX,
        }
    }

    /// Seconds since 1970, floored.
    pub fn seconds(self) -> i64 {
        self.seconds
    }

    /// Nanoseconds within the second, below a billion.
    pub fn nanos(self) -> u32 {
        self.nanos
    }

    /// Nanoseconds since 1970.
    pub fn unix_nanos(self) -> i128 {
        i128::from(self.seconds) * i128::from(NANOS_PER_SECOND) + i128::from(self.nanos)
    }

    /// Whether this is [`Time::ZERO`].
    pub fn is_zero(self) -> bool {
        self == Self::ZERO
    }

    /// The time `span` later, or none beyond the year 9999.
    pub fn checked_add(self, span: Duration) -> Option<Time> {
        self.plus_nanos(i128::try_from(span.as_nanos()).ok()?)
    }

    /// The time `span` earlier, or none before the year 1.
    pub fn checked_sub(self, span: Duration) -> Option<Time> {
        self.plus_nanos(i128::try_from(span.as_nanos()).ok()?.checked_neg()?)
    }

    /// How much later this is than `other`, in nanoseconds; negative if earlier.
    pub fn nanos_since(self, other: Time) -> i128 {
        self.unix_nanos() - other.unix_nanos()
    }

    /// How much later this is than `other`; zero if it is not.
    pub fn saturating_since(self, other: Time) -> Duration {
        let nanos = u64::try_from(self.nanos_since(other).max(0)).unwrap_or(u64::MAX);
        Duration::from_nanos(nanos)
    }

    fn plus_nanos(self, nanos: i128) -> Option<Time> {
        let sum = self.unix_nanos().checked_add(nanos)?;
        let inside = (Self::ZERO.unix_nanos()..=Self::MAX.unix_nanos()).contains(&sum);
        inside.then(|| Time::from_unix_nanos(sum))
    }

    /// Reads RFC 3339 text in UTC. It must end in `Z`; digits beyond nanoseconds are dropped.
    pub fn parse_rfc3339(text: &str) -> Result<Time, TimeError> {
        parse(text).ok_or_else(|| TimeError::Text(text.chars().take(64).collect()))
    }
}

/// RFC 3339 with as many fraction digits as needed (Go's `RFC3339Nano`).
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = self.seconds.div_euclid(SECONDS_PER_DAY);
        let second_of_day = self.seconds.rem_euclid(SECONDS_PER_DAY);
        let (year, month, day) = civil_from_days(days);
        let (hour, minute) = (second_of_day / 3600, second_of_day / 60 % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}")?;
        write!(f, ":{:02}", second_of_day % 60)?;
        if self.nanos > 0 {
            let fraction = format!("{:09}", self.nanos);
            write!(f, ".{}", fraction.trim_end_matches('0'))?;
        }
        f.write_str("Z")
    }
}

/// Year, month and day of a day counted from 1970-01-01 (proleptic Gregorian calendar).
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    // Years are counted from March, so that the leap day is the last of its year.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

/// The inverse of [`civil_from_days`].
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let month_from_march = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

fn parse(text: &str) -> Option<Time> {
    let body = text.strip_suffix('Z')?;
    let bytes = body.as_bytes();
    if !body.is_ascii() || bytes.len() < 19 {
        return None;
    }
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if separators.iter().any(|&(at, byte)| bytes[at] != byte) {
        return None;
    }
    let number = |from: usize, to: usize| digits(body.get(from..to)?);
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let date_good = (1..=12).contains(&month) && (1..=days_in_month(year, month)).contains(&day);
    if !date_good || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let nanos = match body.get(19..)? {
        "" => 0,
        fraction => {
            let fraction = fraction.strip_prefix('.')?;
            digits(fraction.get(..1)?)?;
            fraction.bytes().all(|b| b.is_ascii_digit()).then_some(())?;
            let kept: String = fraction.chars().chain("00000000".chars()).take(9).collect();
            u32::try_from(digits(&kept)?).ok()?
        }
    };
    let seconds =
        days_from_civil(year, month, day) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second;
    Time::new(seconds, nanos).ok()
}

fn digits(text: &str) -> Option<i64> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}
