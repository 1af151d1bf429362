//! Searches on a node that runs, and the index made anew.

use crate::network::{Network, Node, eventually};
use crate::requests::vector;
use guts_rpc::client::ClientError;
use guts_rpc::types::{
    BlockSearchResult, GenesisChunk, HeaderResult, TxResult, TxSearchResult, UnconfirmedTxs,
};
use serde_json::{Value, json};

async fn txs(node: &Node, query: &str) -> Result<TxSearchResult, ClientError> {
    let params = json!({ "query": query, "prove": true, "order_by": "desc" });
    node.client().call("tx_search", params).await
}

/// Asks until the index has caught up with `height`.
async fn indexed(node: &Node, key: &str) -> TxSearchResult {
    let ask = || async {
        let found = txs(node, &format!("app.key = '{key}'")).await.ok()?;
        (found.total_count == 1).then_some(found)
    };
    eventually(ask).await.expect("indexed")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transactions_and_blocks_are_found_by_their_events() {
    let mut network = Network::start(1, &[]).await;
    network.reach(1).await;
    let mut heights = Vec::new();
    for n in 0..4 {
        heights.push(network.nodes[0].commit(&format!("found{n}"), "x").await);
    }
    for round in 0..2 {
        let node = &network.nodes[0];
        let last = indexed(node, "found3").await;
        assert_eq!(last.txs[0].height, heights[3]);
        assert!(last.txs[0].proof.is_some());
        let range = format!("tx.height > {} AND app.index_key EXISTS", heights[0]);
        let found = txs(node, &range).await.unwrap();
        let got: Vec<i64> = found.txs.iter().map(|tx| tx.height).collect();
        assert_eq!(got, [heights[3], heights[2], heights[1]], "round {round}");
        let both = "app.creator = 'Cosmoshi Netowoko' AND app.key = 'x'";
        assert_eq!(txs(node, both).await.unwrap().total_count, 0, "not of one event");
        let all = txs(node, "tx.height > 0").await.unwrap();
        assert_eq!(all.total_count, 4);
        let hash = format!("tx.hash = '{}'", last.txs[0].hash);
        assert_eq!(txs(node, &hash).await.unwrap().txs, last.txs);
        let refused = txs(node, "app.key = 5 OR a = 1").await.unwrap_err().to_string();
        assert!(refused.contains("got tag, want 6"), "{refused}");
        let query = json!({ "query": format!("block.height >= {}", heights[2]), "per_page": "1" });
        let blocks: BlockSearchResult = node.client().call("block_search", query).await.unwrap();
        assert!(blocks.total_count >= 2 && blocks.blocks.len() == 1);
        assert!(network.nodes[0].end_engine());
        network.nodes[0].start_inspect();
        let node = &network.nodes[0];
        let ask = || async { node.client().block(Some(1)).await.ok() };
        assert!(eventually(ask).await.is_some(), "a stopped node is read");
        assert_eq!(txs(node, "tx.height > 0").await.unwrap(), all);
        assert!(node.client().status().await.is_err(), "what runs is not there");
        assert!(network.nodes[0].end_engine());
        let output = network.nodes[0].command("reindex").output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let output = network.nodes[0].command("compact").output().unwrap();
        assert!(output.status.success(), "{output:?}");
        network.nodes[0].start_engine();
        network.reach(heights[3]).await;
    }
    assert!(network.nodes[0].end_engine());
    network.nodes[0].settings.push("tx_index.indexer=null".into());
    network.nodes[0].start_engine();
    network.reach(heights[3]).await;
    let refused = txs(&network.nodes[0], "tx.height > 0").await.unwrap_err().to_string();
    assert!(refused.contains("transaction indexing is disabled"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_range_of_the_index_is_made_anew() {
    let mut network = Network::start(1, &["consensus.create_empty_blocks_interval=1h"]).await;
    network.reach(1).await;
    for n in 0..3 {
        network.nodes[0].commit(&format!("again{n}"), "x").await;
    }
    let last = indexed(&network.nodes[0], "again2").await.txs[0].height;
    let all = txs(&network.nodes[0], "app.key EXISTS").await.unwrap();
    // One more block, with the result: then the chain rests.
    network.reach(last + 1).await;
    let reindex = |node: &Node, args: &[&str]| {
        let output = node.command("reindex").args(args).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.success(), text(&output.stdout) + &text(&output.stderr))
    };
    let range = ["--start-height", "2", "--end-height", &last.to_string()];
    let (done, said) = reindex(&network.nodes[0], &range);
    assert!(!done && said.contains("in use by another guts-engine"), "{said}");
    assert!(said.contains("stop that one first"), "{said}");
    assert!(network.nodes[0].end_engine());
    let node = &network.nodes[0];
    let refusals = [
        (["--start-height=3", "--end-height=2"], "--end-height 2 is below --start-height 3"),
        (["--start-height=2", "--end-height=9999"], "above the last that was committed"),
        (["--start-height=2", "--set=tx_index.indexer=null"], "set tx_index.indexer to \"kv\""),
    ];
    for (args, words) in refusals {
        let (done, said) = reindex(node, &args);
        assert!(!done && said.contains(words), "{args:?}: {said}");
    }
    let (done, said) = reindex(node, &range);
    let words = format!("heights 2 to {last}; the index ends at {}", last + 1);
    assert!(done && said.contains(&words), "{said}");
    network.nodes[0].start_inspect();
    let node = &network.nodes[0];
    let ask = || async { txs(node, "app.key EXISTS").await.ok() };
    assert_eq!(eventually(ask).await.expect("a stopped node is read"), all);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_committed_is_read_at_once_as_at_cometbft() {
    let network = Network::start(1, &[]).await;
    network.reach(1).await;
    let node = &network.nodes[0];
    let client = node.client();
    let recorded = vector("rpc/tx_visibility.json");
    for (n, row) in recorded["rows"].as_array().unwrap().iter().enumerate() {
        let tx = format!("visible{n}=yes");
        let answer = client.broadcast_tx_commit(tx.as_bytes()).await.unwrap();
        let height = u64::try_from(answer.height).unwrap();
        // CometBFT needs a second try for some of them.
        let found = client.tx(&answer.hash.0, false).await.expect("at the first try");
        assert_eq!(found.height, answer.height);
        let block = client.block(Some(height)).await.unwrap().block.unwrap();
        let results = client.block_results(Some(height)).await.unwrap();
        let seen = json!({
            "abci_query": node.value(&format!("visible{n}")).await == "yes",
            "block": block.data.txs.iter().any(|one| one.0 == tx.as_bytes()),
            "block_results": results.txs_results.contains(&found.tx_result),
        });
        for (what, is_seen) in seen.as_object().unwrap() {
            assert_eq!(*is_seen, row[what], "{what} of {row}");
        }
        let search = indexed(node, &format!("visible{n}")).await;
        assert_eq!(row["tx_search_count"], search.total_count.to_string());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_kill_took_of_the_index_is_there_for_inspection() {
    let mut network = Network::start(1, &[]).await;
    network.reach(1).await;
    for n in 0..3 {
        network.nodes[0].commit(&format!("seen{n}"), "x").await;
    }
    indexed(&network.nodes[0], "seen2").await;
    network.nodes[0].kill_engine();
    // A kill may leave half an entry in the log as well: whoever only looks leaves it there.
    let wal = std::fs::read_dir(network.nodes[0].home().join("data/wal")).unwrap();
    let wal = wal.map(|file| file.unwrap().path()).max().unwrap();
    let torn = [std::fs::read(&wal).unwrap().as_slice(), &[0x67; 9]].concat();
    std::fs::write(&wal, &torn).unwrap();
    network.nodes[0].start_inspect();
    let node = &network.nodes[0];
    let ask = || async { txs(node, "tx.height > 0 AND app.key EXISTS").await.ok() };
    let first = eventually(ask).await.expect("a killed node is read");
    assert_eq!(first.total_count, 3, "from the first answer on");
    assert!(network.nodes[0].end_engine());
    assert_eq!(std::fs::read(&wal).unwrap(), torn);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_in_a_block_yet_is_answered() {
    let network = Network::start(1, &[]).await;
    network.reach(1).await;
    let client = network.nodes[0].client();
    let check: TxResult = client.call("check_tx", json!({ "tx": "YT0x" })).await.unwrap();
    assert_eq!((check.code, check.gas_wanted), (0, 1));
    let waiting: UnconfirmedTxs =
        client.call("unconfirmed_txs", json!({ "limit": "5" })).await.unwrap();
    assert_eq!((waiting.total, waiting.txs), (0, Some(Vec::new())));
    let header = client.header(Some(1)).await.unwrap().header.unwrap();
    let hash = client.block(Some(1)).await.unwrap().block_id.hash;
    let params = json!({ "hash": hash.to_string() });
    let found: HeaderResult = client.call("header_by_hash", params).await.unwrap();
    assert_eq!(found.header, Some(header));
    let chunk: GenesisChunk = client.call("genesis_chunked", json!({})).await.unwrap();
    let genesis = client.genesis().await.unwrap().genesis;
    assert_eq!((chunk.total, chunk.data.0.as_slice()), (1, genesis.get().as_bytes()));
    let votes = |power: &str| {
        let vote = |hash: &str| {
            let parts = json!({ "total": 1, "hash": hash });
            json!({
                "type": 2, "height": "1", "round": 0, "validator_index": 0,
                "block_id": { "hash": hash, "parts": parts },
                "timestamp": "2024-01-01T00:00:00Z", "validator_address": "00".repeat(20),
                "signature": "AA=="
            })
        };
        let value = json!({
            "vote_a": vote(&"11".repeat(32)), "vote_b": vote(&"22".repeat(32)),
            "TotalVotingPower": power, "ValidatorPower": "1",
            "Timestamp": "2024-01-01T00:00:00Z"
        });
        json!({ "evidence": { "type": "tendermint/DuplicateVoteEvidence", "value": value } })
    };
    let refused = client.call::<_, Value>("broadcast_evidence", votes("1")).await.unwrap_err();
    assert!(refused.to_string().contains("-32603"), "{refused}");
}
