//! Other implementations against this server, and this client against it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use guts_rpc::client::{Client, ClientError, Transport};
use guts_rpc::server::{Limits, Methods};
use guts_rpc::{Query, RpcError};
use serde_json::json;
use tendermint_light_client_verifier::options::Options;
use tendermint_light_client_verifier::types::{
    LightBlock, PeerId, Time, TrustThreshold, ValidatorSet,
};
use tendermint_light_client_verifier::{ProdVerifier, Verdict, Verifier};
use tendermint_rpc::client::CompatMode;
use tendermint_rpc::{Client as _, HttpClient, Paging};

use crate::chain::{Chain, sha256};
use crate::requests::vector;
use crate::wire::Server;

async fn server() -> Server {
    let mut chain = Chain::new(26);
    let status = vector("rpc/status.json");
    let body = status["cases"].as_array().unwrap().iter().find(|case| case["state"] == "final");
    let body: serde_json::Value =
        serde_json::from_str(body.unwrap()["response"]["body"].as_str().unwrap()).unwrap();
    chain.status = Some(serde_json::from_value(body["result"].clone()).unwrap());
    Server::start(Arc::new(chain), Limits::default(), Methods::default()).await
}

fn other(server: &Server) -> HttpClient {
    let url: tendermint_rpc::HttpClientUrl = format!("http://{}", server.address).parse().unwrap();
    HttpClient::builder(url).compat_mode(CompatMode::V0_38).build().unwrap()
}

#[tokio::test]
async fn the_client_of_tendermint_rs_reads_every_answer() {
    let server = server().await;
    let client = other(&server);
    client.health().await.unwrap();
    let status = client.status().await.unwrap();
    assert_eq!(status.sync_info.latest_block_height.value(), 26);
    assert_eq!(CompatMode::from_version(status.node_info.version).unwrap(), CompatMode::V0_38);
    // Its genesis type demands an app_state, which CometBFT leaves out when there is none.
    let genesis = client.genesis::<serde_json::Value>().await.unwrap_err().to_string();
    assert!(genesis.contains("missing field `app_state`"), "{genesis}");
    for height in 1..=26u32 {
        let block = client.block(height).await.unwrap();
        assert_eq!(block.block.header.hash(), block.block_id.hash, "height {height}");
        match client.block_results(height).await {
            Ok(results) => {
                let count = results.txs_results.unwrap_or_default().len();
                assert_eq!(count, block.block.data.len(), "height {height}");
            }
            // It does not read updates of some parameters only, as CometBFT prints them.
            Err(error) => assert_eq!(height, 19, "{error}"),
        }
        client.commit(height).await.unwrap();
        client.consensus_params(height).await.unwrap();
        client.header(height).await.unwrap();
        let found = client.block_by_hash(block.block_id.hash).await.unwrap();
        assert_eq!(found.block.unwrap().header, block.block.header);
        for tx in &block.block.data {
            let hash = tendermint::Hash::try_from(sha256(tx)).unwrap();
            let found = client.tx(hash, true).await.unwrap();
            assert_eq!((&found.tx, found.height.value()), (tx, u64::from(height)));
            assert!(found.proof.is_some());
        }
    }
    assert_eq!(client.validators(27u32, Paging::All).await.unwrap().validators.len(), 4);
    assert_eq!(client.blockchain(1u32, 26u32).await.unwrap().block_metas.len(), 20);
    let info = client.abci_info().await.unwrap();
    assert_eq!(info.last_block_height.value(), 26);
    let found = client.abci_query(None, b"name".to_vec(), None, false).await.unwrap();
    assert_eq!(found.value, b"satoshi");
    let sent = client.broadcast_tx_sync(b"other=1".to_vec()).await.unwrap();
    assert!(sent.code.is_ok());
    let again = client.broadcast_tx_async(b"other=1".to_vec()).await.unwrap_err();
    assert!(again.to_string().contains("already exists in cache"), "{again}");
    let committed = client.broadcast_tx_commit(b"down=1".to_vec()).await.unwrap();
    assert_eq!(committed.height.value(), 21);
    server.stop().await;
}

async fn light_block(client: &HttpClient, height: u32) -> LightBlock {
    let signed_header = client.commit(height).await.unwrap().signed_header;
    let set = |validators: Vec<tendermint::validator::Info>| {
        ValidatorSet::with_proposer(validators, signed_header.header.proposer_address).unwrap()
    };
    let validators = set(client.validators(height, Paging::All).await.unwrap().validators);
    let next = client.validators(height + 1, Paging::All).await.unwrap().validators;
    let next = ValidatorSet::without_proposer(next);
    LightBlock::new(signed_header.clone(), validators, next, PeerId::new([0; 20]))
}

#[tokio::test]
async fn the_light_client_verifier_accepts_the_real_headers() {
    let server = server().await;
    let client = other(&server);
    let verifier = ProdVerifier::default();
    let options = Options {
        trust_threshold: TrustThreshold::ONE_THIRD,
        trusting_period: Duration::from_secs(14 * 24 * 3600),
        clock_drift: Duration::from_secs(10),
    };
    let trusted = light_block(&client, 2).await;
    for height in 3..=26 {
        let untrusted = light_block(&client, height).await;
        let now = (untrusted.time() + Duration::from_secs(1)).unwrap();
        let verdict = verify(&verifier, &trusted, &untrusted, &options, now);
        assert_eq!(verdict, Verdict::Success, "height {height}");
        let mut forged = untrusted.clone();
        forged.signed_header.header.app_hash = vec![7; 8].try_into().unwrap();
        let verdict = verify(&verifier, &trusted, &forged, &options, now);
        assert!(matches!(verdict, Verdict::Invalid(_)), "height {height}: {verdict:?}");
    }
    server.stop().await;
}

fn verify(
    verifier: &ProdVerifier,
    trusted: &LightBlock,
    untrusted: &LightBlock,
    options: &Options,
    now: Time,
) -> Verdict {
    verifier.verify_update_header(
        untrusted.as_untrusted_state(),
        trusted.as_trusted_state(),
        options,
        now,
    )
}

/// A node that says so many times that its mempool is full.
struct Full(AtomicUsize);

impl Transport for Full {
    fn post(&self, body: Bytes) -> BoxFuture<'_, Result<Bytes, ClientError>> {
        let call: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let is_full = |left: usize| left.checked_sub(1);
        let is_full = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, is_full).is_ok();
        let said = "mempool is full: number of txs 5000 (max: 5000), total txs bytes 8 (max: 9)";
        let answer = if is_full {
            json!({ "jsonrpc": "2.0", "id": call["id"], "error": RpcError::internal(said) })
        } else {
            let taken = json!({ "code": 0, "data": "", "log": "", "codespace": "", "hash": "" });
            json!({ "jsonrpc": "2.0", "id": call["id"], "result": taken })
        };
        async move { Ok(answer.to_string().into()) }.boxed()
    }
}

#[tokio::test]
async fn a_transaction_waits_for_room_as_long_as_its_sender_does() {
    let node = Arc::new(Full(AtomicUsize::new(2)));
    let client = Client::over(node.clone());
    let taken = client.broadcast_tx_when_room(b"a=1", Duration::from_secs(60)).await.unwrap();
    assert_eq!((taken.code, node.0.load(Ordering::Relaxed)), (0, 0));
    node.0.store(2, Ordering::Relaxed);
    let full = client.broadcast_tx_when_room(b"a=1", Duration::ZERO).await.unwrap_err();
    assert!(full.to_string().contains("mempool is full"), "{full}");
    assert_eq!(node.0.load(Ordering::Relaxed), 1, "it was asked once");
}

#[tokio::test]
async fn our_client_reads_every_answer() {
    let server = server().await;
    let client = Client::new(&server.address).unwrap();
    client.health().await.unwrap();
    assert_eq!(client.status().await.unwrap().sync_info.latest_block_height, 26);
    assert!(client.genesis().await.unwrap().genesis.get().contains("wire-chain"));
    let block = client.block(Some(9)).await.unwrap();
    let txs = block.block.unwrap().data.txs;
    assert_eq!(txs[1].0, b"fail=7");
    assert_eq!(client.block(None).await.unwrap().block.unwrap().header.height, 26);
    assert_eq!(
        client.block_by_hash(&block.block_id.hash.0).await.unwrap().block_id,
        block.block_id
    );
    assert_eq!(client.block_results(Some(9)).await.unwrap().txs_results[1].code, 7);
    assert_eq!(client.blockchain(24, 26).await.unwrap().block_metas.len(), 3);
    assert_eq!(client.header(Some(2)).await.unwrap().header.unwrap().height, 2);
    assert!(!client.commit(None).await.unwrap().unwrap().canonical);
    assert_eq!(client.validators(27).await.unwrap().len(), 4);
    let params = client.consensus_params(Some(20)).await.unwrap().consensus_params;
    assert_eq!(params.block.max_bytes, 3_000_000);
    assert_eq!(client.abci_info().await.unwrap().last_block_height, 26);
    let query = Query { data: b"name".to_vec().into(), ..Query::default() };
    assert_eq!(client.abci_query(query).await.unwrap().value.0, b"satoshi");
    assert_eq!(client.broadcast_tx_async(b"x=1").await.unwrap().hash.0, sha256(b"x=1"));
    assert_eq!(client.broadcast_tx_sync(b"deny=1").await.unwrap().code, 5);
    assert_eq!(client.broadcast_tx_commit(b"down=2").await.unwrap().height, 22);
    assert_eq!(client.tx(&sha256(b"fail=7"), true).await.unwrap().index, 1);
    assert_eq!(client.num_unconfirmed_txs().await.unwrap().total, 2);
    let unknown = client.tx(&[2; 32], false).await.unwrap_err();
    let ClientError::Rpc(error) = unknown else { panic!("{unknown}") };
    assert_eq!(error.code, RpcError::INTERNAL);
    server.stop().await;
}

#[tokio::test]
async fn our_client_sends_batches_of_any_length() {
    let server = server().await;
    let client = Client::new(&format!("http://{}/", server.address)).unwrap();
    let heights: Vec<_> =
        (1..=27).map(|height| serde_json::json!({ "height": height.to_string() })).collect();
    let blocks: Vec<Result<guts_rpc::types::BlockResult, _>> =
        client.batch("block", &heights).await.unwrap();
    assert_eq!(blocks.len(), 27);
    for (height, block) in (1..).zip(&blocks[..26]) {
        assert_eq!(block.as_ref().unwrap().block.as_ref().unwrap().header.height, height);
    }
    let beyond = blocks[26].as_ref().unwrap_err().to_string();
    assert!(beyond.contains("less than or equal to the current blockchain height 26"), "{beyond}");
    server.stop().await;
}

#[tokio::test]
async fn our_client_says_what_failed() {
    assert!(matches!(Client::new("https://127.0.0.1:1"), Err(ClientError::Address(_))));
    assert!(matches!(Client::new(""), Err(ClientError::Address(_))));
    // A port that is taken, and nobody listens.
    let taken = tokio::net::TcpSocket::new_v4().unwrap();
    taken.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let error = Client::new(&address).unwrap().health().await.unwrap_err();
    assert!(error.to_string().contains(&address), "{error}");
}
