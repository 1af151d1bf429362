//! Nothing goes wrong: four nodes, one chain, everything readable everywhere.

use crate::network::{Network, eventually};
use sha2::{Digest, Sha256};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_nodes_agree_and_a_commit_is_readable_at_once() {
    let network = Network::start(4, &[]).await;
    network.reach(1).await;
    for (i, node) in network.nodes.iter().enumerate() {
        let (key, value) = (format!("key{i}"), format!("value{i}"));
        let height = node.commit(&key, &value).await;
        let hash = Sha256::digest(format!("{key}={value}"));
        let tx = node.client().tx(&hash, true).await.expect("found by hash when committed");
        assert_eq!(tx.height, height);
        assert_eq!(tx.proof.unwrap().data.0, format!("{key}={value}").into_bytes());
        let height = u64::try_from(height).unwrap();
        let client = node.client();
        let results = client.block_results(Some(height)).await.unwrap();
        assert_eq!(results.txs_results.len(), 1);
        let header = client.header(Some(height)).await.unwrap().header.unwrap();
        assert_eq!(header.height as u64, height);
        let commit = client.commit(Some(height)).await.unwrap().unwrap();
        assert_eq!(commit.signed_header.header, header);
        network.reach(height as i64).await;
        network.assert_agree(height).await;
    }
    let node = &network.nodes[0];
    let status = node.until("in step", |status| !status.sync_info.catching_up).await;
    assert!(status.node_info.version.starts_with("0.38.25"));
    assert_eq!(status.node_info.id.len(), 40, "clients parse CometBFT's form of an id");
    let top = u64::try_from(status.sync_info.latest_block_height).unwrap();
    assert_eq!(node.client().validators(top + 1).await.unwrap().len(), 4);
    let client = node.client();
    let peers = || async { client.net_info().await.ok().filter(|net| net.n_peers == 3) };
    assert!(eventually(peers).await.is_some(), "three peers");
    assert_eq!(network.nodes[3].value("key0").await, "value0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_nodes_agree_over_quic_alone_and_one_that_was_killed_comes_back() {
    let mut network = Network::start(4, &["p2p.transports=quic", "log_level=debug"]).await;
    network.reach(1).await;
    let height = network.nodes[0].commit("before", "1").await;
    network.reach(height).await;
    let tcp = tokio::net::TcpStream::connect(network.nodes[0].p2p()).await;
    assert!(tcp.is_err(), "nobody listens on TCP");
    network.nodes[3].kill_engine();
    network.nodes[1].commit("without", "it").await;
    network.nodes[3].start_engine();
    let height = network.nodes[3].commit("with", "it").await;
    network.reach(height).await;
    network.assert_agree(u64::try_from(height).unwrap()).await;
    assert_eq!(network.nodes[3].value("without").await, "it");
    // Who ends says so: nobody has to find out by waiting.
    let first = network.nodes[0].client();
    let all = || async { first.net_info().await.ok().filter(|net| net.n_peers == 3) };
    assert!(eventually(all).await.is_some(), "three peers");
    let farewells = |log: String| {
        let is_one = |line: &&str| line.contains("connection closed") && line.contains("by peer");
        log.lines().filter(is_one).count()
    };
    let before = farewells(network.nodes[0].log());
    assert!(network.nodes[3].end_engine());
    let heard = || async { (farewells(network.nodes[0].log()) > before).then_some(()) };
    assert!(eventually(heard).await.is_some(), "{}", network.nodes[0].log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_waits_for_its_application_ends_when_it_is_told_to() {
    let mut network = Network::new(1, &[]);
    network.nodes[0].start_engine();
    let node = &network.nodes[0];
    let waits = || async { node.log().contains("waiting for the application").then_some(()) };
    assert!(eventually(waits).await.is_some(), "{}", node.log());
    let pid = rustix::process::Pid::from_raw(node.pid().try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(network.nodes[0].ended().await, Some(0), "{}", network.nodes[0].log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chain_of_one_rests_and_wakes() {
    let mut network = Network::start(1, &["consensus.create_empty_blocks_interval=1h"]).await;
    network.reach(1).await;
    let height = network.nodes[0].commit("a", "1").await;
    let after = network.nodes[0].reach(height + 1).await.sync_info.latest_block_height;
    assert_eq!(after, height + 1, "one more block proves the app hash, then it rests");
    assert!(network.nodes[0].end_engine(), "SIGTERM is a good end");
    network.nodes[0].start_engine();
    network.reach(after).await;
    assert!(network.nodes[0].commit("b", "2").await > after);
}
