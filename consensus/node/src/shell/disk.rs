//! Records to disk, in order: log entries to the write-ahead log, the rest to the store.
//!
//! Two files, each in order. `kill -9` loses nothing that was handed to the system. A power loss
//! takes an end of each that was not synced, whichever. The engine is made for that (its `io`), so
//! what must be durable costs one sync and not two: the log's when there is an intent to sign, the
//! store's when there is something for it, a decided block above all.

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
    /// Something was taken for the store since the last commit.
    is_store_fresh: bool,
    /// An intent was taken that is not durable yet.
    is_intent_open: bool,
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
            is_store_fresh: false,
            is_intent_open: false,
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
        self.sync_all()?;
        self.is_between_heights = false;
        Ok(self.log.rotate()?)
    }

    /// Takes one record.
    pub(super) fn take(&mut self, record: &Record) -> Result<(), DiskError> {
        self.is_store_fresh |= !matches!(record, Record::Wal(_));
        self.is_intent_open |= matches!(record, Record::Wal(Entry::Intent(_)));
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

    /// Writes everything taken; what must be durable is so when this returns if `sync`.
    pub(super) fn commit(&mut self, sync: bool) -> Result<(), DiskError> {
        let is_store_fresh = std::mem::take(&mut self.is_store_fresh);
        if sync && std::mem::take(&mut self.is_intent_open) {
            self.log.sync()?;
        } else {
            self.log.write()?;
        }
        if self.batch.is_empty() && sync && is_store_fresh {
            return Ok(self.store.sync()?); // written before an entry of the log that came later
        }
        self.write_batch(sync)
    }

    /// Writes everything and makes it durable.
    pub(super) fn sync_all(&mut self) -> Result<(), DiskError> {
        self.commit(true)?;
        self.log.sync()?;
        Ok(self.store.sync()?)
    }

    /// Whether the log would survive a loss of power as it is.
    #[cfg(test)]
    pub(super) fn is_log_durable(&self) -> bool {
        self.log.is_synced()
    }

    fn write_batch(&mut self, sync: bool) -> Result<(), DiskError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        // The system gets the log entries that came before, first.
        self.log.write()?;
        Ok(self.store.write(std::mem::take(&mut self.batch), sync)?)
    }
}
