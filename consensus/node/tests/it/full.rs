//! A disk that takes no more: the process ends, says what happened and what to do, and nothing that
//! a client saw is lost once there is room again.

use crate::network::Network;

/// Commits until the disk is full, makes room and looks for everything again.
async fn fill(settings: &[&str], blocks: u32, says: &str) {
    let mut network = Network::new(1, settings);
    let node = &mut network.nodes[0];
    node.start_app().await;
    node.start_engine_on_small_disk(blocks);
    let client = node.client();
    node.reach(1).await;
    let mut seen = Vec::new();
    for n in 0.. {
        let tx = format!("key{n}={}", "v".repeat(20_000));
        match client.broadcast_tx_commit(tx.as_bytes()).await {
            Ok(answer) => seen.push((n, answer.height)),
            // Slow, not full.
            Err(error) if error.to_string().contains("timed out waiting") => {}
            Err(_) => break,
        }
        assert!(n < 200, "the disk is small");
    }
    assert!(!seen.is_empty(), "{}", node.log());
    assert_eq!(node.ended().await, Some(1), "{}", node.log());
    let log = node.log();
    assert!(log.contains(says) && log.contains("make room"), "{log}");
    assert!(!log.contains("panicked"), "{log}");
    node.start_engine();
    let (_, last) = *seen.last().unwrap();
    node.reach(last).await;
    for (n, height) in seen {
        let block = node.client().block(u64::try_from(height).ok()).await.unwrap();
        let found = block
            .block
            .unwrap()
            .data
            .txs
            .iter()
            .any(|tx| String::from_utf8_lossy(&tx.0).starts_with(&format!("key{n}=")));
        assert!(found, "block {height} has transaction {n}");
    }
    assert!(node.commit("with", "room").await > last);
    assert_eq!(node.value("key0").await.len(), 20_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_cannot_be_written_ends_the_process() {
    // The store begins new files sooner than the log.
    fill(&["storage.memtables_mb=1"], 3072, "the write-ahead log cannot be written").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_cannot_be_written_ends_the_process() {
    // The log begins a new file with each height: the store is what grows.
    fill(&["storage.wal_segment_bytes=1"], 768, "the store cannot be written").await;
}
