//! Four validators, stock git: push, clone from another, compare, kill and revive, and what a push
//! that breaks a rule gets.

use std::path::Path;

use guts_tests::localnet::Localnet;
use guts_tests::person::Person;
use guts_tests::relay::{Gate, Relay};
use guts_tests::root;
use guts_tests::run::git;

/// Every object of a repository, sorted.
fn objects(dir: &Path) -> String {
    let list = git(&["cat-file", "--batch-all-objects", "--batch-check"], dir).expect_ok().stdout;
    let mut lines: Vec<_> = list.lines().collect();
    lines.sort_unstable();
    lines.join("\n")
}

fn clone(net: &Localnet, validator: usize, path: &str, to: &Path) {
    let url = format!("{}/{path}.git", net.gateway(validator));
    git(&["clone", "-q", &url, &to.display().to_string()], Path::new("/")).expect_ok();
}

/// Waits until a gateway serves the branch that another one has.
fn wait_same(net: &Localnet, validator: usize, path: &str, other: usize) {
    net.wait("the gateway serves the same tip", || {
        let there = tip(net, other, path, "main")?;
        (tip(net, validator, path, "main")? == there).then_some(())
    });
}

/// What a gateway says of one branch, empty when it has none; `None` when it does not answer.
fn tip(net: &Localnet, validator: usize, path: &str, branch: &str) -> Option<String> {
    let url = format!("{}/{path}.git", net.gateway(validator));
    let ran = git(&["ls-remote", &url, &format!("refs/heads/{branch}")], Path::new("/"));
    ran.ok.then_some(ran.stdout)
}

#[test]
fn a_history_is_pushed_cloned_elsewhere_and_survives_kills() {
    let net = Localnet::start(&[]);
    let ada = Person::new(&net, 0, "ada");
    // This repository's own history; a copy, so that its settings stay as they are.
    let work = ada.dir().join("guts");
    let source = root().display().to_string();
    let to = work.display().to_string();
    git(
        &["clone", "-q", "--no-local", "--single-branch", "--no-tags", &source, &to],
        Path::new("/"),
    )
    .expect_ok();
    git(&["checkout", "-q", "-B", "main"], &work).expect_ok();
    git(&["remote", "remove", "origin"], &work).expect_ok();
    ada.guts(&["repo", "create", "guts"], &work).expect_ok();
    let said = git(&["push", "-q", "origin", "main"], &work).expect_ok().said();
    assert!(said.contains("committed in block"), "{said}");

    // The slowest node has heard of the block, and has the objects.
    net.wait_agreed(&[0, 1, 2, 3], 1);
    wait_same(&net, 2, "ada/guts", 0);
    let copy = ada.dir().join("copy");
    clone(&net, 2, "ada/guts", &copy);
    assert_eq!(objects(&work), objects(&copy), "the clone has the same objects");
    ada.guts(&["repo", "verify", "."], &copy).expect_ok();

    // One pair gone: pushes go on; revived, it has what it missed.
    net.kill(3);
    ada.commit(&work, "while-three-was-gone", "second");
    git(&["push", "-q", "origin", "main"], &work).expect_ok();
    let height = net.wait_agreed(&[0, 1, 2], 1).0;
    net.revive(3);
    net.wait_agreed(&[0, 1, 2, 3], height);
    wait_same(&net, 3, "ada/guts", 0);

    // All gone at once: nothing that was committed is lost.
    let before = tip(&net, 0, "ada/guts", "main").expect("it answers");
    (0..4).for_each(|validator| net.kill(validator));
    net.restart(&[]);
    net.wait_agreed(&[0, 1, 2, 3], height);
    for validator in 0..4 {
        net.wait("the tip after the restart", || {
            (tip(&net, validator, "ada/guts", "main")? == before).then_some(())
        });
    }
    let again = ada.dir().join("again");
    clone(&net, 1, "ada/guts", &again);
    ada.guts(&["repo", "verify", "."], &again).expect_ok();
    ada.commit(&work, "after", "third");
    git(&["push", "-q", "origin", "main"], &work).expect_ok();
}

#[test]
fn branches_tags_deletes_force_and_refusals() {
    let net = Localnet::start(&[]);
    let ada = Person::new(&net, 0, "ada");
    let dir = ada.repository("hello");
    git(&["push", "-q", "origin", "main"], &dir).expect_ok();
    git(&["tag", "-m", "one", "v1"], &dir).expect_ok();
    git(&["branch", "side"], &dir).expect_ok();
    git(&["push", "-q", "--atomic", "origin", "side", "v1"], &dir).expect_ok();
    git(&["push", "-q", "origin", ":side"], &dir).expect_ok();
    assert_eq!(tip(&net, 0, "ada/hello", "side").as_deref(), Some(""));
    git(&["commit", "-q", "--amend", "-m", "again"], &dir).expect_ok();
    git(&["push", "-q", "origin", "main"], &dir).expect_refused();
    git(&["push", "-q", "--force", "origin", "main"], &dir).expect_ok();

    // A push without a certificate is told the lines that fix it.
    ada.commit(&dir, "unsigned", "unsigned");
    let said = git(&["-c", "push.gpgSign=false", "push", "origin", "main"], &dir).expect_refused();
    let said = said.said();
    assert!(said.contains("git config push.gpgSign if-asked"), "{said}");

    a_race_is_lost(&net, &ada, &dir);

    // Somebody else may not push here.
    let bob = Person::new(&net, 1, "bob");
    let his = bob.repository("own");
    let url = format!("{}/ada/hello.git", net.gateway(1));
    let said = git(&["push", &url, "main:refs/heads/bob"], &his).expect_refused().said();
    assert!(said.contains("ada/hello"), "{said}");
    assert_eq!(tip(&net, 0, "ada/hello", "bob").as_deref(), Some(""));
}

/// Of two pushes from the same tip the one that is ordered second moves nothing, and is told why.
fn a_race_is_lost(net: &Localnet, ada: &Person, dir: &Path) {
    git(&["reset", "-q", "--hard", "origin/main"], dir).expect_ok();
    let other = ada.dir().join("other");
    clone(net, 0, "ada/hello", &other);
    for key in ["gpg.format", "user.signingKey", "push.gpgSign"] {
        let value = git(&["config", key], dir).expect_ok().stdout;
        git(&["config", key, value.trim()], &other).expect_ok();
    }
    ada.commit(dir, "late", "late");
    let relay = Relay::to(&net.gateway(0));
    relay.set(Gate::Post);
    let (url, from) = (format!("{}/ada/hello.git", relay.url()), dir.to_owned());
    let late = std::thread::spawn(move || git(&["push", &url, "main"], &from));
    relay.wait_held();
    ada.commit(&other, "early", "early");
    git(&["push", "-q", "origin", "main"], &other).expect_ok();
    let won = tip(net, 0, "ada/hello", "main").expect("it answers");
    relay.set(Gate::Open);
    let said = late.join().expect("it ran").expect_refused().said();
    assert!(said.contains("refs/heads/main is now"), "{said}");
    assert!(said.contains("fetch, then push again"), "{said}");
    assert_eq!(tip(net, 0, "ada/hello", "main"), Some(won));
}
