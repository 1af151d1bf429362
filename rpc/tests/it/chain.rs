//! A backend that holds the recorded chain of 26 heights, its kvstore and a mempool's cache.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::FutureExt as _;
use guts_rpc::events::Batch;
use guts_rpc::search::Search;
use guts_rpc::{Backend, Dial, Heights, Query, Replies, Reply, RpcError, TxHit, types};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::sync::broadcast;

use crate::requests::vector;

fn get<T: serde::de::DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap_or_else(|e| panic!("{e}: {value}"))
}

/// The node of one of the recording's states.
pub struct Chain {
    data: Value,
    top: u64,
    /// Answers that do not follow from the chain, from the recording itself.
    pub status: Option<types::StatusResult>,
    pub net_info: Option<types::NetInfo>,
    pub rounds: (Option<types::ConsensusState>, Option<types::DumpConsensusState>),
    metas: Vec<types::BlockMeta>,
    cache: Mutex<HashSet<Vec<u8>>>,
    pending: Mutex<Vec<Vec<u8>>>,
    pub pending_max: usize,
    pub events: broadcast::Sender<Arc<Batch>>,
    pub is_indexed: bool,
}

type Answer<T> = Result<T, RpcError>;

fn ready<'a, T: Send + 'a>(answer: Answer<T>) -> Reply<'a, T> {
    std::future::ready(answer).boxed()
}

pub fn sha256(bytes: &[u8]) -> Vec<u8> {
    Sha256::digest(bytes).to_vec()
}

/// Bytes of a transaction, at most, in the recording's nodes.
const TX_BYTES_MAX: usize = 10_240;

impl Chain {
    /// The chain up to height `top`.
    pub fn new(top: u64) -> Self {
        let metas = vector("rpc/blockchain.json");
        let mut by_height = std::collections::BTreeMap::new();
        for case in metas["cases"].as_array().unwrap() {
            let body: Value = serde_json::from_str(case["response"]["body"].as_str().unwrap())
                .unwrap_or_default();
            let of_final = case["state"] == "final";
            for meta in body["result"]["block_metas"].as_array().into_iter().flatten() {
                if of_final {
                    let meta: types::BlockMeta = get(meta);
                    by_height.insert(meta.header.height, meta);
                }
            }
        }
        Self {
            data: vector("rpc/chain.json"),
            top,
            status: None,
            net_info: None,
            rounds: (None, None),
            metas: by_height.into_values().collect(),
            cache: Mutex::default(),
            pending: Mutex::default(),
            pending_max: 5_000,
            events: broadcast::channel(64).0,
            is_indexed: true,
        }
    }

    pub fn remember(&self, tx: &str) {
        self.cache.lock().unwrap().insert(tx.as_bytes().to_vec());
    }

    pub fn wait(&self, tx: &str) {
        self.remember(tx);
        self.pending.lock().unwrap().push(tx.as_bytes().to_vec());
    }

    fn at(&self, height: u64, what: &str) -> &Value {
        match height.checked_sub(1).and_then(|at| self.data["heights"].get(at as usize)) {
            Some(height) => &height[what],
            None => {
                &self.data[match what {
                    "validators" => "next_validators",
                    _ => "next_consensus_params",
                }]
            }
        }
    }

    /// What the recording has of a height.
    pub fn get<T: serde::de::DeserializeOwned>(&self, height: u64, what: &str) -> T {
        get(self.at(height, what))
    }

    fn find(&self, hash: &[u8]) -> Option<types::TxResponse> {
        let hash = hex::encode_upper(hash);
        let found = self.data["txs"].as_array().unwrap().iter().find(|tx| tx["hash"] == *hash)?;
        Some(get(found))
    }

    /// Every transaction of the chain.
    fn all_txs(&self) -> impl Iterator<Item = types::TxResponse> {
        let txs = self.data["txs"].as_array().unwrap().iter();
        txs.filter(|_| self.top > 0).map(get::<types::TxResponse>)
    }

    /// As the recording's node judges evidence, as far as the recording goes.
    fn judge(evidence: &types::Evidence) -> Answer<types::EvidenceHash> {
        let types::Evidence::DuplicateVote(votes) = evidence else {
            return Err(RpcError::internal("not recorded"));
        };
        let key = |vote: &types::Vote| vote.block_id.hash.clone();
        if key(&votes.vote_a) >= key(&votes.vote_b) {
            let why = "evidence.ValidateBasic failed: duplicate votes in invalid order";
            return Err(RpcError::internal(why));
        }
        let is_good = votes.validator_power == 11 && votes.vote_b.signature.0[0] != 0x18;
        match is_good {
            true => Ok(types::EvidenceHash { hash: vec![1; 32].into() }),
            false => Err(RpcError::internal("failed to add evidence")),
        }
    }

    /// What the recording's application says to a transaction before it is in a block.
    fn check(tx: &[u8]) -> types::TxResult {
        let text = String::from_utf8_lossy(tx);
        let mut answer = types::TxResult { gas_wanted: 1, ..Default::default() };
        if text.starts_with("deny=") {
            answer.code = 5;
            answer.data = vec![0, 1, 0xFE, 0xFF].into();
            answer.log = "denied: <\"quoted\"> & é".into();
            answer.info = "info text".into();
            (answer.gas_wanted, answer.gas_used) = (7, 3);
            answer.codespace = "wire".into();
        } else if text.starts_with("rich=") {
            answer.data = b"check-data".to_vec().into();
            answer.log = "check log".into();
            answer.info = "check info".into();
            (answer.gas_wanted, answer.gas_used) = (11, 12);
            answer.codespace = "wire".into();
        } else if !text.contains('=') {
            answer = types::TxResult { code: 2, ..Default::default() };
        }
        answer
    }

    /// The mempool's part: size, cache, room, then the application.
    fn admit(&self, tx: &[u8]) -> Answer<types::TxResult> {
        if tx.len() > TX_BYTES_MAX {
            let len = tx.len();
            return Err(RpcError::internal(format!(
                "Tx too large. Max size is {TX_BYTES_MAX}, but got {len}"
            )));
        }
        let mut pending = self.pending.lock().unwrap();
        if pending.len() >= self.pending_max {
            let (len, bytes) = (pending.len(), pending.iter().map(Vec::len).sum::<usize>());
            return Err(RpcError::internal(format!(
                "mempool is full: number of txs {len} (max: {len}), total txs bytes {bytes} \
                 (max: 1073741824)"
            )));
        }
        if !self.cache.lock().unwrap().insert(tx.to_vec()) {
            return Err(RpcError::internal("tx already exists in cache"));
        }
        let answer = Self::check(tx);
        if answer.code == 0 {
            pending.push(tx.to_vec());
        } else {
            self.cache.lock().unwrap().remove(tx);
        }
        Ok(answer)
    }

    fn commit_tx(&self, tx: &[u8]) -> Answer<types::BroadcastTxCommit> {
        let prefix = |e: RpcError| {
            let data = e.data.unwrap_or_default();
            RpcError::internal(format!("error on broadcastTxCommit: {data}"))
        };
        let check_tx = self.admit(tx).map_err(prefix)?;
        let hash = sha256(tx);
        let (tx_result, height) = match self.find(&hash) {
            Some(found) => (found.tx_result, found.height),
            None if check_tx.code != 0 => (types::TxResult::default(), 0),
            None => {
                let late = "timed out waiting for tx to be included in a block";
                return Err(RpcError::internal(late));
            }
        };
        Ok(types::BroadcastTxCommit { check_tx, tx_result, hash: hash.into(), height })
    }

    fn answer_query(&self, query: &Query) -> types::AbciQuery {
        let mut answer = types::AbciQuery { key: query.data.clone().into(), ..Default::default() };
        match query.path.as_str() {
            "/rich" => {
                let op = |kind: &str, key: &[u8], data: &[u8]| types::ProofOp {
                    kind: kind.into(),
                    key: key.to_vec().into(),
                    data: data.to_vec().into(),
                };
                let ops = vec![op("wire:v", b"k", b"proof"), op("wire:m", b"", b"")];
                (answer.code, answer.index, answer.height) = (3, 4, 77);
                (answer.log, answer.info) = ("rich log".into(), "rich info".into());
                answer.codespace = "wire".into();
                answer.key = b"k".to_vec().into();
                answer.value = vec![0, 1, 0xFF].into();
                answer.proof_ops = Some(types::ProofOps { ops });
            }
            "/val" => {
                // A validator update in protobuf behind its length: the key, then its power.
                let mut value = vec![0x26, 0x0A, 0x22, 0x0A, 0x20];
                value.extend_from_slice(&query.data);
                value.extend_from_slice(&[0x10, 20]);
                answer.value = value.into();
            }
            _ => {
                let sent = self.data["sent_txs"].as_array().unwrap().iter();
                let mut prefix = query.data.to_vec();
                prefix.push(b'=');
                let found = sent
                    .filter_map(Value::as_str)
                    .filter(|_| self.top > 0)
                    .find_map(|tx| tx.as_bytes().strip_prefix(&prefix[..]));
                answer.log = if found.is_some() { "exists" } else { "does not exist" }.into();
                answer.value = found.unwrap_or_default().to_vec().into();
                answer.index = if query.prove { -1 } else { 0 };
                answer.height = self.top as i64;
            }
        }
        answer
    }
}

impl Backend for Chain {
    fn heights(&self) -> Heights {
        Heights { base: u64::from(self.top > 0), top: self.top }
    }
    fn status(&self) -> Reply<'_, types::StatusResult> {
        ready(Ok(self.status.clone().expect("a state with a status")))
    }
    fn net_info(&self) -> Reply<'_, types::NetInfo> {
        ready(Ok(self.net_info.clone().expect("a state with peers")))
    }
    fn consensus_state(&self) -> Reply<'_, types::ConsensusState> {
        ready(Ok(self.rounds.0.clone().expect("a state with a round")))
    }
    fn dump_consensus_state(&self) -> Reply<'_, types::DumpConsensusState> {
        ready(Ok(self.rounds.1.clone().expect("a state with a round")))
    }
    fn genesis(&self) -> Reply<'_, types::GenesisResult> {
        let genesis = serde_json::value::to_raw_value(&self.data["genesis"]).unwrap();
        ready(Ok(types::GenesisResult { genesis }))
    }
    fn block(&self, height: u64) -> Reply<'_, types::BlockResult> {
        ready(Ok(get(self.at(height, "block"))))
    }
    fn block_by_hash(&self, hash: Vec<u8>) -> Reply<'_, Option<types::BlockResult>> {
        let hash = hex::encode_upper(hash);
        let mut heights = self.data["heights"].as_array().unwrap().iter();
        let found = heights.find(|height| height["block"]["block_id"]["hash"] == *hash);
        ready(Ok(found.map(|height| get(&height["block"]))))
    }
    fn block_results(&self, height: u64) -> Reply<'_, types::BlockResults> {
        ready(Ok(get(self.at(height, "block_results"))))
    }
    fn block_metas(&self, min: u64, max: u64) -> Reply<'_, Vec<types::BlockMeta>> {
        let metas = self.metas.iter().rev();
        let is_asked =
            |meta: &&types::BlockMeta| (min..=max).contains(&(meta.header.height as u64));
        ready(Ok(metas.filter(is_asked).cloned().collect()))
    }
    fn header(&self, height: u64) -> Reply<'_, types::Header> {
        ready(Ok(get(&self.at(height, "header")["header"])))
    }
    fn commit(&self, height: u64) -> Reply<'_, types::CommitResult> {
        ready(Ok(get(self.at(height, "commit"))))
    }
    fn validators(&self, height: u64) -> Reply<'_, Vec<types::Validator>> {
        ready(Ok(get(&self.at(height, "validators")["validators"])))
    }
    fn consensus_params(&self, height: u64) -> Reply<'_, types::ConsensusParams> {
        ready(Ok(get(&self.at(height, "consensus_params")["consensus_params"])))
    }
    fn abci_info(&self) -> Reply<'_, types::AbciInfoResult> {
        if self.top > 0 {
            return ready(Ok(get(&self.data["abci_info"])));
        }
        let response = types::AbciInfo {
            data: "{\"size\":0}".into(),
            version: "2.0.0".into(),
            app_version: 1,
            last_block_app_hash: vec![0; 8].into(),
            ..Default::default()
        };
        ready(Ok(types::AbciInfoResult { response }))
    }
    fn abci_query(&self, query: Query) -> Reply<'_, types::AbciQueryResult> {
        ready(Ok(types::AbciQueryResult { response: self.answer_query(&query) }))
    }
    fn broadcast_txs_async(&self, txs: Vec<Bytes>) -> Replies<'_, types::BroadcastTx> {
        let told = |tx: Bytes| {
            let hash = sha256(&tx).into();
            self.admit(&tx).map(|_| types::BroadcastTx { hash, ..Default::default() })
        };
        Box::pin(std::future::ready(txs.into_iter().map(told).collect()))
    }
    fn broadcast_tx_sync(&self, tx: Bytes) -> Reply<'_, types::BroadcastTx> {
        let hash = sha256(&tx).into();
        ready(self.admit(&tx).map(|check| types::BroadcastTx {
            code: check.code,
            data: check.data.0.into(),
            log: check.log,
            codespace: check.codespace,
            hash,
        }))
    }
    fn broadcast_tx_commit(&self, tx: Bytes) -> Reply<'_, types::BroadcastTxCommit> {
        ready(self.commit_tx(&tx))
    }
    fn tx(&self, hash: Vec<u8>, prove: bool) -> Reply<'_, Option<types::TxResponse>> {
        if !self.is_indexed {
            return ready(Err(RpcError::internal("transaction indexing is disabled")));
        }
        let found = self.find(&hash).map(|mut found| {
            found.proof = found.proof.filter(|_| prove);
            found
        });
        ready(Ok(found))
    }
    fn tx_hits(&self, search: Search) -> Reply<'_, Vec<TxHit>> {
        if !self.is_indexed {
            return ready(Err(RpcError::internal("transaction indexing is disabled")));
        }
        let Some(plan) = search.plan("tx.height") else { return ready(Ok(Vec::new())) };
        let is_found =
            |tx: &types::TxResponse| plan.admits(tx.height.unsigned_abs(), &tx.tx_result.events);
        let found = self.all_txs().filter(is_found);
        let hit =
            |tx: types::TxResponse| TxHit { height: tx.height.unsigned_abs(), index: tx.index };
        let mut hits: Vec<_> = found.map(hit).collect();
        hits.sort_unstable();
        ready(Ok(hits))
    }
    fn txs_at(&self, hits: Vec<TxHit>, prove: bool) -> Reply<'_, Vec<types::TxResponse>> {
        let find = |hit: TxHit| {
            let is_it = |tx: &types::TxResponse| {
                (tx.height.unsigned_abs(), tx.index) == (hit.height, hit.index)
            };
            let mut found = self.all_txs().find(is_it).unwrap();
            found.proof = found.proof.filter(|_| prove);
            found
        };
        ready(Ok(hits.into_iter().map(find).collect()))
    }
    fn blocks_at(&self, heights: Vec<u64>) -> Reply<'_, Vec<types::BlockResult>> {
        ready(Ok(heights.into_iter().map(|height| get(self.at(height, "block"))).collect()))
    }
    fn block_hits(&self, search: Search) -> Reply<'_, Vec<u64>> {
        if !self.is_indexed {
            return ready(Err(RpcError::internal("block indexing is disabled")));
        }
        let Some(plan) = search.plan("block.height") else { return ready(Ok(Vec::new())) };
        let events = |height| {
            let results: types::BlockResults = get(self.at(height, "block_results"));
            results.finalize_block_events
        };
        ready(Ok((1..=self.top).filter(|height| plan.admits(*height, &events(*height))).collect()))
    }
    fn events(&self) -> Option<broadcast::Receiver<Arc<Batch>>> {
        Some(self.events.subscribe())
    }
    fn check_tx(&self, tx: Bytes) -> Reply<'_, types::TxResult> {
        ready(Ok(Self::check(&tx)))
    }
    fn unconfirmed_txs(&self, limit: u64) -> Reply<'_, types::UnconfirmedTxs> {
        let pending = self.pending.lock().unwrap();
        let txs: Vec<_> = pending.iter().take(limit as usize).map(|tx| tx.clone().into()).collect();
        let total_bytes = pending.iter().map(|tx| tx.len() as u64).sum();
        let (n_txs, total) = (txs.len() as u64, pending.len() as u64);
        ready(Ok(types::UnconfirmedTxs { n_txs, total, total_bytes, txs: Some(txs) }))
    }
    fn header_by_hash(&self, hash: Vec<u8>) -> Reply<'_, Option<types::Header>> {
        let hash = hex::encode_upper(hash);
        let mut heights = self.data["heights"].as_array().unwrap().iter();
        let found = heights.find(|height| height["block"]["block_id"]["hash"] == *hash);
        ready(Ok(found.map(|height| get(&height["header"]["header"]))))
    }
    fn dial(&self, _peers: Dial) -> Reply<'_, ()> {
        ready(Ok(()))
    }
    fn flush_mempool(&self) -> Reply<'_, types::Flushed> {
        self.pending.lock().unwrap().clear();
        self.cache.lock().unwrap().clear();
        ready(Ok(types::Flushed {}))
    }
    fn broadcast_evidence(&self, evidence: types::Evidence) -> Reply<'_, types::EvidenceHash> {
        ready(Self::judge(&evidence))
    }
    fn num_unconfirmed_txs(&self) -> Reply<'_, types::UnconfirmedTxs> {
        let pending = self.pending.lock().unwrap();
        let count = pending.len() as u64;
        let total_bytes = pending.iter().map(|tx| tx.len() as u64).sum();
        let answer = types::UnconfirmedTxs { n_txs: count, total: count, total_bytes, txs: None };
        ready(Ok(answer))
    }
}
