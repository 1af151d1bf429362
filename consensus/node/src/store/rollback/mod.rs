//! Taking back the newest block: only its effect on the state, or the block as well.
//!
//! The state before a block follows from the headers of that block and of the one before, and from
//! the validators and parameters kept for each height; nothing is kept for this alone.

#[cfg(test)]
mod tests;

use super::index::rows_of;
use super::keys::{self, Kind};
use super::{BLOCKS, EVENTS, RESPONSES, SMALL, Store, StoreError};
use guts_abci::proto::Message as _;
use guts_consensus::types::{BlockId, Header, State, ValidatorSet};
use guts_genesis::{ConsensusParams, Height};
use rocksdb::{WriteBatch, WriteOptions};

/// Why nothing was taken back.
#[derive(Debug, thiserror::Error)]
pub enum RollbackError {
    /// The store's.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no state yet.
    #[error("no block was committed here: there is nothing to take back")]
    Empty,
    /// There is no block before the newest.
    #[error(
        "block {0} is the first that is stored, and before it there is no state: \
         `guts-engine reset --keep-keys` starts the chain anew"
    )]
    First(Height),
    /// State and blocks contradict each other.
    #[error("the state is at height {state}, the newest block at {top}: the store is damaged")]
    Apart {
        /// Of the state.
        state: Height,
        /// Of the newest block.
        top: Height,
    },
    /// What the state before would be made of is not stored.
    #[error("{what} of height {height} is not stored")]
    Missing {
        /// Which kind of entry.
        what: &'static str,
        /// Of which height.
        height: Height,
    },
}

/// What was done.
#[derive(Debug)]
pub struct RolledBack {
    /// The state as it is now.
    pub state: State,
    /// The newest block that is stored now: that of the state, or the one after.
    pub top: Height,
}

impl Store {
    /// Takes the state back to before the newest block, which the next start executes again; if it
    /// is there already (a crash left it so), it stays. With `is_hard` the block goes, too.
    /// Everything is durable when this returns, or nothing was changed.
    ///
    /// # Errors
    /// Why that cannot be done.
    pub fn rollback(&self, is_hard: bool) -> Result<RolledBack, RollbackError> {
        let top = self.top()?;
        let state = self.state()?.filter(|state| !state.is_before_first_block());
        let state = state.ok_or(RollbackError::Empty)?;
        let at = state.last_block_height;
        if top != at && top != at.next() {
            return Err(RollbackError::Apart { state: at, top });
        }
        if at == top && (top == state.initial_height || top == self.base()?) {
            return Err(RollbackError::First(top));
        }
        let mut batch = WriteBatch::default();
        self.forget_index(&mut batch, top)?;
        let before = if at == top { self.state_before(&state)? } else { state };
        let small = self.family(SMALL);
        // What only the state after the block told.
        batch.delete_cf(small, keys::at(Kind::Validators, top.plus(2)));
        batch.delete_cf(small, keys::at(Kind::Params, top.next()));
        batch.put_cf(small, keys::STATE, before.to_proto().encode_to_vec());
        if is_hard {
            self.forget_block(&mut batch, top)?;
        }
        let mut options = WriteOptions::default();
        options.set_sync(true);
        self.disk(self.db.write_opt(batch, &options))?;
        let top = if is_hard { top.prev() } else { top };
        Ok(RolledBack { state: before, top })
    }

    /// The state before the block that made `after`.
    fn state_before(&self, after: &State) -> Result<State, RollbackError> {
        let newest = after.last_block_height;
        let height = newest.prev();
        let (next, (header, id)) = (self.header(newest)?.0, self.header(height)?);
        let missing = RollbackError::Missing { what: "the consensus parameters", height: newest };
        let params = self.params(newest)?.ok_or(missing)?;
        let params = ConsensusParams::from_proto(&params)
            .map_err(|e| self.corrupt(format!("parameters of {newest}"), &e))?;
        // Exact unless that block changed them; then from when they were as they are is not kept.
        let since = |changed: Height, latest: Height| {
            if changed > latest { newest } else { changed }
        };
        Ok(State {
            version: next.version,
            last_block_height: height,
            last_block_id: id,
            last_block_time: header.time,
            next_validators: after.validators.clone(),
            validators: after.last_validators.clone(),
            last_validators: self.set(height)?,
            last_height_validators_changed: since(
                after.last_height_validators_changed,
                newest.next(),
            ),
            consensus_params: params,
            last_height_consensus_params_changed: since(
                after.last_height_consensus_params_changed,
                newest,
            ),
            last_results_hash: next.last_results_hash,
            app_hash: next.app_hash,
            chain_id: after.chain_id.clone(),
            initial_height: after.initial_height,
        })
    }

    fn header(&self, height: Height) -> Result<(Header, BlockId), RollbackError> {
        let block = self.decided(height)?;
        let block = block.ok_or(RollbackError::Missing { what: "the block", height })?;
        Ok((block.block.header().clone(), block.id))
    }

    fn set(&self, height: Height) -> Result<ValidatorSet, RollbackError> {
        let set = self.validators(height)?;
        let set = set.ok_or(RollbackError::Missing { what: "the validator set", height })?;
        let set = ValidatorSet::from_proto(&set);
        Ok(set.map_err(|e| self.corrupt(format!("validators of {height}"), &e))?)
    }

    /// The events of a height are indexed once more when it has been executed again.
    fn forget_index(&self, batch: &mut WriteBatch, height: Height) -> Result<(), StoreError> {
        if let Some(response) = self.response(height)? {
            for key in rows_of(height, &response).into_keys() {
                batch.delete_cf(self.family(EVENTS), key);
            }
        }
        if self.indexed()? >= height {
            batch.put_cf(self.family(EVENTS), keys::INDEXED, keys::height(height.prev()));
        }
        Ok(())
    }

    /// Everything that was stored with the newest block.
    fn forget_block(&self, batch: &mut WriteBatch, height: Height) -> Result<(), RollbackError> {
        let block = self.block(height)?;
        let block = block.ok_or(RollbackError::Missing { what: "the block", height })?;
        let small = self.family(SMALL);
        self.forget_txs(batch, &block);
        for evidence in block.evidence() {
            let hash = evidence.hash();
            batch.delete_cf(small, keys::of(Kind::EvidenceDone, hash.as_bytes()));
        }
        batch.delete_cf(small, keys::of(Kind::Hash, block.hash().as_bytes()));
        batch.delete_cf(small, keys::at(Kind::Meta, height));
        batch.delete_cf(small, keys::at(Kind::Seen, height));
        batch.delete_cf(small, keys::at(Kind::Commit, height.prev()));
        batch.delete_cf(self.family(BLOCKS), keys::height(height));
        batch.delete_cf(self.family(RESPONSES), keys::height(height));
        batch.put_cf(small, keys::TOP, keys::height(height.prev()));
        Ok(())
    }
}
