//! What a node keeps: blocks, commits, results, validators by height, the indexes and the engine's
//! state, in RocksDB under `data/store`.
//!
//! Records of an engine's output that follow one another are one atomic batch, so a crash leaves
//! all of a block or nothing of it. The index of events follows the blocks and is written without a
//! log: a crash takes its end, which is made again. Memory is bounded: one cache and one budget for
//! what is not in table files yet, whatever the size of the chain.

mod form;
mod index;
mod keys;
mod read;
mod rollback;
#[cfg(test)]
pub(crate) mod tests;
mod work;
mod write;

use crate::config::Storage;
use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamilyDescriptor, DB, DBCompressionType, Options,
    SliceTransform,
};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

pub use read::TxPlace;
pub use rollback::{RollbackError, RolledBack};
pub use work::{SearchError, Work};
pub use write::Batch;

/// Why the store cannot answer or take something.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// RocksDB's own.
    #[error("{}: {reason}", path.display())]
    Disk {
        /// The store's directory.
        path: PathBuf,
        /// What RocksDB says.
        reason: String,
    },
    /// What is stored cannot be read back.
    #[error(
        "{}: {what} is stored but unreadable: {reason}. Restore the data directory, or fetch the \
         chain anew: `guts-engine reset --keep-keys`", path.display()
    )]
    Corrupt {
        /// The store's directory.
        path: PathBuf,
        /// Which entry.
        what: String,
        /// Why.
        reason: String,
    },
}

/// The most memory the store takes.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// Bytes of table blocks kept for reading.
    pub cache_bytes: usize,
    /// Bytes written but not in table files yet.
    pub memtable_bytes: usize,
}

impl From<&Storage> for Memory {
    fn from(storage: &Storage) -> Memory {
        Memory {
            cache_bytes: (storage.cache_mb as usize) << 20,
            memtable_bytes: (storage.memtables_mb as usize) << 20,
        }
    }
}

/// The open store.
pub struct Store {
    db: DB,
    path: PathBuf,
    /// Held while heights are deleted: each deletion begins at the base that the last one left.
    pruning: Mutex<()>,
}

/// Blocks: large values, read by height.
const BLOCKS: &str = "blocks";
/// What the application answered: large values, read by height.
const RESPONSES: &str = "responses";
/// Where transactions are: hash, height, place in the block. Many random keys, without values.
const TXS: &str = "txs";
/// Everything small, each kind under its own first byte.
const SMALL: &str = "small";
/// The index of events: many keys that differ little, with tiny values.
const EVENTS: &str = "events";
const FAMILIES: [&str; 5] = [BLOCKS, RESPONSES, TXS, SMALL, EVENTS];

impl Store {
    /// Opens the store in `path`, creating it if need be.
    ///
    /// # Errors
    /// It is in use, damaged, or the disk refuses.
    pub fn open(path: &Path, memory: Memory) -> Result<Store, StoreError> {
        let cache = Cache::new_lru_cache(memory.cache_bytes);
        let mut options = Options::default();
        options.create_if_missing(true);
        options.create_missing_column_families(true);
        options.set_db_write_buffer_size(memory.memtable_bytes);
        options.set_max_open_files(128);
        options.set_max_background_jobs(2);
        options.set_keep_log_file_num(2);
        options.set_max_total_wal_size(64 << 20);
        // Nobody reads RocksDB's statistics; dumping them costs CPU at rest.
        options.set_stats_dump_period_sec(0);
        options.set_stats_persist_period_sec(0);
        let families = FAMILIES
            .map(|name| ColumnFamilyDescriptor::new(name, family_options(name, &cache, memory)));
        let db = DB::open_cf_descriptors(&options, path, families)
            .map_err(|e| StoreError::Disk { path: path.into(), reason: e.to_string() })?;
        let store = Store { db, path: path.into(), pruning: Mutex::default() };
        store.bring_to_form()?;
        Ok(store)
    }

    fn family(&self, name: &str) -> &rocksdb::ColumnFamily {
        self.db.cf_handle(name).expect("every family was opened with the store")
    }

    fn disk<T>(&self, result: Result<T, rocksdb::Error>) -> Result<T, StoreError> {
        result.map_err(|e| StoreError::Disk { path: self.path.clone(), reason: e.to_string() })
    }

    fn corrupt(&self, what: impl Into<String>, reason: &dyn std::fmt::Display) -> StoreError {
        StoreError::Corrupt {
            path: self.path.clone(),
            what: what.into(),
            reason: reason.to_string(),
        }
    }

    /// Rewrites every table without what was deleted or replaced.
    pub fn compact(&self) {
        for name in FAMILIES {
            self.db.compact_range_cf(self.family(name), None::<&[u8]>, None::<&[u8]>);
        }
    }

    /// Makes everything written so far durable.
    ///
    /// # Errors
    /// The disk's; the process must stop.
    pub fn sync(&self) -> Result<(), StoreError> {
        self.disk(self.db.flush_wal(true))
    }
}

fn family_options(name: &str, cache: &Cache, memory: Memory) -> Options {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    table.set_cache_index_and_filter_blocks(true);
    table.set_block_size(16 * 1024);
    let mut options = Options::default();
    if name == TXS || name == SMALL {
        table.set_bloom_filter(10.0, false);
    }
    if name == TXS {
        // One asks for a hash, without knowing where the transaction is.
        table.set_whole_key_filtering(false);
        options.set_prefix_extractor(SliceTransform::create_fixed_prefix(keys::HASH_BYTES));
    }
    options.set_block_based_table_factory(&table);
    options.set_write_buffer_size((memory.memtable_bytes / 2).max(1 << 20));
    options.set_max_write_buffer_number(2);
    // Hashes do not compress.
    let compression = if name == TXS { DBCompressionType::None } else { DBCompressionType::Lz4 };
    options.set_compression_type(compression);
    options
}
