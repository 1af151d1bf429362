//! Pushes that are refused: the rule is shown, nothing moves, nothing is left behind.

use guts_git::Limits;

use crate::world::{Rule, World};

#[test]
fn a_push_without_certificate_is_refused_with_what_to_type() {
    let world = World::new();
    let project = world.project("a");
    project.ok(&["config", "push.gpgSign", "false"]);
    let said = project.fails(&["push", "origin", "main"]);
    assert!(said.contains("git config gpg.format ssh"), "{said}");
    assert!(said.contains("git config push.gpgSign if-asked"), "{said}");
    assert!(said.contains("(the push is not signed)"), "{said}");
    assert_eq!(world.leftovers(), (0, 0, 0));
}

#[test]
fn a_refusal_by_the_chain_is_the_reason_of_each_ref() {
    let world = World::new();
    let project = world.project("a");
    *world.host.rule.lock().unwrap() = Rule::Refuse("alice may not push here");
    let said = project.fails(&["push", "origin", "main", "main:dev"]);
    assert!(said.contains("main -> main (alice may not push here)"), "{said}");
    assert!(said.contains("main -> dev (alice may not push here)"), "{said}");
    assert!(said.contains("remote: alice may not push here"), "{said}");
    assert_eq!((world.refs().len(), world.leftovers()), (0, (0, 0, 0)));
}

#[test]
fn of_two_pushes_from_the_same_tip_the_second_loses() {
    let world = World::new();
    let project = world.project("a");
    project.ok(&["push", "origin", "main"]);
    let other = world.cloned("b", &[]);
    other.commit("y", "other");
    project.commit("x", "two");
    project.ok(&["push", "origin", "main"]);
    // As it would be with an advertisement of before: force, with the lease of the old tip.
    let said = other.fails(&["push", "--force-with-lease", "origin", "main"]);
    assert!(said.contains("rejected"), "{said}");
}

#[test]
fn a_pack_over_the_limit_is_refused() {
    let limits = Limits { file_bytes: 64 << 10, ..Limits::default() };
    let world = World::with_limits(limits);
    let project = world.project("a");
    let noise: String =
        (0..200_000_u32).map(|i| format!("{:x}", i.wrapping_mul(2_654_435_761))).collect();
    project.commit("big", &noise[..400_000]);
    let said = project.fails(&["push", "origin", "main"]);
    assert!(said.contains("maximum allowed size"), "{said}");
    assert_eq!((world.refs().len(), world.leftovers()), (0, (0, 0, 0)));
}

#[test]
fn a_branch_that_is_no_commit_is_refused() {
    let world = World::new();
    let project = world.project("a");
    project.ok(&["push", "origin", "main"]);
    let said = project.fails(&["push", "origin", "HEAD^{tree}:refs/heads/tree"]);
    assert!(said.contains("rejected") || said.contains("must point to a commit"), "{said}");
    assert_eq!(world.refs().len(), 1);
}
