//! Pushes through one gateway, seen at the others.

use std::path::Path;
use std::process::Command;
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use guts_schema::sign::SecretKey;
use guts_schema::tx::{Draft, RepoAction, StakingAction, ValidatorEdit};
use guts_schema::{AccountId, Action, Oid, RepoId};
use guts_tests::checkout::Checkout;
use guts_tests::keys;

use crate::engine::CHAIN;
use crate::world::{World, operator};

#[test]
fn a_push_is_committed_and_every_gateway_serves_it() {
    let world = World::new();
    let project = world.project("a", "alice", 0);
    let said = project.ok(&["push", "-u", "origin", "main"]);
    assert!(said.contains("remote: ✓ committed in block "), "{said}");
    let tip = project.ok(&["rev-parse", "HEAD"]).trim().to_owned();
    let height = world.chains[0].newest().height;
    for node in 0..4 {
        world.wait(node, |shown, behind| shown >= height && behind == 0);
        assert_eq!(world.tip(node, "refs/heads/main").as_ref(), Some(&tip), "node {node}");
    }
    let second = project.commit("x", "two");
    project.ok(&["push", &world.url(2), "main"]);
    assert_eq!(world.tip(2, "refs/heads/main"), Some(second));
}

/// Its gateway hears of its order and of its motion at once.
#[test]
fn a_push_that_was_ordered_and_moved_between_two_looks_is_told_of_both() {
    let world = World::new();
    let project = world.project("a", "alice", 0);
    let tip: Oid = project.ok(&["rev-parse", "HEAD"]).trim().parse().unwrap();
    let paused = world.pause();
    let said = thread::scope(|scope| {
        let pushing = scope.spawn(|| project.ok(&["push", "origin", "main"]));
        drop(world.wait_waiting());
        (1..4).for_each(|node| world.wait_pack(node));
        let held = world.hold(0);
        drop(paused);
        let repo = RepoId::new(1).unwrap();
        let main = "refs/heads/main";
        world.wait_state(0, |state| state.ref_tip(repo, main).unwrap() == Some(tip));
        drop(held);
        pushing.join().unwrap()
    });
    assert!(said.contains("remote: ordered in block "), "{said}");
    assert!(said.contains("remote: ✓ committed in block "), "{said}");
}

/// The pack is at the gateway that took the push, and nobody knows where that is until its
/// operator says so.
#[test]
fn a_validator_that_moves_its_gateway_is_asked_at_the_new_place() {
    let gone = "http://127.0.0.1:1".to_owned();
    let world = World::saying(|urls| [&[gone], &urls[1..]].concat(), |_| Vec::new());
    let project = world.project("a", "alice", 0);
    thread::scope(|scope| {
        let pushing = scope.spawn(|| project.ok(&["push", "origin", "main"]));
        for node in 0..4 {
            world.wait_state(node, |state| !state.pending().unwrap().is_empty());
        }
        let key = operator(0);
        let actor = AccountId::of_key(&key.public());
        let gateway = Some(world.urls[0].clone());
        let edit = ValidatorEdit { gateway, ..ValidatorEdit::default() };
        let change = StakingAction::EditValidator(edit);
        let actions = [Action::Staking { actor, change }];
        // The push was its gateway's first transaction.
        let tx = Draft::new(CHAIN, actor, 1, &actions).fee(9000).sign(actor, &key).encode();
        assert_eq!(world.tip(1, "refs/heads/main"), None, "nobody had the pack");
        world.send(0, &tx);
        let said = pushing.join().unwrap();
        assert!(said.contains("remote: ✓ committed in block "), "{said}");
    });
    let gateways = world.chains[2].newest().gateways().unwrap();
    assert!(gateways.iter().all(|(_, url)| world.urls.contains(url)), "{gateways:?}");
}

#[test]
fn gateways_that_no_validator_says_are_found_in_the_settings() {
    let world = World::saying(|_| vec![String::new(); 4], <[String]>::to_vec);
    let project = world.project("a", "alice", 1);
    let said = project.ok(&["push", "origin", "main"]);
    assert!(said.contains("remote: ✓ committed in block "), "{said}");
    assert_eq!(world.chains[1].newest().gateways().unwrap(), []);
}

/// As when a gateway that was killed forgot that it sent another one.
#[test]
fn a_push_whose_nonce_was_taken_by_another_transaction_is_over() {
    let world = World::new();
    let project = world.project("a", "alice", 0);
    let key = operator(0);
    let actor = AccountId::of_key(&key.public());
    let pay = Action::Transfer { actor, to: actor, amount: 1 };
    let other = Draft::new(CHAIN, actor, 0, &[pay]).fee(9000).sign(actor, &key).encode();
    let paused = world.pause();
    let said = thread::scope(|scope| {
        let pushing = scope.spawn(|| project.fails(&["push", "origin", "main"]));
        *world.wait_waiting() = vec![other.into()];
        drop(paused);
        pushing.join().unwrap()
    });
    let why = "another transaction of this gateway took its place: push again";
    assert!(said.contains(why), "{said}");
}

#[test]
fn a_repository_of_sha256_objects_is_pushed_and_cloned() {
    let world = World::new();
    let path = world.dir.path().join("long");
    let url = format!("{}/alice/long.git", world.urls[0]);
    let project = Checkout::of("sha256", path, &url);
    project.sign_with(&world.dir.path().join("alice"));
    let tip = project.commit("x", "one");
    assert_eq!(tip.len(), 64);
    project.ok(&["push", "origin", "main"]);
    let height = world.chains[0].newest().height;
    world.wait(2, |shown, behind| shown >= height && behind == 0);
    let from = format!("{}/alice/long.git", world.urls[2]);
    project.ok(&["clone", "-q", &from, "copy"]);
    assert_eq!(project.ok(&["-C", "copy", "rev-parse", "HEAD"]).trim(), tip);
}

#[test]
fn a_key_without_account_is_refused_and_nothing_moves() {
    let world = World::new();
    let project = world.project("a", "mallory", 1);
    let said = project.fails(&["push", "origin", "main"]);
    assert!(said.contains("belongs to no account"), "{said}");
    assert!(said.contains("[remote rejected] main -> main (key "), "{said}");
    assert_eq!(world.tip(1, "refs/heads/main"), None);
}

/// What was pushed while node 3 was down: the tip, and the height that has it.
fn push_without_three(world: &World) -> (String, u64) {
    let project = world.project("a", "alice", 0);
    project.ok(&["push", "origin", "main"]);
    world.set_down(3, true);
    let tip = project.commit("x", "two");
    project.ok(&["push", "origin", "main"]);
    (tip, world.chains[0].newest().height)
}

#[test]
fn a_node_that_was_down_fetches_what_it_missed() {
    let world = World::new();
    let (tip, height) = push_without_three(&world);
    // The packs are gone when every repository has them: only git itself can bring the objects.
    for node in 0..3 {
        world.wait(node, |shown, behind| shown >= height && behind == 0);
        let packs = world.dir.path().join(format!("node{node}/packs"));
        for pack in std::fs::read_dir(packs).unwrap() {
            // The node drops packs by itself: what is not there any more is what is wanted.
            if let Err(error) = std::fs::remove_dir_all(pack.unwrap().path()) {
                assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{error}");
            }
        }
    }
    world.set_down(3, false);
    world.wait(3, |shown, behind| shown >= height && behind == 0);
    assert_eq!(world.tip(3, "refs/heads/main"), Some(tip));
}

#[test]
fn a_push_that_came_and_went_between_two_looks_is_followed() {
    let world = World::new();
    let (tip, height) = push_without_three(&world);
    // Node 3 executes the block that orders the push and the one that moves the ref before its
    // repositories look.
    let held = world.hold(3);
    world.set_down(3, false);
    world.wait_executed(3, height);
    drop(held);
    world.wait(3, |shown, behind| shown >= height && behind == 0);
    assert_eq!(world.tip(3, "refs/heads/main"), Some(tip));
}

/// Whoever dies after a commit has the objects of what it moved: a start drops the packs of pushes
/// that are over, and other nodes may have died at the same moment.
#[test]
fn objects_are_in_their_repository_before_the_state_says_so() {
    let world = World::new();
    let project = world.project("a", "alice", 0);
    project.ok(&["push", "origin", "main"]);
    world.set_down(3, true);
    let tip = project.commit("x", "two");
    project.ok(&["push", "origin", "main"]);
    let height = world.chains[0].newest().height;
    // Node 3 has the packs, and its repositories never look.
    let held = world.hold(3);
    world.give_packs(0, 3);
    world.set_down(3, false);
    world.wait_executed(3, height);
    let bare = world.bare(3, 1);
    let object = ["-C", bare.to_str().unwrap(), "cat-file", "-e", &tip];
    assert!(Command::new("git").args(object).status().unwrap().success(), "{tip} is not there");
    drop(held);
}

#[test]
fn a_repository_that_cannot_be_written_is_behind_until_it_can() {
    let world = World::new();
    let project = world.project("a", "alice", 0);
    project.ok(&["push", "origin", "main"]);
    // Node 3 is done with the first push, and touches the repository no more.
    let height = world.chains[0].newest().height;
    world.wait(3, |shown, behind| shown >= height && behind == 0);
    world.set_down(3, true);
    // A file where the directory should be.
    let bare = world.bare(3, 1);
    std::fs::remove_dir_all(&bare).unwrap();
    std::fs::write(&bare, "").unwrap();
    let tip = project.commit("x", "two");
    project.ok(&["push", "origin", "main"]);
    let height = world.chains[0].newest().height;
    world.set_down(3, false);
    world.wait(3, |shown, behind| shown >= height && behind == 1);
    std::fs::remove_file(&bare).unwrap();
    // Its gateway is not asked for old refs meanwhile: who asks waits.
    assert_eq!(world.tip(3, "refs/heads/main"), Some(tip));
    world.wait(3, |_, behind| behind == 0);
}

#[test]
fn the_page_health_and_metrics_tell_of_the_node() {
    let world = World::new();
    let (status, page) = world.get(1, "/");
    assert_eq!(status, 200);
    assert!(page.contains("alice/hello"), "{page}");
    let (status, health) = world.get(1, "/health");
    assert_eq!(status, 200);
    assert!(health.contains("\"chain_id\":\"guts-test\""), "{health}");
    let (status, metrics) = world.get(1, "/metrics");
    assert_eq!(status, 200);
    assert!(metrics.contains("# TYPE guts_app_height gauge\nguts_app_height "), "{metrics}");
    assert!(metrics.contains("\nguts_app_repositories 3\n"), "{metrics}");
    let documented = guts_app::metrics::documentation();
    let rows: Vec<&str> = documented.lines().skip(2).collect();
    assert!(rows.len() > 9, "{documented}");
    for row in rows {
        let words: Vec<&str> = row.split(['|', '`', ' ']).filter(|word| !word.is_empty()).collect();
        let kind = format!("\n# TYPE {} {}\n{}", words[0], words[1], words[0]);
        assert!(metrics.contains(&kind), "{kind}: {metrics}");
    }
    let checked = "guts_app_call_seconds_count{call=\"finalize_block\"} ";
    assert!(metrics.contains(checked), "{metrics}");
    assert!(!metrics.contains(&format!("{checked}0\n")), "blocks were counted: {metrics}");
    assert!(metrics.contains("\nguts_app_repositories_behind 0\n"), "{metrics}");
    assert_eq!(world.get(1, "/alice/none.git/info/refs?service=git-upload-pack").0, 404);
}

/// The secret of an OpenSSH key without passphrase: it stands before its last public half.
fn secret(path: &Path) -> SecretKey {
    let text = std::fs::read_to_string(path).unwrap();
    let body: String = text.lines().filter(|line| !line.starts_with('-')).collect();
    let blob = STANDARD.decode(body).unwrap();
    let public = hex::decode(keys::public_hex(path)).unwrap();
    let at = blob.windows(32).rposition(|bytes| bytes == public).unwrap();
    let key = SecretKey::from_seed(blob[at - 32..at].try_into().unwrap());
    assert_eq!(key.public().as_bytes(), &public[..]);
    key
}

#[test]
fn a_former_name_is_cloned_fetched_and_pushed_to() {
    let world = World::new();
    let project = world.project("a", "alice", 0);
    project.ok(&["push", "origin", "main"]);
    let key = secret(&world.dir.path().join("alice"));
    let actor = AccountId::of_key(&key.public());
    let rename = RepoAction::Rename { name: "renamed".into() };
    let rename = Action::Repo { actor, repo: RepoId::new(1).unwrap(), change: rename };
    let rename = Draft::new(CHAIN, actor, 0, &[rename]).fee(9000).sign(actor, &key).encode();
    // Between the advertisement, whose nonce has the name of then, and the push.
    let (asked, go) = (world.dir.path().join("asked"), world.dir.path().join("go"));
    for fifo in [&asked, &go] {
        assert!(Command::new("mkfifo").arg(fifo).status().unwrap().success());
    }
    let hook = project.path.join(".git/hooks/pre-push");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    let script = format!("#!/bin/sh\necho > {}\nread x < {}\n", asked.display(), go.display());
    std::fs::write(&hook, script).unwrap();
    assert!(Command::new("chmod").arg("+x").arg(&hook).status().unwrap().success());
    let tip = project.commit("x", "two");
    thread::scope(|scope| {
        let pushing = scope.spawn(|| project.ok(&["push", "origin", "main"]));
        std::fs::read(&asked).unwrap();
        world.submit(rename);
        world.wait_state(0, |state| state.find("alice", "renamed").unwrap().is_some());
        std::fs::write(&go, "\n").unwrap();
        pushing.join().unwrap();
    });
    std::fs::remove_file(hook).unwrap();
    // The remote has the former name still.
    let clone = Checkout { path: world.dir.path().join("c") };
    let path = clone.path.display().to_string();
    project.ok(&["clone", "-q", &world.url(0), &path]);
    assert_eq!(clone.ok(&["rev-parse", "HEAD"]).trim(), tip);
    let tip = project.commit("x", "three");
    project.ok(&["push", "origin", "main"]);
    clone.ok(&["fetch", "-q"]);
    assert_eq!(clone.ok(&["rev-parse", "origin/main"]).trim(), tip);
}
