//! How many requests of one kind are served at once, and how many more wait for that.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Turns of one kind of request, first come, first served.
pub(crate) struct Turns {
    free: Arc<Semaphore>,
    waiting: Semaphore,
}

impl Turns {
    /// At most so many at once, while so many wait.
    pub(crate) fn new(at_once: usize, waiting: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(at_once)), waiting: Semaphore::new(waiting) }
    }

    /// A turn, when there is one; none at once when too many wait already. Whoever gives up
    /// waiting makes room for another.
    pub(crate) async fn take(&self) -> Option<OwnedSemaphorePermit> {
        // A turn that is given back goes to who waits: this takes none from them.
        if let Ok(turn) = self.free.clone().try_acquire_owned() {
            return Some(turn);
        }
        let _chair = self.waiting.try_acquire().ok()?;
        self.free.clone().acquire_owned().await.ok()
    }
}

#[cfg(test)]
mod tests;
