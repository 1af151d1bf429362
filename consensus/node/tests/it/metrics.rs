//! What a scraper reads.

use crate::network::{DEADLINE, Network, eventually};
use guts_engine::metrics::{Kind, TABLE};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

async fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer);
    tokio::time::timeout(DEADLINE, read).await.expect("in time").unwrap();
    answer
}

/// What is told, and its numbers: under a name without labels, the sum over them.
async fn told(address: &str) -> (String, BTreeMap<String, f64>) {
    let answer = get(address, "/metrics").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let mut values = BTreeMap::new();
    for line in answer.split("\r\n\r\n").nth(1).unwrap().lines().filter(|l| !l.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        let sum = values.entry(name.split('{').next().unwrap().to_owned()).or_insert(0.0);
        *sum += value.parse::<f64>().unwrap();
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
    let refused = get(network.nodes[0].rpc(), "/check_tx?tx=0x00").await;
    assert!(refused.starts_with("HTTP/1.1 200"), "{refused}");
    // A connection may just be made anew, and what is known of a block follows it.
    let with_peer = || async {
        let (answer, values) = told(&address).await;
        let is_whole = values["cometbft_p2p_peers"] == 1.0
            && values.contains_key("cometbft_p2p_peer_send_bytes_total")
            && values["cometbft_consensus_total_txs"] == 1.0
            && values["cometbft_consensus_latest_block_height"] > height as f64;
        is_whole.then_some((answer, values))
    };
    let (answer, values) = eventually(with_peer).await.expect("a peer and a block");
    let mut known = 0;
    for (name, kind, _) in TABLE {
        let names = match kind {
            Kind::Histogram => vec!["_bucket", "_sum", "_count"],
            Kind::Gauge | Kind::Counter => vec![""],
        };
        for suffix in names {
            assert!(values.contains_key(&format!("{name}{suffix}")), "{name}{suffix} in {answer}");
            known += 1;
        }
        assert!(answer.contains(&format!("# TYPE {name} {}\n", kind.word())), "{name}");
    }
    assert_eq!(values.len(), known, "{answer}");
    assert_eq!(values["cometbft_consensus_validators"], 2.0);
    assert_eq!(values["cometbft_consensus_byzantine_validators"], 0.0);
    assert!(values["cometbft_p2p_peer_receive_bytes_total"] > 0.0);
    // Of the blocks after the first.
    let spans = values["cometbft_consensus_block_interval_seconds_count"];
    assert!(spans >= 1.0 && spans < values["guts_consensus_blocks_total"] + 1.0, "{answer}");
    assert!(values["cometbft_state_block_processing_time_count"] >= height as f64, "{answer}");
    let status = network.nodes[0].client().status().await.unwrap();
    let own = hex::encode_upper(&status.validator_info.address.0);
    let peers = network.nodes[0].client().net_info().await.unwrap().peers;
    let peer = &peers.first().expect("the other one").node_info.id;
    let power = format!("consensus_validator_power{{CHAIN,validator_address=\"{own}\"}} ");
    let sent = format!("peer_send_bytes_total{{CHAIN,peer_id=\"{peer}\",chID=\"0x20\"}} ");
    for said in [
        "cometbft_p2p_peers{CHAIN} 1\n",
        &power,
        &sent,
        "method_timing_seconds_count{CHAIN,method=\"finalize_block\",type=\"sync\"} ",
        "method_timing_seconds_count{CHAIN,method=\"check_tx\",type=\"sync\"} 1\n",
        "step_duration_seconds_count{CHAIN,step=\"Propose\"} ",
        "proposal_receive_count{CHAIN,status=\"rejected\"} 0\n",
        "\nguts_consensus_passed_on_total 0\n",
    ] {
        let said = said.replace("CHAIN", "chain_id=\"test-node\"");
        assert!(answer.contains(&said), "{said} in {answer}");
    }
    assert!(get(&address, "/").await.starts_with("HTTP/1.1 404"));
    let printed = network.nodes[0].command("metrics");
    let output = std::process::Command::new(printed.get_program()).arg("metrics").output().unwrap();
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.contains("| `cometbft_mempool_size` | gauge |"), "{table}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_read_makes_room_for_others() {
    let mut network = Network::new(1, &["instrumentation.prometheus=true"]);
    let node = &mut network.nodes[0];
    let address = node.metrics().to_owned();
    node.settings.push(format!("instrumentation.prometheus_listen_addr=tcp://{address}"));
    node.start_app().await;
    node.start_engine();
    node.reach(1).await;
    let mut stuck = Vec::new();
    for _ in 0..8 {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let stream = socket.connect(address.parse().unwrap()).await.unwrap();
        // Until nothing goes in any more: answers wait to be read, and so requests.
        let asked = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n".repeat(1_000);
        let mut filled = 0;
        while let Ok(Ok(())) =
            tokio::time::timeout(Duration::from_millis(200), stream.writable()).await
        {
            match stream.try_write(asked.as_bytes()) {
                Ok(bytes) => filled += bytes,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(_) => break,
            }
            assert!(filled < 1 << 30, "it answers without being read");
        }
        stuck.push(stream);
    }
    // In its turn, for which it waits a while.
    let answer = get(&address, "/metrics").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
