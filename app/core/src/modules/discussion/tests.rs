//! Each rule of threads, broken.

use guts_schema::proto::{Reaction, RepoRole};
use guts_schema::tx::{IssueAction, RepoAction, ThreadAction};
use guts_schema::{Action, Code, RepoId, events, keys, proto};

use super::{comment, count, thread};
use crate::testing::{Person, World, done, refused};

fn repo() -> RepoId {
    RepoId::new(1).unwrap()
}

fn act(who: &Person, number: u64, change: ThreadAction) -> Action {
    Action::Thread { actor: who.id, repo: repo(), number, change }
}

fn say(who: &Person, number: u64, text: &str) -> Action {
    act(who, number, ThreadAction::Comment { text: text.into() })
}

fn edit(who: &Person, number: u64, comment: u64, text: &str) -> Action {
    act(who, number, ThreadAction::Edit { comment, text: text.into() })
}

fn react(who: &Person, comment: u64, on: bool) -> Action {
    act(who, 1, ThreadAction::React { comment, reaction: Reaction::Heart, on })
}

fn lock(who: &Person, locked: bool) -> Action {
    act(who, 1, ThreadAction::Lock { locked })
}

/// A world in which bob opened issue 1 of alice's repository.
fn opened() -> World {
    let mut world = World::new();
    let bob = world.bob.clone();
    let change = IssueAction::Open { title: "broken".into(), text: "it is".into() };
    let open = Action::Issue { actor: bob.id, repo: repo(), change };
    assert_eq!(world.one(world.tx(&bob, &[open])), None);
    world
}

#[test]
pub(crate) fn comments_are_numbered_and_keep_their_history() {
    let mut world = opened();
    let (alice, bob) = (world.alice.clone(), world.bob.clone());
    let w = &mut world;
    assert_eq!(w.one(w.tx(&alice, &[say(&alice, 1, "why?")])), None);
    assert_eq!(count(&w.state(), repo()).unwrap(), 1);
    assert_eq!(thread(&w.state(), repo(), 1).unwrap().unwrap().comments, 2);
    refused(w, &alice, say(&alice, 2, "x"), Code::ThreadUnknown, "alice/hello has no number 2");
    refused(w, &alice, edit(&alice, 1, 9, "x"), Code::CommentUnknown, "has no comment 9");
    refused(w, &alice, edit(&alice, 1, 0, "x"), Code::CommentNotYours, "only its author");
    refused(w, &bob, edit(&bob, 1, 0, "it is"), Code::SameAlready, "nothing changes");
    assert_eq!(w.one(w.tx(&bob, &[edit(&bob, 1, 0, "it was")])), None);
    let value = comment(&w.state(), repo(), 1, 0).unwrap().unwrap();
    assert_eq!((value.text.as_str(), value.edits), ("it was", 1));
    let key = keys::comment_edit(repo(), 1, 0, 0);
    let was: proto::CommentEdit = w.node.whole().get(&key).unwrap().unwrap();
    assert_eq!(was.text, "it is");
}

#[test]
pub(crate) fn reactions_are_counted() {
    let mut world = opened();
    let (alice, bob) = (world.alice.clone(), world.bob.clone());
    let w = &mut world;
    refused(w, &alice, react(&alice, 0, false), Code::SameAlready, "nothing changes");
    refused(w, &alice, react(&alice, 7, true), Code::CommentUnknown, "has no comment 7");
    for who in [&alice, &bob] {
        assert_eq!(w.one(w.tx(who, &[react(who, 0, true)])), None);
    }
    refused(w, &alice, react(&alice, 0, true), Code::SameAlready, "nothing changes");
    assert_eq!(w.one(w.tx(&bob, &[react(&bob, 0, false)])), None);
    let counts = comment(&w.state(), repo(), 1, 0).unwrap().unwrap().reactions;
    assert_eq!((counts.len(), counts[0].count), (1, 1));
}

#[test]
pub(crate) fn a_locked_thread_is_for_those_with_a_role() {
    let mut world = opened();
    let (alice, bob, gateway) = (world.alice.clone(), world.bob.clone(), world.gateway.clone());
    let w = &mut world;
    refused(w, &bob, lock(&bob, true), Code::ThreadRole, "ask somebody who has a role");
    refused(w, &alice, lock(&alice, false), Code::SameAlready, "nothing changes");
    assert_eq!(w.one(w.tx(&alice, &[lock(&alice, true)])), None);
    for action in [say(&bob, 1, "x"), edit(&bob, 1, 0, "x"), react(&bob, 0, true)] {
        refused(w, &bob, action, Code::ThreadLocked, "number 1 of alice/hello is locked");
    }
    let role = RepoAction::SetCollaborator { account: gateway.id, role: RepoRole::Triage };
    let grant = Action::Repo { actor: alice.id, repo: repo(), change: role };
    assert_eq!(w.one(w.tx(&alice, &[grant])), None);
    assert_eq!(w.one(w.tx(&gateway, &[say(&gateway, 1, "x")])), None);
    assert_eq!(w.one(w.tx(&gateway, &[lock(&gateway, false)])), None);
    assert_eq!(w.one(w.tx(&bob, &[say(&bob, 1, "x")])), None);
}

#[test]
fn texts_tell_whom_and_what_they_name() {
    let mut world = opened();
    let bob = world.bob.clone();
    done(&mut world, &bob, another(&bob));
    let text = "see #2, alice/hello#2. @alice @alice @nobody #7 x/y#2 a#b @ # nothing# #1";
    let outcome = world.block(vec![world.tx(&bob, &[say(&bob, 1, text)])]);
    let mentions = outcome.events(events::MENTIONED);
    assert_eq!(mentions.len(), 1);
    assert_eq!(mentions[0]["account"], world.alice.id.to_string());
    let [told] = &outcome.events(events::REFERENCED)[..] else { panic!("one, named twice") };
    let said = |key: &str| told[key].as_str();
    assert_eq!((said("number"), said("from_repo"), said("from_comment")), ("2", "1", "1"));
    // An edit tells what it adds.
    let more = format!("{text} #2! (see alice/hello#2) and @bob, #2");
    let outcome = world.block(vec![world.tx(&bob, &[edit(&bob, 1, 1, &more)])]);
    assert_eq!(outcome.code(0), None);
    assert!(outcome.events(events::MENTIONED).is_empty(), "bob has no handle");
    assert!(outcome.events(events::REFERENCED).is_empty());
    let outcome = world.block(vec![world.tx(&bob, &[edit(&bob, 2, 0, "it is, @alice: see #1")])]);
    assert_eq!(outcome.events(events::MENTIONED).len(), 1);
    assert_eq!(outcome.events(events::REFERENCED).len(), 1);
    // So many of them and no more.
    let many: String = (0..40).map(|n| format!("#1{n} ")).collect();
    let outcome = world.block(vec![world.tx(&bob, &[say(&bob, 1, &(many + "@alice"))])]);
    assert!(outcome.events(events::MENTIONED).is_empty());
}

fn another(who: &Person) -> Action {
    let change = IssueAction::Open { title: "as well".into(), text: "it is".into() };
    Action::Issue { actor: who.id, repo: repo(), change }
}

/// From where a thread is referred to: number, comment and account of each.
fn references(world: &World, number: u64) -> Vec<(u64, u64, Vec<u8>)> {
    let count = thread(&world.state(), repo(), number).unwrap().unwrap().references;
    let one = |index| {
        let key = keys::reference(repo(), number, index);
        let found: proto::Reference = world.node.whole().get(&key).unwrap().unwrap();
        (found.number, found.comment, found.account)
    };
    (0..count).map(one).collect()
}

#[test]
fn a_thread_lists_each_that_names_it_once_and_for_good() {
    let mut world = opened();
    let (alice, bob) = (world.alice.clone(), world.bob.clone());
    let w = &mut world;
    done(w, &bob, another(&bob));
    done(w, &bob, say(&bob, 2, "as #1, and #2 itself"));
    done(w, &alice, say(&alice, 2, "yes, as alice/hello#1"));
    assert_eq!(references(w, 1), [(2, 1, bob.id.to_vec())]);
    assert_eq!(references(w, 2), []);
    done(w, &bob, edit(&bob, 2, 1, "as nothing"));
    done(w, &bob, edit(&bob, 2, 1, "as #1"));
    assert_eq!(references(w, 1), [(2, 1, bob.id.to_vec())]);
    // What an edit adds counts, and so does what opens a thread.
    done(w, &bob, edit(&bob, 1, 0, "as #2"));
    let change = IssueAction::Open { title: "third".into(), text: "#1 #2 #3 #4".into() };
    done(w, &alice, Action::Issue { actor: alice.id, repo: repo(), change });
    assert_eq!(references(w, 1), [(2, 1, bob.id.to_vec()), (3, 0, alice.id.to_vec())]);
    assert_eq!(references(w, 2), [(1, 0, bob.id.to_vec()), (3, 0, alice.id.to_vec())]);
    assert_eq!(references(w, 3), []);
}

#[test]
fn a_locked_thread_is_referred_to_by_those_who_may_speak_in_it() {
    let mut world = opened();
    let (alice, bob) = (world.alice.clone(), world.bob.clone());
    let w = &mut world;
    done(w, &bob, another(&bob));
    done(w, &alice, lock(&alice, true));
    done(w, &bob, say(&bob, 2, "as #1"));
    assert_eq!(references(w, 1), []);
    done(w, &alice, say(&alice, 2, "as #1"));
    assert_eq!(references(w, 1), [(2, 2, alice.id.to_vec())]);
}

#[test]
fn an_archived_repository_lists_no_more_references() {
    let mut world = opened();
    let alice = world.alice.clone();
    let w = &mut world;
    let fork = RepoAction::Fork { owner: alice.id, name: "other".into() };
    done(w, &alice, Action::Repo { actor: alice.id, repo: repo(), change: fork });
    let other = RepoId::new(2).unwrap();
    let open = |text: &str| {
        let change = IssueAction::Open { title: "here".into(), text: text.into() };
        Action::Issue { actor: alice.id, repo: other, change }
    };
    done(w, &alice, open("as alice/hello#1"));
    let archive = Action::EditRepo {
        actor: alice.id,
        repo: repo(),
        description: None,
        default_branch: None,
        archived: Some(true),
    };
    done(w, &alice, archive);
    done(w, &alice, open("as alice/hello#1"));
    assert_eq!(references(w, 1), [(1, 0, alice.id.to_vec())], "of the other repository");
}
