//! Reads of the chain. A height is answered for only once it is shown: its block, its results and
//! its transactions become visible together.

use super::{Chain, Failed, internal, missing, page, reply};
use crate::store::Store;
use guts_abci::proto;
use guts_genesis::Height;
use guts_rpc::search::Search;
use guts_rpc::{Backend, Heights, PageRoom, Reply, TxHit, types};
use serde_json::value::RawValue;
use std::sync::atomic::Ordering;

/// Bytes of a block from which on it is not decoded between other answers.
const LONG_BYTES: i64 = 256 << 10;

impl Chain {
    pub(super) fn is_shown(&self, height: u64) -> bool {
        let heights = self.heights();
        height >= heights.base && height <= heights.top
    }

    /// Reads something of a block, given what there is of its meta data. That of a long block takes
    /// a while to read and to decode: it is done beside the tasks that answer.
    async fn read_of<T, F>(&self, height: u64, read: F) -> Result<T, Failed>
    where
        T: Send + 'static,
        F: FnOnce(&Store, Option<proto::types::BlockMeta>) -> Result<T, Failed> + Send + 'static,
    {
        let meta = self.meta_at(height)?;
        if meta.as_ref().is_none_or(|meta| meta.block_size < LONG_BYTES) {
            return read(&self.store, meta);
        }
        self.aside(move |store| read(store, meta)).await
    }

    async fn block_at(&self, height: u64) -> Result<types::BlockResult, Failed> {
        self.read_of(height, move |store, meta| Ok(page::block(store, height, meta)?.0)).await
    }

    /// Bytes of the genesis document as compact JSON, and how many there are.
    async fn compact_genesis(&self, from: u64, len: u64) -> Result<(Vec<u8>, u64), Failed> {
        let genesis = self.genesis.clone();
        let all = genesis.compact_len();
        // It may be large, and is on the disk.
        let part = self.searches.run(move |_| genesis.compact(from, len)).await?;
        Ok((part.map_err(|e| internal(&e))?, all))
    }

    fn meta_at(&self, height: u64) -> Result<Option<proto::types::BlockMeta>, Failed> {
        Ok(self.store.meta(Height(height))?)
    }

    pub(super) fn header_at(&self, height: u64) -> Result<Option<proto::types::Header>, Failed> {
        Ok(self.meta_at(height)?.and_then(|meta| meta.header))
    }

    pub(super) fn hash_at(&self, height: u64) -> Result<Vec<u8>, Failed> {
        let id = self.meta_at(height)?.and_then(|meta| meta.block_id);
        Ok(id.map(|id| id.hash).unwrap_or_default())
    }

    pub(super) fn commit_at(&self, height: u64) -> Result<types::CommitResult, Failed> {
        let header = self.header_at(height)?.ok_or_else(|| missing("header", height))?;
        // The next block may be stored already while it is not shown yet.
        let canonical = match height < self.heights().top {
            true => self.store.commit(Height(height))?,
            false => None,
        };
        let is_canonical = canonical.is_some();
        let commit = match canonical {
            Some(commit) => commit,
            None => {
                let seen = self.store.seen(Height(height))?;
                let (seen, _) = seen.ok_or_else(|| missing("commit", height))?;
                seen.to_commit().to_proto()
            }
        };
        let signed_header = types::SignedHeader { header: header.into(), commit: commit.into() };
        Ok(types::CommitResult { signed_header, canonical: is_canonical })
    }

    pub(super) async fn tx_by_hash(
        &self,
        hash: &[u8],
        prove: bool,
    ) -> Result<Option<types::TxResponse>, Failed> {
        let Some(place) = self.store.tx_place(hash)? else { return Ok(None) };
        if !self.is_shown(place.height.0) {
            return Ok(None);
        }
        let hit = TxHit { height: place.height.0, index: place.index };
        let read = move |store: &Store, _| page::txs(store, &[hit], prove, PageRoom::default());
        Ok(self.read_of(hit.height, read).await?.pop())
    }
}

impl Backend for Chain {
    fn heights(&self) -> Heights {
        // In the order opposite to that in which they are stored.
        let top = self.shown.top.load(Ordering::Acquire);
        Heights { base: self.shown.base.load(Ordering::Acquire), top }
    }

    fn genesis(&self) -> Reply<'_, types::GenesisResult> {
        reply(async {
            let genesis = self.genesis.clone();
            // It may be large, and is on the disk.
            let read = self.searches.run(move |_| {
                let whole = genesis.compact(0, u64::MAX).map_err(|e| internal(&e))?;
                let text = String::from_utf8(whole).map_err(|e| internal(&e))?;
                RawValue::from_string(text).map_err(|e| internal(&e))
            });
            Ok(types::GenesisResult { genesis: read.await?? })
        })
    }

    fn genesis_part(&self, from: u64, len: u64) -> Reply<'_, (Vec<u8>, u64)> {
        reply(self.compact_genesis(from, len))
    }

    fn block(&self, height: u64) -> Reply<'_, types::BlockResult> {
        reply(self.block_at(height))
    }

    fn block_by_hash(&self, hash: Vec<u8>) -> Reply<'_, Option<types::BlockResult>> {
        reply(async move {
            match self.store.height_of(&hash)? {
                Some(Height(height)) if self.is_shown(height) => {
                    Ok(Some(self.block_at(height).await?))
                }
                _ => Ok(None),
            }
        })
    }

    fn block_results(&self, height: u64) -> Reply<'_, types::BlockResults> {
        reply(self.read_of(height, move |store, _| {
            let response = page::response(store, height)?;
            Ok(types::BlockResults::new(Height(height).wire(), response))
        }))
    }

    fn block_metas(&self, min: u64, max: u64) -> Reply<'_, Vec<types::BlockMeta>> {
        reply(async move {
            let mut metas = Vec::new();
            for height in (min..=max).rev() {
                metas.extend(self.store.meta(Height(height))?.map(types::BlockMeta::from));
            }
            Ok(metas)
        })
    }

    fn header(&self, height: u64) -> Reply<'_, types::Header> {
        reply(async move {
            let header = self.header_at(height)?.ok_or_else(|| missing("header", height))?;
            Ok(header.into())
        })
    }

    fn commit(&self, height: u64) -> Reply<'_, types::CommitResult> {
        reply(async move { self.commit_at(height) })
    }

    fn validators(&self, height: u64) -> Reply<'_, Vec<types::Validator>> {
        reply(async move {
            let set = self.store.validators(Height(height))?;
            let set = set.ok_or_else(|| missing("validators", height))?;
            Ok(set.validators.into_iter().map(Into::into).collect())
        })
    }

    fn consensus_params(&self, height: u64) -> Reply<'_, types::ConsensusParams> {
        reply(async move {
            let params = self.store.params(Height(height))?;
            Ok(params.ok_or_else(|| missing("parameters", height))?.into())
        })
    }

    fn tx(&self, hash: Vec<u8>, prove: bool) -> Reply<'_, Option<types::TxResponse>> {
        reply(async move {
            self.check_indexed("transaction")?;
            self.tx_by_hash(&hash, prove).await
        })
    }

    fn tx_hits(&self, search: Search) -> Reply<'_, Vec<TxHit>> {
        self.find_txs(search)
    }

    fn txs_at(&self, hits: Vec<TxHit>, prove: bool) -> Reply<'_, Vec<types::TxResponse>> {
        reply(self.aside(move |store| page::txs(store, &hits, prove, PageRoom::default())))
    }

    fn block_hits(&self, search: Search) -> Reply<'_, Vec<u64>> {
        self.find_blocks(search)
    }

    fn blocks_at(&self, heights: Vec<u64>) -> Reply<'_, Vec<types::BlockResult>> {
        reply(self.aside(move |store| page::blocks(store, &heights, PageRoom::default())))
    }

    fn header_by_hash(&self, hash: Vec<u8>) -> Reply<'_, Option<types::Header>> {
        self.header_with(hash)
    }
}
