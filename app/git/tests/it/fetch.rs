//! Clones and fetches.

use guts_git::RefUpdate;

use crate::world::World;

#[test]
fn clones_in_every_protocol_version_hold_what_was_pushed() {
    let world = World::new();
    let project = world.project("a");
    let tip = project.commit("x", "two");
    project.ok(&["tag", "v1"]);
    project.ok(&["push", "origin", "main", "v1"]);
    for version in ["0", "1", "2"] {
        let setting = format!("protocol.version={version}");
        let clone = world.cloned(&format!("c{version}"), &["-c", &setting]);
        assert_eq!(clone.ok(&["rev-parse", "HEAD"]).trim(), tip);
        assert_eq!(clone.ok(&["tag"]).trim(), "v1");
        clone.ok(&["fsck", "--strict"]);
    }
    let shallow = world.cloned("shallow", &["--depth", "1"]);
    assert_eq!(shallow.ok(&["rev-list", "--count", "HEAD"]).trim(), "1");
    world.cloned("partial", &["--filter=blob:none"]).ok(&["log", "-p", "-1"]);
}

#[test]
fn a_clone_waits_for_what_is_committed() {
    let world = World::new();
    let project = world.project("a");
    project.ok(&["push", "origin", "main"]);
    let new = project.ok(&["rev-parse", "HEAD"]).trim().parse().ok();
    let branch = RefUpdate { name: "refs/heads/new".into(), old: None, new };
    world.host.unshown.lock().unwrap().push(branch);
    // Only who says so does not wait.
    let no_wait = ["-c", "http.extraHeader=Prefer: wait=0", "ls-remote", "origin", "new"];
    assert_eq!(project.ok(&no_wait), "");
    world.cloned("c", &["--branch", "new"]);
}

#[test]
fn an_empty_repository_is_cloned_and_pushed_from() {
    let world = World::new();
    let clone = world.cloned("c", &[]);
    clone.commit("x", "one");
    clone.ok(&["push", "origin", "HEAD:refs/heads/main"]);
    assert_eq!(world.refs().len(), 1);
}

#[test]
fn a_fetch_with_a_compressed_request_brings_the_news() {
    let world = World::new();
    let project = world.project("a");
    project.ok(&["push", "origin", "main"]);
    let clone = world.cloned("c", &[]);
    // Enough haves that git compresses its request (from 1 KiB on).
    for i in 0..60 {
        clone.ok(&["commit", "-q", "--allow-empty", "-m", &format!("own {i}")]);
    }
    let tip = project.commit("x", "two");
    project.ok(&["push", "origin", "main"]);
    clone.ok(&["-c", "protocol.version=0", "fetch", "-q"]);
    assert_eq!(clone.ok(&["rev-parse", "origin/main"]).trim(), tip);
}

#[test]
fn an_unknown_repository_is_named() {
    let world = World::new();
    let url = world.url.replace("hello", "nothing");
    let project = world.project("a");
    let said = project.fails(&["ls-remote", &url]);
    assert!(said.contains("there is no repository alice/nothing"), "{said}");
}
