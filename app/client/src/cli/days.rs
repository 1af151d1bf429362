//! Days, as people count them, in the seconds of header time that the chain counts.

use crate::State;

/// Seconds of a day.
pub const DAY_S: u64 = 24 * 3600;

/// So many days, in seconds.
pub const fn seconds(days: u64) -> u64 {
    days.saturating_mul(DAY_S)
}

/// Header time in so many days, Unix seconds.
pub fn from_now(state: &State, days: u64) -> u64 {
    let now = u64::try_from(state.time().unix_timestamp()).unwrap_or(0);
    now.saturating_add(seconds(days))
}
