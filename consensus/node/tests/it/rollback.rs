//! `guts-engine rollback`: the newest block is executed again, or fetched again.

use crate::network::{Network, Node};

/// A chain at rest makes no block while it is looked at.
const RESTING: &str = "consensus.create_empty_blocks_interval=1h";

/// Whether it succeeded, and what it said.
fn rollback(node: &Node, args: &[&str]) -> (bool, String) {
    let output = node.command("rollback").args(args).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout) + &text(&output.stderr))
}

/// Commits `key=1` and waits for the block after it, which shows the result: then the chain rests.
async fn commit_and_rest(network: &Network, node: usize, key: &str) -> i64 {
    let height = network.nodes[node].commit(key, "1").await + 1;
    network.reach(height).await;
    height
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_newest_block_is_executed_again() {
    let mut network = Network::start(1, &[RESTING]).await;
    network.reach(1).await;
    let mut height = commit_and_rest(&network, 0, "a").await;
    let (done, said) = rollback(&network.nodes[0], &[]);
    assert!(!done && said.contains("in use by another guts-engine"), "{said}");
    // The application stays where it is, then it has lost everything.
    for is_disk_lost in [false, true] {
        let hash = network.nodes[0].reach(height).await.sync_info.latest_app_hash;
        assert!(network.nodes[0].end_engine());
        let (done, said) = rollback(&network.nodes[0], &[]);
        assert!(done && said.contains(&format!("state at height {}", height - 1)), "{said}");
        network.nodes[0].stop_app(is_disk_lost).await;
        network.nodes[0].start_app().await;
        network.nodes[0].start_engine();
        let again = network.nodes[0].reach(height).await.sync_info;
        assert_eq!((again.latest_block_height, again.latest_app_hash), (height, hash));
        assert_eq!(network.nodes[0].value("a").await, "1");
        height = commit_and_rest(&network, 0, &format!("after{is_disk_lost}")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleted_blocks_come_back_from_peers() {
    let mut network = Network::start(4, &[RESTING, "consensus.timeout_propose=500ms"]).await;
    network.reach(1).await;
    commit_and_rest(&network, 0, "a").await;
    let height = commit_and_rest(&network, 1, "b").await;
    assert!(network.nodes[3].end_engine());
    for below in 1..=3 {
        let (done, said) = rollback(&network.nodes[3], &["--hard"]);
        let state = format!("state at height {}", height - below);
        assert!(done && said.contains(&state) && said.contains("signed last at"), "{said}");
    }
    network.nodes[3].stop_app(true).await;
    network.nodes[3].start_app().await;
    network.nodes[3].start_engine();
    network.nodes[3].until("in step", |s| !s.sync_info.catching_up).await;
    network.nodes[3].reach(height).await;
    network.assert_agree(u64::try_from(height).unwrap()).await;
    assert_eq!(network.nodes[3].value("b").await, "1");
    // Two others would not be a quorum: it votes.
    network.nodes[2].kill_engine();
    let height = network.nodes[3].commit("with", "three").await;
    network.nodes[2].start_engine();
    network.reach(height).await;
    network.assert_agree(u64::try_from(height).unwrap()).await;
}
