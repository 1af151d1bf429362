//! Pushes that are good.

use crate::world::{REPO, World};

#[test]
fn the_first_push_of_an_empty_repository_moves_its_ref_and_is_answered() {
    let world = World::new();
    let project = world.project("a");
    let tip = project.ok(&["rev-parse", "HEAD"]);
    let said = project.ok(&["push", "-u", "origin", "main"]);
    assert!(said.contains("remote: ✓ committed in block 1204, 1 refs"), "{said}");
    assert_eq!(world.refs(), [format!("refs/heads/main {}", tip.trim())]);
    assert_eq!(world.leftovers(), (1, 0, 0));
    // The next one says that there is nothing left to do.
    assert!(project.ok(&["push"]).contains("Everything up-to-date"));
}

#[test]
fn branches_tags_and_deletes_travel_together() {
    let world = World::new();
    let project = world.project("a");
    project.ok(&["branch", "old"]);
    project.ok(&["push", "origin", "main", "old"]);
    project.commit("x", "two");
    project.ok(&["tag", "-a", "v1", "-m", "one"]);
    let said = project.ok(&["push", "--atomic", "origin", "main", "main:dev", "v1", ":old"]);
    assert!(said.contains("4 refs, Good"), "{said}");
    let names: Vec<_> =
        world.refs().iter().map(|line| line[..line.len() - 41].to_owned()).collect();
    assert_eq!(names, ["refs/heads/dev", "refs/heads/main", "refs/tags/v1"]);
}

#[test]
fn a_push_of_deletes_alone_has_no_pack() {
    let world = World::new();
    let project = world.project("a");
    project.ok(&["push", "origin", "main", "main:gone"]);
    project.ok(&["push", "origin", ":gone"]);
    assert_eq!(world.refs().len(), 1);
    assert_eq!(world.host.pushes.lock().unwrap()[1].pack, None);
}

#[test]
fn a_branch_at_a_known_commit_needs_no_pack() {
    let world = World::new();
    let project = world.project("a");
    project.ok(&["push", "origin", "main"]);
    project.ok(&["push", "origin", "main:copy"]);
    assert_eq!(world.refs().len(), 2);
    assert_eq!(world.host.pushes.lock().unwrap()[1].pack, None);
}

#[test]
fn a_branch_takes_the_place_of_a_directory() {
    let world = World::new();
    let project = world.project("a");
    project.ok(&["push", "origin", "main", "main:topic/one"]);
    project.ok(&["push", "origin", ":topic/one", "main:topic"]);
    assert!(world.refs()[1].starts_with("refs/heads/topic "), "{:?}", world.refs());
}

#[test]
fn a_forced_push_is_seen_as_one() {
    let world = World::new();
    let project = world.project("a");
    project.commit("x", "two");
    project.ok(&["push", "origin", "main"]);
    project.ok(&["reset", "-q", "--hard", "HEAD~1"]);
    let tip = project.commit("x", "other");
    let said = project.ok(&["push", "--force", "origin", "main"]);
    assert!(said.contains("GoodForced({0})"), "{said}");
    assert_eq!(world.refs(), [format!("refs/heads/main {tip}")]);
    // Which of them it is that is forced, they say, too.
    project.ok(&["push", "origin", "main:a", "main:b", "main:c"]);
    project.commit("x", "three");
    project.ok(&["branch", "other", "HEAD~2"]);
    let said = project.ok(&["push", "--force", "origin", "main:a", "other:b", "main:c", "main"]);
    let push = world.host.pushes.lock().unwrap().last().unwrap().clone();
    let mut updates = push.certificate.updates.iter();
    let place = updates.position(|update| update.name == "refs/heads/b").unwrap();
    assert!(said.contains(&format!("4 refs, GoodForced({{{place}}})")), "{said}");
}

#[test]
fn twenty_pushes_at_once_all_arrive() {
    let world = World::new();
    let project = world.project("a");
    project.ok(&["push", "origin", "main"]);
    std::thread::scope(|scope| {
        for i in 0..20 {
            let (project, name) = (&project, format!("main:refs/heads/b{i}"));
            scope.spawn(move || project.ok(&["push", "origin", &name]));
        }
    });
    assert_eq!(world.refs().len(), 21);
}

#[test]
fn the_certificate_carries_our_nonce_and_options() {
    let world = World::new();
    let project = world.project("a");
    project.ok(&["push", "-o", "merge", "origin", "main"]);
    let pushes = world.host.pushes.lock().unwrap();
    assert_eq!(pushes[0].repo, REPO);
    let nonce = pushes[0].certificate.nonce.to_string();
    assert_eq!(nonce, "guts1+guts-test+alice/hello+1795231441");
    assert_eq!(pushes[0].certificate.options, ["merge"]);
    assert!(pushes[0].certificate.claim().is_valid());
}
