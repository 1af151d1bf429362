//! A chain that goes on from what another left: the same state under a new genesis.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use guts_tests::keys;
use guts_tests::person::Person;
use guts_tests::solo::{Solo, json_file};
use serde_json::Value;

/// The hash of the state that the application has.
fn app_hash(net: &Solo) -> String {
    let info = net.get("abci_info").expect("an answer");
    let hash = info["result"]["response"]["last_block_app_hash"].as_str().expect("a hash");
    hex::encode_upper(STANDARD.decode(hash).expect("base64"))
}

/// Ends both halves, makes a genesis document of the state that they leave, and starts a chain from
/// it, with the same keys and repositories and nothing else of the old one. The document.
fn start_again_from_export(net: &mut Solo) -> Value {
    net.stop();
    let (app, engine) = (net.home().join("app"), net.home().join("engine"));
    let file = engine.join("config/genesis.json");
    let began = file.display().to_string();
    let exported = net.command("guts-app", &["export", "--genesis", &began]).expect_ok().stdout;
    for old in [app.join("data/state"), engine.join("data")] {
        std::fs::remove_dir_all(old).expect("the old chain is there");
    }
    net.command("guts-engine", &["init"]).expect_ok();
    std::fs::write(&file, exported).expect("written");
    net.run();
    net.wait("the first block", || (net.height()? > 0).then_some(()));
    json_file(&file)
}

#[test]
fn a_chain_restarted_from_an_exported_genesis_has_equal_state() {
    let place = tempfile::tempdir().expect("a directory");
    let key = place.path().join("id");
    keys::make(&key);
    let key = key.display().to_string();
    let mut net = Solo::start(|_| {});
    let ada = Person::stranger(net.rpc(), net.gateway());
    ada.json(&["init", "--key", &key, "--handle", "ada"], ada.dir());
    let dir = ada.repository("hello");
    ada.git(&["push", "-q", "origin", "main"], &dir).expect_ok();
    ada.json(&["issue", "open", "ada/hello", "a title", "--text", "why"], &dir);
    ada.json(&["issue", "open", "ada/hello", "more of it", "--text", "as #1"], &dir);
    let shown = |who: &Person| -> Vec<Value> {
        let parts = [
            &["whoami"][..],
            &["repo", "show", "ada/hello"],
            &["issue", "list", "ada/hello"],
            &["issue", "show", "ada/hello", "1"],
        ];
        let mut shown: Vec<_> = parts.iter().map(|args| who.json(args, who.dir())).collect();
        for value in &mut shown {
            value.as_object_mut().expect("an object").remove("proved_height");
        }
        shown
    };
    let before = shown(&ada);
    assert_eq!(before[3]["references"][0]["number"], 2);

    // Blocks that follow are empty, and leave the state as it is.
    let hash = app_hash(&net);
    let genesis = start_again_from_export(&mut net);
    let first = genesis["initial_height"].as_str().expect("a height");
    assert!(first.parse::<u64>().is_ok_and(|first| first > 1), "it goes on from {first}");
    let made = net.wait("the first header", || {
        let answer = net.get(&format!("commit?height={first}"))?;
        answer["result"]["signed_header"]["header"]["app_hash"].as_str().map(str::to_owned)
    });
    assert_eq!(made, hash, "the genesis makes the state it was made of");

    // It is another chain to whoever pinned the old genesis, and has all that the old one had.
    let again = Person::stranger(net.rpc(), net.gateway());
    again.json(&["init", "--key", &key], again.dir());
    assert_eq!(shown(&again), before);
    again.json(&["issue", "open", "ada/hello", "another", "--text", "why"], again.dir());
}
