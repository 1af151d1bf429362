//! What a scraper reads.

use crate::network::{DEADLINE, Network, eventually};
use std::collections::BTreeMap;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer);
    tokio::time::timeout(DEADLINE, read).await.expect("in time").unwrap();
    answer
}

/// What is told, and its numbers by name.
async fn told(address: &str) -> (String, BTreeMap<String, i64>) {
    let answer = get(address, "/metrics").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let mut values = BTreeMap::new();
    for line in answer.split("\r\n\r\n").nth(1).unwrap().lines().filter(|l| !l.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        values.insert(name.split('{').next().unwrap().to_owned(), value.parse().unwrap());
    }
    (answer, values)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_metric_of_the_table_is_told() {
    let mut network = Network::new(2, &["instrumentation.prometheus=true"]);
    let address = network.nodes[0].metrics().to_owned();
    let setting = format!("instrumentation.prometheus_listen_addr=tcp://{address}");
    network.nodes[0].settings.push(setting);
    network.nodes[1].settings.clear();
    for node in &mut network.nodes {
        node.start_app().await;
        node.start_engine();
    }
    network.reach(1).await;
    let height = network.nodes[0].commit("measured", "1").await;
    // A connection may just be made anew.
    let with_peer = || async {
        let (answer, values) = told(&address).await;
        (values["cometbft_p2p_peers"] == 1).then_some((answer, values))
    };
    let (answer, values) = eventually(with_peer).await.expect("a peer");
    for (name, ..) in guts_engine::metrics::TABLE {
        assert!(values.contains_key(name), "{name} in {answer}");
        assert!(answer.contains(&format!("# TYPE {name} ")), "{name}");
    }
    assert_eq!(values.len(), guts_engine::metrics::TABLE.len());
    assert!(values["cometbft_consensus_latest_block_height"] >= height);
    assert_eq!(values["cometbft_consensus_validators"], 2);
    assert!(values["cometbft_p2p_peer_receive_bytes_total"] > 0);
    assert!(get(&address, "/").await.starts_with("HTTP/1.1 404"));
    let printed = network.nodes[0].command("metrics");
    let output = std::process::Command::new(printed.get_program()).arg("metrics").output().unwrap();
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.contains("| `cometbft_mempool_size` | gauge |"), "{table}");
}
