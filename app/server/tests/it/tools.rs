//! The tools for a node that does not run: a state that keeps every rule, and a chain that goes on
//! where it ended.

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, RwLock, mpsc};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use guts_abci::proto::abci::{RequestInitChain, ValidatorUpdate};
use guts_abci::proto::crypto::{PublicKey, public_key::Sum};
use guts_app_core::App;
use guts_state::{MemoryStore, verify_present};
use guts_state_disk::{Database, DiskError};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::net::TcpSocket;

use crate::engine::CHAIN;
use crate::world::{World, get};

/// Longest wait for something that takes a second.
const DEADLINE: Duration = Duration::from_secs(60);

fn tool(args: &[&str], home: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_guts-app"));
    command.args(args).arg("--home").arg(home).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What the engine of a chain with that genesis document asks of the application.
fn init_chain(genesis: &Value) -> RequestInitChain {
    let key = |validator: &Value| {
        let key = validator["pub_key"]["value"].as_str().unwrap();
        STANDARD.decode(key).unwrap()
    };
    let update = |validator: &Value| ValidatorUpdate {
        pub_key: Some(PublicKey { sum: Some(Sum::Ed25519(key(validator))) }),
        power: validator["power"].as_str().unwrap().parse().unwrap(),
    };
    RequestInitChain {
        chain_id: CHAIN.into(),
        initial_height: genesis["initial_height"].as_str().unwrap().parse().unwrap(),
        validators: genesis["validators"].as_array().unwrap().iter().map(update).collect(),
        app_state_bytes: serde_json::to_vec(&genesis["app_state"]).unwrap().into(),
        ..Default::default()
    }
}

/// The database of a node that was just ended: the last of its threads closes it.
fn opened(dir: &Path) -> Database {
    let deadline = Instant::now() + DEADLINE;
    loop {
        match Database::open(dir) {
            Err(DiskError::Locked(_)) if Instant::now() < deadline => std::thread::yield_now(),
            other => return other.unwrap(),
        }
    }
}

/// A process that ends with the test, however that ends.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Connections that the reading of a stopped node takes from one address.
const PER_ADDRESS: usize = 8;

/// Connections from one address that say half a request and nothing more, one more than there is
/// room for.
fn crowd(url: &str) -> Vec<TcpStream> {
    let to: SocketAddr = url.strip_prefix("http://").unwrap().parse().unwrap();
    let come = async {
        let mut all = Vec::new();
        for _ in 0..=PER_ADDRESS {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
            let stream = socket.connect(to).await.unwrap().into_std().unwrap();
            stream.set_nonblocking(false).unwrap();
            (&stream).write_all(b"GET / HTTP/1.1\r\n").unwrap();
            all.push(stream);
        }
        all
    };
    tokio::runtime::Runtime::new().unwrap().block_on(come)
}

/// SIGTERM; it must end by itself, with success.
fn end(mut process: Started) {
    let pid = Pid::from_child(&process.0);
    kill_process(pid, Signal::TERM).unwrap();
    let (ended, end) = mpsc::channel();
    let watch = std::thread::spawn(move || {
        if end.recv_timeout(DEADLINE).is_err() {
            let _ = kill_process(pid, Signal::KILL);
        }
    });
    let status = process.0.wait().unwrap();
    ended.send(()).unwrap();
    watch.join().unwrap();
    assert!(status.success(), "{status}");
}

/// Reads a stopped node: its answers are proved against the root that the block of `height` left.
fn read(home: &Path, height: u64, root: &[u8; 32]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_guts-app"));
    command.args(["inspect", "--home"]).arg(home).stdout(Stdio::piped());
    command.env("GUTS_APP_CONNECTIONS_PER_ADDRESS_MAX", PER_ADDRESS.to_string());
    let mut inspecting = Started(command.spawn().unwrap());
    let mut said = String::new();
    BufReader::new(inspecting.0.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
    let url = &said[said.find("http://").expect(&said)..].trim_end();
    let (status, page) = get(url, "/");
    assert!(status == 200 && page.contains("alice/hello"), "{page}");
    let (status, answer) = get(url, "/rpc/guts_handle?handle=%22alice%22");
    assert_eq!(status, 200, "{answer}");
    let answer: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    let answer = &answer["result"];
    assert_eq!(answer["height"], height.to_string());
    let bytes = |name: &str| STANDARD.decode(answer[name].as_str().unwrap()).unwrap();
    assert!(verify_present(&bytes("proof"), root, &bytes("key"), &bytes("value")), "{answer}");
    let (status, _) = get(url, "/alice/hello.git/info/refs?service=git-upload-pack");
    assert_eq!(status, 404, "repositories are not served");
    // Behind the door that a node has which runs.
    let mut crowd = crowd(url);
    let mut refused = String::new();
    crowd.pop().unwrap().read_to_string(&mut refused).unwrap();
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    assert_eq!(get(url, "/health").0, 200, "others are served");
    end(inspecting);
    drop(crowd);
}

#[test]
fn a_stopped_node_is_audited_packed_read_and_exported() {
    let world = World::new();
    world.project("a", "alice", 0).ok(&["push", "origin", "main"]);
    let home = world.dir.path().join("home");
    std::fs::create_dir(&home).unwrap();
    let data = world.dir.path().join("node0");
    let settings = format!("data = {data:?}\ngateway = \"127.0.0.1:0\"\n");
    std::fs::write(home.join("config.toml"), settings).unwrap();
    let running = tool(&["audit"], &home);
    assert!(!running.status.success());
    assert!(text(&running.stderr).contains("in use by another process"), "{running:?}");

    let dir = world.stop();
    let database = opened(&data.join("state"));
    let height = database.head().unwrap().unwrap().height;
    let root_at = |height| database.snapshot(height).unwrap().root().unwrap().hash;
    let (root, proved) = (root_at(height), root_at(height - 1));
    drop(database);
    let audited = tool(&["audit"], &home);
    assert!(audited.status.success(), "{audited:?}");
    assert!(text(&audited.stdout).contains(&format!("height {height} keeps every rule")));

    let packed = tool(&["compact"], &home);
    assert!(packed.status.success(), "{packed:?}");
    assert!(text(&packed.stdout).contains("KiB before"), "{packed:?}");
    // The newest header proves the state of the block before it.
    read(&home, height - 1, &proved);

    let began = dir.path().join("genesis.json");
    std::fs::write(&began, json!({"chain_id": CHAIN, "app_state": {}}).to_string()).unwrap();
    let exported = tool(&["export", "--genesis", began.to_str().unwrap()], &home);
    assert!(exported.status.success(), "{exported:?}");
    let genesis: Value = serde_json::from_slice(&exported.stdout).unwrap();
    assert_eq!(genesis["initial_height"], (height + 1).to_string());
    assert!(genesis["genesis_time"].as_str().unwrap().ends_with('Z'), "{genesis:#}");
    // The state it makes is the one the chain ended with.
    let store = Arc::new(RwLock::new(MemoryStore::new()));
    let made = App::new(store, None).init_chain(&init_chain(&genesis)).unwrap();
    assert_eq!(made.app_hash, root.to_vec());

    std::fs::write(&began, json!({"chain_id": "other"}).to_string()).unwrap();
    let foreign = tool(&["export", "--genesis", began.to_str().unwrap()], &home);
    assert!(text(&foreign.stderr).contains("it is of chain \"other\""), "{foreign:?}");
}

#[test]
fn a_node_without_a_state_says_so() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("config.toml"), "").unwrap();
    for command in ["audit", "compact", "inspect", "rollback"] {
        let said = tool(&[command], home.path());
        assert!(text(&said.stderr).contains("nothing was committed there yet"), "{said:?}");
        assert!(!said.status.success());
    }
}
