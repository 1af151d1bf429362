//! How long a proof of work will take this machine.

use std::fmt::{self, Display};
use std::time::{Duration, Instant};

use guts_schema::work::Puzzle;
use guts_schema::{AccountId, Hash};

/// Bits that any machine finds while one would look at a clock.
const BITS_FREE: u32 = 16;
/// Bits that no digest has: a search for them makes all its attempts.
const BITS_NEVER: u32 = 257;
/// Attempts by which the machine is measured: milliseconds.
const TRIED: u64 = 1 << 14;

/// A proof of work that is to be sought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effort {
    bits: u32,
    seconds: u64,
}

impl Effort {
    /// One of `bits`, measured on this machine.
    pub fn of(bits: u32) -> Self {
        if bits <= BITS_FREE {
            return Self { bits, seconds: 0 };
        }
        let puzzle = Puzzle::new("", &AccountId::new([0; 20]), 0, &Hash::new([0; 32]));
        let since = Instant::now();
        std::hint::black_box(puzzle.search(0, TRIED, BITS_NEVER));
        Self::at(bits, TRIED, since.elapsed(), super::threads())
    }

    /// One of `bits` where each of `threads` makes so many attempts in such a time.
    fn at(bits: u32, tried: u64, took: Duration, threads: usize) -> Self {
        let threads = u128::try_from(threads).unwrap_or(1);
        let expected = 1_u128.checked_shl(bits).unwrap_or(u128::MAX);
        let nanos = expected.saturating_mul(took.as_nanos());
        let rate = u128::from(tried).saturating_mul(threads).saturating_mul(1_000_000_000);
        let seconds = nanos.checked_div(rate).unwrap_or(u128::MAX);
        Self { bits, seconds: u64::try_from(seconds).unwrap_or(u64::MAX) }
    }

    /// Leading zero bits.
    pub const fn bits(&self) -> u32 {
        self.bits
    }

    /// What it will take, rounded down: half of the searches take less, and a few much longer.
    pub const fn seconds(&self) -> u64 {
        self.seconds
    }
}

impl Display for Effort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units =
            [(365 * 24 * 3600, "years"), (24 * 3600, "days"), (3600, "hours"), (60, "minutes")];
        match units.into_iter().find(|(unit, _)| self.seconds >= 2 * unit) {
            Some((unit, name)) => write!(f, "{} {name}", self.seconds / unit),
            None => write!(f, "{} s", self.seconds),
        }
    }
}

#[cfg(test)]
mod tests;
