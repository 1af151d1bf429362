//! SIGTERM while clients are stuck and transactions come, and the log that programs read.

use crate::network::Network;
use guts_engine::node::STOP_WITHIN;
use rustix::process::{Pid, Signal, kill_process};
use std::io::Write as _;
use std::net::TcpStream;

/// A client that asks and does not read: until neither side takes more.
fn deaf(address: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nonblocking(true).unwrap();
    let requests = "GET /genesis HTTP/1.1\r\nHost: x\r\n\r\n".repeat(1000);
    while stream.write_all(requests.as_bytes()).is_ok() {}
    stream
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_asked_to_end_does_not_wait_for_others() {
    let mut network = Network::start(2, &["log_format=json"]).await;
    network.reach(1).await;
    let node = &mut network.nodes[0];
    let address = node.rpc().to_owned();
    let clients: Vec<TcpStream> = (0..5).map(|_| deaf(&address)).collect();
    let mut half = TcpStream::connect(&address).unwrap();
    half.write_all(b"GET /status HTTP/1.1\r\n").unwrap();
    let client = node.client();
    let load = tokio::spawn(async move {
        let mut sent = 0_u32;
        while client.broadcast_tx_async(format!("k{sent}=v").as_bytes()).await.is_ok() {
            sent += 1;
        }
        sent
    });
    node.commit("before", "1").await;
    let pid = Pid::from_raw(i32::try_from(node.pid()).unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    assert_eq!(node.ended().await, Some(0), "{}", node.log());
    assert!(load.await.unwrap() > 0, "transactions came until the end");
    drop((clients, half));
    let log = node.log();
    let lines = log.lines().map(serde_json::from_str::<serde_json::Value>);
    let fields: Vec<_> = lines.map(|line| line.expect(&log)["fields"].clone()).collect();
    let said = |message: &str| fields.iter().find(|line| line["message"] == message);
    assert!(said("stopping").is_some() && said("stopped").is_some(), "{log}");
    // By its own clock: how late a busy machine wakes it is not its fault, but nothing it waits
    // for may be what takes as long again.
    let ms = said("ended").unwrap_or_else(|| panic!("{log}"))["ms"].as_u64().unwrap();
    let most = 2 * STOP_WITHIN.as_millis();
    assert!(u128::from(ms) < most, "it took {ms} ms to end\n{log}");
}
