//! A second opinion: `tendermint-abci`'s client against our server over TCP, and an application
//! written for its trait behind our adapter.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use guts_abci::kvstore::{self, Memory};
use guts_abci::proto::abci::{
    RequestApplySnapshotChunk, RequestEcho, RequestExtendVote, RequestFinalizeBlock, RequestInfo,
    RequestInitChain, RequestLoadSnapshotChunk, RequestOfferSnapshot, RequestPrepareProposal,
    RequestQuery, RequestVerifyVoteExtension, ResponseCheckTx, ResponseCommit,
    ResponseFinalizeBlock, ResponseInfo, ResponseQuery,
};
use guts_abci::socket::Client;
use guts_abci::{Address, adapter};
use tendermint_abci::ClientBuilder;

use crate::harness::{Running, check_tx, in_time};

/// Connects `tendermint-abci`'s client.
fn foreign_client(address: &Address) -> tendermint_abci::Client {
    let Address::Tcp(authority) = address else { panic!("a TCP socket is needed") };
    ClientBuilder::default().connect(authority).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tendermint_abcis_client_reads_every_answer() {
    let running = Running::tcp(kvstore::served(Arc::new(Memory::new()))).await;
    let address = running.address.clone();
    let talk = move || {
        let mut client = foreign_client(&address);
        assert_eq!(client.echo(RequestEcho { message: "hi".into() }).unwrap().message, "hi");
        assert_eq!(client.info(RequestInfo::default()).unwrap().last_block_height, 0);
        client.init_chain(RequestInitChain::default()).unwrap();
        assert_eq!(client.check_tx(check_tx("a=1")).unwrap().code, 0);
        assert_eq!(client.check_tx(check_tx("a")).unwrap().code, 2);
        // A block of two megabytes, in many reads.
        let long = Bytes::from(format!("long={}", "x".repeat(2 << 20)));
        let txs = vec![Bytes::from_static(b"a=1"), long];
        let block = RequestFinalizeBlock { txs, height: 1, ..Default::default() };
        assert_eq!(client.finalize_block(block).unwrap().tx_results.len(), 2);
        client.commit().unwrap();
        client.flush().unwrap();
        let query = |key: &'static [u8]| RequestQuery { data: key.into(), ..Default::default() };
        assert_eq!(client.query(query(b"a")).unwrap().value, &b"1"[..]);
        assert_eq!(client.query(query(b"long")).unwrap().value.len(), 2 << 20);
        assert!(
            client.extend_vote(RequestExtendVote::default()).unwrap().vote_extension.is_empty()
        );
        let verify = RequestVerifyVoteExtension::default();
        assert_eq!(client.verify_vote_extension(verify).unwrap().status, 1);
        assert!(client.list_snapshots().unwrap().snapshots.is_empty());
        assert_eq!(client.offer_snapshot(RequestOfferSnapshot::default()).unwrap().result, 3);
        let load = RequestLoadSnapshotChunk::default();
        assert!(client.load_snapshot_chunk(load).unwrap().chunk.is_empty());
        let apply = RequestApplySnapshotChunk::default();
        assert_eq!(client.apply_snapshot_chunk(apply).unwrap().result, 2);
    };
    in_time(tokio::task::spawn_blocking(talk)).await.unwrap();
    running.stop().await.unwrap();
}

/// Counts transactions, as an application for `tendermint-abci` would.
#[derive(Clone, Default)]
struct Counter {
    state: Arc<Mutex<(i64, u64)>>,
    pending: Arc<Mutex<(i64, u64)>>,
}

impl tendermint_abci::Application for Counter {
    fn info(&self, _: RequestInfo) -> ResponseInfo {
        ResponseInfo { last_block_height: self.state.lock().unwrap().0, ..Default::default() }
    }

    fn check_tx(&self, request: guts_abci::proto::abci::RequestCheckTx) -> ResponseCheckTx {
        ResponseCheckTx { code: u32::from(request.tx.is_empty()), ..Default::default() }
    }

    fn query(&self, _: RequestQuery) -> ResponseQuery {
        let count = self.state.lock().unwrap().1;
        ResponseQuery { value: count.to_string().into(), ..Default::default() }
    }

    fn finalize_block(&self, request: RequestFinalizeBlock) -> ResponseFinalizeBlock {
        let count = self.state.lock().unwrap().1 + request.txs.len() as u64;
        *self.pending.lock().unwrap() = (request.height, count);
        ResponseFinalizeBlock { app_hash: count.to_string().into(), ..Default::default() }
    }

    fn commit(&self) -> ResponseCommit {
        *self.state.lock().unwrap() = *self.pending.lock().unwrap();
        ResponseCommit::default()
    }
}

#[tokio::test]
async fn an_application_for_tendermint_abci_is_served() {
    let running = Running::unix(adapter::served(Counter::default())).await;
    let client = Client::connect(&running.address).await.unwrap();
    assert_eq!(client.info(RequestInfo::default()).await.unwrap().last_block_height, 0);
    assert_eq!(client.check_tx(check_tx("")).await.unwrap().code, 1);
    assert_eq!(client.check_tx(check_tx("x")).await.unwrap().code, 0);
    let txs = vec![Bytes::from_static(b"x"); 3];
    let proposal =
        RequestPrepareProposal { txs: txs.clone(), max_tx_bytes: 2, ..Default::default() };
    assert_eq!(client.prepare_proposal(proposal).await.unwrap().txs.len(), 2);
    let block = RequestFinalizeBlock { txs, height: 1, ..Default::default() };
    assert_eq!(client.finalize_block(block).await.unwrap().app_hash, &b"3"[..]);
    client.commit(Default::default()).await.unwrap();
    assert_eq!(client.query(RequestQuery::default()).await.unwrap().value, &b"3"[..]);
    assert_eq!(client.info(RequestInfo::default()).await.unwrap().last_block_height, 1);
    drop(client);
    running.stop().await.unwrap();
}
