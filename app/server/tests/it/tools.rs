//! The tools for a node that does not run: a state that keeps every rule, and a chain that goes on
//! where it ended.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use guts_abci::proto::abci::{RequestInitChain, ValidatorUpdate};
use guts_abci::proto::crypto::{PublicKey, public_key::Sum};
use guts_app_core::App;
use guts_state::MemoryStore;
use guts_state_disk::{Database, DiskError};
use serde_json::{Value, json};

use crate::engine::CHAIN;
use crate::world::World;

fn tool(args: &[&str], home: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_guts-app"));
    command.args(args).arg("--home").arg(home).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What the engine of a chain with that genesis document asks of the application.
fn init_chain(genesis: &Value) -> RequestInitChain {
    use base64::Engine as _;
    let key = |validator: &Value| {
        let key = validator["pub_key"]["value"].as_str().unwrap();
        base64::engine::general_purpose::STANDARD.decode(key).unwrap()
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
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        match Database::open(dir) {
            Err(DiskError::Locked(_)) if Instant::now() < deadline => std::thread::yield_now(),
            other => return other.unwrap(),
        }
    }
}

#[test]
fn a_stopped_node_is_audited_and_exported() {
    let world = World::new();
    world.project("a", "alice", 0).ok(&["push", "origin", "main"]);
    let home = world.dir.path().join("home");
    std::fs::create_dir(&home).unwrap();
    let data = world.dir.path().join("node0");
    std::fs::write(home.join("config.toml"), format!("data = {data:?}\n")).unwrap();
    let running = tool(&["audit"], &home);
    assert!(!running.status.success());
    assert!(text(&running.stderr).contains("in use by another process"), "{running:?}");

    let dir = world.stop();
    let database = opened(&data.join("state"));
    let height = database.head().unwrap().unwrap().height;
    let root = database.snapshot(height).unwrap().root().unwrap().hash;
    drop(database);
    let audited = tool(&["audit"], &home);
    assert!(audited.status.success(), "{audited:?}");
    assert!(text(&audited.stdout).contains(&format!("height {height} keeps every rule")));

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
    let audited = tool(&["audit"], home.path());
    assert!(text(&audited.stderr).contains("nothing was committed there yet"), "{audited:?}");
    assert!(!audited.status.success());
}
