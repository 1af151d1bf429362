//! The stateless checks of transactions, done in parallel and remembered by hash: a transaction
//! that CheckTx saw costs its block nothing. The points of keys are remembered, too: most who sign
//! have signed before.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

use guts_app_core::{Checked, Checker, check_together};
use guts_schema::sign::{Point, Points};
use guts_schema::{ChainRules, Hash, Key};
use quick_cache::sync::Cache;

/// Bytes of transactions whose checks are remembered.
const REMEMBERED_BYTES_MAX: usize = 16 << 20;

/// Transactions worth a thread of their own: a batch of signatures gets dearer a piece as it gets
/// smaller, and under load the other processors have work of their own.
const PER_THREAD_MIN: usize = 512;

/// Bytes counted for a transaction beside its own.
const OVERHEAD_BYTES: usize = 256;

/// Keys whose points are remembered, of some 300 bytes each.
const POINTS_MAX: usize = 16_384;

/// Parts of what is remembered, each with a lock: a thread that loses its processor while it holds
/// one of them holds up few others.
const PARTS: usize = 8;

/// What was checked before.
#[derive(Default)]
pub struct VerifiedCache {
    parts: [Mutex<Inner>; PARTS],
    points: KnownPoints,
}

/// The points of the keys that were asked about lately.
struct KnownPoints(Cache<Key, Point>);

impl Default for KnownPoints {
    fn default() -> Self {
        Self(Cache::new(POINTS_MAX))
    }
}

impl Points for KnownPoints {
    fn point(&self, key: &Key) -> Option<Point> {
        self.0.get_or_insert_with(key, || Point::of(key).ok_or(())).ok()
    }
}

#[derive(Default)]
struct Inner {
    /// With the bytes each is counted for.
    checked: HashMap<Hash, (Checked, usize)>,
    order: VecDeque<Hash>,
    bytes: usize,
}

impl VerifiedCache {
    fn lock(&self, hash: &Hash) -> MutexGuard<'_, Inner> {
        let part = usize::from(hash.as_bytes()[0]) % PARTS;
        self.parts[part].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Remembers a check; what is forgotten for it.
    fn remember(&mut self, hash: Hash, checked: Checked, length: usize) -> Vec<Checked> {
        let mut forgotten = Vec::new();
        let bytes = length.saturating_add(OVERHEAD_BYTES);
        if self.checked.insert(hash, (checked, bytes)).is_some() {
            return forgotten;
        }
        self.order.push_back(hash);
        self.bytes = self.bytes.saturating_add(bytes);
        while self.bytes > REMEMBERED_BYTES_MAX / PARTS {
            let Some(oldest) = self.order.pop_front() else { return forgotten };
            if let Some((checked, bytes)) = self.checked.remove(&oldest) {
                self.bytes = self.bytes.saturating_sub(bytes);
                forgotten.push(checked);
            }
        }
        forgotten
    }
}

impl Checker for VerifiedCache {
    /// Looks at what is known for one transaction at a time, and frees what is forgotten after
    /// each look: nobody who asks about one stands behind the thousand of another.
    fn check(&self, txs: &[&[u8]], rules: &ChainRules) -> Vec<Checked> {
        let hashes: Vec<Hash> = txs.iter().map(|tx| Hash::of(tx)).collect();
        let known = |hash| self.lock(hash).checked.get(hash).map(|(checked, _)| checked.clone());
        let mut answers: Vec<Option<Checked>> = hashes.iter().map(known).collect();
        let places: Vec<usize> = (0..txs.len()).filter(|i| answers[*i].is_none()).collect();
        let news: Vec<&[u8]> = places.iter().map(|i| txs[*i]).collect();
        let found = check_in_parallel(&news, rules, &self.points);
        for (place, checked) in places.into_iter().zip(found) {
            let (hash, length) = (hashes[place], txs[place].len());
            let forgotten = self.lock(&hash).remember(hash, checked.clone(), length);
            drop(forgotten);
            answers[place] = Some(checked);
        }
        answers.into_iter().map(|answer| answer.expect("known before or found now")).collect()
    }
}

/// Processors there are. Asked once: the answer costs a dozen system calls.
fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| thread::available_parallelism().map_or(1, usize::from))
}

fn check_in_parallel(txs: &[&[u8]], rules: &ChainRules, points: &KnownPoints) -> Vec<Checked> {
    let parts = cores().min(txs.len() / PER_THREAD_MIN);
    if parts < 2 {
        return check_together(txs, rules, points);
    }
    let size = txs.len().div_ceil(parts);
    thread::scope(|scope| {
        let part = |part| scope.spawn(move || check_together(part, rules, points));
        let threads: Vec<_> = txs.chunks(size).map(part).collect();
        let joined = threads.into_iter().map(|t| t.join().expect("checks do not panic"));
        joined.flatten().collect()
    })
}

#[cfg(test)]
mod tests;
