//! What an operator may do through RPC where that is switched on.

use crate::network::{Network, eventually};
use guts_rpc::types::{Dialing, Flushed};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_are_dialled_and_kept_and_the_mempool_is_emptied() {
    let settings = ["rpc.unsafe=true", "p2p.persistent_peers="];
    let mut network = Network::start(2, &settings).await;
    let client = network.nodes[0].client();
    let peers = || async { client.net_info().await.ok().map(|info| info.n_peers) };
    assert_eq!(eventually(peers).await, Some(0), "nobody is configured");
    let refused = client.call::<_, Value>("dial_seeds", json!({ "seeds": ["a@b"] })).await;
    assert!(refused.unwrap_err().to_string().contains("not a libp2p peer id"));

    let id = network.nodes[1].command("show-node-id").output().unwrap();
    let id = String::from_utf8(id.stdout).unwrap();
    let peer = format!("{}@{}", id.trim(), network.nodes[1].p2p());
    let dial = json!({ "peers": [peer], "persistent": true });
    let answer: Dialing = client.call("dial_peers", dial).await.unwrap();
    assert!(answer.log.contains("/net_info"), "{answer:?}");
    // Two of two must agree: they are connected.
    network.nodes[0].commit("together", "1").await;

    network.nodes[1].kill_engine();
    let alone = || async { (peers().await? == 0).then_some(()) };
    eventually(alone).await.expect("the other one is gone");
    client.broadcast_tx_sync(b"waits=1").await.unwrap();
    let again = client.broadcast_tx_sync(b"waits=1").await.unwrap_err().to_string();
    assert!(again.contains("tx already exists in cache"), "{again}");
    assert_eq!(client.num_unconfirmed_txs().await.unwrap().total, 1);
    client.call::<_, Flushed>("unsafe_flush_mempool", json!({})).await.unwrap();
    assert_eq!(client.num_unconfirmed_txs().await.unwrap().total, 0);
    client.broadcast_tx_sync(b"waits=1").await.unwrap();

    // Who is to be kept is dialled again.
    network.nodes[1].start_engine();
    network.nodes[0].commit("again", "1").await;
}
