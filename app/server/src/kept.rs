//! What CheckTx keeps between calls, in parts with a lock each: a thread that loses its processor
//! while it holds one of them holds up few others.

#[cfg(test)]
mod tests;

use std::sync::{Mutex, MutexGuard, PoisonError};

use guts_app_core::{Lend, Waiting};
use guts_schema::AccountId;
use guts_state::Seen;

/// Parts of what waits.
const PARTS: usize = 32;

/// Keys of the committed state that are remembered until the next commit: what every transaction
/// reads, and the accounts of a full mempool.
const SEEN_MAX: usize = 20_000;

fn lock<T>(part: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each change is one of a map: a panic elsewhere leaves it whole.
    part.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What waits, by account.
#[derive(Default)]
pub struct Kept([Mutex<Waiting>; PARTS]);

impl Lend for Kept {
    fn lend<T>(&self, account: &AccountId, look: impl FnOnce(&mut Waiting) -> T) -> T {
        let part = usize::from(account.as_bytes()[0]) % PARTS;
        look(&mut lock(&self.0[part]))
    }

    fn lend_each(&self, mut look: impl FnMut(&mut Waiting)) {
        self.0.iter().for_each(|part| look(&mut lock(part)));
    }
}

impl Kept {
    /// How many wait.
    pub fn count(&self) -> usize {
        let mut count = 0;
        self.lend_each(|waiting| count += waiting.len());
        count
    }
}

/// What was read of the state that a block changes, by its height: one for each thread that
/// checks.
#[derive(Default)]
pub struct Glances(Mutex<Vec<(u64, Seen)>>);

impl Glances {
    /// What a thread has read that checks no more, on the way to the block of `height`.
    pub fn take(&self, height: u64) -> Seen {
        let mut all = lock(&self.0);
        let at = all.iter().position(|(of, _)| *of == height);
        at.map_or_else(Seen::new, |at| all.swap_remove(at).1)
    }

    /// Keeps what a thread has read, unless it is much, and nothing of earlier blocks.
    pub fn keep(&self, height: u64, seen: Seen) {
        let mut all = lock(&self.0);
        let mut old = Vec::new();
        if all.iter().any(|(of, _)| *of < height) {
            old = std::mem::take(&mut *all);
        }
        if seen.len() <= SEEN_MAX {
            all.push((height, seen));
        }
        // What is forgotten is freed while nobody waits for it.
        drop(all);
        drop(old);
    }
}
