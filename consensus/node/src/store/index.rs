//! The index of events: what `tx_search` and `block_search` look in.
//!
//! One row for each value that an attribute marked for it has in a block: kind, tag, a zero, value,
//! a zero, height; under it the places of the events that have it, each the transaction's place in
//! the block and the event's number, all big-endian. So the rows of a tag, and of a value of it,
//! stand together in the order of the chain, and what most transactions of a block share is one.

use super::keys;
use super::{EVENTS, Store, StoreError};
use guts_abci::proto::abci as pb;
use guts_genesis::Height;
use guts_rpc::TxHit;
use guts_rpc::search::{Condition, Op, Plan};
use rocksdb::{Direction, IteratorMode, WriteBatch, WriteOptions};
use std::collections::{BTreeMap, BTreeSet};

/// Bytes of a value that are kept. Longer than any query, so equality misses nothing; what
/// `CONTAINS` looks for must be within them.
const VALUE_BYTES_MAX: usize = 1_024;
/// Entries that one search looks at, at most.
const ENTRIES_MAX: usize = 1_000_000;
/// A height at the end of a key.
const TAIL: usize = 8;
/// Place and number of the event.
const PLACE: usize = 8;

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

/// Keys and what stands under them, in their order: so neighbours are written one after another.
type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

fn add_rows(rows: &mut Rows, kind: Indexed, (height, place): (Height, u32), events: &[pb::Event]) {
    let mut key = Vec::new();
    for (number, event) in (0_u32..).zip(events) {
        for attribute in event.attributes.iter().filter(|a| a.index) {
            let (of, name) = (event.r#type.as_bytes(), attribute.key.as_bytes());
            // Such a tag cannot be written in a query.
            if of.is_empty() || name.is_empty() || of.contains(&0) || name.contains(&0) {
                continue;
            }
            let value = attribute.value.as_bytes();
            let value = &value[..value.len().min(VALUE_BYTES_MAX)];
            key.clear();
            key.push(kind as u8);
            for part in [of, b".", name, &[0], value, &[0], &keys::height(height)] {
                key.extend_from_slice(part);
            }
            if !rows.contains_key(&key) {
                rows.insert(key.clone(), Vec::with_capacity(PLACE));
            }
            if let Some(places) = rows.get_mut(&key) {
                places.extend_from_slice(&place.to_be_bytes());
                places.extend_from_slice(&number.to_be_bytes());
            }
        }
    }
}

/// Every row that the answer to a block makes.
pub(super) fn rows_of(height: Height, response: &pb::ResponseFinalizeBlock) -> Rows {
    let mut rows = Rows::new();
    add_rows(&mut rows, Indexed::Blocks, (height, 0), &response.events);
    for (place, result) in (0_u32..).zip(&response.tx_results) {
        add_rows(&mut rows, Indexed::Txs, (height, place), &result.events);
    }
    rows
}

fn entries_of(tail: &[u8], places: &[u8]) -> Option<Vec<Entry>> {
    let height = u64::from_be_bytes(tail.try_into().ok()?);
    let entry = |place: &[u8]| {
        let (place, number) = place.split_at_checked(4)?;
        Some((
            height,
            u32::from_be_bytes(place.try_into().ok()?),
            u32::from_be_bytes(number.try_into().ok()?),
        ))
    };
    places.chunks(PLACE).map(entry).collect()
}

impl Store {
    /// The highest height that is indexed; zero before the first.
    ///
    /// # Errors
    /// The disk's.
    pub fn indexed(&self) -> Result<Height, StoreError> {
        self.height_at(EVENTS, keys::INDEXED)
    }

    /// Indexes the events of a height, once; `None` when there is nothing to index.
    ///
    /// # Errors
    /// The disk's.
    pub fn index(
        &self,
        height: Height,
        response: Option<&pb::ResponseFinalizeBlock>,
    ) -> Result<(), StoreError> {
        let mut batch = WriteBatch::default();
        for (key, places) in response.map(|it| rows_of(height, it)).unwrap_or_default() {
            batch.put_cf(self.family(EVENTS), key, places);
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

    /// An index of an earlier form is forgotten; it is made again from the lowest height on.
    pub(super) fn drop_old_index(&self) -> Result<(), StoreError> {
        match self.entry(EVENTS, keys::INDEXED_EACH)? {
            None => Ok(()),
            Some(_) => self.clear_index(),
        }
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
            let (key, places) = self.disk(item)?;
            if !key.starts_with(start) {
                break;
            }
            *seen += (places.len() / PLACE).max(1);
            if *seen > ENTRIES_MAX {
                return Err(SearchError::TooMuch);
            }
            let end = key.len().saturating_sub(TAIL);
            let Some(value) = key[..end].get(tag.len()..) else { continue };
            let Some(value) = value.strip_suffix(&[0]) else { continue };
            let value = String::from_utf8_lossy(value);
            if condition.admits_entry(&value) {
                let entries = entries_of(&key[end..], &places);
                let entries = entries.ok_or_else(|| self.corrupt("a row of events", &"its form"));
                entries?.into_iter().for_each(&mut give);
            }
        }
        Ok(())
    }
}
