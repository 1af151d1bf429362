//! The index of events: what `tx_search` and `block_search` look in.
//!
//! One row for each value that an attribute marked for it has in a block: kind, tag, a zero, value,
//! form, height; under it the places of the events that have it, each the transaction's place in
//! the block and the event's number, all big-endian. So the rows of a tag, and of a value of it,
//! stand together in the order of the chain, and what most transactions of a block share is one.
//!
//! Of a long value there stand its beginning and its hash: enough to find it by `=`. For other
//! comparisons it is read where it is kept anyway, in the results of its block.

use super::keys;
use super::work::{READING, SEEKING, SearchError, Work, price};
use super::{EVENTS, Store, StoreError};
use guts_abci::proto::abci as pb;
use guts_consensus::types::Hash;
use guts_genesis::Height;
use guts_rpc::TxHit;
use guts_rpc::search::{Condition, Op, Plan};
use indexmap::IndexMap;
use rocksdb::{Direction, IteratorMode, ReadOptions, WriteBatch, WriteOptions};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

/// Bytes of a value that stands whole in its row: most do, and many long ones would fill the disk
/// a third time.
const WHOLE_BYTES_MAX: usize = 128;
/// Bytes of the beginning of a longer one.
const BEGIN_BYTES: usize = 96;
/// What follows a value that stands whole.
const WHOLE: u8 = 0;
/// What follows the beginning and the SHA-256 of one that does not.
const CUT: u8 = 1;
/// A height at the end of a key.
const TAIL: usize = 8;
/// Place and number of the event.
const PLACE: usize = 8;
/// Rows looked at between two words about it, and deleted at a time.
const ROWS: u64 = 10_000;

/// What is indexed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Indexed {
    /// Events of transactions.
    Txs = b't',
    /// Events of blocks themselves.
    Blocks = b'b',
}

/// Height, place in the block, number of the event.
type Entry = (u64, u32, u32);

fn prefix(kind: Indexed, tag: &str) -> Vec<u8> {
    [&[kind as u8], tag.as_bytes(), &[0]].concat()
}

/// Adds a value as it stands in a row, and its form.
fn push_value(key: &mut Vec<u8>, value: &[u8]) {
    if value.len() <= WHOLE_BYTES_MAX {
        key.extend_from_slice(value);
        key.push(WHOLE);
    } else {
        key.extend_from_slice(&value[..BEGIN_BYTES]);
        key.extend_from_slice(Hash::of(value).as_bytes());
        key.push(CUT);
    }
}

/// Keys and what stands under them.
type Rows = IndexMap<Vec<u8>, Vec<u8>>;

fn add_rows(rows: &mut Rows, kind: Indexed, (height, place): (Height, u32), events: &[pb::Event]) {
    let mut key = Vec::new();
    for (number, event) in (0_u32..).zip(events) {
        for attribute in event.attributes.iter().filter(|a| a.index) {
            let (of, name) = (event.r#type.as_bytes(), attribute.key.as_bytes());
            // Such a tag cannot be written in a query.
            if of.is_empty() || name.is_empty() || of.contains(&0) || name.contains(&0) {
                continue;
            }
            key.clear();
            key.push(kind as u8);
            for part in [of, b".", name, &[0]] {
                key.extend_from_slice(part);
            }
            push_value(&mut key, attribute.value.as_bytes());
            key.extend_from_slice(&keys::height(height));
            let entry = (u64::from(place) << 32 | u64::from(number)).to_be_bytes();
            match rows.get_mut(&key) {
                Some(places) => places.extend_from_slice(&entry),
                None => drop(rows.insert(key.clone(), entry.to_vec())),
            }
        }
    }
}

/// Every row that the answer to a block makes, in the order of keys: so neighbours are written one
/// after another.
pub(super) fn rows_of(height: Height, response: &pb::ResponseFinalizeBlock) -> Rows {
    let mut rows = Rows::new();
    add_rows(&mut rows, Indexed::Blocks, (height, 0), &response.events);
    for (place, result) in (0_u32..).zip(&response.tx_results) {
        add_rows(&mut rows, Indexed::Txs, (height, place), &result.events);
    }
    rows.sort_unstable_keys();
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
        self.write_unlogged(batch)
    }

    /// Half of all that is written, and it can be made again: a crash takes the end of it.
    fn write_unlogged(&self, batch: WriteBatch) -> Result<(), StoreError> {
        let mut options = WriteOptions::default();
        options.disable_wal(true);
        self.disk(self.db.write_opt(batch, &options))
    }

    /// Says how far the index goes, without changing anything else of it.
    ///
    /// # Errors
    /// The disk's.
    pub fn end_index_at(&self, height: Height) -> Result<(), StoreError> {
        self.index(height, None)
    }

    /// Deletes every row of these heights, whatever made it, and no other. Before that the index
    /// ends below them, so a kill leaves one that is made again from there. Rows are sorted by
    /// value, so all of them are looked at; `tell` hears from time to time how many were.
    ///
    /// # Errors
    /// The disk's.
    pub fn forget_rows(
        &self,
        heights: &RangeInclusive<Height>,
        mut tell: impl FnMut(u64),
    ) -> Result<(), StoreError> {
        self.end_index_at(heights.start().prev())?;
        let mut options = ReadOptions::default();
        // Each is read once: what the cache has of other things stays there.
        options.fill_cache(false);
        let mut batch = WriteBatch::default();
        let events = self.family(EVENTS);
        let rows = self.db.iterator_cf_opt(events, options, IteratorMode::Start);
        for (looked, row) in (1_u64..).zip(rows) {
            let (key, _) = self.disk(row)?;
            let height = key.last_chunk::<TAIL>().map(|tail| Height(u64::from_be_bytes(*tail)));
            let is_row = *key != *keys::INDEXED;
            if is_row && height.is_some_and(|height| heights.contains(&height)) {
                batch.delete_cf(events, key);
            }
            if looked.is_multiple_of(ROWS) {
                self.write_unlogged(std::mem::take(&mut batch))?;
                tell(looked);
            }
        }
        self.write_unlogged(batch)
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
    pub fn find_txs(
        &self,
        plan: &Plan<'_>,
        top: u64,
        work: &mut Work<'_>,
    ) -> Result<Vec<TxHit>, SearchError> {
        let mut hits = BTreeSet::new();
        if plan.events.is_empty() {
            for height in self.heights(plan, top, work)? {
                let count = self.meta(Height(height))?.map_or(0, |meta| meta.num_txs);
                let count = u32::try_from(count).unwrap_or(0);
                work.spend(count as usize)?;
                hits.extend((0..count).map(|index| TxHit { height, index }));
            }
        } else {
            for (height, index, _) in self.entries(Indexed::Txs, plan, top, work)? {
                hits.insert(TxHit { height, index });
            }
        }
        Ok(hits.into_iter().collect())
    }

    /// The heights that `plan` asks for, ascending, not above `top`.
    ///
    /// # Errors
    /// The disk's, or too much work.
    pub fn find_blocks(
        &self,
        plan: &Plan<'_>,
        top: u64,
        work: &mut Work<'_>,
    ) -> Result<Vec<u64>, SearchError> {
        if plan.events.is_empty() {
            return self.heights(plan, top, work);
        }
        let entries = self.entries(Indexed::Blocks, plan, top, work)?;
        let heights: BTreeSet<u64> = entries.into_iter().map(|(height, ..)| height).collect();
        Ok(heights.into_iter().collect())
    }

    fn heights(
        &self,
        plan: &Plan<'_>,
        top: u64,
        work: &mut Work<'_>,
    ) -> Result<Vec<u64>, SearchError> {
        let (low, high) = plan.height_range();
        let range = low.max(self.base()?.0.max(1))..=high.min(top);
        let each = 1 + price(plan.heights.iter().copied());
        let mut found = Vec::new();
        for height in range {
            work.spend(each)?;
            if plan.admits_height(height) {
                found.push(height);
            }
        }
        Ok(found)
    }

    /// The events that satisfy every condition.
    fn entries(
        &self,
        kind: Indexed,
        plan: &Plan<'_>,
        top: u64,
        work: &mut Work<'_>,
    ) -> Result<BTreeSet<Entry>, SearchError> {
        let base = self.base()?.0;
        let (low, high) = plan.height_range();
        let range = low.max(base)..=high.min(top);
        let of_heights = price(plan.heights.iter().copied());
        let mut found: Option<BTreeSet<Entry>> = None;
        for condition in &plan.events {
            let mut matching = BTreeSet::new();
            self.scan((kind, condition), &range, work, |entries, work| {
                work.spend(of_heights)?;
                // All are of one height.
                if entries.first().is_some_and(|entry| plan.admits_height(entry.0)) {
                    let is_new =
                        |entry: &Entry| found.as_ref().is_none_or(|found| found.contains(entry));
                    matching.extend(entries.into_iter().filter(is_new));
                }
                Ok(())
            })?;
            if matching.is_empty() {
                return Ok(matching);
            }
            found = Some(matching);
        }
        Ok(found.unwrap_or_default())
    }

    /// Gives the entries of every row of these heights that satisfies one condition.
    fn scan(
        &self,
        (kind, condition): (Indexed, &Condition),
        heights: &RangeInclusive<u64>,
        work: &mut Work<'_>,
        mut give: impl FnMut(Vec<Entry>, &mut Work<'_>) -> Result<(), SearchError>,
    ) -> Result<(), SearchError> {
        let tag = prefix(kind, &condition.tag);
        let (mut from, mut to) = (tag.clone(), tag.clone());
        if condition.op == Op::Equal {
            for (end, height) in [(&mut from, heights.start()), (&mut to, heights.end())] {
                push_value(end, condition.operand.text().as_bytes());
                end.extend_from_slice(&height.to_be_bytes());
            }
        } else if let Some(zero) = to.last_mut() {
            *zero += 1;
        }
        let each = price([condition]);
        work.spend(SEEKING + each)?;
        let rows = IteratorMode::From(&from, Direction::Forward);
        for item in self.db.iterator_cf(self.family(EVENTS), rows) {
            let (key, places) = self.disk(item)?;
            if *key > *to {
                break;
            }
            work.spend(each + (places.len() / PLACE).max(1))?;
            let bad = || self.corrupt("a row of events", &"its form");
            let (value, tail) = key.split_at(key.len().saturating_sub(TAIL));
            let entries = entries_of(tail, &places).ok_or_else(bad)?;
            let Some(first) = entries.first().filter(|entry| heights.contains(&entry.0)) else {
                continue;
            };
            let is_it = match condition.op {
                Op::Equal => value == &from[..from.len() - TAIL],
                _ => {
                    let value = value.get(tag.len()..).and_then(<[u8]>::split_last);
                    self.satisfies((kind, condition), value.ok_or_else(bad)?, *first, work)?
                }
            };
            if is_it {
                give(entries, work)?;
            }
        }
        Ok(())
    }

    /// Whether the value of a row satisfies a condition other than `=`; `first` is one of the
    /// events that have it.
    fn satisfies(
        &self,
        (kind, condition): (Indexed, &Condition),
        (form, value): (&u8, &[u8]),
        first: Entry,
        work: &mut Work<'_>,
    ) -> Result<bool, SearchError> {
        let whole: Cow<'_, str> = match (*form, condition.op) {
            (WHOLE, _) => String::from_utf8_lossy(value),
            (_, Op::Exists) => return Ok(true),
            _ => {
                work.spend(READING)?;
                match self.long_value(kind, &condition.tag, value, first)? {
                    Some(whole) => whole.into(),
                    None => return Ok(false),
                }
            }
        };
        Ok(condition.admits_entry(&whole))
    }

    /// The value of which a row has the beginning and the hash, out of the results of its block.
    fn long_value(
        &self,
        kind: Indexed,
        tag: &str,
        kept: &[u8],
        (height, place, number): Entry,
    ) -> Result<Option<String>, StoreError> {
        let Some(mut response) = self.response(Height(height))? else { return Ok(None) };
        let events = match kind {
            Indexed::Blocks => response.events,
            Indexed::Txs if (place as usize) < response.tx_results.len() => {
                response.tx_results.swap_remove(place as usize).events
            }
            Indexed::Txs => return Ok(None),
        };
        let Some(event) = events.into_iter().nth(number as usize) else { return Ok(None) };
        let name = tag.strip_prefix(&event.r#type).and_then(|rest| rest.strip_prefix('.'));
        let of_name = event.attributes.into_iter().filter(|a| a.index && name == Some(&a.key));
        let mut values = of_name.map(|attribute| attribute.value);
        Ok(values.find(|value| {
            let mut row = Vec::new();
            push_value(&mut row, value.as_bytes());
            row.split_last() == Some((&CUT, kept))
        }))
    }
}
