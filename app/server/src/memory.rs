//! Freed memory: the allocator leaves it to the thread that freed it to give it back, and the one
//! that executes blocks would keep what a genesis or a burst took.

use std::time::{Duration, Instant};

/// How often at most: what one block took the next one needs again.
const INTERVAL: Duration = Duration::from_secs(2);

/// Has the thread that executes blocks give back what it freed, now and then.
pub struct FreedMemory {
    give_back: fn(),
    given_at: Instant,
}

impl FreedMemory {
    /// `give_back` gives freed memory back to the system: that of the thread that calls it.
    pub fn new(give_back: fn()) -> Self {
        Self { give_back, given_at: Instant::now() }
    }

    /// A block was committed.
    pub fn after_block(&mut self, now: Instant) {
        if now.duration_since(self.given_at) >= INTERVAL {
            self.given_at = now;
            (self.give_back)();
        }
    }
}

#[cfg(test)]
mod tests;
