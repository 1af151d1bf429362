//! A network of CometBFT validators, each with one of our applications under it: the oldest oracle
//! there is for the contract.
//!
//! CometBFT is not part of this repository: it is found by `COMETBFT_BIN`, else in `PATH`
//! (`go install github.com/cometbft/cometbft/cmd/cometbft@v0.39.4`), and a test that finds none
//! says so and ends.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::process::{end, free_addresses, show_ends, spawn};
use crate::run::run;
use crate::{http, wait};

/// What a step of the network may take at most: twenty times what it takes on two cores, and a
/// CometBFT that has missed another one looks for peers every half minute.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// The binary to test with; says 'not run' when there is none.
pub fn find() -> Option<PathBuf> {
    let named = std::env::var_os("COMETBFT_BIN").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut candidates = std::env::split_paths(&path).map(|folder| folder.join("cometbft"));
    let found = named.or_else(|| candidates.find(|candidate| candidate.is_file()));
    if found.is_none() {
        crate::not_run("no CometBFT found");
    }
    found
}

/// Where a validator is, for its application's command.
#[derive(Clone, Debug)]
pub struct Place {
    /// 0-based.
    pub validator: usize,
    /// CometBFT's home: `config/`, `data/`. The application may have folders of its own in it.
    pub home: PathBuf,
    /// The Unix socket the application listens on.
    pub socket: PathBuf,
    /// Address of CometBFT's RPC, `HOST:PORT`.
    pub rpc: String,
    /// A free address for a gateway of the application, `HOST:PORT`.
    pub gateway: String,
    /// The gateways of the other validators.
    pub other_gateways: Vec<String>,
}

/// The command of a validator's application.
type AppCommand = Box<dyn Fn(&Place) -> Command>;

/// A validator and its two processes.
struct Node {
    place: Place,
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
    /// Makes and starts `count` validators. `app` gives the command of a validator's application.
    /// `prepare` may change what CometBFT made in the folder it is told (`node0/config/`, ...).
    ///
    /// # Panics
    /// When the network cannot be made.
    pub fn start(
        cometbft: &Path,
        count: usize,
        prepare: impl FnOnce(&Path),
        app: impl Fn(&Place) -> Command + 'static,
    ) -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let out = home.path().display().to_string();
        let v = count.to_string();
        run(cometbft, &["testnet", "--v", &v, "--o", &out], home.path(), &[]).expect_ok();
        prepare(home.path());
        let places = places(home.path(), count);
        let p2p = free_addresses(count);
        let peers: Vec<_> = std::iter::zip(&places, &p2p)
            .map(|(place, address)| format!("{}@{address}", node_id(cometbft, &place.home)))
            .collect();
        for place in &places {
            let mut others = peers.clone();
            others.remove(place.validator);
            let listen = format!("tcp://{}", p2p[place.validator]);
            configure(
                &place.home,
                &[
                    ("", "proxy_app", format!("unix://{}", place.socket.display())),
                    ("[rpc]", "laddr", format!("tcp://{}", place.rpc)),
                    ("[p2p]", "laddr", listen.clone()),
                    ("[p2p]", "external_address", listen),
                    ("[p2p]", "persistent_peers", others.join(",")),
                    ("[consensus]", "timeout_commit", "200ms".to_owned()),
                ],
            );
        }
        let node = |place| Node { place, processes: Vec::new() };
        let nodes = places.into_iter().map(node).collect();
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
        let home = &node.place.home;
        node.processes.push(spawn((self.app)(&node.place), &home.join("app.log")));
        let mut engine = Command::new(&self.cometbft);
        engine.arg("start").arg("--home").arg(home);
        node.processes.push(spawn(engine, &home.join("engine.log")));
    }

    /// Ends a validator's processes with SIGKILL.
    pub fn kill(&mut self, validator: usize) {
        for mut process in self.nodes[validator].processes.drain(..) {
            end(&mut process);
        }
    }

    /// The answer of a validator's RPC, or `None` while it does not answer, or says an error.
    pub fn get(&self, validator: usize, call: &str) -> Option<Value> {
        let answer = http::get(&self.place(validator).rpc, call)?;
        answer.get("result").cloned()
    }

    /// Where a validator is.
    pub fn place(&self, validator: usize) -> &Place {
        &self.nodes[validator].place
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

    /// Returns what `look` finds, looking whenever a validator writes a line.
    ///
    /// # Panics
    /// When nothing was found in time, saying `what` was waited for.
    pub fn wait<T>(&self, what: &str, look: impl FnMut() -> Option<T>) -> T {
        let homes: Vec<_> = self.nodes.iter().map(|node| node.place.home.clone()).collect();
        wait::until(&homes, what, PATIENCE, look)
    }

    /// Waits until every validator has left `height` behind, votes, and talks to each of the
    /// others: so any of them can be ended, and the rest goes on. One that still fetches blocks
    /// does not vote, and two that only know a third one do not hear each other without it.
    pub fn wait_whole(&self, height: u64) {
        self.wait("all vote and talk to all others", || {
            (0..self.count()).try_for_each(|v| self.is_whole(v, height)?.then_some(()))
        });
    }

    fn is_whole(&self, validator: usize, height: u64) -> Option<bool> {
        let sync = &self.get(validator, "status")?["sync_info"];
        let newest: u64 = sync["latest_block_height"].as_str()?.parse().ok()?;
        let syncs = sync["catching_up"].as_bool()?;
        let peers = self.get(validator, "net_info")?["n_peers"].as_str()?.parse::<usize>().ok()?;
        Some(newest > height && !syncs && peers + 1 == self.count())
    }

    /// What a validator does not get on with, for who reads of a test that failed.
    fn describe(&self, validator: usize) -> String {
        let part = |call: &str, at: &str| {
            let found = self.get(validator, call).and_then(|all| all.pointer(at).cloned());
            found.map_or("no answer".to_owned(), |value| value.to_string())
        };
        let round = part("consensus_state", "/round_state/height~1round~1step");
        let votes = part("consensus_state", "/round_state/height_vote_set");
        let (sync, peers) = (part("status", "/sync_info"), part("net_info", "/n_peers"));
        format!("at {round} with {peers} peers; {sync}; {votes}")
    }

    /// Waits until every validator has a block of `height`.
    pub fn wait_height(&self, height: u64) {
        self.wait(&format!("all at height {height}"), || {
            let all = 0..self.count();
            all.into_iter().all(|v| self.height(v).is_some_and(|at| at >= height)).then_some(())
        });
    }

    /// Sends a transaction to a validator and waits for its block: the height, and the code.
    pub fn broadcast(&self, validator: usize, tx: &str) -> (u64, u64) {
        let send = format!("broadcast_tx_sync?tx=%22{tx}%22");
        let find = format!("tx?hash=0x{}", hex::encode(Sha256::digest(tx)));
        let mut is_sent = false;
        self.wait(&format!("{tx} in a block"), || {
            // Without an answer it may have come in all the same; then the next one is an error.
            if !is_sent && let Some(result) = self.get(validator, &send) {
                assert_eq!(result["code"], 0, "{tx} is refused: {result}");
                is_sent = true;
            }
            let result = self.get(validator, &find)?;
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
        if std::thread::panicking() {
            for validator in 0..self.count() {
                eprintln!("-- node{validator}: {}", self.describe(validator));
            }
        }
        (0..self.count()).for_each(|validator| self.kill(validator));
        let of_each =
            |validator| ["app.log", "engine.log"].map(|name| self.place(validator).home.join(name));
        let logs: Vec<_> = (0..self.count()).flat_map(of_each).collect();
        show_ends(&logs);
    }
}

fn places(folder: &Path, count: usize) -> Vec<Place> {
    let addresses = free_addresses(2 * count);
    let (rpcs, gateways) = addresses.split_at(count);
    let place = |validator: usize| {
        let home = folder.join(format!("node{validator}"));
        let mut other_gateways = gateways.to_vec();
        let gateway = other_gateways.remove(validator);
        let socket = home.join("app.sock");
        Place { validator, home, socket, rpc: rpcs[validator].clone(), gateway, other_gateways }
    };
    (0..count).map(place).collect()
}

fn node_id(cometbft: &Path, home: &Path) -> String {
    let text = home.display().to_string();
    let ran = run(cometbft, &["show-node-id", "--home", &text], home, &[]).expect_ok();
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
