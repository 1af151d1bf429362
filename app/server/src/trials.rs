//! How many transactions a node tries for people who only want to know what they would do.
//!
//! A trial costs the node what CheckTx costs, and the asker nothing: no nonce, no fee, no work, and
//! no mempool that knows it already. So there are so many a second and no more, however many ask.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Trials a second, and at once after a pause. A transaction that costs the most to check takes
/// about 2 ms, so this is a tenth of one processor.
pub const TRIALS_PER_SECOND: u32 = 50;

const EACH: Duration = Duration::from_micros(1_000_000 / TRIALS_PER_SECOND as u64);

/// Counts trials.
#[derive(Debug, Default)]
pub struct Trials {
    /// When all that was taken is paid back, were nothing more taken.
    free_at: Mutex<Option<Instant>>,
}

impl Trials {
    /// Takes one, if there is one left at `now`.
    pub fn take(&self, now: Instant) -> bool {
        // A time is whole whatever panicked meanwhile.
        let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
        let after = free_at.map_or(now, |free_at| free_at.max(now)) + EACH;
        if after > now + EACH * TRIALS_PER_SECOND {
            return false;
        }
        *free_at = Some(after);
        true
    }
}

#[cfg(test)]
mod tests;
