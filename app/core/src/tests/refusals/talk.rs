//! Threads, issues and queries.

use std::sync::Arc;

use guts_abci::proto::abci::RequestQuery;
use guts_schema::tx::{IssueAction, ThreadAction};
use guts_schema::{Action, Code, RepoId, query as paths};
use guts_state::Store;

use super::Said;
use crate::query::query;
use crate::testing::{Person, World, done};

pub(super) fn provoke(said: &mut Said) {
    threads(said);
    issues(said);
    queries(said);
}

fn hello() -> RepoId {
    RepoId::new(1).unwrap()
}

fn talk(who: &Person, number: u64, change: ThreadAction) -> Action {
    Action::Thread { actor: who.id, repo: hello(), number, change }
}

fn act(who: &Person, change: IssueAction) -> Action {
    Action::Issue { actor: who.id, repo: hello(), change }
}

fn open(who: &Person) -> Action {
    act(who, IssueAction::Open { title: "broken".into(), text: "it is".into() })
}

fn threads(said: &mut Said) {
    let mut world = World::new();
    let w = &mut world;
    let (alice, bob) = (w.alice.clone(), w.bob.clone());
    let comment = |number| talk(&bob, number, ThreadAction::Comment { text: "x".into() });
    let edit = |comment| talk(&alice, 1, ThreadAction::Edit { comment, text: "x".into() });
    let lock = |who: &Person| talk(who, 1, ThreadAction::Lock { locked: true });
    done(w, &bob, open(&bob));
    said.no(w, &bob, Code::ThreadUnknown, comment(2));
    said.no(w, &alice, Code::CommentUnknown, edit(7));
    said.no(w, &alice, Code::CommentNotYours, edit(0));
    said.no(w, &bob, Code::ThreadRole, lock(&bob));
    done(w, &alice, lock(&alice));
    said.no(w, &alice, Code::SameAlready, lock(&alice));
    said.no(w, &bob, Code::ThreadLocked, comment(1));
    let retitle = IssueAction::Retitle { number: 1, title: "x".into() };
    said.no(w, &bob, Code::ThreadLocked, act(&bob, retitle));
}

fn issues(said: &mut Said) {
    let mut world = World::new();
    let w = &mut world;
    let (alice, bob) = (w.alice.clone(), w.bob.clone());
    for _ in 0..4 {
        done(w, &alice, open(&alice));
    }
    let label = act(&alice, IssueAction::Label { number: 1, labels: vec!["bug".into()] });
    said.no(w, &alice, Code::LabelUnknown, label);
    let plan = act(&alice, IssueAction::Plan { number: 1, milestone: 3 });
    said.no(w, &alice, Code::MilestoneUnknown, plan);
    let assign = act(&alice, IssueAction::Assign { number: 1, accounts: vec![bob.id] });
    said.no(w, &alice, Code::AssigneeRole, assign);
    let pin = |number| act(&alice, IssueAction::Pin { number, pinned: true });
    for number in 1..=3 {
        done(w, &alice, pin(number));
    }
    said.no(w, &alice, Code::PinsMany, pin(4));
    let milestone = |title: &str| {
        let (title, milestone) = (title.to_owned(), 0);
        act(&alice, IssueAction::PutMilestone { milestone, title, due_s: 0, closed: false })
    };
    let many: Vec<_> = (0..200).map(|n| milestone(&n.to_string())).collect();
    for part in many.chunks(16) {
        assert_eq!(w.one(w.tx(&alice, part)), None);
    }
    said.no(w, &alice, Code::LabelsMany, milestone("more"));
}

fn queries(said: &mut Said) {
    let mut world = World::new();
    world.block(vec![]);
    let store: Arc<dyn Store> = world.node.store.clone();
    for (wanted, path, height) in [
        (Code::QueryPath, "/nowhere", 0),
        (Code::QueryData, paths::REFS, 0),
        (Code::QueryHeight, paths::STORE, 99),
    ] {
        let data = if height == 0 { vec![] } else { vec![1] };
        let request = RequestQuery { path: path.into(), data: data.into(), height, prove: false };
        let answer = query(&store, world.node.app.head(), &request).unwrap();
        said.say(&world, wanted, Code::from_number(answer.code), &answer.log);
    }
}
