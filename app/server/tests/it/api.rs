//! `/rpc`: typed reads, each checked against the root its proof speaks of.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use guts_state::{Snapshot, verify_absent, verify_present};
use serde_json::{Value, json};

use crate::world::World;

const NOBODY: &str = "00000000000000000000000000000000000000ff";

/// The answer to a call over GET: its result, or its error.
fn get(world: &World, call: &str) -> Result<Value, Value> {
    let (_, answer) = world.get(0, &format!("/rpc/{}", call.replace('"', "%22")));
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    let mut answer: Value = serde_json::from_str(body).expect(body);
    match answer["error"].take() {
        Value::Null => Ok(answer["result"].take()),
        error => Err(error),
    }
}

fn bytes(value: &Value) -> Vec<u8> {
    STANDARD.decode(value.as_str().unwrap()).unwrap()
}

/// Checks the proof of an answer against the state this node has at its height.
fn check(world: &World, answer: &Value) {
    let height: u64 = answer["height"].as_str().unwrap().parse().unwrap();
    assert_eq!(answer["header_height"], (height + 1).to_string());
    let newest = world.chains[0].newest();
    let state = Snapshot::at(newest.snapshot.store().clone(), height).unwrap();
    let (root, key) = (state.root().unwrap().hash, bytes(&answer["key"]));
    let proof = bytes(&answer["proof"]);
    match &answer["value"] {
        Value::Null => assert!(verify_absent(&proof, &root, &key), "{answer}"),
        value => assert!(verify_present(&proof, &root, &key, &bytes(value)), "{answer}"),
    }
}

#[test]
fn values_come_with_their_message_and_their_proof() {
    let world = World::new();
    let handle = get(&world, "guts_handle?handle=\"alice\"").unwrap();
    check(&world, &handle);
    let account = hex::encode(bytes(&handle["decoded"]["account"]));
    let found = get(&world, &format!("guts_account?account=\"{account}\"")).unwrap();
    check(&world, &found);
    assert_eq!(found["decoded"]["handle"], "alice");
    assert_eq!(found["decoded"]["balance"], "1000000");
    let repo = get(&world, "guts_repo?repo=\"1\"").unwrap();
    check(&world, &repo);
    assert_eq!(repo["decoded"]["name"], "hello");
    assert_eq!(repo["decoded"]["archived"], false, "fields that are not set are there too");
    let validators = get(&world, "guts_validators").unwrap();
    check(&world, &validators);
    assert_eq!(validators["decoded"]["validators"].as_array().unwrap().len(), 4);
}

#[test]
fn what_is_not_there_is_proved_to_be_absent() {
    let world = World::new();
    let none = get(&world, &format!("guts_account?account=\"{NOBODY}\"")).unwrap();
    check(&world, &none);
    assert_eq!((&none["value"], &none["decoded"]), (&Value::Null, &Value::Null));
}

#[test]
fn wrong_parameters_are_refused_with_the_rule() {
    let world = World::new();
    for (call, rule) in [
        ("guts_account", "an account id"),
        ("guts_account?account=\"xyz\"", "an account id"),
        ("guts_repo?repo=\"0\"", "a repository id is a number from 1 on"),
        ("guts_repo?repo=\"-1\"", "a number from 0 on"),
        ("guts_handle?handle=\"A_B\"", "handle"),
        ("guts_ref?repo=\"1\"&ref=\"main\"", "ref"),
        ("guts_params?height=\"1000000\"", "1000000"),
        ("guts_params?height=\"-5\"", "-5"),
    ] {
        let error = get(&world, call).unwrap_err();
        assert_eq!(error["code"], -32602, "{call}: {error}");
        assert!(error["data"].as_str().unwrap().contains(rule), "{call}: {error}");
    }
    assert_eq!(world.get(0, "/rpc/guts_nothing").0, 404);
}

#[test]
fn the_node_describes_itself() {
    let world = World::new();
    let described = get(&world, "rpc.discover").unwrap();
    assert_eq!(described["openrpc"], "1.3.2");
    let (status, page) = world.get(0, "/openrpc.json");
    assert_eq!(status, 200);
    assert!(page.contains("\"name\": \"guts_account\""), "{page}");
    let status = get(&world, "guts_status").unwrap();
    assert_eq!(status["chain_id"], json!("guts-test"));
}
