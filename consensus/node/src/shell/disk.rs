//! Records to disk, in order: log entries to the write-ahead log, the rest to the store.
//!
//! Two files, each in order. Everything is handed to the system before an action is performed:
//! `kill -9` loses nothing that was acted on. A power loss takes an end of each file that was not
//! synced, whichever. What is durable before which action, of the outputs that say `sync`:
//!
//! - an intent, in the log, and all of the log before it: before its bytes are signed;
//! - the state that `InitChain` makes, in the store: before the first height begins;
//! - a decided block and the application's answer to it, in the store, and all of the store before
//!   them: before the application is told to commit;
//! - everything, in both, and the last-sign state: before old files of the log are deleted.
//!
//! So what must be durable mostly costs one sync and not two. Nothing else is: not the votes and
//! parts in the log before the next intent, nor the end of a height in it, nor the state after a
//! commit before the next block. Their loss is repaired from the block store, the application and
//! peers.

use crate::store::{Batch, Store, StoreError};
use crate::wal::{Log, LogError};
use guts_consensus::io::Record;
use guts_consensus::wal::Entry;
use std::sync::Arc;

/// What to do about it.
const FULL: &str = "Nothing that depends on this was done or told to anybody. If the disk is full, \
                    make room; then start the node again";

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

    /// Writes everything taken. If `sync`, what the module names is durable when this returns.
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
