//! A node whose state was taken back executes the blocks again and is where it was, its
//! repositories included.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use guts_tests::person::Person;
use guts_tests::run::git;
use guts_tests::solo::Solo;
use serde_json::Value;

/// A chain at rest makes no block while it is looked at.
const RESTING: &str = "consensus.create_empty_blocks_interval=1h";

/// Height and hash of the application's state, once it fits.
fn wait_state(net: &Solo, fits: impl Fn(&(u64, String)) -> bool) -> (u64, String) {
    net.wait("a state of the application", || {
        let info: Value = net.get("abci_info")?;
        let response = &info["result"]["response"];
        let height = response["last_block_height"].as_str()?.parse().ok()?;
        let state = (height, response["last_block_app_hash"].as_str()?.to_owned());
        fits(&state).then_some(state)
    })
}

/// The state that the chain rests with: the newest header shows it.
fn wait_rest(net: &Solo) -> (u64, String) {
    net.wait("the chain rests", || {
        let before = wait_state(net, |_| true);
        let status = net.get("status")?;
        let newest = &status["result"]["sync_info"];
        let shown = hex::decode(newest["latest_app_hash"].as_str()?).ok()?;
        let own = STANDARD.decode(&before.1).ok()?;
        let height: u64 = newest["latest_block_height"].as_str()?.parse().ok()?;
        (height == before.0 && shown == own).then_some(before)
    })
}

fn tip(net: &Solo) -> String {
    let url = format!("{}/ada/hello.git", net.gateway());
    let listed = git(&["ls-remote", &url, "refs/heads/main"], Path::new("/"));
    listed.stdout.split_whitespace().next().unwrap_or_default().to_owned()
}

fn wait_tip(net: &Solo, wanted: &str) {
    net.wait("the tip", || (tip(net) == wanted).then_some(()));
}

/// Pushes a commit; its id.
fn push(net: &Solo, ada: &Person, dir: &Path, file: &str) -> String {
    ada.commit(dir, file, file);
    let url = format!("{}/ada/hello.git", net.gateway());
    let said = git(&["push", &url, "main"], dir).expect_ok().said();
    assert!(said.contains("committed in block"), "{said}");
    git(&["rev-parse", "HEAD"], dir).expect_ok().stdout.trim().to_owned()
}

/// Takes the application back, to that height or by one.
fn back(net: &Solo, height: Option<u64>) -> String {
    let height = height.map(|height| height.to_string());
    let to: Vec<&str> = height.iter().flat_map(|height| ["--height", height]).collect();
    net.command("guts-app", &[&["rollback"], &to[..]].concat()).expect_ok().said()
}

#[test]
fn blocks_that_were_taken_back_are_executed_again() {
    let mut net = Solo::start_set(|_| {}, &[RESTING]);
    let made = wait_rest(&net);
    let ada = Person::at(net.rpc(), net.gateway(), "ada");
    let dir = ada.repository("hello");
    let first = push(&net, &ada, &dir, "one");
    let middle = wait_rest(&net);
    let second = push(&net, &ada, &dir, "two");
    let newest = wait_rest(&net);
    assert!(newest.0 > middle.0 && middle.0 > made.0);
    let said = net.command("guts-app", &["rollback"]).expect_refused().said();
    assert!(said.contains("in use by another process"), "{said}");

    // By one; then by several, which takes the push along.
    net.stop();
    let said = back(&net, None);
    assert!(said.contains(&format!("state at height {}", newest.0 - 1)), "{said}");
    net.run();
    wait_state(&net, |state| *state == newest);
    wait_tip(&net, &second);
    net.stop();
    let said = back(&net, Some(middle.0));
    assert!(said.contains(&format!("state at height {}", middle.0)), "{said}");
    net.run_app();
    wait_tip(&net, &first);
    net.stop();
    net.run();
    wait_state(&net, |state| *state == newest);
    wait_tip(&net, &second);

    // Both halves; then the application to before there was a repository.
    net.stop();
    net.command("guts-engine", &["rollback"]).expect_ok();
    back(&net, None);
    net.run();
    wait_state(&net, |state| *state == newest);
    net.stop();
    back(&net, Some(made.0));
    net.run_app();
    assert_eq!(tip(&net), "");
    net.stop();
    let refs = net.home().join("app/data/repos/1.git").display().to_string();
    let shown = git(&["-C", &refs, "for-each-ref"], Path::new("/")).expect_ok().stdout;
    assert_eq!(shown, "", "a repository that is not made yet has no refs");
    net.run();
    wait_state(&net, |state| *state == newest);
    wait_tip(&net, &second);

    // And the chain goes on.
    let third = push(&net, &ada, &dir, "three");
    wait_tip(&net, &third);
    assert!(wait_rest(&net).0 > newest.0);
    net.stop();
    net.command("guts-app", &["audit"]).expect_ok();
}

#[test]
fn heights_without_a_state_are_refused_and_nothing_is_changed() {
    let mut net = Solo::start_set(|_| {}, &[RESTING]);
    let newest = wait_rest(&net);
    net.stop();
    let refused = |height: u64| {
        let to = ["rollback", "--height", &height.to_string()];
        let said = net.command("guts-app", &to).expect_refused().said();
        assert!(said.contains("nothing was changed"), "{said}");
        said
    };
    let above = refused(newest.0 + 1);
    assert!(above.contains(&format!("above the newest, {}", newest.0)), "{above}");
    let below = refused(0);
    assert!(below.contains("block 1 is the first of the chain"), "{below}");
    net.run();
    wait_state(&net, |state| *state == newest);
}
