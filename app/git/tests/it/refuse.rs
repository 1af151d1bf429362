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

#[test]
fn refs_that_nobody_pushes_are_refused_by_name() {
    let world = World::new();
    let project = world.project("a");
    let long = format!("refs/heads/{}", "x".repeat(240));
    for (name, rule) in [
        ("refs/guts/mine", "refs below refs/guts/ are not pushed"),
        ("refs/pull/1/head", "refs below refs/pull/ are not pushed"),
        ("refs/replace/x", "refs below refs/replace/ are not pushed"),
        (long.as_str(), "a ref name has at most 240 bytes"),
    ] {
        let said = project.fails(&["push", "origin", &format!("HEAD:{name}")]);
        assert!(said.contains(rule), "{name}: {said}");
        assert_eq!((world.refs().len(), world.leftovers()), (0, (0, 0, 0)));
    }
    assert!(world.host.pushes.lock().unwrap().is_empty());
}

#[test]
fn of_many_refs_one_bad_one_stops_all() {
    let world = World::new();
    let project = world.project("a");
    let said = project.fails(&["push", "origin", "main", "main:refs/pull/1/head"]);
    assert!(said.contains("refs below refs/pull/ are not pushed"), "{said}");
    assert_eq!((world.refs().len(), world.leftovers()), (0, (0, 0, 0)));
}

#[test]
fn the_loser_of_a_race_is_told_which_ref_moved() {
    let world = World::new();
    let project = world.project("a");
    project.ok(&["push", "origin", "main"]);
    let (first, before) = (world.refs(), world.leftovers());
    // The chain's answer to a certificate whose old tip is no longer the tip.
    *world.host.rule.lock().unwrap() = Rule::Refuse("refs/heads/main is now 12, not 34: fetch");
    project.commit("x", "two");
    let said = project.fails(&["push", "origin", "main"]);
    assert!(said.contains("main -> main (refs/heads/main is now 12, not 34: fetch)"), "{said}");
    assert_eq!((world.refs(), world.leftovers()), (first, before));
}
