//! Packs of pushes that are on their way to the chain from this gateway: nobody drops these. Nor
//! those of pushes that are checked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use guts_git::{PackHash, PackStore};

use crate::checker::Checker;

/// How many pushes on their way have each pack. Cheap to clone.
#[derive(Clone, Default)]
pub struct Held {
    counts: Arc<Mutex<BTreeMap<PackHash, u32>>>,
}

/// Holds a pack until it is dropped.
pub struct Hold {
    held: Held,
    pack: PackHash,
}

impl Held {
    fn counts(&self) -> MutexGuard<'_, BTreeMap<PackHash, u32>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on the pack is held; none when it is not in the store: since it was put there,
    /// nobody held it.
    pub fn hold(&self, pack: PackHash, packs: &PackStore) -> Option<Hold> {
        let mut counts = self.counts();
        let count = counts.entry(pack).or_default();
        *count = count.saturating_add(1);
        drop(counts);
        Some(Hold { held: self.clone(), pack }).filter(|_| packs.has(&pack))
    }

    /// Drops a pack that neither a push on its way needs, nor one that is checked: what is pending
    /// is, once the follower has learned of it.
    pub fn drop_unneeded(&self, pack: &PackHash, checker: &Checker, packs: &PackStore) {
        if !checker.needs(pack) {
            self.unless_held(pack, || packs.drop_pack(pack));
        }
    }

    /// Drops a pack unless it is held, by doing that; nobody begins to hold it meanwhile.
    fn unless_held(&self, pack: &PackHash, drop: impl FnOnce()) {
        let counts = self.counts();
        if !counts.contains_key(pack) {
            drop();
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut counts = self.held.counts();
        match counts.get_mut(&self.pack) {
            Some(count) if *count > 1 => *count = count.saturating_sub(1),
            _ => {
                counts.remove(&self.pack);
            }
        }
    }
}

#[cfg(test)]
mod tests;
