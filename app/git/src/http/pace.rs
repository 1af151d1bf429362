//! How long a client is waited for: not through a silence, nor for ever while it trickles.

use std::time::Duration;

use tokio::time::Instant;

use crate::child::Limits;

/// A client that was waited for long enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooSlow;

/// How a client keeps up while it sends a request, or takes an answer. Only time in which it was
/// waited for is held against it.
#[derive(Debug)]
pub(super) struct Pace {
    silence: Duration,
    /// Over so much waiting it must send, or take, so many bytes.
    window: Duration,
    window_bytes: u64,
    /// Of the window so far.
    waited: Duration,
    bytes: u64,
    /// Since something came, or was taken.
    silent: Duration,
}

/// How often a wait is looked at. Counted one by one: time in which this process was paused is not
/// held against a client.
const LOOK: Duration = Duration::from_secs(1);

impl Pace {
    /// As the limits say.
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            silence: Duration::from_secs(limits.silence_s),
            window: Duration::from_secs(limits.pace_s),
            window_bytes: limits.pace_s.saturating_mul(limits.pace_bytes_per_s),
            waited: Duration::ZERO,
            bytes: 0,
            silent: Duration::ZERO,
        }
    }

    /// Counts bytes that came, or were taken.
    pub(super) fn count(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes as u64);
    }

    /// Waits for what the client does next.
    pub(super) async fn wait<T>(&mut self, next: impl Future<Output = T>) -> Result<T, TooSlow> {
        let mut next = std::pin::pin!(next);
        self.silent = Duration::ZERO;
        loop {
            let start = Instant::now();
            let done = tokio::select! {
                biased;
                done = &mut next => Some(done),
                () = tokio::time::sleep(LOOK) => None,
            };
            let waited = start.elapsed().min(LOOK);
            match done {
                Some(done) => return self.wait_is(waited).map(|()| done),
                None => self.look(waited)?,
            }
        }
    }

    /// Counts time in which nothing came, or was taken.
    fn look(&mut self, waited: Duration) -> Result<(), TooSlow> {
        self.silent = self.silent.saturating_add(waited);
        if self.silent >= self.silence {
            return Err(TooSlow);
        }
        self.wait_is(waited)
    }

    /// Counts time in which the client was waited for.
    fn wait_is(&mut self, waited: Duration) -> Result<(), TooSlow> {
        self.waited = self.waited.saturating_add(waited);
        if self.waited >= self.window {
            if self.bytes < self.window_bytes {
                return Err(TooSlow);
            }
            (self.waited, self.bytes) = (Duration::ZERO, 0);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
