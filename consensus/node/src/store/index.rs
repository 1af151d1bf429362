//! The index of events: what `tx_search` and `block_search` look in.
//!
//! One key for each attribute that the application marks for it: kind, tag, a zero, value, a zero,
//! then height, place in the block and number of the event, all big-endian. So the entries of a
//! tag, and of a value of it, stand together in the order of the chain.

use super::keys;
use super::{EVENTS, Store, StoreError};
use guts_abci::proto::abci as pb;
use guts_genesis::Height;
use guts_rpc::TxHit;
use guts_rpc::search::{Condition, Op, Plan};
use rocksdb::{Direction, IteratorMode, WriteBatch, WriteOptions};
use std::collections::BTreeSet;

/// Bytes of a value that are kept. Longer than any query, so equality misses nothing; what
/// `CONTAINS` looks for must be within them.
const VALUE_BYTES_MAX: usize = 1_024;
/// Entries that one search looks at, at most.
const ENTRIES_MAX: usize = 1_000_000;
/// Height, place, number of the event.
const TAIL: usize = 16;

/// What is indexed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Indexed {
    /// Events of transactions.
    Txs = b't',
    /// Events of blocks themselves.
    Blocks = b'b',
}

/// Why a search has no answer.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// The store's.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// More work than one search may cause.
    #[error("the query matches more than {ENTRIES_MAX} entries of the index: narrow it by height")]
    TooMuch,
}

/// Height, place in the block, number of the event.
type Entry = (u64, u32, u32);

fn prefix(kind: Indexed, tag: &str) -> Vec<u8> {
    [&[kind as u8], tag.as_bytes(), &[0]].concat()
}

fn keys_of(kind: Indexed, (height, place): (Height, u32), events: &[pb::Event]) -> Vec<Vec<u8>> {
    let mut keys = Vec::new();
    for (number, event) in (0_u32..).zip(events) {
        for attribute in event.attributes.iter().filter(|a| a.index) {
            let tag = format!("{}.{}", event.r#type, attribute.key);
            // Such a tag cannot be written in a query.
            if event.r#type.is_empty() || attribute.key.is_empty() || tag.contains('\0') {
                continue;
            }
            let mut key = prefix(kind, &tag);
            let value = attribute.value.as_bytes();
            key.extend_from_slice(&value[..value.len().min(VALUE_BYTES_MAX)]);
            key.push(0);
            key.extend_from_slice(&keys::height(height));
            key.extend_from_slice(&place.to_be_bytes());
            key.extend_from_slice(&number.to_be_bytes());
            keys.push(key);
        }
    }
    keys
}

/// Every key that the answer to a block makes.
pub(super) fn keys_of_response(
    height: Height,
    response: &pb::ResponseFinalizeBlock,
) -> Vec<Vec<u8>> {
    let mut keys = keys_of(Indexed::Blocks, (height, 0), &response.events);
    for (place, result) in (0_u32..).zip(&response.tx_results) {
        keys.extend(keys_of(Indexed::Txs, (height, place), &result.events));
    }
    keys
}

fn entry(tail: &[u8]) -> Option<Entry> {
    let height = u64::from_be_bytes(tail.get(..8)?.try_into().ok()?);
    let place = u32::from_be_bytes(tail.get(8..12)?.try_into().ok()?);
    let number = u32::from_be_bytes(tail.get(12..16)?.try_into().ok()?);
    Some((height, place, number))
}

impl Store {
    /// The highest height that is indexed; zero before the first.
    ///
    /// # Errors
    /// The disk's.
    pub fn indexed(&self) -> Result<Height, StoreError> {
        self.height_at(EVENTS, keys::INDEXED)
    }

    /// Indexes the events of a height, once.
    ///
    /// # Errors
    /// The disk's.
    pub fn index(&self, height: Height) -> Result<(), StoreError> {
        let mut batch = WriteBatch::default();
        if let Some(response) = self.response(height)? {
            for key in keys_of_response(height, &response) {
                batch.put_cf(self.family(EVENTS), key, []);
            }
        }
        batch.put_cf(self.family(EVENTS), keys::INDEXED, keys::height(height));
        // Half of all that is written, and it can be made again.
        let mut options = WriteOptions::default();
        options.disable_wal(true);
        self.disk(self.db.write_opt(batch, &options))
    }

    /// Makes the index durable as it is; without that a kill takes the end of it.
    ///
    /// # Errors
    /// The disk's.
    pub fn save_index(&self) -> Result<(), StoreError> {
        self.disk(self.db.flush_cf(self.family(EVENTS)))
    }

    /// Forgets the whole index, so that it is made again from the lowest height.
    ///
    /// # Errors
    /// The disk's.
    pub fn clear_index(&self) -> Result<(), StoreError> {
        let mut batch = WriteBatch::default();
        batch.delete_range_cf(self.family(EVENTS), &[0_u8][..], &[0xff_u8][..]);
        self.disk(self.db.write(batch))
    }

    /// Where the transactions are that `plan` asks for, in their order, not above `top`.
    ///
    /// # Errors
    /// The disk's, or too much work.
    pub fn find_txs(&self, plan: &Plan<'_>, top: u64) -> Result<Vec<TxHit>, SearchError> {
        let mut hits = BTreeSet::new();
        if plan.events.is_empty() {
            for height in self.heights(plan, top)? {
                let count = self.meta(Height(height))?.map_or(0, |meta| meta.num_txs);
                for index in 0..u32::try_from(count).unwrap_or(0) {
                    hits.insert(TxHit { height, index });
                }
                if hits.len() > ENTRIES_MAX {
                    return Err(SearchError::TooMuch);
                }
            }
        } else {
            for (height, index, _) in self.entries(Indexed::Txs, plan, top)? {
                hits.insert(TxHit { height, index });
            }
        }
        Ok(hits.into_iter().collect())
    }

    /// The heights that `plan` asks for, ascending, not above `top`.
    ///
    /// # Errors
    /// The disk's, or too much work.
    pub fn find_blocks(&self, plan: &Plan<'_>, top: u64) -> Result<Vec<u64>, SearchError> {
        if plan.events.is_empty() {
            return self.heights(plan, top);
        }
        let entries = self.entries(Indexed::Blocks, plan, top)?;
        let heights: BTreeSet<u64> = entries.into_iter().map(|(height, ..)| height).collect();
        Ok(heights.into_iter().collect())
    }

    fn heights(&self, plan: &Plan<'_>, top: u64) -> Result<Vec<u64>, SearchError> {
        let (low, high) = plan.height_range();
        let range = low.max(self.base()?.0.max(1))..=high.min(top);
        if range.end().saturating_sub(*range.start()) > ENTRIES_MAX as u64 {
            return Err(SearchError::TooMuch);
        }
        Ok(range.filter(|height| plan.admits_height(*height)).collect())
    }

    /// The events that satisfy every condition.
    fn entries(
        &self,
        kind: Indexed,
        plan: &Plan<'_>,
        top: u64,
    ) -> Result<BTreeSet<Entry>, SearchError> {
        let base = self.base()?.0;
        let (low, high) = plan.height_range();
        let range = low.max(base)..=high.min(top);
        let mut found: Option<BTreeSet<Entry>> = None;
        let mut seen = 0;
        for condition in &plan.events {
            let mut matching = BTreeSet::new();
            self.scan(kind, condition, &mut seen, |entry| {
                let is_new = found.as_ref().is_none_or(|found| found.contains(&entry));
                if is_new && range.contains(&entry.0) && plan.admits_height(entry.0) {
                    matching.insert(entry);
                }
            })?;
            if matching.is_empty() {
                return Ok(matching);
            }
            found = Some(matching);
        }
        Ok(found.unwrap_or_default())
    }

    /// Gives every entry that satisfies one condition.
    fn scan(
        &self,
        kind: Indexed,
        condition: &Condition,
        seen: &mut usize,
        mut give: impl FnMut(Entry),
    ) -> Result<(), SearchError> {
        let tag = prefix(kind, &condition.tag);
        let exact = (condition.op == Op::Equal)
            .then(|| [&tag, condition.operand.text().as_bytes(), &[0]].concat());
        let start = exact.as_ref().unwrap_or(&tag);
        let from = IteratorMode::From(start, Direction::Forward);
        for item in self.db.iterator_cf(self.family(EVENTS), from) {
            let (key, _) = self.disk(item)?;
            if !key.starts_with(start) {
                break;
            }
            *seen += 1;
            if *seen > ENTRIES_MAX {
                return Err(SearchError::TooMuch);
            }
            let end = key.len().saturating_sub(TAIL);
            let Some(value) = key[..end].get(tag.len()..) else { continue };
            let Some(value) = value.strip_suffix(&[0]) else { continue };
            let value = String::from_utf8_lossy(value);
            if let (true, Some(entry)) = (condition.admits_entry(&value), entry(&key[end..])) {
                give(entry);
            }
        }
        Ok(())
    }
}
