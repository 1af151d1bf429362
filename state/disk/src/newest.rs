//! The newest values of keys that were read or written lately, so that what every transaction
//! reads costs no look-up in RocksDB.
//!
//! An entry is the newest row of its key that was ever written. It answers for every version from
//! its own on: nothing lies between. A reader that asks for an older version goes to the database.
//!
//! The entries are in parts with a lock each, held for one of them at a time: a thread that loses
//! its processor while it writes a block's rows holds up few who read.

use std::sync::{Mutex, MutexGuard, PoisonError};

use guts_state::Version;
use guts_state::store::Row;
use quick_cache::unsync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};

/// Parts, by the first byte of a key.
const PARTS: usize = 32;
/// Bytes of rows kept, with [`OVERHEAD_BYTES`] for each: what CheckTx read of 40,000 transactions,
/// as many as may wait, is still there when their block asks for it.
const KEPT_BYTES: u64 = 48 << 20;
/// What an entry takes beside its value: key, version, links.
const OVERHEAD_BYTES: u64 = 128;
/// The part of the bytes for what is asked for again and again. The rest is for what was met once
/// and is asked for again soon: CheckTx, the block and its commit read an account in turn.
const HOT: f64 = 0.25;
/// Entries there is room for at first; the table grows.
const ENTRIES_EXPECTED: usize = 4096;

/// SHA-256 of a key: the first part of its rows.
pub(crate) type KeyHash = [u8; 32];
/// The version of a key's newest row, and the row's content; `None` where there is no row.
type Entry = Option<(Version, Box<[u8]>)>;

/// What is known without the database.
pub(crate) enum Found {
    /// The answer.
    Row(Option<Row>),
    /// Nothing; whoever asks the database may tell [`NewestRows::learn`], with this.
    Unknown(Asked),
}

/// The newest version when a question was asked: what was read for it may be kept only while no
/// newer one is written.
pub(crate) struct Asked(Option<Version>);

/// See the module.
pub(crate) struct NewestRows {
    parts: [Mutex<Inner>; PARTS],
}

struct Inner {
    /// The newest version written.
    newest: Option<Version>,
    rows: Cache<KeyHash, Entry, Bytes>,
}

#[derive(Clone)]
struct Bytes;

impl Weighter<KeyHash, Entry> for Bytes {
    fn weight(&self, _: &KeyHash, entry: &Entry) -> u64 {
        OVERHEAD_BYTES + entry.as_ref().map_or(0, |(_, value)| value.len() as u64)
    }
}

impl NewestRows {
    /// Empty, of a database whose newest version is `newest`.
    pub(crate) fn new(newest: Option<Version>) -> Self {
        let options = OptionsBuilder::new()
            .estimated_items_capacity(ENTRIES_EXPECTED / PARTS)
            .weight_capacity(KEPT_BYTES / PARTS as u64)
            .hot_allocation(HOT)
            .build()
            .expect("both capacities are set");
        let rows = || {
            let (hasher, lifecycle) = (DefaultHashBuilder::default(), DefaultLifecycle::default());
            Cache::with_options(options.clone(), Bytes, hasher, lifecycle)
        };
        let part = |_| Mutex::new(Inner { newest, rows: rows() });
        Self { parts: std::array::from_fn(part) }
    }

    fn lock(&self, key: &KeyHash) -> MutexGuard<'_, Inner> {
        lock(&self.parts[usize::from(key[0]) % PARTS])
    }

    /// The last row of `key` not above `version`.
    pub(crate) fn find(&self, key: &KeyHash, version: Version) -> Found {
        let inner = self.lock(key);
        match inner.rows.get(key) {
            Some(None) => Found::Row(None),
            Some(Some((written, value))) if *written <= version => {
                Found::Row(Some((row_key(key, *written), value.to_vec())))
            }
            _ => Found::Unknown(Asked(inner.newest)),
        }
    }

    /// Keeps what the database says is the last row of `key` not above `version`, if that is its
    /// newest one.
    pub(crate) fn learn(&self, asked: &Asked, key: KeyHash, version: Version, row: Option<&Row>) {
        let mut inner = self.lock(&key);
        if inner.newest != asked.0 || inner.newest.is_some_and(|newest| newest > version) {
            return;
        }
        let entry = match row {
            None => None,
            Some((row, value)) => match version_of(row) {
                Some(written) => Some((written, value[..].into())),
                None => return,
            },
        };
        inner.rows.insert(key, entry);
    }

    /// Forgets everything: the newest version of the database is an older one now.
    pub(crate) fn taken_back(&self, newest: Option<Version>) {
        for part in &self.parts {
            let mut inner = lock(part);
            inner.newest = newest;
            inner.rows.clear();
        }
    }

    /// Takes the rows of a version that was just written to the database, before anybody reads at
    /// that version.
    pub(crate) fn wrote<'a>(
        &self,
        version: Version,
        rows: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    ) {
        self.parts.iter().for_each(|part| lock(part).newest = Some(version));
        for (row, value) in rows {
            if let (Some(key), Some(written)) = (key_of(row), version_of(row)) {
                self.lock(&key).rows.insert(key, Some((written, value.into())));
            }
        }
    }
}

fn lock(part: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    // Every update leaves the cache whole: a panic elsewhere does not spoil it.
    part.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The key in the key of a row of values.
pub(crate) fn key_of(row: &[u8]) -> Option<KeyHash> {
    row.first_chunk().copied()
}

/// The version in the key of a row of values.
pub(crate) fn version_of(row: &[u8]) -> Option<Version> {
    row.get(32..)?.try_into().ok().map(Version::from_be_bytes)
}

/// The key of a row of values.
pub(crate) fn row_key(key: &KeyHash, version: Version) -> Vec<u8> {
    [&key[..], &version.to_be_bytes()].concat()
}

#[cfg(test)]
mod tests;
