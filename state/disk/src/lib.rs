//! The application's database on RocksDB: rows of `guts-state`, and the height they belong to.
//!
//! One column family per kind of row, and one for the [`Head`] of each height. A commit is one
//! write batch, so that a crash leaves a height whole or not at all, and so is each step of taking
//! commits back ([`rollback`]). Commits are not synced: after a power failure the engine replays
//! the blocks whose commits were lost. Old versions stay until they are pruned ([`prune`]), so
//! readers need no locks: they read the version they were given. Values that were read or written
//! lately are answered from memory ([`newest`]), and so are the newest inner nodes near the
//! tree's root ([`upper`]).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use guts_state::store::Row;
use guts_state::{Batch, Column, Read, Root, Snapshot, StateError, Store, Version};
use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, DB,
    DBCompactionStyle, DBCompressionType, FlushOptions, IteratorMode, Options, ReadOptions,
    SliceTransform, WriteBatch, WriteOptions,
};

mod newest;
mod prune;
mod rollback;
mod upper;

use newest::{Found, NewestRows, key_of, version_of};
pub use prune::Pruner;
use upper::UpperNodes;

/// Bytes of blocks kept in memory, index and filter blocks included.
const CACHE_BYTES: usize = 32 << 20;
/// Bytes of all memtables together.
const MEMTABLES_BYTES: usize = 24 << 20;
/// Bytes of one memtable.
const MEMTABLE_BYTES: usize = 8 << 20;
/// What a row takes in a write batch beside its key and value: tag, column family, lengths.
const ROW_OVERHEAD_BYTES: usize = 12;
/// Open table files; each costs a descriptor and some memory.
const OPEN_FILES_MAX: i32 = 256;
/// Bytes of log kept for an operator who asks what RocksDB did.
const LOG_BYTES: usize = 1 << 20;
/// The format of rows and column families.
const FORMAT: &[u8] = b"guts-state 9";

/// The column family of heads: height -> memo. The last one is the newest commit.
const HEADS: &str = "heads";
/// The column family of what is one for the whole database.
const META: &str = "meta";
const META_FORMAT: &[u8] = b"format";
/// The oldest height that is kept; absent while nothing was pruned.
const META_OLDEST: &[u8] = b"oldest";

/// What can go wrong with the database.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// Another process has it open.
    #[error("{0} is in use by another process: stop that one first")]
    Locked(PathBuf),
    /// Made by another version of this program.
    #[error("{0} has another format: it was made by another version of this program")]
    Format(PathBuf),
    /// A height to go back to that was not reached yet.
    #[error(
        "nothing was changed: height {height} is above the newest, {newest}: name that or a lower one"
    )]
    Ahead {
        /// The one that was asked for.
        height: Version,
        /// The newest.
        newest: Version,
    },
    /// A height to go back to whose state is not kept.
    #[error(
        "nothing was changed: the state of height {height} is not kept: {oldest} is the oldest \
         that is: name that or a higher one"
    )]
    NotKept {
        /// The one that was asked for.
        height: Version,
        /// The oldest.
        oldest: Version,
    },
    /// What the database says.
    #[error("the database failed: {0}")]
    Rocks(#[from] rocksdb::Error),
    /// What is in it contradicts itself.
    #[error(transparent)]
    State(#[from] StateError),
}

/// A height that was written, and what the application remembers with it beside its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Height of the block.
    pub height: Version,
    /// Opaque to this crate.
    pub memo: Vec<u8>,
}

/// The database. Cheap to clone; closed when the last clone goes.
#[derive(Clone)]
pub struct Database {
    inner: Arc<Inner>,
}

struct Inner {
    db: DB,
    newest: NewestRows,
    upper: UpperNodes,
    /// What [`META_OLDEST`] says; 0 when it is absent.
    oldest: AtomicU64,
}

impl Database {
    /// Opens the database in `dir`, making it when there is none. One process at a time.
    pub fn open(dir: &Path) -> Result<Self, DiskError> {
        let cache = Cache::new_lru_cache(CACHE_BYTES);
        let families = Column::ALL
            .into_iter()
            .map(|column| descriptor(column.name(), Some(column), &cache))
            .chain([HEADS, META].map(|name| descriptor(name, None, &cache)));
        let db = DB::open_cf_descriptors(&options(), dir, families).map_err(|error| {
            let text = error.to_string();
            // RocksDB has no kind of its own for this.
            if text.contains("lock hold by current process") || text.contains("While lock file") {
                DiskError::Locked(dir.to_owned())
            } else {
                DiskError::Rocks(error)
            }
        })?;
        let (newest, upper) = (NewestRows::new(None), UpperNodes::new());
        let mut inner = Inner { db, newest, upper, oldest: AtomicU64::new(0) };
        inner.check_format(dir)?;
        inner.oldest = AtomicU64::new(inner.read_oldest()?);
        let root = Root::find(&inner, Version::MAX)?;
        inner.newest = NewestRows::new(root.map(|root| root.version));
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The last height written; `None` before the first.
    pub fn head(&self) -> Result<Option<Head>, DiskError> {
        self.inner.first_head(IteratorMode::End)
    }

    /// Writes the batches of a height, in order, with the height: all or nothing. A height that
    /// changed nothing has no batch. Not synced.
    pub fn write(&self, head: &Head, batches: &[Arc<Batch>]) -> Result<(), DiskError> {
        let rows_of = |column| batches.iter().flat_map(move |batch| batch.rows_of(column));
        let length = |(key, value): (&[u8], &[u8])| ROW_OVERHEAD_BYTES + key.len() + value.len();
        let bytes = Column::ALL.map(|column| (column, rows_of(column).map(length).sum::<usize>()));
        // Megabytes after a full block: a buffer that doubles would copy them again and again.
        let all_bytes: usize = bytes.iter().map(|(_, bytes)| bytes).sum();
        let mut write = WriteBatch::with_capacity_bytes(all_bytes);
        for column in Column::ALL {
            let family = self.inner.family(column.name())?;
            rows_of(column).for_each(|(key, value)| write.put_cf(family, key, value));
        }
        write.put_cf(self.inner.family(HEADS)?, head.height.to_be_bytes(), &head.memo);
        self.inner.db.write_opt(write, &WriteOptions::default())?;
        if all_bytes > MEMTABLES_BYTES {
            self.inner.pack_in_background(&bytes)?;
        }
        for batch in batches {
            self.inner.newest.wrote(batch.root.version, batch.rows_of(Column::Values));
            self.inner.upper.wrote(batch.rows_of(Column::Nodes));
        }
        Ok(())
    }

    /// The oldest height whose state is kept; 0 while nothing was pruned.
    pub fn oldest(&self) -> Version {
        self.inner.oldest()
    }

    /// Makes durable what was written so far; for an orderly end.
    pub fn sync(&self) -> Result<(), DiskError> {
        Ok(self.inner.db.flush_wal(true)?)
    }

    /// Packs the table files: what was overwritten or deleted takes no more room. Takes as long as
    /// all rows take to be read and written.
    pub fn compact(&self) -> Result<(), DiskError> {
        for name in Column::ALL.map(Column::name).into_iter().chain([HEADS, META]) {
            let family = self.inner.family(name)?;
            self.inner.db.compact_range_cf(family, None::<&[u8]>, None::<&[u8]>);
        }
        Ok(())
    }

    /// The rows, for snapshots of any version.
    pub fn store(&self) -> Arc<dyn Store> {
        self.inner.clone()
    }

    /// The state as the block of `height` left it.
    pub fn snapshot(&self, height: Version) -> Result<Snapshot, DiskError> {
        Ok(Snapshot::at(self.store(), height)?)
    }

    /// Every key and value of the state as the block of `height` left it; for audits and exports,
    /// which the tree itself cannot serve. All of it is in memory then.
    pub fn entries(&self, height: Version) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, DiskError> {
        let snapshot = self.snapshot(height)?;
        let mut entries = BTreeMap::new();
        let family = self.inner.family(Column::Preimages.name())?;
        let mut read = ReadOptions::default();
        // Of all keys, not of those that begin as the first.
        read.set_total_order_seek(true);
        for row in self.inner.db.iterator_cf_opt(family, read, IteratorMode::Start) {
            let key = row?.1.into_vec();
            // A key that was deleted and set again may be named twice, with one value.
            if let Some(value) = snapshot.get(&key)? {
                entries.insert(key, value);
            }
        }
        Ok(entries)
    }

    /// Bytes of memory that caches, memtables and table readers take, with the nodes of [`upper`].
    pub fn memory_bytes(&self) -> Result<u64, DiskError> {
        let mut bytes = 0;
        for name in Column::ALL.map(Column::name).into_iter().chain([HEADS, META]) {
            let family = self.inner.family(name)?;
            for what in ["rocksdb.cur-size-all-mem-tables", "rocksdb.estimate-table-readers-mem"] {
                bytes += self.inner.db.property_int_value_cf(family, what)?.unwrap_or(0);
            }
        }
        // The cache is shared: any family tells its size.
        let meta = self.inner.family(META)?;
        let cache = self.inner.db.property_int_value_cf(meta, "rocksdb.block-cache-usage")?;
        Ok(bytes + cache.unwrap_or(0) + self.inner.upper.bytes() as u64)
    }
}

impl Inner {
    fn check_format(&self, dir: &Path) -> Result<(), DiskError> {
        let meta = self.family(META)?;
        match self.db.get_cf(meta, META_FORMAT)? {
            None => Ok(self.db.put_cf(meta, META_FORMAT, FORMAT)?),
            Some(found) if found == FORMAT => Ok(()),
            Some(_) => Err(DiskError::Format(dir.to_owned())),
        }
    }

    fn family(&self, name: &str) -> Result<&ColumnFamily, StateError> {
        let missing = || StateError::Damaged(format!("column family {name} is missing"));
        self.db.cf_handle(name).ok_or_else(missing)
    }

    /// Has memtables that one write filled written to table files, without waiting for it; told is
    /// what it wrote of each column. RocksDB looks at their size when the next write comes: after a
    /// large genesis that would be the first block, and its clients would wait for all of it.
    fn pack_in_background(&self, bytes: &[(Column, usize)]) -> Result<(), DiskError> {
        let mut options = FlushOptions::default();
        options.set_wait(false);
        // RocksDB's own count of a memtable's bytes stands still once it is full.
        for (column, _) in bytes.iter().filter(|(_, bytes)| *bytes > MEMTABLE_BYTES) {
            self.db.flush_cf_opt(self.family(column.name())?, &options)?;
        }
        Ok(())
    }

    /// The head that is met first.
    fn first_head(&self, from: IteratorMode<'_>) -> Result<Option<Head>, DiskError> {
        let Some(row) = self.db.iterator_cf(self.family(HEADS)?, from).next() else {
            return Ok(None);
        };
        let (height, memo) = row?;
        let damaged = |_| StateError::Damaged("a height of the wrong length".into());
        let height = Version::from_be_bytes(height[..].try_into().map_err(damaged)?);
        Ok(Some(Head { height, memo: memo.into_vec() }))
    }

    fn read_oldest(&self) -> Result<Version, DiskError> {
        let Some(oldest) = self.db.get_cf(self.family(META)?, META_OLDEST)? else { return Ok(0) };
        let damaged = |_| StateError::Damaged("an oldest height of the wrong length".into());
        Ok(Version::from_be_bytes(oldest.try_into().map_err(damaged)?))
    }

    fn last_on_disk(
        &self,
        column: Column,
        low: &[u8],
        high: &[u8],
    ) -> Result<Option<Row>, StateError> {
        let mut read = ReadOptions::default();
        read.set_iterate_lower_bound(low);
        // Both ends of a key's rows share the prefix that the filters are made of.
        read.set_prefix_same_as_start(is_by_key(column));
        let mut rows = self.db.raw_iterator_cf_opt(self.family(column.name())?, read);
        rows.seek_for_prev(high);
        let row = rows.item().map(|(key, value)| (key.to_vec(), value.to_vec()));
        rows.status().map_err(store_error)?;
        Ok(row)
    }
}

impl Store for Inner {
    fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        if column == Column::Nodes
            && let Some(node) = self.upper.find(key)
        {
            return Ok(Some(node));
        }
        self.db.get_cf(self.family(column.name())?, key).map_err(store_error)
    }

    fn last(&self, column: Column, low: &[u8], high: &[u8]) -> Result<Option<Row>, StateError> {
        let (Column::Values, Some(key), Some(version)) = (column, key_of(high), version_of(high))
        else {
            return self.last_on_disk(column, low, high);
        };
        let asked = match self.newest.find(&key, version) {
            // A row below the range is none in it.
            Found::Row(row) => return Ok(row.filter(|(row, _)| row[..] >= *low)),
            Found::Unknown(asked) => asked,
        };
        let row = self.last_on_disk(column, low, high)?;
        if low.starts_with(&key) && version_of(low) == Some(0) {
            self.newest.learn(&asked, key, version, row.as_ref());
        }
        Ok(row)
    }

    fn oldest(&self) -> Version {
        self.oldest.load(Ordering::SeqCst)
    }
}

/// Whether rows of a column begin with the SHA-256 of a key, and end with a version.
const fn is_by_key(column: Column) -> bool {
    matches!(column, Column::Values | Column::Preimages)
}

fn store_error(error: rocksdb::Error) -> StateError {
    StateError::Store(error.to_string())
}

fn options() -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    options.set_db_write_buffer_size(MEMTABLES_BYTES);
    options.set_max_open_files(OPEN_FILES_MAX);
    options.set_keep_log_file_num(2);
    options.set_max_log_file_size(LOG_BYTES);
    options.set_max_total_wal_size(4 * MEMTABLES_BYTES as u64);
    options
}

fn descriptor(name: &str, column: Option<Column>, cache: &Cache) -> ColumnFamilyDescriptor {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    table.set_cache_index_and_filter_blocks(true);
    table.set_pin_l0_filter_and_index_blocks_in_cache(true);
    table.set_bloom_filter(10.0, false);
    // In parts: a filter or an index of a large file as one block is larger than a shard of the
    // cache, stays in none, and would be read again from the file for every key.
    table.set_index_type(BlockBasedIndexType::TwoLevelIndexSearch);
    table.set_partition_filters(true);
    table.set_pin_top_level_index_and_filter(true);
    let mut options = Options::default();
    options.set_block_based_table_factory(&table);
    options.set_write_buffer_size(MEMTABLE_BYTES);
    options.set_compression_type(match column {
        // Hashes: nothing to gain, and every flush and compaction would try.
        Some(Column::Nodes) => DBCompressionType::None,
        _ => DBCompressionType::Lz4,
    });
    if column.is_some_and(is_by_key) {
        // Keys are hashes, so that a file of few rows overlaps every other. Files are merged with
        // others of their size: by levels a large one would be written again for a few rows.
        options.set_compaction_style(DBCompactionStyle::Universal);
        options.set_prefix_extractor(SliceTransform::create_fixed_prefix(32));
        options.set_memtable_prefix_bloom_ratio(0.1);
    }
    ColumnFamilyDescriptor::new(name, options)
}

#[cfg(test)]
mod tests;
