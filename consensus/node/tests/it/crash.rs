//! Killed engines and applications: nothing that a client saw is lost, and nobody signs twice.

use crate::network::Network;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_node_catches_up_and_takes_part_again() {
    let mut network = Network::start(4, &["consensus.timeout_propose=500ms"]).await;
    network.reach(1).await;
    network.nodes[0].commit("a", "1").await;
    network.nodes[3].kill_engine();
    for i in 0..5 {
        network.nodes[i % 3].commit(&format!("while{i}"), "1").await;
    }
    let height = network.nodes[0].commit("last", "1").await;
    network.nodes[3].start_engine();
    network.nodes[3]
        .until("in step", |s| s.sync_info.latest_block_height >= height && !s.sync_info.catching_up)
        .await;
    // Two others would not be a quorum: it votes.
    network.nodes[2].kill_engine();
    let height = network.nodes[3].commit("with", "three").await;
    network.nodes[2].start_engine();
    network.reach(height).await;
    network.assert_agree(u64::try_from(height).unwrap()).await;
    assert_eq!(network.nodes[3].value("while4").await, "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_killed_at_once_lose_nothing_that_was_seen() {
    let mut network = Network::start(4, &[]).await;
    network.reach(1).await;
    for round in 0..3 {
        let key = format!("round{round}");
        let height = network.nodes[round].commit(&key, "kept").await;
        network.nodes.iter_mut().for_each(|node| node.kill_engine());
        network.nodes.iter_mut().for_each(|node| node.start_engine());
        network.reach(height).await;
        network.assert_agree(u64::try_from(height).unwrap()).await;
        let next = network.nodes[3].commit(&format!("after{round}"), "1").await;
        assert!(next > height);
        assert_eq!(network.nodes[3].value(&key).await, "kept");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_application_is_found_again_and_replayed() {
    let mut network = Network::start(4, &["consensus.timeout_propose=500ms"]).await;
    network.reach(1).await;
    network.nodes[0].commit("a", "1").await;
    for is_disk_lost in [false, true] {
        network.nodes[1].stop_app(is_disk_lost).await;
        let height = network.nodes[0].commit(&format!("without{is_disk_lost}"), "1").await;
        network.nodes[1].start_app().await;
        network.nodes[1].reach(height).await;
        assert_eq!(network.nodes[1].value(&format!("without{is_disk_lost}")).await, "1");
    }
    assert_eq!(network.nodes[1].value("a").await, "1", "replayed from the first block");
    let height = network.nodes[1].commit("again", "1").await;
    network.reach(height).await;
    network.assert_agree(u64::try_from(height).unwrap()).await;
}
