//! Turning records into one atomic batch.

use super::index::rows_of;
use super::keys::{self, Kind};
use super::{BLOCKS, EVENTS, RESPONSES, SMALL, Store, StoreError, TXS, TxPlace};
use guts_abci::proto::{self, Message, abci as pb};
use guts_consensus::io::Decided;
use guts_consensus::types::{Block, Evidence, State};
use guts_genesis::Height;
use rocksdb::{WriteBatch, WriteOptions};
use std::sync::PoisonError;

/// Bytes that the row of a transaction takes in a batch.
const TX_ROW_BYTES: usize = 50;
/// Bytes that everything small of a height takes in a batch, mostly.
const SMALL_BYTES: usize = 16 * 1024;

/// Everything that is written together.
#[derive(Default)]
pub struct Batch {
    batch: WriteBatch,
    /// The first block ever is in it.
    has_base: bool,
}

impl Batch {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.batch.is_empty()
    }

    /// Makes room for something large at once: growing step by step copies it several times.
    fn reserve(&mut self, bytes: usize) {
        if self.batch.is_empty() {
            self.batch = WriteBatch::with_capacity_bytes(bytes);
        }
    }
}

fn wire(height: Height) -> i64 {
    height.wire()
}

impl Store {
    /// Adds a decided block: itself, its meta, the commit seen, the commit it carries for the
    /// block before, and where its transactions are.
    pub fn put_block(&self, to: &mut Batch, decided: &Decided) {
        let header = decided.block.header();
        let height = header.height;
        let small = self.family(SMALL);
        let mut bytes = Vec::with_capacity(decided.parts.iter().map(|p| p.bytes.len()).sum());
        decided.parts.iter().for_each(|p| bytes.extend_from_slice(&p.bytes));
        let meta = proto::types::BlockMeta {
            block_id: Some(decided.id.to_proto()),
            block_size: i64::try_from(bytes.len()).unwrap_or(i64::MAX),
            header: Some(header.to_proto()),
            num_txs: i64::try_from(decided.block.txs().as_slice().len()).unwrap_or(i64::MAX),
        };
        let txs = decided.block.txs().hashes();
        to.reserve(bytes.len() + txs.len() * TX_ROW_BYTES + SMALL_BYTES);
        let batch = &mut to.batch;
        batch.put_cf(self.family(BLOCKS), keys::height(height), bytes);
        batch.put_cf(small, keys::at(Kind::Meta, height), meta.encode_to_vec());
        let mut seen = vec![u8::from(decided.extended)];
        decided.commit.to_proto().encode(&mut seen).expect("a vector grows");
        batch.put_cf(small, keys::at(Kind::Seen, height), seen);
        let before = decided.block.last_commit();
        if before.height != Height::ZERO {
            let key = keys::at(Kind::Commit, before.height);
            batch.put_cf(small, key, before.to_proto().encode_to_vec());
        }
        let hash = keys::of(Kind::Hash, decided.id.hash.as_bytes());
        batch.put_cf(small, hash, keys::height(height));
        for (index, hash) in (0..).zip(txs) {
            let key = keys::tx(hash.as_bytes(), TxPlace { height, index });
            batch.put_cf(self.family(TXS), key, []);
        }
        batch.put_cf(small, keys::TOP, keys::height(height));
        if !to.has_base && !self.has_base() {
            batch.put_cf(small, keys::BASE, keys::height(height));
            to.has_base = true;
        }
    }

    /// Adds the application's answer to the block of a height.
    pub fn put_response(&self, to: &mut Batch, height: Height, of: &pb::ResponseFinalizeBlock) {
        let bytes = of.encode_to_vec();
        to.reserve(bytes.len() + SMALL_BYTES);
        to.batch.put_cf(self.family(RESPONSES), keys::height(height), bytes);
    }

    /// Adds the state after a block, and the validators and parameters it tells of.
    pub fn put_state(&self, to: &mut Batch, state: &State) {
        let small = self.family(SMALL);
        let next = state.next_height();
        let wire_state = state.to_proto();
        let sets = [(next, &wire_state.validators), (next.next(), &wire_state.next_validators)];
        for (height, set) in sets {
            if let Some(set) = set {
                to.batch.put_cf(small, keys::at(Kind::Validators, height), set.encode_to_vec());
            }
        }
        if let Some(params) = &wire_state.consensus_params {
            to.batch.put_cf(small, keys::at(Kind::Params, next), params.encode_to_vec());
        }
        to.batch.put_cf(small, keys::STATE, wire_state.encode_to_vec());
    }

    /// Adds evidence that waits for a block.
    pub fn put_evidence(&self, to: &mut Batch, evidence: &Evidence) {
        let key = keys::of(Kind::Evidence, evidence.hash().as_bytes());
        to.batch.put_cf(self.family(SMALL), key, evidence.to_proto().encode_to_vec());
    }

    /// Evidence no longer waits; if it is in a block, that is remembered until it has expired.
    pub fn end_evidence(&self, to: &mut Batch, hash: &[u8; 32], in_block: Option<Height>) {
        to.batch.delete_cf(self.family(SMALL), keys::of(Kind::Evidence, hash));
        let key = keys::of(Kind::EvidenceDone, hash);
        match in_block {
            Some(height) => to.batch.put_cf(self.family(SMALL), key, keys::height(height)),
            None => to.batch.delete_cf(self.family(SMALL), key),
        }
    }

    /// Writes a batch; durable when this returns if `sync`.
    ///
    /// # Errors
    /// The disk's; the process must stop.
    pub fn write(&self, batch: Batch, sync: bool) -> Result<(), StoreError> {
        let mut options = WriteOptions::default();
        options.set_sync(sync);
        self.disk(self.db.write_opt(batch.batch, &options))
    }

    /// Deletes heights from the base up to, not including, `retain`. Transactions of them are no
    /// longer found. Bounded work a call; says whether anything is left to do. Several may do it at
    /// once.
    ///
    /// # Errors
    /// The disk's.
    pub fn prune(&self, retain: Height, heights_max: u64) -> Result<bool, StoreError> {
        let _alone = self.pruning.lock().unwrap_or_else(PoisonError::into_inner);
        let base = self.base()?;
        let retain = retain.min(self.top()?);
        if base == Height::ZERO || base >= retain {
            return Ok(false);
        }
        let end = retain.min(base.plus(heights_max));
        let small = self.family(SMALL);
        let mut batch = WriteBatch::default();
        let mut height = base;
        while height < end {
            if let Some(block) = self.block(height)? {
                self.forget_txs(&mut batch, &block);
                batch.delete_cf(small, keys::of(Kind::Hash, block.hash().as_bytes()));
            }
            if let Some(response) = self.response(height)? {
                for key in rows_of(height, &response).into_keys() {
                    batch.delete_cf(self.family(EVENTS), key);
                }
            }
            for kind in [Kind::Meta, Kind::Seen, Kind::Commit, Kind::Validators, Kind::Params] {
                batch.delete_cf(small, keys::at(kind, height));
            }
            batch.delete_cf(self.family(BLOCKS), keys::height(height));
            batch.delete_cf(self.family(RESPONSES), keys::height(height));
            height = height.next();
        }
        batch.put_cf(small, keys::BASE, keys::height(end));
        self.disk(self.db.write(batch))?;
        tracing::debug!(from = wire(base), to = wire(end), "pruned");
        Ok(end < retain)
    }

    /// Deletes where the transactions of a block are.
    pub(super) fn forget_txs(&self, batch: &mut WriteBatch, block: &Block) {
        for (index, hash) in (0..).zip(block.txs().hashes()) {
            let place = TxPlace { height: block.header().height, index };
            batch.delete_cf(self.family(TXS), keys::tx(hash.as_bytes(), place));
        }
    }

    /// Binds the store to a genesis document, or says that it belongs to another.
    ///
    /// # Errors
    /// The disk's.
    pub fn bind(&self, genesis: [u8; 32]) -> Result<bool, StoreError> {
        match self.small(keys::GENESIS)? {
            Some(stored) => Ok(stored.as_slice() == genesis.as_slice()),
            None => {
                let mut options = WriteOptions::default();
                options.set_sync(true);
                let family = self.family(SMALL);
                self.disk(self.db.put_cf_opt(family, keys::GENESIS, genesis, &options))?;
                Ok(true)
            }
        }
    }
}
