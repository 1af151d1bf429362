//! A validator whose key runs twice, as after a careless restore: it contradicts itself, the others
//! prove it, and the chain punishes it and goes on without it.
//!
//! Every process listens on a port that the system gives it and the log tells.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use guts_tests::person::Person;
use guts_tests::process::{end, show_ends, spawn};
use guts_tests::run::run;
use guts_tests::solo::{json_file, operator};
use guts_tests::{http, keys, program, wait};
use serde_json::{Value, json};

/// Twenty times what a step takes on two cores.
const PATIENCE: Duration = Duration::from_secs(90);
/// What ada gives to the validator that will lie.
const DELEGATED: u64 = 1_000_000;
/// What each validator has of its own: a power of 10.
const BONDED: u64 = 10_000_000;

/// The two processes of a validator, ended when this is dropped.
struct Pair {
    home: PathBuf,
    processes: Vec<Child>,
    /// `HOST:PORT` of the engine's RPC.
    rpc: String,
    /// `PEERID@HOST:PORT`.
    peer: String,
}

fn engine(verb: &str, home: &Path, args: &[&str]) -> String {
    let path = home.display().to_string();
    let all = [&[verb, "--home", &path], args].concat();
    run(&program("guts-engine"), &all, Path::new("/"), &[]).expect_ok().stdout
}

impl Pair {
    /// Starts what was made in `home` (`engine/`, `app/`), which dials `peers`.
    fn start(home: &Path, peers: &[String], settings: &[&str]) -> Pair {
        let mut pair = Pair {
            home: home.into(),
            processes: Vec::new(),
            rpc: String::new(),
            peer: String::new(),
        };
        let socket = format!("unix://{}", home.join("app.sock").display());
        let mut command = Command::new(program("guts-engine"));
        command.arg("run").arg("--home").arg(home.join("engine")).args(["--log-format", "json"]);
        command.args(["--proxy-app", &socket, "--set", "rpc.laddr=tcp://127.0.0.1:0"]);
        command.args(["--set", "p2p.laddr=tcp://127.0.0.1:0"]);
        command.arg("--set").arg(format!("p2p.persistent_peers={}", peers.join(",")));
        settings.iter().for_each(|setting| {
            command.args(["--set", setting]);
        });
        pair.processes.push(spawn(command, &pair.log("engine")));
        pair.rpc = pair.address_of("listening for RPC");
        let id = engine("show-node-id", &home.join("engine"), &[]);
        pair.peer = format!("{}@{}", id.trim(), pair.address_of("listening for peers"));
        let mut command = Command::new(program("guts-app"));
        command.arg("run").arg("--home").arg(home.join("app"));
        command.env("GUTS_APP_ABCI", &socket).env("GUTS_APP_GATEWAY", "127.0.0.1:0");
        command.env("GUTS_APP_ENGINE_RPC", format!("http://{}", pair.rpc));
        pair.processes.push(spawn(command, &pair.log("app")));
        pair
    }

    fn log(&self, half: &str) -> PathBuf {
        self.home.join(format!("{half}.log"))
    }

    /// The address in the engine's line with this message.
    fn address_of(&self, message: &str) -> String {
        self.wait(message, || {
            let text = std::fs::read_to_string(self.log("engine")).ok()?;
            let mut lines =
                text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let line = lines.find(|line| line["fields"]["message"] == message)?;
            line["fields"]["address"].as_str().map(str::to_owned)
        })
    }

    /// What its RPC answers, or `None`.
    fn get(&self, call: &str) -> Option<Value> {
        http::get(&self.rpc, call)?.get("result").cloned()
    }

    /// Returns what `look` finds, looking whenever one of its processes writes a line.
    fn wait<T>(&self, what: &str, look: impl FnMut() -> Option<T>) -> T {
        wait::until(std::slice::from_ref(&self.home), what, PATIENCE, look)
    }

    fn height(&self) -> Option<u64> {
        self.get("status")?["sync_info"]["latest_block_height"].as_str()?.parse().ok()
    }

    fn wait_height(&self, height: u64) {
        self.wait("a height", || (self.height()? >= height).then_some(()));
    }

    /// The evidence in the first block that has some, from `from` on.
    fn evidence(&self, from: u64) -> Value {
        let mut next = from;
        self.wait("evidence in a block", || {
            while next <= self.height()? {
                let block = self.get(&format!("block?height={next}"))?;
                let list = block["block"]["evidence"]["evidence"].as_array()?;
                if let Some(first) = list.first() {
                    return Some(first.clone());
                }
                next += 1;
            }
            None
        })
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.processes.iter_mut().for_each(end);
        show_ends(&["app", "engine"].map(|half| self.log(half)));
    }
}

/// Makes the homes of four validators and a genesis in which `funded` has an account.
fn make_homes(folder: &Path, funded: Value) -> Vec<PathBuf> {
    let homes: Vec<_> = (0..4).map(|index| folder.join(format!("v{index}"))).collect();
    let (mut accounts, mut operators, mut validators) = (vec![funded], vec![], vec![]);
    for home in &homes {
        engine("init", &home.join("engine"), &["--chain-id", "guts-twins"]);
        let config = home.join("engine/config");
        let (account, operator) =
            operator(&home.join("app"), &config.join("priv_validator_key.json"));
        accounts.push(account);
        operators.push(operator);
        validators.push(json_file(&config.join("genesis.json"))["validators"][0].clone());
    }
    let mut genesis = json_file(&homes[0].join("engine/config/genesis.json"));
    genesis["validators"] = validators.into();
    genesis["consensus_params"]["abci"]["vote_extensions_enable_height"] = "1".into();
    genesis["app_state"] = json!({
        "params": {"epoch_s": 3},
        "account": {"accounts": accounts},
        "staking": {"operators": operators},
    });
    for home in &homes {
        let file = home.join("engine/config/genesis.json");
        std::fs::write(file, genesis.to_string()).expect("it was made");
    }
    homes
}

/// Makes a home with the key of `of` and no memory of what it signed.
fn make_twin(folder: &Path, of: &Path) -> PathBuf {
    let home = folder.join("twin");
    let config = home.join("engine/config");
    std::fs::create_dir_all(&config).expect("a directory");
    for name in ["genesis.json", "priv_validator_key.json"] {
        std::fs::copy(of.join("engine/config").join(name), config.join(name)).expect("copied");
    }
    engine("init", &home.join("engine"), &[]);
    operator(&home.join("app"), &config.join("priv_validator_key.json"));
    home
}

/// The validators as the client proves them.
fn validators(ada: &Person) -> Vec<Value> {
    let listed = ada.json(&["validators", "list"], ada.dir());
    assert!(listed["proved_height"].as_u64().is_some_and(|height| height > 0), "{listed}");
    listed["validators"].as_array().expect("a list").clone()
}

/// What an account has with its first validator, as the client proves it.
fn stake(ada: &Person, who: &str) -> u64 {
    let shown = ada.json(&["stake", "show", who], ada.dir());
    let amount = shown["delegations"][0]["amount"].as_str().and_then(|text| text.parse().ok());
    amount.unwrap_or_else(|| panic!("{shown}"))
}

/// What the engine's newest validator set is, by address.
fn set(pair: &Pair) -> Option<Vec<Value>> {
    let answer = pair.get("validators")?;
    Some(answer["validators"].as_array()?.iter().map(|one| one["address"].clone()).collect())
}

#[test]
fn a_key_that_runs_twice_is_proved_slashed_and_removed() {
    let place = tempfile::tempdir().expect("a directory");
    let key = place.path().join("ada");
    let homes = make_homes(place.path(), keys::genesis_account(&key, 20_000_000));
    let mut pairs: Vec<Pair> = Vec::new();
    let resting = ["consensus.create_empty_blocks_interval=1s"];
    for home in &homes {
        let peers: Vec<_> = pairs.iter().map(|pair| pair.peer.clone()).collect();
        pairs.push(Pair::start(home, &peers, &resting));
    }
    pairs.iter().for_each(|pair| pair.wait_height(1));

    let rpc = format!("http://{}", pairs[0].rpc);
    let ada = Person::with_key(rpc, "http://127.0.0.1:9".into(), &key);
    let at = json_file(&homes[3].join("engine/config/priv_validator_key.json"))["address"].clone();
    let liar = at.as_str().expect("text").to_lowercase();
    let before = validators(&ada);
    let listed = before.iter().find(|one| one["address"] == liar.as_str()).expect("it is there");
    let operator = listed["account"].as_str().expect("an account");
    assert_eq!((before.len(), stake(&ada, operator)), (4, BONDED));
    ada.json(&["stake", "delegate", &liar, &DELEGATED.to_string()], ada.dir());

    // It does not wait for proposals: it votes for nothing where its twin votes for a block.
    let hasty = ["timeout_propose=1ms", "create_empty_blocks=true", "timeout_commit=100ms"];
    let hasty = hasty.map(|setting| format!("consensus.{setting}"));
    let peers: Vec<_> = pairs.iter().map(|pair| pair.peer.clone()).collect();
    let from = pairs[0].height().expect("it answers");
    let home = make_twin(place.path(), &homes[3]);
    pairs.push(Pair::start(&home, &peers, &hasty.each_ref().map(String::as_str)));
    check_evidence(&pairs[0].evidence(from)["value"], &at);
    check_punished(&pairs[0], &ada, &liar, operator);

    // It leaves the set when the epoch ends, for the client and for consensus.
    let left = pairs[0].wait("the set without it", || {
        let left = validators(&ada);
        (left.len() == 3).then_some(left)
    });
    assert!(left.iter().all(|one| one["address"] != liar.as_str()), "{left:?}");
    wait::until(&homes, "consensus without it", PATIENCE, || {
        let all: Option<Vec<_>> = pairs.iter().map(set).collect();
        all?.iter().all(|set| set.len() == 3 && !set.contains(&at)).then_some(())
    });

    // The chain goes on, everywhere alike, and nobody is punished twice for one fault.
    let other = left[0]["address"].as_str().expect("an address");
    let height = pairs[0].height().expect("it answers");
    ada.json(&["stake", "delegate", other, "1000"], ada.dir());
    check_punished(&pairs[0], &ada, &liar, operator);
    pairs.iter().for_each(|pair| pair.wait_height(height + 2));
    let call = format!("block?height={}", height + 2);
    let hashes: Vec<_> = pairs.iter().map(|pair| pair.get(&call)).collect();
    let hash = |block: &Option<Value>| block.as_ref().map(|block| block["block_id"].clone());
    assert!(hashes.iter().all(|one| one.is_some() && hash(one) == hash(&hashes[0])), "{hashes:?}");
}

/// Two votes of the validator at `address` that contradict each other.
fn check_evidence(evidence: &Value, address: &Value) {
    let (one, other) = (&evidence["vote_a"], &evidence["vote_b"]);
    for name in ["height", "round", "type", "validator_address"] {
        assert!(!one[name].is_null() && one[name] == other[name], "{name}: {evidence}");
    }
    assert_eq!(&one["validator_address"], address);
    assert_ne!(one["block_id"], other["block_id"]);
}

/// A twentieth of its own stake and of what others gave it is gone, and it takes no more.
fn check_punished(pair: &Pair, ada: &Person, liar: &str, operator: &str) {
    pair.wait("a smaller stake", || (stake(ada, "ada") < DELEGATED).then_some(()));
    assert_eq!(stake(ada, operator), BONDED - BONDED / 20);
    let shown = ada.json(&["stake", "show"], ada.dir());
    let given = shown["delegations"].as_array().expect("a list").iter();
    let given = given.clone().find(|one| one["validator"] == liar).expect("it is listed");
    assert_eq!(given["amount"], (DELEGATED - DELEGATED / 20).to_string());
    let more = ada.guts(&["stake", "delegate", liar, "1"], ada.dir()).expect_refused();
    assert!(more.said().contains("tombstoned"), "{}", more.said());
}
