//! How many requests of one kind are served at once, and how many more wait for that: of one
//! address a part of both.

use std::net::IpAddr;

use crate::shares::{Share, Shares};

/// Turns of one kind of request, first come, first served.
pub(crate) struct Turns {
    free: Shares,
    chairs: Shares,
}

impl Turns {
    /// At most so many at once, while so many wait; of each, one address may have `percent`.
    pub(crate) fn new(at_once: usize, waiting: usize, percent: u8) -> Self {
        Self { free: Shares::new(at_once, percent), chairs: Shares::new(waiting, percent) }
    }

    /// A turn, when there is one; none at once when too many wait already. Whoever gives up
    /// waiting makes room for another.
    pub(crate) async fn take(&self, address: IpAddr) -> Option<Share> {
        // A turn that is given back goes to who waits: this takes none from them.
        if let Some(turn) = self.free.try_take(address, 1) {
            return Some(turn);
        }
        let _chair = self.chairs.try_take(address, 1)?;
        self.free.take(address).await
    }
}

#[cfg(test)]
mod tests;
