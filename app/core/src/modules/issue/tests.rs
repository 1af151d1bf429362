//! Each rule of issues, broken.

use guts_schema::proto::{CloseReason, RepoRole};
use guts_schema::tx::{IssueAction, RepoAction};
use guts_schema::{AccountId, Action, Code, RepoId, events};

use super::{get, tracker};
use crate::testing::{self, Person, World};

fn repo() -> RepoId {
    RepoId::new(1).unwrap()
}

fn act(who: &Person, change: IssueAction) -> Action {
    Action::Issue { actor: who.id, repo: repo(), change }
}

fn opened() -> World {
    let mut world = World::new();
    let bob = world.bob.clone();
    done(&mut world, &bob, open("broken"));
    world
}

fn open(title: &str) -> IssueAction {
    IssueAction::Open { title: title.into(), text: "it is".into() }
}

fn retitle(number: u64, title: &str) -> IssueAction {
    IssueAction::Retitle { number, title: title.into() }
}

fn close(number: u64) -> IssueAction {
    IssueAction::Close { number, reason: CloseReason::NotPlanned }
}

fn label(labels: &[&str]) -> IssueAction {
    let labels = labels.iter().map(|&label| label.to_owned()).collect();
    IssueAction::Label { number: 1, labels }
}

fn put_label(name: &str) -> IssueAction {
    IssueAction::PutLabel { name: name.into(), color: 0xff_0000, description: String::new() }
}

fn milestone(milestone: u64, title: &str) -> IssueAction {
    IssueAction::PutMilestone { milestone, title: title.into(), due_s: 0, closed: false }
}

fn assign(accounts: &[AccountId]) -> IssueAction {
    let mut accounts = accounts.to_vec();
    accounts.sort();
    IssueAction::Assign { number: 1, accounts }
}

fn refused(world: &mut World, who: &Person, change: IssueAction, code: Code, text: &str) {
    testing::refused(world, who, act(who, change), code, text);
}

fn done(world: &mut World, who: &Person, change: IssueAction) {
    testing::done(world, who, act(who, change));
}

#[test]
pub(crate) fn an_issue_is_opened_closed_and_opened_again() {
    let mut world = opened();
    let (alice, bob, gateway) = (world.alice.clone(), world.bob.clone(), world.gateway.clone());
    let w = &mut world;
    assert_eq!(tracker(&w.state(), repo()).unwrap().open, 1);
    refused(w, &gateway, close(1), Code::ThreadRole, "ask somebody who has a role");
    refused(w, &bob, close(2), Code::ThreadUnknown, "alice/hello has no number 2");
    refused(w, &bob, IssueAction::Reopen { number: 1 }, Code::SameAlready, "nothing changes");
    // Its author may, and who looks after the repository.
    done(w, &bob, close(1));
    refused(w, &alice, close(1), Code::SameAlready, "it is so already");
    let issue = get(&w.state(), repo(), 1).unwrap().unwrap();
    assert_eq!((issue.closed, issue.reason()), (true, CloseReason::NotPlanned));
    assert_eq!(tracker(&w.state(), repo()).unwrap().open, 0);
    done(w, &alice, IssueAction::Reopen { number: 1 });
    refused(w, &bob, retitle(1, "broken"), Code::SameAlready, "nothing changes");
    refused(w, &gateway, retitle(1, "mine"), Code::ThreadRole, "may not do that in alice/hello");
    let outcome = w.block(vec![w.tx(&alice, &[act(&alice, retitle(1, "works"))])]);
    assert_eq!(outcome.events(events::ISSUE_RETITLED)[0]["was"], "broken");
}

#[test]
pub(crate) fn a_locked_issue_is_for_those_with_a_role() {
    let mut world = opened();
    let (alice, bob) = (world.alice.clone(), world.bob.clone());
    let w = &mut world;
    let lock = |locked| {
        let change = guts_schema::tx::ThreadAction::Lock { locked };
        Action::Thread { actor: alice.id, repo: repo(), number: 1, change }
    };
    testing::done(w, &alice, lock(true));
    for change in [retitle(1, "mine"), close(1)] {
        refused(w, &bob, change, Code::ThreadLocked, "number 1 of alice/hello is locked");
    }
    done(w, &alice, close(1));
    let reopen = IssueAction::Reopen { number: 1 };
    refused(w, &bob, reopen.clone(), Code::ThreadLocked, "ask somebody who has a role there");
    testing::done(w, &alice, lock(false));
    done(w, &bob, reopen);
    done(w, &bob, retitle(1, "mine"));
}

#[test]
pub(crate) fn labels_are_made_before_they_are_used() {
    let mut world = opened();
    let alice = world.alice.clone();
    let w = &mut world;
    refused(w, &alice, label(&["bug"]), Code::LabelUnknown, "alice/hello has no label bug");
    let gone = IssueAction::DropLabel { name: "bug".into() };
    refused(w, &alice, gone.clone(), Code::LabelUnknown, "make it first");
    done(w, &alice, put_label("bug"));
    done(w, &alice, put_label("ui"));
    done(w, &alice, label(&["bug"]));
    done(w, &alice, gone);
    // What it has it keeps.
    done(w, &alice, label(&["bug", "ui"]));
    assert_eq!(get(&w.state(), repo(), 1).unwrap().unwrap().labels, ["bug", "ui"]);
    let many: Vec<_> = (0..199).map(|n| act(&alice, put_label(&format!("l{n}")))).collect();
    for part in many.chunks(16) {
        assert_eq!(w.one(w.tx(&alice, part)), None);
    }
    refused(w, &alice, put_label("more"), Code::LabelsMany, "has 200 of these");
    refused(w, &alice, put_label("ui"), Code::SameAlready, "nothing changes");
    let (name, description) = ("ui".into(), "what is seen".into());
    done(w, &alice, IssueAction::PutLabel { name, color: 7, description });
    refused(w, &alice, label(&["bug", "ui"]), Code::SameAlready, "nothing changes");
}

#[test]
pub(crate) fn milestones_are_numbered() {
    let mut world = opened();
    let alice = world.alice.clone();
    let plan = |milestone| IssueAction::Plan { number: 1, milestone };
    let w = &mut world;
    refused(w, &alice, plan(1), Code::MilestoneUnknown, "alice/hello has no milestone 1");
    refused(w, &alice, milestone(1, "x"), Code::MilestoneUnknown, "make it first");
    refused(w, &alice, plan(0), Code::SameAlready, "nothing changes");
    done(w, &alice, milestone(0, "1.0"));
    done(w, &alice, plan(1));
    done(w, &alice, milestone(1, "2.0"));
    assert_eq!(tracker(&w.state(), repo()).unwrap().milestones[0].title, "2.0");
    let many: Vec<_> = (0..199).map(|_| act(&alice, milestone(0, "m"))).collect();
    for part in many.chunks(16) {
        assert_eq!(w.one(w.tx(&alice, part)), None);
    }
    refused(w, &alice, milestone(0, "m"), Code::LabelsMany, "has 200 of these");
    refused(w, &alice, milestone(1, "2.0"), Code::SameAlready, "nothing changes");
}

#[test]
pub(crate) fn people_with_a_role_are_assigned() {
    let mut world = opened();
    let (alice, bob, gateway) = (world.alice.clone(), world.bob.clone(), world.gateway.clone());
    let w = &mut world;
    let stranger = format!("{} cannot be assigned", gateway.id);
    refused(w, &alice, assign(&[gateway.id]), Code::AssigneeRole, &stranger);
    let both = act(&alice, assign(&[alice.id, bob.id]));
    let outcome = w.block(vec![w.tx(&alice, &[both])]);
    assert_eq!(outcome.events(events::ISSUE_ASSIGNED).len(), 2);
    refused(w, &alice, assign(&[alice.id, bob.id]), Code::SameAlready, "nothing changes");
    let role = RepoAction::SetCollaborator { account: gateway.id, role: RepoRole::Triage };
    let grant = Action::Repo { actor: alice.id, repo: repo(), change: role };
    assert_eq!(w.one(w.tx(&alice, &[grant])), None);
    let other = act(&gateway, assign(&[gateway.id, alice.id]));
    let outcome = w.block(vec![w.tx(&gateway, &[other])]);
    assert_eq!(outcome.events(events::ISSUE_UNASSIGNED)[0]["account"], bob.id.to_string());
}

#[test]
pub(crate) fn so_many_issues_are_pinned_and_no_more() {
    let mut world = opened();
    let (alice, bob) = (world.alice.clone(), world.bob.clone());
    let pin = |number, pinned| IssueAction::Pin { number, pinned };
    let w = &mut world;
    refused(w, &alice, pin(1, false), Code::SameAlready, "nothing changes");
    (0..3).for_each(|_| done(w, &bob, open("more")));
    refused(w, &alice, pin(9, true), Code::ThreadUnknown, "has no number 9");
    (1..=3).for_each(|number| done(w, &alice, pin(number, true)));
    refused(w, &alice, pin(3, true), Code::SameAlready, "nothing changes");
    refused(w, &alice, pin(4, true), Code::PinsMany, "has 3 pinned issues");
    done(w, &alice, pin(2, false));
    done(w, &alice, pin(4, true));
    assert_eq!(tracker(&w.state(), repo()).unwrap().pinned, [1, 3, 4]);
}
