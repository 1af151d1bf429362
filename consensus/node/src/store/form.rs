//! Brings a store that an earlier version wrote into the form this one reads, once, when it opens.

use super::keys::{self, HASH_BYTES};
use super::read::TxPlace;
use super::{SMALL, Store, StoreError, TXS};
use guts_genesis::Height;
use rocksdb::{Direction, IteratorMode, ReadOptions, WriteBatch, WriteOptions};

/// The present form. The first had no mark: one place for each transaction, under its hash, and an
/// index of events that kept long values whole.
const FORM: u8 = 2;
/// Rows looked at for one batch.
const ROWS: usize = 10_000;

impl Store {
    /// Rewrites what has an earlier form. Interrupted, it goes on at the next start.
    ///
    /// # Errors
    /// The disk's, or a form that a later version wrote.
    pub(super) fn bring_to_form(&self) -> Result<(), StoreError> {
        match self.small(keys::FORM)?.as_deref() {
            Some([FORM]) => return Ok(()),
            Some(_) => return Err(self.corrupt("its form", &"a later version wrote it")),
            None => {}
        }
        if self.has_base() {
            tracing::info!("the store is of an earlier version: bringing it into this one's form");
            let mut next = Some(Vec::new());
            while let Some(from) = next {
                next = self.move_places(&from)?;
            }
            // It is made again from the lowest height on.
            self.clear_index()?;
        }
        let mut options = WriteOptions::default();
        options.set_sync(true);
        self.disk(self.db.put_cf_opt(self.family(SMALL), keys::FORM, [FORM], &options))
    }

    /// Moves places out of the values into the keys, so many from a key on; gives the key from
    /// which to go on.
    fn move_places(&self, from: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let family = self.family(TXS);
        let mut options = ReadOptions::default();
        options.set_total_order_seek(true);
        let rows = IteratorMode::From(from, Direction::Forward);
        let mut batch = WriteBatch::default();
        let mut next = None;
        for (count, row) in self.db.iterator_cf_opt(family, options, rows).enumerate() {
            let (key, place) = self.disk(row)?;
            if count == ROWS {
                next = Some(key.into_vec());
                break;
            }
            if key.len() != HASH_BYTES {
                continue; // moved before
            }
            let bad = || self.corrupt("the place of a transaction", &"not twelve bytes");
            let (height, index) = place.split_at_checked(8).ok_or_else(bad)?;
            let place = TxPlace {
                height: Height(u64::from_be_bytes(height.try_into().map_err(|_| bad())?)),
                index: u32::from_be_bytes(index.try_into().map_err(|_| bad())?),
            };
            batch.put_cf(family, keys::tx(&key, place), []);
            batch.delete_cf(family, key);
        }
        self.disk(self.db.write(batch))?;
        Ok(next)
    }
}
