//! The commands, and homes that are refused.

use crate::network::Network;
use std::process::Command;

fn engine(args: &[&str]) -> (bool, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_guts-engine")).args(args).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

/// Starts the engine of a home that must be refused, and returns what it says.
fn refusal(network: &Network) -> String {
    let output = network.nodes[0].command("run").output().unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn init_makes_a_home_once_and_shows_its_keys() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().to_str().unwrap();
    let (good, made, _) = engine(&["init", "--home", home]);
    assert!(good && made.contains("made") && !made.contains("kept"), "{made}");
    let (good, kept, _) = engine(&["init", "--home", home]);
    assert!(good && !kept.contains("made"), "{kept}");
    let (_, id, _) = engine(&["show-node-id", "--home", home]);
    assert!(id.starts_with("12D3Koo"), "{id}");
    let (_, key, _) = engine(&["show-validator", "--home", home]);
    assert!(key.contains("tendermint/PubKeyEd25519"), "{key}");
    let set = ["run", "--home", home, "--print-config", "--set", "consensus.timeout_commit=2s"];
    let (good, settings, _) = engine(&set);
    assert!(good && settings.contains("timeout_commit = \"2s\""), "{settings}");
    let inspect = ["inspect", "--home", home, "--print-config", "--set", "rpc.unsafe=true"];
    let (good, settings, _) = engine(&inspect);
    assert!(good && settings.contains("unsafe = true"), "{settings}");
    let (good, _, error) = engine(&["inspect", "--home", home, "--proxy-app", "tcp://127.0.0.1:1"]);
    assert!(!good && error.contains("--proxy-app"), "it asks no application: {error}");
    let (good, _, error) = engine(&["run", "--home", home, "--set", "consensus.nonsense=1"]);
    assert!(!good && error.contains("there is no setting consensus.nonsense"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn homes_that_could_do_harm_are_refused() {
    let mut network = Network::start(1, &[]).await;
    let height = {
        network.reach(1).await;
        network.nodes[0].commit("a", "1").await
    };
    assert!(refusal(&network).contains("in use by another guts-engine"));
    network.nodes[0].kill_engine();
    let home = network.nodes[0].home().to_owned();

    let genesis = home.join("config/genesis.json");
    let text = std::fs::read_to_string(&genesis).unwrap();
    std::fs::write(&genesis, text.replace("test-node", "test-other")).unwrap();
    assert!(refusal(&network).contains("belongs to another genesis document"));
    std::fs::write(&genesis, text).unwrap();

    let state = home.join("data/priv_validator_state.json");
    let kept = std::fs::read(&state).unwrap();
    std::fs::remove_file(&state).unwrap();
    assert!(refusal(&network).contains("priv_validator_state.json is missing"));
    std::fs::write(&state, kept).unwrap();

    let key = home.join("config/priv_validator_key.json");
    let kept = std::fs::read(&key).unwrap();
    let other = guts_genesis::PrivateKey::from_seed([9; 32]);
    std::fs::write(&key, guts_genesis::key_file::print_validator_key(&other)).unwrap();
    assert!(refusal(&network).contains("another validator"));
    std::fs::write(&key, kept).unwrap();

    let wal = std::fs::read_dir(home.join("data/wal")).unwrap().next().unwrap().unwrap().path();
    let kept = std::fs::read(&wal).unwrap();
    let mut damaged = kept.clone();
    damaged[30] ^= 0xff;
    std::fs::write(&wal, damaged).unwrap();
    assert!(refusal(&network).contains("the disk lost data"));

    // A torn end is repaired and said.
    std::fs::write(&wal, [kept.as_slice(), &[0x67; 9]].concat()).unwrap();
    network.nodes[0].start_engine();
    network.nodes[0].reach(height).await;
    assert!(network.nodes[0].log().contains("half-written end"));
    assert!(network.nodes[0].end_engine());

    // A reset keeps what was signed: the old chain's heights are not signed again.
    let output = network.nodes[0].command("reset").arg("--keep-keys").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8(output.stdout).unwrap().contains("signed last at height"));
    assert!(!home.join("data/store").exists() && !home.join("data/wal").exists());
}
