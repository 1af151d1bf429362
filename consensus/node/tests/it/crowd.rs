//! Ten thousand connections that want nothing, or never say what they want: the node they crowd
//! goes on making blocks in little memory, and others get their turn.

use crate::network::{DEADLINE, Network, eventually};
use futures::future::join_all;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// As the issue that asked for this says.
const CROWD: usize = 10_000;
/// Files that the test needs for anything else.
const SPARE_FILES: u64 = 512;
/// Connections made at the same time.
const AT_ONCE: usize = 250;
/// What they may cost the engine at most; the limits allow about a tenth of it.
const MEMORY_KIB_MAX: u64 = 128 << 10;

/// Where they come from: an address of its own on the loopback, so that none of them takes a port
/// that the engine of another test is about to listen on.
const FROM: &str = "127.0.0.2:0";

/// What a connection says before it falls silent.
const SAYINGS: [&str; 4] = [
    "",
    "GET /sta",
    "GET /status HTTP/1.1\r\nHost: x\r\n",
    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{\"jsonrpc\": \"2.0\",",
];

/// Lets this process open files for the whole crowd.
fn make_room() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let wanted = CROWD as u64 + SPARE_FILES;
    let is_enough = maximum.is_none_or(|maximum| maximum >= wanted);
    assert!(is_enough, "{maximum:?} open files are not {wanted}: raise the limit (ulimit -Hn)");
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).expect("up to the maximum");
}

/// A connection that has said its word; none if it was ended before.
async fn come(address: String, saying: &'static str) -> Option<TcpStream> {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(FROM.parse().expect("an address")).expect("a port of the loopback");
    let coming = async {
        let mut stream = socket.connect(address.parse().expect("an address")).await.ok()?;
        stream.write_all(saying.as_bytes()).await.ok()?;
        Some(stream)
    };
    tokio::time::timeout(DEADLINE, coming).await.expect("the node takes connections or ends them")
}

async fn crowd(address: &str, count: usize) -> Vec<TcpStream> {
    let mut all = Vec::new();
    let sayings: Vec<_> = SAYINGS.into_iter().cycle().take(count).collect();
    for some in sayings.chunks(AT_ONCE) {
        let coming = some.iter().map(|saying| come(address.to_owned(), saying));
        all.extend(join_all(coming).await.into_iter().flatten());
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_costs_the_node_nothing_but_patience() {
    make_room();
    let network = Network::start(2, &[]).await;
    network.reach(1).await;
    network.nodes[1].commit("before", "1").await;
    let before = network.nodes[0].memory_kib();
    let mut silent = crowd(network.nodes[0].p2p(), CROWD / 10).await;
    let mut idle = crowd(network.nodes[0].rpc(), CROWD - CROWD / 10).await;
    // Two of two must agree: the one with the crowd votes, too.
    network.nodes[1].commit("during", "1").await;
    let memory = network.nodes[0].memory_kib().saturating_sub(before);
    assert!(memory < MEMORY_KIB_MAX, "{memory} KiB more for {CROWD} connections");

    // The last to come is told that there is no room, or that it was too slow.
    let mut said = String::new();
    if let Some(last) = idle.last_mut() {
        let reading = last.read_to_string(&mut said);
        let _ = tokio::time::timeout(DEADLINE, reading).await.expect("an answer in time");
        let is_refused = ["HTTP/1.1 503 ", "HTTP/1.1 408 "].iter().any(|s| said.starts_with(s));
        assert!(said.is_empty() || is_refused, "{said}");
    }
    // Whoever asks properly is answered when the patience with the others is over.
    let client = network.nodes[0].client();
    let asked = eventually(|| async { client.status().await.ok() }).await;
    let height = asked.expect("it answers again").sync_info.latest_block_height;
    assert!(network.nodes[0].commit("after", "1").await > height - 1);
    idle.clear();
    silent.clear();
}
