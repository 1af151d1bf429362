//! Reading the store.

use super::keys::{self, Kind};
use super::{BLOCKS, RESPONSES, SMALL, Store, StoreError, TXS};
use bytes::Bytes;
use guts_abci::proto::{self, Message, abci as pb};
use guts_consensus::io::Decided;
use guts_consensus::types::{
    Block, BlockId, Evidence, ExtendedCommit, PartSet, SignedHeader, State, ValidatorSet,
};
use guts_genesis::{Height, Time};
use std::sync::Arc;

/// Blocks with the same transaction that are looked at for the one in which it succeeded.
const PLACES_MAX: usize = 100;

/// Where a transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TxPlace {
    /// Height of its block.
    pub height: Height,
    /// Its place in the block, from 0.
    pub index: u32,
}

fn number(bytes: &[u8]) -> Option<Height> {
    Some(Height(u64::from_be_bytes(bytes.get(..8)?.try_into().ok()?)))
}

impl Store {
    pub(super) fn small(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.entry(SMALL, key)
    }

    pub(super) fn entry(&self, family: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.disk(self.db.get_cf(self.family(family), key))
    }

    pub(super) fn has_base(&self) -> bool {
        matches!(self.small(keys::BASE), Ok(Some(_)))
    }

    /// The height that is kept at a key; zero if none is.
    pub(super) fn height_at(&self, family: &str, key: &[u8]) -> Result<Height, StoreError> {
        match self.entry(family, key)? {
            None => Ok(Height::ZERO),
            Some(bytes) => {
                number(&bytes).ok_or_else(|| self.corrupt("a height", &"not eight bytes"))
            }
        }
    }

    fn message<M: Message + Default>(
        &self,
        kind: Kind,
        height: Height,
    ) -> Result<Option<M>, StoreError> {
        let Some(bytes) = self.small(&keys::at(kind, height))? else { return Ok(None) };
        let what = || format!("{kind:?} of height {height}");
        M::decode(bytes.as_slice()).map(Some).map_err(|e| self.corrupt(what(), &e))
    }

    /// The lowest height stored; zero when empty.
    ///
    /// # Errors
    /// The disk's, or damage, as of all reads.
    pub fn base(&self) -> Result<Height, StoreError> {
        self.height_at(SMALL, keys::BASE)
    }

    /// The highest block stored; zero when empty. May be one above the committed state.
    pub fn top(&self) -> Result<Height, StoreError> {
        self.height_at(SMALL, keys::TOP)
    }

    /// Bytes of the block of a height.
    pub fn block_bytes(&self, height: Height) -> Result<Option<Bytes>, StoreError> {
        let found = self.disk(self.db.get_cf(self.family(BLOCKS), keys::height(height)))?;
        Ok(found.map(Bytes::from))
    }

    /// The block of a height.
    pub fn block(&self, height: Height) -> Result<Option<Block>, StoreError> {
        let Some(bytes) = self.block_bytes(height)? else { return Ok(None) };
        let block = Block::decode(bytes);
        block.map(Some).map_err(|e| self.corrupt(format!("block {height}"), &e))
    }

    /// Id, size, header and number of transactions of a block.
    pub fn meta(&self, height: Height) -> Result<Option<proto::types::BlockMeta>, StoreError> {
        self.message(Kind::Meta, height)
    }

    /// The precommits this node saw, and whether they carry extensions.
    pub fn seen(&self, height: Height) -> Result<Option<(ExtendedCommit, bool)>, StoreError> {
        let Some((bytes, extended)) = self.seen_bytes(height)? else { return Ok(None) };
        let bad = |e: &dyn std::fmt::Display| self.corrupt(format!("commit seen at {height}"), e);
        let wire = proto::types::ExtendedCommit::decode(bytes).map_err(|e| bad(&e))?;
        let commit = ExtendedCommit::from_proto(wire).map_err(|e| bad(&e))?;
        Ok(Some((commit, extended)))
    }

    /// The same, encoded.
    pub fn seen_bytes(&self, height: Height) -> Result<Option<(Bytes, bool)>, StoreError> {
        let Some(bytes) = self.small(&keys::at(Kind::Seen, height))? else { return Ok(None) };
        let mut bytes = Bytes::from(bytes);
        if bytes.is_empty() {
            return Err(self.corrupt(format!("commit seen at {height}"), &"it is empty"));
        }
        let flag = bytes.split_to(1);
        Ok(Some((bytes, flag[..] == [1])))
    }

    /// The commit of a height that the next block carries.
    pub fn commit(&self, height: Height) -> Result<Option<proto::types::Commit>, StoreError> {
        self.message(Kind::Commit, height)
    }

    /// The header of a height and the commit for it that the next block carries.
    pub fn signed_header(&self, height: Height) -> Result<Option<SignedHeader>, StoreError> {
        let (Some(meta), Some(commit)) = (self.meta(height)?, self.commit(height)?) else {
            return Ok(None);
        };
        let (header, commit) = (meta.header, Some(commit));
        SignedHeader::from_proto(proto::types::SignedHeader { header, commit })
            .map(Some)
            .map_err(|e| self.corrupt(format!("signed header {height}"), &e))
    }

    /// A decided block with its parts and commit.
    pub fn decided(&self, height: Height) -> Result<Option<Decided>, StoreError> {
        let (Some(bytes), Some(meta), Some((commit, extended))) =
            (self.block_bytes(height)?, self.meta(height)?, self.seen(height)?)
        else {
            return Ok(None);
        };
        let bad = |e: &dyn std::fmt::Display| self.corrupt(format!("block {height}"), e);
        let id = BlockId::from_proto(meta.block_id.as_ref()).map_err(|e| bad(&e))?;
        let block = Block::decode(bytes.clone()).map_err(|e| bad(&e))?;
        let set = PartSet::of_bytes(bytes);
        if set.header() != id.parts {
            return Err(bad(&"its bytes do not match its id"));
        }
        let parts = set.parts().cloned().map(Arc::new).collect();
        Ok(Some(Decided { id, block, parts, commit, extended }))
    }

    /// What the application answered to the block of a height.
    pub fn response(
        &self,
        height: Height,
    ) -> Result<Option<pb::ResponseFinalizeBlock>, StoreError> {
        let found = self.disk(self.db.get_cf(self.family(RESPONSES), keys::height(height)))?;
        let Some(bytes) = found else { return Ok(None) };
        let response = pb::ResponseFinalizeBlock::decode(bytes.as_slice());
        response.map(Some).map_err(|e| self.corrupt(format!("results of {height}"), &e))
    }

    /// Validators of a height, as stored.
    pub fn validators(
        &self,
        height: Height,
    ) -> Result<Option<proto::types::ValidatorSet>, StoreError> {
        self.message(Kind::Validators, height)
    }

    /// Validators of a height and the time in its header, for judging evidence.
    pub fn judged_by(&self, height: Height) -> Result<Option<(ValidatorSet, Time)>, StoreError> {
        let (Some(set), Some(meta)) = (self.validators(height)?, self.meta(height)?) else {
            return Ok(None);
        };
        let set = ValidatorSet::from_proto(&set);
        let set = set.map_err(|e| self.corrupt(format!("validators of {height}"), &e))?;
        Ok(Some((set, self.time_of(meta, height)?)))
    }

    /// The lowest height whose block has this time or a later one; the highest if all are older.
    pub fn first_since(&self, time: Time) -> Result<Height, StoreError> {
        let (mut from, mut to) = (self.base()?, self.top()?);
        while from < to {
            let middle = Height(from.0.midpoint(to.0));
            // One that is missing was pruned meanwhile.
            let is_older = match self.meta(middle)?.map(|meta| self.time_of(meta, middle)) {
                Some(found) => found? < time,
                None => true,
            };
            if is_older {
                from = middle.next();
            } else {
                to = middle;
            }
        }
        Ok(to)
    }

    fn time_of(&self, meta: proto::types::BlockMeta, height: Height) -> Result<Time, StoreError> {
        let time = Time::from_proto(meta.header.and_then(|h| h.time).as_ref());
        time.map_err(|e| self.corrupt(format!("header of {height}"), &e))
    }

    /// Parameters in force at a height.
    pub fn params(
        &self,
        height: Height,
    ) -> Result<Option<proto::types::ConsensusParams>, StoreError> {
        self.message(Kind::Params, height)
    }

    /// Height of the block with this header hash.
    pub fn height_of(&self, hash: &[u8]) -> Result<Option<Height>, StoreError> {
        Ok(self.small(&keys::of(Kind::Hash, hash))?.as_deref().and_then(number))
    }

    /// Where the transaction with this hash is. If it is in several blocks: the newest in which it
    /// succeeded, or else the newest, of the newest [`PLACES_MAX`].
    pub fn tx_place(&self, hash: &[u8]) -> Result<Option<TxPlace>, StoreError> {
        let mut places = Vec::new();
        if hash.len() != keys::HASH_BYTES {
            return Ok(None);
        }
        for row in self.db.prefix_iterator_cf(self.family(TXS), hash) {
            let (key, _) = self.disk(row)?;
            let Some(tail) = key.strip_prefix(hash) else { break };
            let index = tail.get(8..).and_then(|b| b.try_into().ok()).map(u32::from_be_bytes);
            let (Some(height), Some(index)) = (number(tail), index) else {
                return Err(self.corrupt("the place of a transaction", &"not twelve bytes"));
            };
            places.push(TxPlace { height, index });
        }
        let newest = places.last().copied();
        if places.len() > 1 {
            for place in places.into_iter().rev().take(PLACES_MAX) {
                if self.has_succeeded(place)? {
                    return Ok(Some(place));
                }
            }
        }
        Ok(newest)
    }

    fn has_succeeded(&self, place: TxPlace) -> Result<bool, StoreError> {
        let response = self.response(place.height)?;
        let result = response.as_ref().and_then(|it| it.tx_results.get(place.index as usize));
        Ok(result.is_some_and(|result| result.code == 0))
    }

    /// The engine's last state.
    pub fn state(&self) -> Result<Option<State>, StoreError> {
        let Some(bytes) = self.small(keys::STATE)? else { return Ok(None) };
        let bad = |e: &dyn std::fmt::Display| self.corrupt("the state", e);
        let wire = proto::state::State::decode(bytes.as_slice()).map_err(|e| bad(&e))?;
        State::from_proto(wire).map(Some).map_err(|e| bad(&e))
    }

    /// Evidence that is in a block already: its hash, and the height of the misbehaviour.
    ///
    /// # Errors
    /// The disk's, or an entry that is not what it should be.
    pub fn evidence_done(&self) -> Result<Vec<([u8; 32], Height)>, StoreError> {
        let mut found = Vec::new();
        let prefix = [Kind::EvidenceDone as u8];
        let from = rocksdb::IteratorMode::From(&prefix, rocksdb::Direction::Forward);
        for entry in self.db.iterator_cf(self.family(SMALL), from) {
            let (key, value) = self.disk(entry)?;
            if key.first() != prefix.first() {
                break;
            }
            let hash = key.get(1..).and_then(|hash| hash.try_into().ok());
            let height = value.as_ref().try_into().ok().map(u64::from_be_bytes);
            let (Some(hash), Some(height)) = (hash, height) else {
                return Err(self.corrupt("evidence", &"an entry of a wrong length"));
            };
            found.push((hash, Height(height)));
        }
        Ok(found)
    }

    /// Evidence that waits for a block.
    pub fn evidence(&self) -> Result<Vec<Evidence>, StoreError> {
        let mut found = Vec::new();
        let prefix = [Kind::Evidence as u8];
        let from = rocksdb::IteratorMode::From(&prefix, rocksdb::Direction::Forward);
        for entry in self.db.iterator_cf(self.family(SMALL), from) {
            let (key, value) = self.disk(entry)?;
            if key.first() != prefix.first() {
                break;
            }
            let bad = |e: &dyn std::fmt::Display| self.corrupt("evidence", e);
            let wire = proto::types::Evidence::decode(value.as_ref()).map_err(|e| bad(&e))?;
            found.push(Evidence::from_proto(wire).map_err(|e| bad(&e))?);
        }
        Ok(found)
    }
}
