//! The engine's timers: one due time each, the earliest first.

use guts_consensus::io::TimerId;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Due times on the engine's monotonic clock.
#[derive(Debug, Default)]
pub(super) struct Timers {
    due: BTreeMap<TimerId, Duration>,
    order: BTreeSet<(Duration, TimerId)>,
}

impl Timers {
    /// Sets a timer, replacing an earlier setting.
    pub(super) fn set(&mut self, id: TimerId, at: Duration) {
        if let Some(old) = self.due.insert(id, at) {
            self.order.remove(&(old, id));
        }
        self.order.insert((at, id));
    }

    /// When the next one is due.
    pub(super) fn next(&self) -> Option<Duration> {
        self.order.first().map(|(at, _)| *at)
    }

    /// Takes one that is due.
    pub(super) fn pop(&mut self, now: Duration) -> Option<TimerId> {
        let (at, id) = *self.order.first()?;
        if at > now {
            return None;
        }
        self.order.pop_first();
        self.due.remove(&id);
        Some(id)
    }
}
