//! Records to disk, in order: log entries to the write-ahead log, the rest to the store.
//!
//! The records are one ordered log for the engine but two files here. What keeps their order:
//! bytes are handed to the system in the order of the records (enough for `kill -9`), and nothing
//! becomes durable in one file before what precedes it in the other is (enough for power loss).

use crate::store::{Batch, Store, StoreError};
use crate::wal::{Log, LogError};
use guts_consensus::io::Record;
use guts_consensus::wal::Entry;
use std::sync::Arc;

/// What to do about it.
const FULL: &str = "Nothing was told to anybody that is not on the disk. If it is full, make room; \
                    then start the node again";

/// Why the process must stop: what it decided cannot be remembered.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// Of the write-ahead log.
    #[error("the write-ahead log cannot be written: {0}. {FULL}")]
    Log(#[from] LogError),
    /// Of the store.
    #[error("the store cannot be written: {0}. {FULL}")]
    Store(#[from] StoreError),
}

/// See the module.
pub(super) struct Disk {
    log: Log,
    store: Arc<Store>,
    batch: Batch,
    /// Something was written to the store that is not durable yet.
    is_store_dirty: bool,
    /// The last log entry ended a height.
    is_between_heights: bool,
    segment_bytes: u64,
}

impl Disk {
    pub(super) fn new(log: Log, store: Arc<Store>, segment_bytes: u64) -> Disk {
        Disk {
            log,
            store,
            batch: Batch::default(),
            is_store_dirty: false,
            is_between_heights: false,
            segment_bytes,
        }
    }

    /// Whether a new log file should be begun before the next record.
    pub(super) fn wants_rotation(&self) -> bool {
        self.is_between_heights && self.log.len() >= self.segment_bytes
    }

    /// Begins a new log file; the caller has made durable what the old ones alone knew.
    pub(super) fn rotate(&mut self) -> Result<(), DiskError> {
        self.commit(true)?;
        self.is_between_heights = false;
        Ok(self.log.rotate()?)
    }

    /// Takes one record.
    pub(super) fn take(&mut self, record: &Record) -> Result<(), DiskError> {
        match record {
            Record::Wal(entry) => {
                self.write_batch(false)?;
                self.is_between_heights = matches!(entry, Entry::EndHeight(_));
                self.log.append(entry);
            }
            Record::Block(decided) => self.store.put_block(&mut self.batch, decided),
            Record::Response { height, response } => {
                self.store.put_response(&mut self.batch, *height, response);
            }
            Record::State(state) => self.store.put_state(&mut self.batch, state),
            Record::EvidencePending(evidence) => {
                self.store.put_evidence(&mut self.batch, evidence);
            }
            Record::EvidenceDone { hash, height, committed } => {
                let in_block = committed.then_some(*height);
                self.store.end_evidence(&mut self.batch, hash, in_block);
            }
        }
        Ok(())
    }

    /// Writes everything taken; durable when this returns if `sync`.
    pub(super) fn commit(&mut self, sync: bool) -> Result<(), DiskError> {
        if !sync {
            self.write_batch(false)?;
            return Ok(self.log.write()?);
        }
        if self.batch.is_empty() {
            if self.is_store_dirty {
                self.store.sync()?;
                self.is_store_dirty = false;
            }
            return Ok(self.log.sync()?);
        }
        self.log.sync()?;
        self.write_batch(true)
    }

    fn write_batch(&mut self, sync: bool) -> Result<(), DiskError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        // The system gets the log entries that came before, first.
        self.log.write()?;
        self.store.write(std::mem::take(&mut self.batch), sync)?;
        self.is_store_dirty = !sync;
        Ok(())
    }
}
