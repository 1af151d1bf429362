//! What a network decides is carried out: prices, the power of stake, and the version of the rules,
//! through four pairs whose operators install a newer program before, at and after its height.

use guts_schema::proto::Upgrade;
use guts_schema::proto::propose::Content;
use guts_tests::http;
use guts_tests::keys;
use guts_tests::localnet::{Localnet, Programs};
use guts_tests::person::Person;
use serde_json::{Value, json};

/// Blocks from a proposal of an upgrade to its height: two a second at most, of which a vote of a
/// second and the time lock take less than half.
const AHEAD: u64 = 40;
/// Stake that a validator begins with, and what makes a power of 1 at first and as is decided.
const STAKE: u64 = 10_000_000;
const UNIT: u64 = 500_000;
/// What ada gives to the first validator.
const DELEGATED: u64 = 1_000_000;

/// A network, and somebody with stake in it.
struct World {
    net: Localnet,
    ada: Person,
    /// Where her key is.
    _place: tempfile::TempDir,
}

impl World {
    fn start() -> World {
        let place = tempfile::tempdir().expect("a directory");
        let key = place.path().join("ada");
        keys::make(&key);
        let own = format!("{}.pub", key.display());
        let params = ["gov_voting_s=1", "gov_timelock_s=1", "gov_quorum_ppm=1000", "epoch_s=1"];
        let params = params.iter().flat_map(|param| ["--param", param]);
        let others = ["--fund", &own, "--set", "consensus.create_empty_blocks_interval=1s"];
        let args: Vec<_> = params.chain(others).collect();
        let net = Localnet::start_of(Programs::linked(), &args);
        let ada = Person::with_key(net.rpc(0), net.gateway(0), &key);
        let world = World { net, ada, _place: place };
        let delegated = DELEGATED.to_string();
        world.json(&["stake", "delegate", &world.ada.first_validator(), &delegated]);
        world
    }

    fn json(&self, args: &[&str]) -> Value {
        self.ada.json(args, self.ada.dir())
    }

    /// Waits until a proposal was carried out.
    fn wait_done(&self, number: u64) {
        let number = number.to_string();
        let ended = self.net.wait("the end of a proposal", || {
            let shown = self.json(&["gov", "show", &number]);
            let is_open = ["voting", "queued"].iter().any(|status| shown["status"] == *status);
            (!is_open).then_some(shown)
        });
        assert_eq!(ended["status"], "done", "{ended}");
        assert!(ended["proved_height"].as_u64() > Some(0), "{ended}");
    }

    /// What voting costs where fees pay.
    fn fee(&self) -> String {
        let dry = ["gov", "propose", "text", "a", "--text", "b", "--deposit", "1", "--dry-run"];
        let said = self.ada.guts(&dry, self.ada.dir()).expect_ok().said();
        let (_, fee) = said.split_once("or a fee of ").expect("it says so");
        fee.split_once(',').expect("and how to pay it").0.to_owned()
    }

    /// A validator's newest height.
    fn newest(&self, validator: usize) -> u64 {
        self.net.wait("it answers", || self.net.height(validator))
    }

    /// Waits until a validator's application has said something `times` times.
    fn wait_said(&self, validator: usize, half: &str, what: &str, times: usize) {
        self.net.wait(what, || {
            let log = std::fs::read_to_string(self.net.log(validator, half)).ok()?;
            (log.matches(what).count() >= times).then_some(())
        });
    }

    /// The version of the rules in a header.
    fn version(&self, validator: usize, height: u64) -> Value {
        let block = self.net.get(validator, &format!("block?height={height}")).expect("an answer");
        block["result"]["block"]["header"]["version"]["app"].clone()
    }

    /// Waits until all have a block and says that it is the same.
    fn assert_agreed(&self, height: u64) {
        let hash = |validator: usize| {
            self.net.wait_height(validator, height);
            let block = self.net.get(validator, &format!("block?height={height}"));
            block.expect("an answer")["result"]["block_id"].clone()
        };
        let hashes: Vec<_> = (0..4).map(hash).collect();
        assert!(hashes.iter().all(|one| one.is_object() && *one == hashes[0]), "{hashes:?}");
    }

    /// How many repositories an account may have, as a validator's gateway proves it.
    fn repositories(&self, validator: usize) -> Value {
        let gateway = self.net.gateway(validator).replace("http://", "");
        let answer = self.net.wait("it reads", || http::get(&gateway, "rpc/guts_params"));
        let file = self.ada.dir().join("answer.json");
        std::fs::write(&file, answer.to_string()).expect("written");
        let node = self.net.rpc(validator);
        self.json(&["verify", &file.display().to_string(), "--node", &node]);
        answer["result"]["decoded"]["repos_per_account_max"].clone()
    }

    /// Another application starts in the place of one that runs.
    fn restart_app(&self, validator: usize) {
        self.net.kill_half(validator, "app");
        self.net.revive(validator);
    }
}

/// What is decided on changes prices and powers.
fn other_params(world: &World) {
    assert_eq!(world.fee(), "50");
    let price = json!({"kind": "other", "work": 1, "fee": 77});
    let params = json!({"power_unit": UNIT, "other_price": price});
    world.ada.decide(1, Content::Params(params.to_string()));
    world.wait_done(1);
    assert_eq!(world.fee(), "77");
    let net = &world.net;
    let powers = |validator: usize| -> Option<Vec<String>> {
        let answer = net.get(validator, "validators")?;
        let set = answer["result"]["validators"].as_array()?.iter();
        set.map(|one| Some(one["voting_power"].as_str()?.to_owned())).collect()
    };
    let [first, other] = [STAKE + DELEGATED, STAKE].map(|stake| (stake / UNIT).to_string());
    let wanted = [first, other.clone(), other.clone(), other];
    for validator in 0..4 {
        net.wait("the engine's powers", || (powers(validator)? == wanted).then_some(()));
    }
}

#[test]
fn what_a_network_decides_holds_and_an_upgrade_goes_through() {
    let world = World::start();
    other_params(&world);
    let net = &world.net;
    // One operator has the newer program in time.
    net.programs().install("next_rules", "guts-app");
    world.restart_app(3);
    world.wait_said(3, "app", "ready", 2);
    let height = world.newest(0) + AHEAD;
    world.ada.decide(2, Content::Upgrade(Upgrade { height, version: 2 }));
    world.wait_done(2);

    // The others halt before its height and say why.
    let halts = format!("version 2 of the rules holds from height {height} on");
    for validator in 0..3 {
        net.wait_height(validator, height - 1);
        world.wait_said(validator, "app", "an upgrade is ahead", 1);
        world.wait_said(validator, "app", "no block is executed any more", 1);
        world.wait_said(validator, "app", &halts, 2);
    }
    net.wait_height(3, height - 1);
    let ahead = std::fs::read_to_string(net.log(3, "app")).expect("a log");
    assert!(!ahead.contains(&halts), "a program that knows it has nothing to say: {ahead}");
    assert_eq!(world.repositories(0), "1000", "reads are answered");
    assert!((0..4).all(|validator| world.newest(validator) == height - 1), "nobody goes on");

    // Two more have it, and the chain goes on with them.
    for validator in [1, 2] {
        world.restart_app(validator);
    }
    for validator in [1, 2, 3] {
        net.wait_height(validator, height + 2);
        assert_eq!([height, height + 1].map(|at| world.version(validator, at)), ["1", "2"]);
        assert_eq!(world.repositories(validator), "2000");
    }
    assert!(world.newest(0) < height, "it does not know how");
    late(&world, height);
}

/// The last operator, who first starts the older program again.
fn late(world: &World, height: u64) {
    let net = &world.net;
    world.restart_app(0);
    world.assert_agreed(height + 2);
    assert_eq!(world.version(0, height + 1), "2");

    net.programs().install("guts-app", "guts-app");
    world.restart_app(0);
    world.wait_said(0, "app", "guts-app: version 2 of the rules holds from height", 1);
    // What it says last, it says before it has ended.
    net.wait("an application that is dead", || {
        let said = net.call("status", &[]).said();
        said.contains("error: the app of validator 0 is dead").then_some(())
    });
    net.programs().install("next_rules", "guts-app");
    for validator in 0..4 {
        world.restart_app(validator);
        net.wait("its engine has it again", || net.app_state(validator));
    }

    // What the upgrade changed was changed once, and the chain takes what it is told.
    let made = world.json(&["gov", "propose", "text", "a", "--text", "b", "--deposit", "1"]);
    assert_eq!(made["proposal"], 3);
    world.assert_agreed(world.newest(0));
    for validator in 0..4 {
        assert_eq!(world.repositories(validator), "2000");
    }
}
