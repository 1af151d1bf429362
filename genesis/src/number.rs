//! Counting words of consensus: heights, rounds and voting power.
//!
//! On the wire they are signed; here they cannot be negative, and the wire form is checked once.
use std::fmt;

use thiserror::Error;

/// A number that is outside what the protocol allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NumberError {
    /// A height below zero.
    #[error("height {0} is negative")]
    NegativeHeight(i64),
    /// A round below zero.
    #[error("round {0} is negative")]
    NegativeRound(i32),
    /// A voting power below zero.
    #[error("voting power {0} is negative")]
    NegativePower(i64),
}

/// Height of a block: 1 and up; 0 means "no block yet".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Height(pub u64);

impl Height {
    /// Before the first block.
    pub const ZERO: Height = Height(0);

    /// Reads the wire form.
    pub fn from_wire(value: i64) -> Result<Height, NumberError> {
        u64::try_from(value).map(Height).map_err(|_| NumberError::NegativeHeight(value))
    }

    /// The wire form; heights above `i64::MAX` do not occur and are cut to it.
    pub fn wire(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX)
    }

    /// The height as a plain number.
    pub fn get(self) -> u64 {
        self.0
    }

    /// The next height.
    #[must_use]
    pub fn next(self) -> Height {
        self.plus(1)
    }

    /// The height before, or zero below height 1.
    #[must_use]
    pub fn prev(self) -> Height {
        Height(self.0.saturating_sub(1))
    }

    /// The height `n` later.
    #[must_use]
    pub fn plus(self, n: u64) -> Height {
        Height(self.0.checked_add(n).expect("a chain does not reach 2^64 blocks"))
    }
}

impl fmt::Display for Height {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Round within a height, from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Round(pub u32);

impl Round {
    /// The first round.
    pub const ZERO: Round = Round(0);

    /// Reads the wire form.
    pub fn from_wire(value: i32) -> Result<Round, NumberError> {
        u32::try_from(value).map(Round).map_err(|_| NumberError::NegativeRound(value))
    }

    /// The wire form; rounds above `i32::MAX` do not occur and are cut to it.
    pub fn wire(self) -> i32 {
        i32::try_from(self.0).unwrap_or(i32::MAX)
    }

    /// The round as a plain number.
    pub fn get(self) -> u32 {
        self.0
    }

    /// The next round.
    #[must_use]
    pub fn next(self) -> Round {
        Round(self.0.checked_add(1).expect("a height does not reach 2^32 rounds"))
    }
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Voting power of a validator or of many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Power(pub u64);

impl Power {
    /// No power.
    pub const ZERO: Power = Power(0);
    /// The most that all validators together may have (`i64::MAX / 8`, as in CometBFT): the
    /// arithmetic of proposer priorities stays inside 64 bits.
    pub const MAX_TOTAL: Power = Power((i64::MAX / 8) as u64);

    /// Reads the wire form.
    pub fn from_wire(value: i64) -> Result<Power, NumberError> {
        u64::try_from(value).map(Power).map_err(|_| NumberError::NegativePower(value))
    }

    /// The wire form; powers above `i64::MAX` do not occur and are cut to it.
    pub fn wire(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX)
    }

    /// The power as a plain number.
    pub fn get(self) -> u64 {
        self.0
    }

    /// The sum, capped at `u64::MAX`.
    #[must_use]
    pub fn saturating_add(self, other: Power) -> Power {
        Power(self.0.saturating_add(other.0))
    }

    /// Whether this is more than two thirds of `total`.
    pub fn is_over_two_thirds(self, total: Power) -> bool {
        u128::from(self.0) * 3 > u128::from(total.0) * 2
    }

    /// Whether this is more than one third of `total`.
    pub fn is_over_one_third(self, total: Power) -> bool {
        u128::from(self.0) * 3 > u128::from(total.0)
    }
}

impl fmt::Display for Power {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
