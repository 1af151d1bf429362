//! A network of engine processes on loopback, with applications in this process.

use guts_abci::kvstore::{Memory, served};
use guts_abci::{Address, Served, socket};
use guts_genesis::{ChainId, Manifest, Time, key_file};
use guts_rpc::client::Client;
use guts_rpc::types::StatusResult;
use key_file::LastSign;
use sha2::{Digest, Sha256};
use std::future::Future;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Twenty times what the slowest step takes on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(90);

/// An application that can be stopped, with what it has on its "disk".
struct App {
    disk: Arc<Memory>,
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

/// One pair.
pub struct Node {
    home: PathBuf,
    rpc: String,
    p2p: String,
    metrics: String,
    app: App,
    engine: Option<Child>,
    pub settings: Vec<String>,
}

/// All pairs.
pub struct Network {
    _dir: tempfile::TempDir,
    pub nodes: Vec<Node>,
}

/// An address of this machine that no other network has: what takes a port there, or connects from
/// there, belongs to this one.
fn own_host() -> String {
    static TAKEN: AtomicU32 = AtomicU32::new(1);
    let process = std::process::id();
    let network = TAKEN.fetch_add(1, Ordering::Relaxed);
    assert!(network < 255, "one byte of the address");
    format!("127.{}.{}.{network}", 1 + (process >> 8) % 254, process % 256)
}

fn free_ports(host: &str, count: usize) -> Vec<u16> {
    // Held until all are drawn, so that none is drawn twice.
    let held: Vec<TcpListener> =
        (0..count).map(|_| TcpListener::bind((host, 0)).unwrap()).collect();
    held.iter().map(|l| l.local_addr().unwrap().port()).collect()
}

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

impl Network {
    /// Homes of `count` validators with equal power; nothing runs yet.
    pub fn new(count: u32, settings: &[&str]) -> Network {
        let dir = tempfile::tempdir().unwrap();
        let time = Time::new(1_700_000_000, 0).unwrap();
        let chain = ChainId::new("test-node").unwrap();
        let manifest = Manifest::local(chain, time, b"engine processes", count);
        let genesis = manifest.genesis().unwrap().to_json();
        let host = own_host();
        let ports = free_ports(&host, 3 * manifest.validators.len());
        let address = |i: usize, which: usize| format!("{host}:{}", ports[3 * i + which]);
        let ids: Vec<String> = manifest
            .validators
            .iter()
            .map(|v| key_file::peer_id(&v.node_key.public_key()).unwrap())
            .collect();
        let mut nodes = Vec::new();
        for (i, validator) in manifest.validators.iter().enumerate() {
            let home = dir.path().join(i.to_string());
            let peers: Vec<String> = (0..ids.len())
                .filter(|j| *j != i)
                .map(|j| format!("{}@{}", ids[j], address(j, 0)))
                .collect();
            let config = format!(
                "moniker = \"v{i}\"\nproxy_app = \"unix://{}/app.sock\"\n\
                 [rpc]\nladdr = \"tcp://{}\"\n\
                 [p2p]\nladdr = \"tcp://{}\"\npersistent_peers = \"{}\"\n",
                home.display(),
                address(i, 1),
                address(i, 0),
                peers.join(",")
            );
            write(&home.join("config/config.toml"), &config);
            write(&home.join("config/genesis.json"), &genesis);
            let key = key_file::print_validator_key(&validator.validator_key);
            write(&home.join("config/priv_validator_key.json"), &key);
            write(
                &home.join("config/node_key.json"),
                &key_file::print_node_key(&validator.node_key),
            );
            write(&home.join("data/priv_validator_state.json"), &LastSign::default().print());
            nodes.push(Node {
                home,
                rpc: address(i, 1),
                p2p: address(i, 0),
                metrics: address(i, 2),
                app: App { disk: Arc::new(Memory::new()), running: None },
                engine: None,
                settings: settings.iter().map(|s| (*s).to_owned()).collect(),
            });
        }
        Network { _dir: dir, nodes }
    }

    /// As [`Network::new`], with every pair running.
    pub async fn start(count: u32, settings: &[&str]) -> Network {
        let mut network = Network::new(count, settings);
        for node in &mut network.nodes {
            node.start_app().await;
            node.start_engine();
        }
        network
    }

    /// Waits until every node that runs has committed `height`.
    pub async fn reach(&self, height: i64) {
        for node in self.nodes.iter().filter(|n| n.engine.is_some()) {
            node.reach(height).await;
        }
    }

    /// Checks that all nodes have the same block and app hash at `height`.
    pub async fn assert_agree(&self, height: u64) {
        let mut seen = Vec::new();
        for node in &self.nodes {
            let block = node.client().block(Some(height)).await.unwrap();
            seen.push((block.block_id, block.block.unwrap().header.app_hash));
        }
        assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "height {height}: {seen:?}");
    }
}

impl Node {
    pub fn home(&self) -> &Path {
        &self.home
    }

    pub fn client(&self) -> Client {
        Client::new(&self.rpc).unwrap()
    }

    /// Where its RPC listens.
    pub fn rpc(&self) -> &str {
        &self.rpc
    }

    /// Where it listens for peers.
    pub fn p2p(&self) -> &str {
        &self.p2p
    }

    /// Where it may listen for who reads its metrics.
    pub fn metrics(&self) -> &str {
        &self.metrics
    }

    pub async fn start_app(&mut self) {
        self.serve_app(served(self.app.disk.clone())).await;
    }

    /// Starts this in the place of its application.
    pub async fn serve_app(&mut self, app: Served) {
        let address: Address = format!("unix://{}/app.sock", self.home.display()).parse().unwrap();
        let server = socket::Server::bind(&address).await.unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            let stopped = async {
                let _ = stopped.await;
            };
            server.run(app, stopped).await.unwrap();
        });
        self.app.running = Some((stop, task));
    }

    /// Ends the application; with `disk` lost too, it starts from nothing next time.
    pub async fn stop_app(&mut self, is_disk_lost: bool) {
        let (stop, task) = self.app.running.take().unwrap();
        let _ = stop.send(());
        task.await.unwrap();
        if is_disk_lost {
            self.app.disk = Arc::new(Memory::new());
        }
    }

    pub fn command(&self, verb: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_guts-engine"));
        command.arg(verb).arg("--home").arg(&self.home).stdin(Stdio::null());
        command
    }

    pub fn start_engine(&mut self) {
        let command = self.command("run");
        self.spawn(command);
    }

    /// Serves the stores of the engine, which does not run.
    pub fn start_inspect(&mut self) {
        let command = self.command("inspect");
        self.spawn(command);
    }

    /// Starts the engine where no file may grow past `blocks` of 512 bytes: a write beyond that
    /// fails, as on a full disk.
    pub fn start_engine_on_small_disk(&mut self, blocks: u32) {
        let mut command = Command::new("sh");
        let limit = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        command.arg("-c").arg(limit).arg(env!("CARGO_BIN_EXE_guts-engine"));
        command.arg("run").arg("--home").arg(&self.home).stdin(Stdio::null());
        self.spawn(command);
    }

    fn spawn(&mut self, mut command: Command) {
        let log = self.home.join("engine.log");
        let log = std::fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
        for setting in &self.settings {
            command.arg("--set").arg(setting);
        }
        self.engine = Some(command.stderr(log).spawn().unwrap());
    }

    /// As `kill -9` does it.
    pub fn kill_engine(&mut self) {
        let mut child = self.engine.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Waits until the engine has ended by itself, and gives its exit code.
    pub async fn ended(&mut self) -> Option<i32> {
        let child = std::sync::Mutex::new(self.engine.take().unwrap());
        let done = eventually(|| async { child.lock().unwrap().try_wait().unwrap() }).await;
        done.expect("the engine ends").code()
    }

    /// SIGTERM; says whether it ended with success.
    pub fn end_engine(&mut self) -> bool {
        let mut child = self.engine.take().unwrap();
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let status = child.wait().unwrap();
        if !status.success() {
            eprintln!("{status}: {}", self.log());
        }
        status.success()
    }

    /// Of the engine, which runs.
    pub fn pid(&self) -> u32 {
        self.engine.as_ref().unwrap().id()
    }

    /// Memory of the engine in KiB.
    pub fn memory_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()));
        let status = status.expect("a system that tells of its processes");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        number.expect("a number of KiB")
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.home.join("engine.log")).unwrap_or_default()
    }

    /// Waits until its status satisfies `done`.
    pub async fn until(&self, what: &str, done: impl Fn(&StatusResult) -> bool) -> StatusResult {
        let client = self.client();
        eventually(|| async { client.status().await.ok().filter(|status| done(status)) })
            .await
            .unwrap_or_else(|| panic!("{} waited for {what}\n{}", self.home.display(), self.log()))
    }

    pub async fn reach(&self, height: i64) -> StatusResult {
        self.until(&format!("height {height}"), |s| s.sync_info.latest_block_height >= height).await
    }

    /// Commits `key=value` through this node and says at which height.
    pub async fn commit(&self, key: &str, value: &str) -> i64 {
        let client = self.client();
        let tx = format!("{key}={value}");
        let hash = Sha256::digest(&tx);
        // An answer that came too late, or not at all: the transaction may be in a block since.
        let ask = || async {
            match client.broadcast_tx_commit(tx.as_bytes()).await {
                Ok(answer) => Some((answer.height, answer.tx_result.code)),
                Err(_) => {
                    let found = client.tx(&hash, false).await.ok()?;
                    Some((found.height, found.tx_result.code))
                }
            }
        };
        let answer = eventually(ask).await;
        let (height, code) =
            answer.unwrap_or_else(|| panic!("{tx} was not committed\n{}", self.log()));
        assert_eq!(code, 0);
        height
    }

    /// The value its application has for `key`.
    pub async fn value(&self, key: &str) -> String {
        let query =
            guts_rpc::Query { data: key.to_owned().into_bytes().into(), ..Default::default() };
        let answer = self.client().abci_query(query).await.unwrap();
        String::from_utf8(answer.value.0).unwrap()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(mut child) = self.engine.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Asks until there is an answer; `None` after the deadline.
pub async fn eventually<T, F: Future<Output = Option<T>>>(ask: impl Fn() -> F) -> Option<T> {
    let asking = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        loop {
            ticks.tick().await;
            if let Some(found) = ask().await {
                return found;
            }
        }
    };
    tokio::time::timeout(DEADLINE, asking).await.ok()
}
