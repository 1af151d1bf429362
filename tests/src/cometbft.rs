//! A network of CometBFT validators, each with one of our applications under it: the oldest oracle
//! there is for the contract.
//!
//! CometBFT is not part of this repository: it is found by `COMETBFT_BIN`, else in `PATH`
//! (`go install github.com/cometbft/cometbft/cmd/cometbft@v0.39.4`), and a test that finds none
//! says so and ends.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::run::run;
use crate::{http, wait};

/// What a step of the network may take at most; twenty times what it takes on two cores.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// The binary to test with; says 'not run' when there is none.
pub fn find() -> Option<PathBuf> {
    let named = std::env::var_os("COMETBFT_BIN").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut candidates = std::env::split_paths(&path).map(|folder| folder.join("cometbft"));
    let found = named.or_else(|| candidates.find(|candidate| candidate.is_file()));
    if found.is_none() {
        println!("not run: no CometBFT found");
    }
    found
}

/// The command of a validator's application, for its number and the socket to listen on.
type AppCommand = Box<dyn Fn(usize, &Path) -> Command>;

/// A validator's two processes.
struct Node {
    home: PathBuf,
    /// Where its application listens.
    socket: PathBuf,
    rpc: String,
    processes: Vec<Child>,
}

/// Validators on free ports of the loopback, ended when this is dropped.
pub struct Network {
    cometbft: PathBuf,
    app: AppCommand,
    nodes: Vec<Node>,
    /// Removed at the end.
    _home: tempfile::TempDir,
}

impl Network {
    /// Makes and starts `count` validators. `app` gives the command of a validator's application,
    /// which listens on the socket path it is told.
    ///
    /// `genesis` may change the homes CometBFT made (`node0`, `node1`, ... with `config/` as
    /// CometBFT has it) before anything starts.
    ///
    /// # Panics
    /// When the network cannot be made.
    pub fn start(
        cometbft: &Path,
        count: usize,
        genesis: impl FnOnce(&Path),
        app: impl Fn(usize, &Path) -> Command + 'static,
    ) -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let out = home.path().display().to_string();
        let v = count.to_string();
        run(cometbft, &["testnet", "--v", &v, "--o", &out], home.path(), &[]).expect_ok();
        genesis(home.path());
        // Held until all are known, so that no two are the same.
        let held: Vec<_> =
            (0..2 * count).map(|_| TcpListener::bind("127.0.0.1:0").expect("a port")).collect();
        let address = |index: usize| held[index].local_addr().expect("bound").to_string();
        let ids: Vec<_> = (0..count).map(|i| node_id(cometbft, home.path(), i)).collect();
        let peers: Vec<_> = (0..count).map(|i| format!("{}@{}", ids[i], address(2 * i))).collect();
        let mut nodes = Vec::new();
        for index in 0..count {
            let node_home = home.path().join(format!("node{index}"));
            let socket = node_home.join("app.sock");
            let rpc = address(2 * index + 1);
            let mut others = peers.clone();
            others.remove(index);
            let p2p = format!("tcp://{}", address(2 * index));
            configure(
                &node_home,
                &[
                    ("", "proxy_app", format!("unix://{}", socket.display())),
                    ("[rpc]", "laddr", format!("tcp://{rpc}")),
                    ("[p2p]", "laddr", p2p.clone()),
                    ("[p2p]", "external_address", p2p),
                    ("[p2p]", "persistent_peers", others.join(",")),
                    ("[consensus]", "timeout_commit", "200ms".to_owned()),
                ],
            );
            nodes.push(Node { home: node_home, socket, rpc, processes: Vec::new() });
        }
        drop(held);
        let cometbft = cometbft.to_owned();
        let mut network = Self { cometbft, app: Box::new(app), nodes, _home: home };
        (0..count).for_each(|index| network.revive(index));
        network
    }

    /// Starts a validator's two processes.
    ///
    /// # Panics
    /// When a program cannot be started.
    pub fn revive(&mut self, validator: usize) {
        let node = &mut self.nodes[validator];
        let app = (self.app)(validator, &node.socket);
        node.processes.push(spawn(app, &node.home.join("app.log")));
        let mut engine = Command::new(&self.cometbft);
        engine.arg("start").arg("--home").arg(&node.home);
        node.processes.push(spawn(engine, &node.home.join("engine.log")));
    }

    /// Ends a validator's processes with SIGKILL.
    pub fn kill(&mut self, validator: usize) {
        for mut process in self.nodes[validator].processes.drain(..) {
            end(&mut process);
        }
    }

    /// The answer of a validator's RPC, or `None` while it does not answer, or says an error.
    pub fn get(&self, validator: usize, call: &str) -> Option<Value> {
        let answer = http::get(&self.nodes[validator].rpc, call)?;
        answer.get("result").cloned()
    }

    /// URL of a validator's RPC.
    pub fn rpc(&self, validator: usize) -> String {
        format!("http://{}", self.nodes[validator].rpc)
    }

    /// Where a validator's files are.
    pub fn home(&self, validator: usize) -> &Path {
        &self.nodes[validator].home
    }

    /// How many validators there are.
    pub fn count(&self) -> usize {
        self.nodes.len()
    }

    /// A validator's newest height.
    pub fn height(&self, validator: usize) -> Option<u64> {
        let status = self.get(validator, "status")?;
        status["sync_info"]["latest_block_height"].as_str()?.parse().ok()
    }

    /// Waits until every validator has a block of `height`.
    pub fn wait_height(&self, height: u64) {
        wait::until(&format!("all at height {height}"), PATIENCE, || {
            let all = 0..self.count();
            all.into_iter().all(|v| self.height(v).is_some_and(|at| at >= height)).then_some(())
        });
    }

    /// Sends a transaction to a validator and waits for its block: the height, and the code.
    pub fn broadcast(&self, validator: usize, tx: &str) -> (u64, u64) {
        let call = format!("broadcast_tx_commit?tx=%22{tx}%22");
        wait::until(&format!("{tx} in a block"), PATIENCE, || {
            let result = self.get(validator, &call)?;
            assert_eq!(result["check_tx"]["code"], 0, "{tx} is refused: {result}");
            let height = result["height"].as_str()?.parse().ok()?;
            Some((height, result["tx_result"]["code"].as_u64()?))
        })
    }

    /// The app hash after `height`, which all validators agree on.
    ///
    /// # Panics
    /// When they do not.
    pub fn agreed_app_hash(&self, height: u64) -> String {
        self.wait_height(height + 1);
        let hashes: Vec<_> = (0..self.count()).map(|v| self.app_hash(v, height)).collect();
        assert!(hashes.iter().all(|hash| *hash == hashes[0]), "height {height}: {hashes:?}");
        hashes.into_iter().next().expect("there are validators")
    }

    /// The app hash after `height`: it stands in the next header.
    fn app_hash(&self, validator: usize, height: u64) -> String {
        let call = format!("block?height={}", height + 1);
        let block = self.get(validator, &call).expect("the height is there");
        block["block"]["header"]["app_hash"].as_str().expect("a header has one").to_owned()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for validator in 0..self.count() {
            self.kill(validator);
            if std::thread::panicking() {
                for name in ["app.log", "engine.log"] {
                    let path = self.nodes[validator].home.join(name);
                    let text = std::fs::read_to_string(path).unwrap_or_default();
                    eprintln!("-- end of node{validator}/{name}");
                    let tail: Vec<_> = text.lines().rev().take(15).collect();
                    tail.iter().rev().for_each(|line| eprintln!("{line}"));
                }
            }
        }
    }
}

fn end(process: &mut Child) {
    // It may have ended by itself: a CometBFT whose application is gone does.
    let _gone = process.kill();
    let _status = process.wait();
}

fn spawn(mut command: Command, log: &Path) -> Child {
    let log = File::options().create(true).append(true).open(log).expect("a log file");
    let both = log.try_clone().expect("a second handle");
    command.stdin(Stdio::null()).stdout(both).stderr(log);
    command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

fn node_id(cometbft: &Path, folder: &Path, index: usize) -> String {
    let home = folder.join(format!("node{index}")).display().to_string();
    let ran = run(cometbft, &["show-node-id", "--home", &home], folder, &[]).expect_ok();
    ran.stdout.trim().to_owned()
}

/// Sets keys of a CometBFT configuration: (section, key, text).
fn configure(home: &Path, settings: &[(&str, &str, String)]) {
    let path = home.join("config/config.toml");
    let text = std::fs::read_to_string(&path).expect("CometBFT made it");
    let mut section = String::new();
    let mut set = 0;
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        if line.starts_with('[') {
            section = line.trim().to_owned();
        }
        let key = line.split('=').next().unwrap_or_default().trim();
        match settings.iter().find(|(of, name, _)| *of == section && *name == key) {
            Some((_, name, value)) => {
                lines.push(format!("{name} = \"{value}\""));
                set += 1;
            }
            None => lines.push(line.to_owned()),
        }
    }
    assert_eq!(set, settings.len(), "keys missing in {}", path.display());
    std::fs::write(&path, lines.join("\n")).expect("it was read");
}
