//! The part of an engine that the application sees: one block after the other, decided at once,
//! with the vote extensions of all validators that are up. Rests when nothing changes.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use guts_abci::extension_sign_bytes;
use guts_abci::proto::abci::{
    ExtendedCommitInfo, ExtendedVoteInfo, RequestCheckTx, RequestCommit, RequestExtendVote,
    RequestFinalizeBlock, RequestInitChain, RequestPrepareProposal, RequestProcessProposal,
    RequestVerifyVoteExtension, Validator,
};
use guts_abci::proto::google::protobuf::Timestamp;
use guts_abci::socket::Client;
use guts_rpc::client::{ClientError, Transport};
use guts_schema::Hash;
use guts_schema::ids::ValidatorAddress;
use guts_schema::sign::SecretKey;
use tokio::sync::{Notify, watch};

/// Header time of genesis, Unix seconds.
pub const GENESIS_S: i64 = 1_795_000_000;
/// The chain.
pub const CHAIN: &str = "guts-test";

/// What waits to be in a block, and who is up.
#[derive(Default)]
pub struct Pool {
    txs: Mutex<Vec<Bytes>>,
    wake: Notify,
    arrived: watch::Sender<()>,
    clients: OnceLock<Vec<Client>>,
    /// Validators that get no calls now.
    pub down: [AtomicBool; 4],
    /// No block is begun while this is locked.
    pub pause: tokio::sync::Mutex<()>,
    /// Seconds that header time is ahead of ten milliseconds a block.
    pub ahead_s: AtomicI64,
}

/// The RPC of one engine.
pub struct Rpc {
    pub pool: Arc<Pool>,
    pub node: usize,
}

impl Transport for Rpc {
    fn post(&self, body: Bytes) -> BoxFuture<'_, Result<Bytes, ClientError>> {
        async move {
            let call: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(call["method"], "broadcast_tx_sync");
            let tx: Bytes = STANDARD.decode(call["params"]["tx"].as_str().unwrap()).unwrap().into();
            let (code, log) = self.pool.check(self.node, &tx).await;
            let hash = Hash::of(&tx).to_string().to_uppercase();
            let result = serde_json::json!({
                "code": code, "data": "", "log": log, "codespace": "", "hash": hash,
            });
            let reply = serde_json::json!({"jsonrpc": "2.0", "id": call["id"], "result": result});
            Ok(reply.to_string().into())
        }
        .boxed()
    }
}

impl Pool {
    fn up(&self) -> impl Iterator<Item = (usize, &Client)> {
        let clients = self.clients.get().unwrap();
        clients.iter().enumerate().filter(|(i, _)| !self.down[*i].load(Ordering::SeqCst))
    }

    /// CheckTx everywhere; what the node asked says.
    async fn check(&self, node: usize, tx: &Bytes) -> (u32, String) {
        let mut answer = (1, "down".to_owned());
        for (i, client) in self.up() {
            let request = RequestCheckTx { tx: tx.clone(), r#type: 0 };
            let response = client.check_tx(request).await.unwrap();
            if i == node {
                answer = (response.code, response.log);
            }
        }
        if answer.0 == 0 {
            self.waiting().push(tx.clone());
            self.arrived.send_replace(());
            self.wake.notify_one();
        }
        answer
    }

    /// What waits to be in a block.
    pub fn waiting(&self) -> MutexGuard<'_, Vec<Bytes>> {
        self.txs.lock().unwrap()
    }

    /// Told when somebody waits for a block.
    pub async fn wait_waiting(&self) {
        let mut arrived = self.arrived.subscribe();
        let _ = arrived.wait_for(|_| !self.waiting().is_empty()).await;
    }

    pub fn wake(&self) {
        self.wake.notify_one();
    }
}

/// Decides blocks for ever.
pub struct Engine {
    pub pool: Arc<Pool>,
    pub keys: Vec<SecretKey>,
    heights: Vec<usize>,
    blocks: Vec<RequestFinalizeBlock>,
    app_hash: Bytes,
    last_commit: ExtendedCommitInfo,
}

impl Engine {
    pub async fn start(
        pool: Arc<Pool>,
        clients: Vec<Client>,
        keys: Vec<SecretKey>,
        genesis: RequestInitChain,
    ) {
        let mut app_hash = Bytes::new();
        for client in &clients {
            app_hash = client.init_chain(genesis.clone()).await.unwrap().app_hash;
        }
        let heights = vec![0; clients.len()];
        assert!(pool.clients.set(clients).is_ok());
        let last_commit = ExtendedCommitInfo::default();
        let mut engine = Self { pool, keys, heights, blocks: Vec::new(), app_hash, last_commit };
        let mut changed = true;
        loop {
            engine.catch_up().await;
            if !changed && engine.pool.txs.lock().unwrap().is_empty() {
                engine.pool.wake.notified().await;
                engine.catch_up().await;
            }
            let pool = engine.pool.clone();
            let _turn = pool.pause.lock().await;
            changed = engine.block().await;
        }
    }

    /// Replays to nodes that were down what they missed.
    async fn catch_up(&mut self) {
        for (i, client) in self.pool.up() {
            while self.heights[i] < self.blocks.len() {
                let block = self.blocks[self.heights[i]].clone();
                client.finalize_block(block).await.unwrap();
                client.commit(RequestCommit {}).await.unwrap();
                self.heights[i] += 1;
            }
        }
    }

    /// One block; whether it changed the state.
    async fn block(&mut self) -> bool {
        let height = self.blocks.len() as i64 + 1;
        // Ten milliseconds a block: a deadline of two minutes is many blocks away.
        let seconds = GENESIS_S + height / 100 + self.pool.ahead_s.load(Ordering::SeqCst);
        let nanos = (height % 100) as i32 * 10_000_000;
        let time = Some(Timestamp { seconds, nanos });
        let waiting: Vec<Bytes> = std::mem::take(&mut *self.pool.txs.lock().unwrap());
        // Who came up since the others caught up has blocks to hear of first.
        let newest = self.blocks.len();
        let up: Vec<_> = self.pool.up().filter(|(i, _)| self.heights[*i] == newest).collect();
        let proposer = up[height as usize % up.len()].1;
        let prepare = RequestPrepareProposal {
            max_tx_bytes: 4 << 20,
            txs: waiting.clone(),
            local_last_commit: Some(self.last_commit.clone()),
            height,
            time,
            ..Default::default()
        };
        let txs = proposer.prepare_proposal(prepare).await.unwrap().txs;
        let left = waiting.into_iter().filter(|tx| !txs.contains(tx));
        self.pool.txs.lock().unwrap().extend(left);
        let text = format!("{height} {:?} {txs:?}", self.app_hash);
        let hash = Bytes::copy_from_slice(Hash::of(text.as_bytes()).as_bytes());
        let mut votes = Vec::new();
        for (i, client) in &up {
            let (hash, txs) = (hash.clone(), txs.clone());
            let process = RequestProcessProposal { txs, hash, height, time, ..Default::default() };
            assert_eq!(client.process_proposal(process).await.unwrap().status, 1, "accepted");
            votes.push((*i, self.vote(client, *i, height, &hash_of(&text), time).await));
        }
        let decided = RequestFinalizeBlock { txs, hash, height, time, ..Default::default() };
        let mut hashes = Vec::new();
        for (i, client) in &up {
            for (_, vote) in votes.iter().filter(|(from, _)| from != i) {
                verify(client, vote, height, &decided.hash).await;
            }
            let response = client.finalize_block(decided.clone()).await.unwrap();
            hashes.push(response.app_hash);
            client.commit(RequestCommit {}).await.unwrap();
        }
        assert!(hashes.windows(2).all(|pair| pair[0] == pair[1]), "one app hash");
        let indices: Vec<usize> = up.iter().map(|(i, _)| *i).collect();
        indices.into_iter().for_each(|i| self.heights[i] += 1);
        self.blocks.push(decided);
        let votes = votes.into_iter().map(|(_, vote)| vote).collect();
        self.last_commit = ExtendedCommitInfo { round: 0, votes };
        std::mem::replace(&mut self.app_hash, hashes[0].clone()) != hashes[0]
    }

    async fn vote(
        &self,
        client: &Client,
        node: usize,
        height: i64,
        hash: &Bytes,
        time: Option<Timestamp>,
    ) -> ExtendedVoteInfo {
        let request = RequestExtendVote { hash: hash.clone(), height, time, ..Default::default() };
        let extension = client.extend_vote(request).await.unwrap().vote_extension;
        let key = &self.keys[node];
        let address = ValidatorAddress::of_key(&key.public()).to_vec().into();
        let signature = key.sign(&extension_sign_bytes(CHAIN, height, 0, &extension));
        ExtendedVoteInfo {
            validator: Some(Validator { address, power: 10 }),
            vote_extension: extension,
            extension_signature: signature.to_vec().into(),
            block_id_flag: 2,
        }
    }
}

fn hash_of(text: &str) -> Bytes {
    Bytes::copy_from_slice(Hash::of(text.as_bytes()).as_bytes())
}

async fn verify(client: &Client, vote: &ExtendedVoteInfo, height: i64, hash: &Bytes) {
    let request = RequestVerifyVoteExtension {
        hash: hash.clone(),
        validator_address: vote.validator.as_ref().unwrap().address.clone(),
        height,
        vote_extension: vote.vote_extension.clone(),
    };
    assert_eq!(client.verify_vote_extension(request).await.unwrap().status, 1, "accepted");
}
