//! Four nodes, their gateways, an account with an SSH key, and a repository.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, mpsc};
use std::time::{Duration, Instant};

use bytes::Bytes;
use guts_abci::Address;
use guts_abci::proto::abci::{RequestInitChain, ValidatorUpdate};
use guts_abci::proto::crypto::{PublicKey, public_key::Sum};
use guts_abci::proto::google::protobuf::Timestamp;
use guts_abci::socket::{Client as AbciClient, Server};
use guts_app::chain::{Chain, Committed};
use guts_app::config::Config;
use guts_app::follower::Served;
use guts_app::gateway;
use guts_app::identity::Identity;
use guts_app::node::{Node, Parts};
use guts_app_core::AppState;
use guts_app_core::rules::RULES;
use guts_rpc::client::Client;
use guts_schema::Key;
use guts_schema::sign::SecretKey;
use guts_tests::checkout::Checkout;
use guts_tests::{keys, wait};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::engine::{CHAIN, Engine, GENESIS_S, Pool, Rpc};

/// Longest wait for something that takes a second.
const DEADLINE: Duration = Duration::from_secs(60);

/// The node that gives up the state of old heights.
pub const PRUNING: usize = 3;

pub struct World {
    pub dir: TempDir,
    pub urls: Vec<String>,
    pub pool: Arc<Pool>,
    pub chains: Vec<Chain>,
    served: Vec<Served>,
    /// One a node, each with one thread, so that a test can hold up what a node does.
    runtimes: Vec<Runtime>,
    /// For the engine and for waiting.
    runtime: Option<Runtime>,
}

/// Holds up the background work of a node until it is dropped; its engine's calls go on.
pub struct Held {
    _until: mpsc::Sender<()>,
}

fn one_thread() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

impl World {
    pub fn new() -> Self {
        Self::saying(|urls| urls.to_vec(), |_| Vec::new())
    }

    /// A world in whose genesis the gateways of the validators are where `say` has them, and in
    /// whose nodes' settings are those that `add` has, given where they are.
    pub fn saying(
        say: impl FnOnce(&[String]) -> Vec<String>,
        add: impl FnOnce(&[String]) -> Vec<String>,
    ) -> Self {
        Self::operated(operator, say, add)
    }

    /// As [`World::saying`], its validators operated by accounts with those keys.
    pub fn operated(
        by: fn(u8) -> SecretKey,
        say: impl FnOnce(&[String]) -> Vec<String>,
        add: impl FnOnce(&[String]) -> Vec<String>,
    ) -> Self {
        let dir = TempDir::new().unwrap();
        let runtime = Runtime::new().unwrap();
        keys::make(&dir.path().join("alice"));
        keys::make(&dir.path().join("mallory"));
        let pool = Arc::new(Pool::default());
        let (mut urls, mut listeners) = (Vec::new(), Vec::new());
        for _ in 0..4 {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            listener.set_nonblocking(true).unwrap();
            urls.push(format!("http://{}", listener.local_addr().unwrap()));
            listeners.push(listener);
        }
        let operators: Vec<SecretKey> = (0..4).map(by).collect();
        let validators: Vec<SecretKey> =
            (0..4).map(|i| SecretKey::from_seed([i + 101; 32])).collect();
        let alice = public_key(dir.path(), "alice");
        let genesis = genesis(&alice, &operators, &validators, &say(&urls));
        let mut world = Self {
            dir,
            urls,
            pool,
            chains: Vec::new(),
            served: Vec::new(),
            runtimes: (0..4).map(|_| one_thread()).collect(),
            runtime: Some(runtime),
        };
        let added = add(&world.urls);
        let mut sockets = Vec::new();
        for ((i, listener), gateway) in listeners.into_iter().enumerate().zip(0..) {
            sockets.push(world.start(i, listener, operator(gateway), &added));
        }
        let pool = world.pool.clone();
        world.runtime().spawn(async move {
            let mut clients = Vec::new();
            for address in &sockets {
                clients.push(AbciClient::connect(address).await.unwrap());
            }
            Engine::start(pool, clients, validators, genesis).await;
        });
        for i in 0..4 {
            world.wait(i, |height, _| height >= 1);
        }
        world
    }

    fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().unwrap()
    }

    fn start(
        &mut self,
        i: usize,
        listener: std::net::TcpListener,
        operator: SecretKey,
        added: &[String],
    ) -> Address {
        let data = self.dir.path().join(format!("node{i}"));
        let config = Config {
            gateways: added.to_vec(),
            // What the settings add may be anywhere as it is.
            allow_private_gateways: added.is_empty(),
            public_url: self.urls[i].clone(),
            name: format!("node {i}"),
            // One of them prunes.
            keep_heights: if i == PRUNING { 10 } else { 0 },
            data,
            ..Config::default()
        };
        let parts = Parts {
            identity: Identity::new(operator),
            engine: Client::over(Arc::new(Rpc { pool: self.pool.clone(), node: i })),
            hook: env!("CARGO_BIN_EXE_guts-app").into(),
            rules: RULES,
            give_back: || {},
        };
        let socket = self.dir.path().join(format!("{i}.sock"));
        let address: Address = format!("unix://{}", socket.display()).parse().unwrap();
        let (chain, served) = self.runtimes[i].block_on(async {
            let node = Node::open(&config, parts).unwrap();
            let server = Server::bind(&address).await.unwrap();
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let chain = node.chain.clone();
            let served = node.served.clone();
            let (bounds, pending) = (gateway::bounds(&config), std::future::pending());
            tokio::spawn(gateway::serve(listener, bounds, node.http, pending));
            tokio::spawn(server.run(node.abci, std::future::pending()));
            (chain, served)
        });
        self.chains.push(chain);
        self.served.push(served);
        address
    }

    /// Ends all nodes; what they wrote stays.
    pub fn stop(mut self) -> TempDir {
        self.end();
        std::mem::replace(&mut self.dir, TempDir::new().unwrap())
    }

    /// Ends all nodes and waits until their databases are closed.
    fn end(&mut self) {
        let store = |chain: &Chain| Arc::downgrade(chain.newest().snapshot.store());
        let stores: Vec<_> = self.chains.iter().map(store).collect();
        self.chains.clear();
        self.served.clear();
        let all = self.runtimes.drain(..).chain(self.runtime.take());
        all.for_each(|runtime| runtime.shutdown_timeout(DEADLINE));
        // The threads of ABCI connections end when the engine's client is gone.
        let deadline = Instant::now() + DEADLINE;
        while stores.iter().any(|store| store.strong_count() > 0) && Instant::now() < deadline {
            std::thread::yield_now();
        }
    }

    /// Waits until the repositories of a node show a height, and how many are behind, that fit.
    pub fn wait(&self, node: usize, fits: impl Fn(u64, usize) -> bool) {
        let mut watch = self.served[node].watch();
        let waited = self.runtime().block_on(async {
            let there = watch.wait_for(|shown| fits(shown.state.height, shown.behind()));
            tokio::time::timeout(DEADLINE, there).await.map(|_| ())
        });
        waited.expect("within the deadline");
    }

    /// Holds up what a node does beside answering its engine.
    pub fn hold(&self, node: usize) -> Held {
        let (until, held) = mpsc::channel::<()>();
        let (begin, begun) = mpsc::channel();
        self.runtimes[node].spawn(async move {
            begin.send(()).unwrap();
            // Ends when the other end is dropped.
            let _ = held.recv();
        });
        begun.recv_timeout(DEADLINE).unwrap();
        Held { _until: until }
    }

    /// Lets no block begin until it is dropped.
    pub fn pause(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.runtime().block_on(self.pool.pause.lock())
    }

    /// Gives a transaction to the next block.
    pub fn submit(&self, tx: Vec<u8>) {
        self.pool.waiting().push(tx.into());
        self.pool.wake();
    }

    /// Waits until a transaction waits for a block, and returns what waits.
    pub fn wait_waiting(&self) -> MutexGuard<'_, Vec<Bytes>> {
        let waited = async { tokio::time::timeout(DEADLINE, self.pool.wait_waiting()).await };
        self.runtime().block_on(waited).expect("within the deadline");
        self.pool.waiting()
    }

    /// Gives a transaction to the engine of a node, which takes it.
    pub fn send(&self, node: usize, tx: &[u8]) {
        let rpc = Client::over(Arc::new(Rpc { pool: self.pool.clone(), node }));
        let sent = self.runtime().block_on(rpc.broadcast_tx_sync(tx)).unwrap();
        assert_eq!(sent.code, 0, "{}", sent.log);
    }

    /// Waits until a node holds the pack of a push.
    pub fn wait_pack(&self, node: usize) {
        let packs = self.dir.path().join(format!("node{node}/packs"));
        wait::until(std::slice::from_ref(&packs), "a pack", DEADLINE, || {
            let mut names = std::fs::read_dir(&packs).ok()?.flatten().map(|it| it.file_name());
            names.any(|name| !name.to_string_lossy().contains('.')).then_some(())
        });
    }

    /// Waits until a node has executed a height.
    pub fn wait_executed(&self, node: usize, height: u64) {
        self.wait_state(node, |state| state.height >= height);
    }

    /// Waits until the state of a node fits.
    pub fn wait_state(&self, node: usize, fits: impl Fn(&Committed) -> bool) {
        let mut watch = self.chains[node].watch();
        let there = watch.wait_for(|state| fits(state));
        let waited = async { tokio::time::timeout(DEADLINE, there).await.map(|_| ()) };
        self.runtime().block_on(waited).expect("within the deadline");
    }

    /// Stops and continues the calls of the engine to a node.
    pub fn set_down(&self, node: usize, is_down: bool) {
        self.pool.down[node].store(is_down, Ordering::SeqCst);
        self.pool.wake();
    }

    /// Where a node has a repository.
    pub fn bare(&self, node: usize, repo: u64) -> PathBuf {
        self.dir.path().join(format!("node{node}/repos/{repo}.git"))
    }

    /// Gives one node the packs that another has.
    pub fn give_packs(&self, from: usize, to: usize) {
        let packs = |node| self.dir.path().join(format!("node{node}/packs"));
        let copied =
            Command::new("cp").arg("-a").arg(packs(from).join(".")).arg(packs(to)).status();
        assert!(copied.unwrap().success());
    }

    pub fn url(&self, node: usize) -> String {
        format!("{}/alice/hello.git", self.urls[node])
    }

    /// A project with one commit on main, signed for by `key`, its remote at a node.
    pub fn project(&self, name: &str, key: &str, node: usize) -> Checkout {
        let project = Checkout::new(self.dir.path().join(name), &self.url(node));
        project.sign_with(&self.dir.path().join(key));
        project
    }

    /// What a node's gateway advertises for a ref.
    pub fn tip(&self, node: usize, name: &str) -> Option<String> {
        let anywhere = Checkout { path: self.dir.path().into() };
        let listed = anywhere.ok(&["ls-remote", &self.url(node), name]);
        listed.split_whitespace().next().map(str::to_owned)
    }

    /// An HTTP POST to the gateway of a node.
    pub fn post(&self, node: usize, path: &str, body: &str) -> (u16, String) {
        post(&self.urls[node], path, body)
    }

    /// An HTTP GET from the gateway of a node.
    pub fn get(&self, node: usize, path: &str) -> (u16, String) {
        get(&self.urls[node], path)
    }
}

/// An HTTP request with a body: status and the answer's body.
fn post(url: &str, path: &str, body: &str) -> (u16, String) {
    use std::io::{Read, Write};
    let host = url.strip_prefix("http://").unwrap();
    let mut stream = std::net::TcpStream::connect(host).unwrap();
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
         Content-Length: {length}\r\n\r\n"
    );
    stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), body.to_owned())
}

/// An HTTP GET with curl's manners: status and all that came.
pub fn get(url: &str, path: &str) -> (u16, String) {
    use std::io::{Read, Write};
    let host = url.strip_prefix("http://").unwrap();
    let mut stream = std::net::TcpStream::connect(host).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    (answer[9..12].parse().unwrap(), answer)
}

impl Drop for World {
    fn drop(&mut self) {
        self.end();
    }
}

/// The key of a node's account.
pub fn operator(node: u8) -> SecretKey {
    SecretKey::from_seed([node + 1; 32])
}

/// The beginning of a chain with repositories of alice's.
pub fn genesis(
    alice: &Key,
    operators: &[SecretKey],
    validators: &[SecretKey],
    gateways: &[String],
) -> RequestInitChain {
    let mut accounts = vec![serde_json::json!({
        "key": alice.to_string(), "handle": "alice", "balance": "1000000",
    })];
    let mut operated = Vec::new();
    for ((operator, validator), gateway) in operators.iter().zip(validators).zip(gateways) {
        let identity = Identity::new(operator.clone());
        let key = operator.public().to_string();
        accounts.push(serde_json::json!({"key": key, "balance": "1000000"}));
        operated.push(serde_json::json!({
            "consensus_key": validator.public().to_string(),
            "account": identity.account.to_string(),
            "gateway": gateway,
        }));
    }
    // Gateways pay for pushes, whoever operates their validators.
    let operated_by = |key: &Key| operators.iter().any(|operator| operator.public() == *key);
    for key in (0..4).map(|node| operator(node).public()).filter(|key| !operated_by(key)) {
        accounts.push(serde_json::json!({"key": key.to_string(), "balance": "1000000"}));
    }
    let state = serde_json::json!({
        "account": {"accounts": accounts},
        "staking": {"operators": operated},
        "repo": {"repos": [
            {"owner": "alice", "name": "hello"},
            {"owner": "alice", "name": "other"},
            {"owner": "alice", "name": "long", "object_format": "sha256"},
        ]},
    });
    let bytes = serde_json::to_vec(&state).unwrap();
    AppState::parse(&bytes).unwrap();
    let update = |key: &SecretKey| ValidatorUpdate {
        pub_key: Some(PublicKey { sum: Some(Sum::Ed25519(key.public().to_vec())) }),
        power: 10,
    };
    RequestInitChain {
        time: Some(Timestamp { seconds: GENESIS_S, nanos: 0 }),
        chain_id: CHAIN.into(),
        validators: validators.iter().map(update).collect(),
        app_state_bytes: bytes.into(),
        initial_height: 1,
        ..Default::default()
    }
}

/// The key whose public half lies in that directory.
fn public_key(dir: &Path, name: &str) -> Key {
    let bytes = hex::decode(keys::public_hex(&dir.join(name))).unwrap();
    Key::from_slice(&bytes).unwrap()
}
