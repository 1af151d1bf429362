//! Old headers, asked of a node that has a chain of them.
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use guts_rpc::client::{Client, ClientError, Transport};
use serde_json::{Value, json};
use tendermint::Time;
use tendermint::block::{self, parts};

use super::*;
use crate::chain::tests::{chain, hash, header};

/// A node with headers from 1 on, each of which names the one before it.
struct Node {
    headers: Vec<Header>,
    requests: AtomicUsize,
    /// What it gives at a time at most.
    at_a_time: usize,
    /// How many it gives beyond what was asked for.
    beyond: u64,
}

impl Node {
    fn new(count: u64) -> Self {
        let begun = Time::now();
        let mut headers: Vec<Header> = Vec::new();
        for at in 1..=count {
            let part_set_header = parts::Header::new(1, hash(0)).expect("a part");
            let before =
                headers.last().map(|last| block::Id { hash: last.hash(), part_set_header });
            headers.push(Header { last_block_id: before, ..header(at, begun) });
        }
        Self { headers, requests: AtomicUsize::new(0), at_a_time: 20, beyond: 0 }
    }

    fn at(&self, height: u64) -> &Header {
        &self.headers[usize::try_from(height).expect("small") - 1]
    }
}

impl Transport for Node {
    fn post(&self, body: Bytes) -> BoxFuture<'_, Result<Bytes, ClientError>> {
        self.requests.fetch_add(1, Ordering::SeqCst);
        let call: Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(call["method"], "blockchain");
        let number = |name: &str| call["params"][name].as_str().and_then(|text| text.parse().ok());
        let (min, max): (u64, u64) =
            (number("minHeight").expect("a height"), number("maxHeight").expect("a height"));
        let min = min.saturating_sub(self.beyond).max(1);
        let metas = (min..=max).rev().take(self.at_a_time);
        let metas: Vec<_> = metas.map(|at| json!({ "header": self.at(at) })).collect();
        let result = json!({ "last_height": "0", "block_metas": metas });
        let answer = json!({ "jsonrpc": "2.0", "id": call["id"], "result": result });
        async move { Ok(answer.to_string().into()) }.boxed()
    }
}

/// A chain on which the newest header of that node is believed.
fn believing(node: &Arc<Node>) -> Chain {
    chain(Client::over(node.clone()), node.headers.last().expect("one").clone())
}

#[tokio::test]
async fn all_headers_from_an_old_one_on_cost_a_request_for_twenty() {
    let node = Arc::new(Node::new(401));
    let mut chain = believing(&node);
    for at in 1..401 {
        assert_eq!(chain.header(at).await.expect("it is linked").hash(), node.at(at).hash());
    }
    assert_eq!(node.requests.load(Ordering::SeqCst), 400 / 20);
}

#[tokio::test]
async fn a_node_that_gives_fewer_at_a_time_is_asked_on() {
    let mut node = Node::new(30);
    node.at_a_time = 7;
    let node = Arc::new(node);
    let mut chain = believing(&node);
    assert_eq!(chain.header(20).await.expect("it is linked").hash(), node.at(20).hash());
    assert_eq!(chain.header(2).await.expect("it is linked").hash(), node.at(2).hash());
    assert_eq!(node.requests.load(Ordering::SeqCst), 2 + 3);
}

#[tokio::test]
async fn a_header_of_another_chain_is_not_believed() {
    let mut node = Node::new(30);
    node.headers[9].app_hash = node.headers[8].app_hash.clone();
    let node = Arc::new(node);
    let mut chain = believing(&node);
    assert!(chain.header(11).await.is_ok());
    let refused = chain.header(5).await.expect_err("it is not linked").to_string();
    assert!(refused.contains("header 10 of the node is not the one before 11"), "{refused}");
    assert!(chain.header(10).await.is_err(), "nor is it remembered");
}

#[tokio::test]
async fn an_older_header_is_not_taken_for_the_one_asked_for() {
    for beyond in [1, 5] {
        let mut node = Node::new(30);
        node.beyond = beyond;
        let node = Arc::new(node);
        let mut chain = believing(&node);
        // All that it gives is linked, and goes on below what was asked for.
        let refused = chain.header(20).await.expect_err("it is another").to_string();
        assert!(refused.contains("from 20 on, the node gave 1"), "{refused}");
        assert!(chain.behind.is_empty(), "nothing of it is remembered");
    }
}

#[tokio::test]
async fn how_far_back_is_bounded() {
    let node = Arc::new(Node::new(5_010));
    let mut chain = believing(&node);
    let far = chain.header(9).await.expect_err("too far").to_string();
    assert!(far.contains("more than 5000 before"), "{far}");
    assert_eq!(node.requests.load(Ordering::SeqCst), 0);
}
