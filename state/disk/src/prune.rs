//! Pruning: the rows that only states of old heights need are deleted, some at a time, beside the
//! commits.
//!
//! First the database remembers which height is the oldest that is kept; from then on states below
//! it are read by nobody ([`guts_state::Store`]). Then their rows go: those that the versions up to
//! the oldest listed as superfluous, each list after its rows; roots and heads below. Whoever dies
//! in between finds the rest again: a list that is there was not done with.

use std::sync::atomic::Ordering;

use guts_state::{Column, Root, StateError, Store, Version, stale_rows};
use rocksdb::{DBIterator, IteratorMode, ReadOptions, WriteBatch, WriteOptions};

use crate::{Database, DiskError, HEADS, Inner, META, META_OLDEST};

/// A list of superfluous rows under way.
struct List {
    version: Version,
    rows: Vec<u8>,
    /// How many of the rows are deleted.
    done: usize,
}

/// Deletes what is kept no longer. One for a database.
pub struct Pruner {
    database: Database,
    list: Option<List>,
    /// There are no lists below, nor roots, nor heads: what was deleted is not looked at again.
    lists_from: Version,
    roots_from: Version,
    heads_from: Version,
}

impl Database {
    /// Whoever prunes it. What an earlier run left to be deleted is found again.
    pub fn pruner(&self) -> Pruner {
        let database = self.clone();
        Pruner { database, list: None, lists_from: 0, roots_from: 0, heads_from: 0 }
    }
}

impl Pruner {
    /// Gives up the states of all heights below `height`, or below the newest, if that is lower.
    /// They cannot be read any more, and [`Pruner::step`] deletes their rows. Lower heights than
    /// before change nothing.
    pub fn keep_from(&mut self, height: Version) -> Result<(), DiskError> {
        let newest = self.database.head()?.map_or(0, |head| head.height);
        let (height, inner) = (height.min(newest), &self.database.inner);
        if height > inner.oldest() {
            inner.db.put_cf(inner.family(META)?, META_OLDEST, height.to_be_bytes())?;
            inner.oldest.store(height, Ordering::SeqCst);
        }
        Ok(())
    }

    /// Deletes rows that are needed no longer, `rows_max` at most or one height's root and head.
    /// Whether there may be more.
    pub fn step(&mut self, rows_max: usize) -> Result<bool, DiskError> {
        let mut write = WriteBatch::default();
        while write.len() < rows_max {
            let Some(list) = self.next_list()? else { break };
            self.delete_listed(list, rows_max, &mut write)?;
        }
        let inner = self.database.inner.clone();
        let oldest = inner.oldest();
        if let Some(root) = Root::find(inner.as_ref(), oldest)? {
            let roots = Column::Roots.name();
            self.roots_from =
                inner.delete_range(roots, self.roots_from, root.version, rows_max, &mut write)?;
        }
        self.heads_from =
            inner.delete_range(HEADS, self.heads_from, oldest, rows_max, &mut write)?;
        let is_full = write.len() >= rows_max;
        // Others do not wait for it when table files must be merged first.
        let mut options = WriteOptions::default();
        options.set_low_pri(true);
        if !write.is_empty() {
            inner.db.write_opt(write, &options)?;
        }
        Ok(is_full)
    }

    /// The list under way, or the next.
    fn next_list(&mut self) -> Result<Option<List>, DiskError> {
        if let Some(list) = self.list.take() {
            return Ok(Some(list));
        }
        let inner = &self.database.inner;
        let end = inner.oldest().saturating_add(1);
        let Some(row) = inner.rows_between(Column::Stale.name(), self.lists_from, end)?.next()
        else {
            return Ok(None);
        };
        let (version, rows) = row?;
        Ok(Some(List { version: version_of_row(&version)?, rows: rows.into_vec(), done: 0 }))
    }

    fn delete_listed(
        &mut self,
        mut list: List,
        rows_max: usize,
        write: &mut WriteBatch,
    ) -> Result<(), DiskError> {
        let inner = &self.database.inner;
        let rows = stale_rows(&list.rows)?;
        let room = rows_max.saturating_sub(write.len());
        for (column, row) in rows.iter().skip(list.done).take(room) {
            write.delete_cf(inner.family(column.name())?, row);
        }
        list.done = list.done.saturating_add(room);
        if list.done < rows.len() {
            self.list = Some(list);
        } else {
            let stale = inner.family(Column::Stale.name())?;
            write.delete_cf(stale, list.version.to_be_bytes());
            self.lists_from = list.version.saturating_add(1);
        }
        Ok(())
    }
}

impl Inner {
    /// The rows of a family whose keys begin with a height, from one to below another.
    pub(crate) fn rows_between(
        &self,
        family: &str,
        from: Version,
        to: Version,
    ) -> Result<DBIterator<'_>, StateError> {
        let mut read = ReadOptions::default();
        read.set_iterate_lower_bound(from.to_be_bytes());
        read.set_iterate_upper_bound(to.to_be_bytes());
        Ok(self.db.iterator_cf_opt(self.family(family)?, read, IteratorMode::Start))
    }

    /// Deletes rows whose keys are heights, from one to below another, until the batch is full;
    /// where the next time begins.
    fn delete_range(
        &self,
        family: &str,
        from: Version,
        to: Version,
        rows_max: usize,
        write: &mut WriteBatch,
    ) -> Result<Version, DiskError> {
        if from >= to {
            return Ok(from);
        }
        for row in self.rows_between(family, from, to)? {
            let (key, _) = row?;
            if write.len() >= rows_max {
                return Ok(version_of_row(&key)?);
            }
            write.delete_cf(self.family(family)?, &key);
        }
        Ok(to)
    }
}

fn version_of_row(key: &[u8]) -> Result<Version, StateError> {
    let damaged = |_| StateError::Damaged("a height of the wrong length".into());
    Ok(Version::from_be_bytes(key.try_into().map_err(damaged)?))
}

#[cfg(test)]
mod tests;
