//! Our applications under real CometBFT validators.

use std::cell::Cell;
use std::path::Path;
use std::process::Command;
use std::rc::Rc;

use guts_schema::proto::Upgrade;
use guts_schema::proto::propose::Content;
use guts_tests::cometbft::{Network, Place, find};
use guts_tests::keys;
use guts_tests::person::Person;
use guts_tests::program;
use guts_tests::run::git;
use guts_tests::solo::{json_file, operator};
use serde_json::{Value, json};

/// examples/kvstore on a socket; every second one keeps its state on the disk.
fn kvstore(place: &Place) -> Command {
    let mut command = Command::new(program("kvstore"));
    command.arg("--address").arg(format!("unix://{}", place.socket.display()));
    if place.validator % 2 == 1 {
        command.arg("--home").arg(place.home.join("kvstore"));
    }
    command
}

#[test]
fn the_kvstore_runs_under_four_cometbft_validators() {
    let Some(cometbft) = find() else { return };
    let mut network = Network::start(&cometbft, 4, |_| {}, kvstore);
    network.wait_whole(1);

    let mut last = 0;
    for validator in 0..4 {
        let (height, code) = network.broadcast(validator, &format!("key{validator}=value"));
        assert_eq!(code, 0);
        last = height;
    }
    // Four transactions: the kvstore's app hash is their number, as a signed varint.
    assert_eq!(network.agreed_app_hash(last), "0800000000000000");
    for validator in 0..4 {
        let query = network.get(validator, "abci_query?data=%22key0%22").unwrap();
        assert_eq!(query["response"]["log"], "exists");
    }

    // Both kinds come back from a kill: one replays the chain, the other from its journal.
    for validator in [2, 3] {
        network.kill(validator);
        let (height, _) = network.broadcast(0, &format!("meanwhile{validator}=1"));
        network.revive(validator);
        network.wait_whole(height);
        last = height;
    }
    assert_eq!(network.agreed_app_hash(last), "0C00000000000000");
}

/// Where a validator's `guts-app` lives, for its CometBFT's home.
fn guts_home(node_home: &Path) -> String {
    node_home.join("guts").display().to_string()
}

/// Makes the homes of so many `guts-app`, and the genesis they need: vote extensions from the
/// start, and the account of each validator's gateway; `change` may change its `app_state`.
fn guts_network(folder: &Path, count: usize, change: impl FnOnce(&mut Value)) {
    let homes: Vec<_> = (0..count).map(|index| folder.join(format!("node{index}"))).collect();
    let path = homes[0].join("config/genesis.json");
    let mut genesis: Value = json_file(&path);
    let (mut accounts, mut operators) = (Vec::new(), Vec::new());
    for home in &homes {
        let key = home.join("config/priv_validator_key.json");
        let (account, operator) = operator(Path::new(&guts_home(home)), &key);
        accounts.push(account);
        operators.push(operator);
    }
    genesis["consensus_params"]["abci"]["vote_extensions_enable_height"] = "1".into();
    genesis["app_state"] =
        json!({"account": {"accounts": accounts}, "staking": {"operators": operators}});
    change(&mut genesis["app_state"]);
    for home in &homes {
        let path = home.join("config/genesis.json");
        std::fs::write(path, genesis.to_string()).expect("CometBFT made one");
    }
}

/// guts-app on these addresses.
fn guts_app(place: &Place) -> Command {
    guts_app_of("guts-app", place)
}

/// A program that is a guts-app.
fn guts_app_of(name: &str, place: &Place) -> Command {
    let others: Vec<_> = place.other_gateways.iter().map(|at| format!("http://{at}")).collect();
    let mut command = Command::new(program(name));
    command.arg("run").arg("--home").arg(guts_home(&place.home));
    command.env("GUTS_APP_ABCI", format!("unix://{}", place.socket.display()));
    command.env("GUTS_APP_GATEWAY", &place.gateway);
    command.env("GUTS_APP_PUBLIC_URL", format!("http://{}", place.gateway));
    command.env("GUTS_APP_ENGINE_RPC", format!("http://{}", place.rpc));
    command.env("GUTS_APP_GATEWAYS", others.join(","));
    command
}

#[test]
fn a_push_goes_through_four_cometbft_validators() {
    let Some(cometbft) = find() else { return };
    let network = Network::start(&cometbft, 4, |at| guts_network(at, 4, |_| {}), guts_app);
    network.wait_height(2);
    let place = network.place(0);
    let url = |at: &str| format!("http://{at}");
    let ada = Person::at(url(&place.rpc), url(&place.gateway), "ada");
    let work = ada.repository("hello");
    let pushed = git(&["push", "origin", "main"], &work).expect_ok();
    assert!(pushed.said().contains("committed in block"), "{}", pushed.said());

    // From another validator, the same commit, proved.
    let other = format!("http://{}/ada/hello.git", network.place(2).gateway);
    let clone = ada.dir().join("clone");
    let target = clone.display().to_string();
    network.wait("the other gateway serves the push", || {
        let listed = git(&["ls-remote", &other, "refs/heads/main"], ada.dir());
        (listed.ok && !listed.stdout.is_empty()).then_some(())
    });
    git(&["clone", "-q", &other, &target], ada.dir()).expect_ok();
    let head = |dir: &Path| git(&["rev-parse", "HEAD"], dir).expect_ok().stdout;
    assert_eq!(head(&work), head(&clone));
    // The header after a block is what proves it.
    let height = network.height(0).expect("it answered before");
    network.wait_height(height + 2);
    ada.guts(&["repo", "verify", "."], &clone).expect_ok();
    network.agreed_app_hash(height);
}

/// Blocks from the proposal of an upgrade to its height: five a second at most, of which a vote of
/// a second takes less than half.
const AHEAD: u64 = 80;

#[test]
fn an_upgrade_goes_through_under_cometbft() {
    let Some(cometbft) = find() else { return };
    let place = tempfile::tempdir().expect("a directory");
    let key = place.path().join("ada");
    let funded = keys::genesis_account(&key, 20_000_000);
    let change = |state: &mut Value| {
        state["params"] = json!({"gov_voting_s": 1, "gov_timelock_s": 0, "epoch_s": 1});
        state["account"]["accounts"].as_array_mut().expect("a list").push(funded);
    };
    let name = Rc::new(Cell::new("guts-app"));
    let named = name.clone();
    let app = move |place: &Place| guts_app_of(named.get(), place);
    let mut network = Network::start(&cometbft, 1, |at| guts_network(at, 1, change), app);
    network.wait_height(2);
    let at = network.place(0).clone();
    let url = |at: &str| format!("http://{at}");
    let ada = Person::with_key(url(&at.rpc), url(&at.gateway), &key);
    let said = |args: &[&str]| ada.json(args, ada.dir());
    said(&["stake", "delegate", &ada.first_validator(), "9000000"]);
    let height = network.height(0).expect("it answered before") + AHEAD;
    ada.decide(1, Content::Upgrade(Upgrade { height, version: 2 }));

    // The application halts before that height and says why, and CometBFT ends with it.
    let halts = format!("version 2 of the rules holds from height {height} on");
    for what in ["an upgrade is ahead", "no block is executed any more"] {
        network.wait(what, || {
            let log = std::fs::read_to_string(at.home.join("app.log")).ok()?;
            log.lines().any(|line| line.contains(what) && line.contains(&halts)).then_some(())
        });
    }
    network.wait("CometBFT says why it ends", || {
        let log = std::fs::read_to_string(at.home.join("engine.log")).ok()?;
        log.contains(&halts).then_some(())
    });
    // The operator starts both again, the application as a newer one.
    network.kill(0);
    name.set("next_rules");
    network.revive(0);
    network.wait_height(height + 2);
    let version = |height: u64| {
        let block = network.get(0, &format!("block?height={height}")).expect("an answer");
        block["block"]["header"]["version"]["app"].clone()
    };
    assert_eq!([height, height + 1].map(version), ["1", "2"]);
    assert_eq!(said(&["gov", "show", "1"])["status"], "done");
}
