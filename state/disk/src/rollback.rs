//! Taking commits back: the database as it was when an older height was the newest.
//!
//! One version of the tree at a time, from the newest, each in one write batch with the heads of
//! its heights: whoever dies in between leaves the whole state of a height on the way, from which a
//! node runs, or goes on down.

use std::collections::BTreeSet;

use guts_state::{Column, Root, StateError, Version, leaf_key, stale_rows};
use rocksdb::{IteratorMode, WriteBatch};

use crate::newest::{KeyHash, key_of, row_key};
use crate::{Database, DiskError, HEADS, Head, Inner};

/// Above the key of every row that begins with a version.
const END: [u8; 9] = [0xff; 9];

impl Database {
    /// Takes back everything that was written above `height`, and returns the head there. Nobody
    /// may read meanwhile. Synced; what was taken back before an error stays taken back.
    ///
    /// # Errors
    /// That the height lies ahead, or that its state is not kept: then nothing was changed. What
    /// the database says.
    pub fn rollback(&self, height: Version) -> Result<Head, DiskError> {
        let heads = (self.inner.first_head(IteratorMode::Start)?, self.head()?);
        let (Some(oldest), Some(newest)) = heads else {
            return Err(DiskError::Ahead { height, newest: 0 });
        };
        if height > newest.height {
            return Err(DiskError::Ahead { height, newest: newest.height });
        }
        let oldest = oldest.height.max(self.oldest());
        if height < oldest {
            return Err(DiskError::NotKept { height, oldest });
        }
        while let Some(version) = self.inner.newest_version()?.filter(|newest| *newest > height) {
            self.inner.take_back(Some(version), version.saturating_sub(1))?;
        }
        self.inner.take_back(None, height)?;
        self.sync()?;
        let missing = || StateError::Damaged(format!("height {height} has no head"));
        let head = self.head()?.filter(|head| head.height == height);
        Ok(head.ok_or_else(missing)?)
    }
}

impl Inner {
    fn newest_version(&self) -> Result<Option<Version>, StateError> {
        Ok(Root::find(self, Version::MAX)?.map(|root| root.version))
    }

    /// Deletes the newest version, if there is one above `height`, and all heads above `height`.
    fn take_back(&self, version: Option<Version>, height: Version) -> Result<(), DiskError> {
        let mut write = WriteBatch::default();
        if let Some(version) = version {
            for key in self.keys_written(version)? {
                for column in [Column::Values, Column::Preimages] {
                    write.delete_cf(self.family(column.name())?, row_key(&key, version));
                }
            }
            for column in [Column::Nodes, Column::Stale, Column::Roots] {
                let family = self.family(column.name())?;
                write.delete_range_cf(family, &version.to_be_bytes()[..], &END[..]);
            }
        }
        let above = height.saturating_add(1).to_be_bytes();
        write.delete_range_cf(self.family(HEADS)?, &above[..], &END[..]);
        self.db.write(write)?;
        self.newest.taken_back(self.newest_version()?);
        self.upper.taken_back();
        Ok(())
    }

    /// SHA-256 of the keys whose values a version set or deleted: those it set have leaves, those
    /// it deleted had a value before, which it lists as superfluous. Others whose leaves it only
    /// moved may be among them.
    fn keys_written(&self, version: Version) -> Result<BTreeSet<KeyHash>, DiskError> {
        let mut keys = BTreeSet::new();
        let nodes = Column::Nodes.name();
        for row in self.rows_between(nodes, version, version.saturating_add(1))? {
            keys.extend(leaf_key(&row?.1)?);
        }
        let stale = self.family(Column::Stale.name())?;
        if let Some(list) = self.db.get_cf(stale, version.to_be_bytes())? {
            let rows = stale_rows(&list)?.into_iter();
            let values = rows.filter(|(column, _)| *column == Column::Values);
            keys.extend(values.filter_map(|(_, row)| key_of(row)));
        }
        Ok(keys)
    }
}

#[cfg(test)]
mod tests;
