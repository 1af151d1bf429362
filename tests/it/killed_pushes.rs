//! A gateway killed in the middle of a push: the push is committed everywhere or nowhere, and the
//! next `git push` says which.

use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use guts_tests::localnet::Localnet;
use guts_tests::person::Person;
use guts_tests::relay::{Gate, Relay};
use guts_tests::run::{Ran, git};

const ALL: [usize; 4] = [0, 1, 2, 3];
/// The gateway that dies.
const VICTIM: usize = 0;

struct Scene {
    net: Localnet,
    ada: Person,
    dir: PathBuf,
}

impl Scene {
    fn start() -> Scene {
        let net = Localnet::start(&[]);
        // Through another node than the one that dies.
        let ada = Person::new(&net, 1, "ada");
        let dir = ada.repository("hello");
        git(&["push", "-q", "origin", "main"], &dir).expect_ok();
        let scene = Scene { net, ada, dir };
        scene.wait_everywhere();
        scene
    }

    /// Pushes main to a gateway, meanwhile.
    fn push(&self, gateway: &str) -> JoinHandle<Ran> {
        let (url, dir) = (format!("{gateway}/ada/hello.git"), self.dir.clone());
        std::thread::spawn(move || git(&["push", &url, "main"], &dir))
    }

    /// Pushes main to the gateway that died, until the chain has decided about the push before:
    /// until then the refusals say to push again.
    fn push_again(&self) -> String {
        self.net.wait("the next push says what is", || {
            let ran = self.push(&self.net.gateway(VICTIM)).join().expect("it ran");
            let said = ran.said();
            let says_again = said.contains("push again") || said.contains("push' again");
            let is_undecided = !ran.ok && says_again;
            (!is_undecided).then(|| ran.expect_ok().said())
        })
    }

    fn tip(&self, validator: usize) -> String {
        let url = format!("{}/ada/hello.git", self.net.gateway(validator));
        let listed = git(&["ls-remote", &url, "refs/heads/main"], Path::new("/")).stdout;
        listed.split_whitespace().next().unwrap_or_default().to_owned()
    }

    fn head(&self) -> String {
        git(&["rev-parse", "HEAD"], &self.dir).expect_ok().stdout.trim().to_owned()
    }

    /// The gateway that died is back and serves what the others do.
    fn revive(&self) {
        self.net.revive(VICTIM);
        self.net.wait("the revived gateway serves", || {
            // One that does not answer has no tip.
            let tip = self.tip(1);
            (!tip.is_empty() && self.tip(VICTIM) == tip).then_some(())
        });
    }

    /// Waits until all gateways serve what was pushed here last.
    fn wait_everywhere(&self) {
        let head = self.head();
        for validator in ALL {
            self.net
                .wait("the tip at every gateway", || (self.tip(validator) == head).then_some(()));
        }
    }

    /// How often main was moved to where it is here.
    fn times_moved(&self) -> usize {
        let ran = self.ada.guts(&["repo", "log", "ada/hello", "--output", "json"], &self.dir);
        let log: serde_json::Value = serde_json::from_str(&ran.expect_ok().stdout).expect("JSON");
        let head = self.head();
        let entries = log["entries"].as_array().expect("a list");
        entries.iter().filter(|entry| entry["new"] == head.as_str()).count()
    }

    /// Quarantines at the gateway that died.
    fn quarantines(&self) -> usize {
        let repos = self.net.home().join(format!("v{VICTIM}/app/data/repos"));
        let repos = std::fs::read_dir(repos).expect("repositories").flatten();
        let objects = repos.filter_map(|repo| std::fs::read_dir(repo.path().join("objects")).ok());
        let names = objects.flatten().flatten().map(|entry| entry.file_name());
        names.filter(|name| name.to_string_lossy().starts_with("tmp_objdir")).count()
    }
}

#[test]
fn a_gateway_killed_in_the_middle_of_a_push() {
    let scene = Scene::start();
    while_the_pack_is_on_its_way(&scene);
    while_the_push_waits_for_a_block(&scene);
    before_the_answer_is_read(&scene);
    let height = scene.net.app_state(1).expect("it runs").0;
    scene.net.wait_agreed(&ALL, height);
}

/// Nothing reached the chain: nothing moved, nothing is left, and the next push goes through.
fn while_the_pack_is_on_its_way(scene: &Scene) {
    let before = scene.head();
    // Text that does not compress to less than what is let through.
    let word = |i: u64| format!("{:016x}", i.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let noise: String = (1..200_000).map(word).collect();
    scene.ada.commit(&scene.dir, "big", &noise);
    let relay = Relay::to(&scene.net.gateway(VICTIM));
    relay.set(Gate::AfterBytes(256 << 10));
    let push = scene.push(&relay.url());
    relay.wait_held();
    scene.net.kill(VICTIM);
    relay.set(Gate::Cut);
    push.join().expect("it ran").expect_refused();
    scene.revive();
    ALL.iter().for_each(|validator| assert_eq!(scene.tip(*validator), before));
    scene.net.wait("the quarantine is gone", || (scene.quarantines() == 0).then_some(()));
    let said = scene.push_again();
    assert!(said.contains("committed in block"), "{said}");
    scene.wait_everywhere();
}

/// The chain may take it or not, but all validators alike, and never twice.
fn while_the_push_waits_for_a_block(scene: &Scene) {
    scene.ada.commit(&scene.dir, "waiting", "for a block");
    // Two of four make no block.
    [2, 3].iter().for_each(|validator| scene.net.kill(*validator));
    let push = scene.push(&scene.net.gateway(VICTIM));
    scene.net.wait("the push waits in another validator's mempool", || {
        let answer = scene.net.get(1, "num_unconfirmed_txs")?;
        (answer["result"]["n_txs"].as_str()? != "0").then_some(())
    });
    scene.net.kill(VICTIM);
    push.join().expect("it ran").expect_refused();
    [2, 3].iter().for_each(|validator| scene.net.revive(*validator));
    scene.revive();
    let said = scene.push_again();
    let is_known = said.contains("up-to-date") || said.contains("committed in block");
    assert!(is_known, "{said}");
    scene.wait_everywhere();
    assert_eq!(scene.times_moved(), 1);
}

/// It is committed, only nobody said so: the next push does.
fn before_the_answer_is_read(scene: &Scene) {
    scene.ada.commit(&scene.dir, "unanswered", "but committed");
    let relay = Relay::to(&scene.net.gateway(VICTIM));
    relay.set(Gate::Answer);
    let push = scene.push(&relay.url());
    let head = scene.head();
    scene.net.wait("another gateway serves the push", || (scene.tip(2) == head).then_some(()));
    scene.net.kill(VICTIM);
    relay.set(Gate::Cut);
    push.join().expect("it ran").expect_refused();
    scene.revive();
    let said = scene.push_again();
    assert!(said.contains("up-to-date"), "{said}");
    scene.wait_everywhere();
    assert_eq!(scene.times_moved(), 1);
}
