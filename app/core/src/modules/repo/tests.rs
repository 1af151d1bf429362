//! Each rule of repositories, broken.

use guts_schema::proto::ObjectFormat;
use guts_schema::{Action, Code, RepoId, events};

use super::{by_path, get};
use crate::modules::account;
use crate::testing::{Person, World};

fn create(who: &Person, name: &str) -> Action {
    Action::CreateRepo {
        actor: who.id,
        name: name.into(),
        description: "about it".into(),
        default_branch: "refs/heads/main".into(),
        object_format: ObjectFormat::Sha256,
    }
}

fn edit(who: &Person, repo: u64) -> Action {
    Action::EditRepo {
        actor: who.id,
        repo: RepoId::new(repo).unwrap(),
        description: None,
        default_branch: Some("refs/heads/trunk".into()),
        archived: Some(true),
    }
}

#[test]
fn a_repository_is_made_and_found() {
    let mut world = World::new();
    let alice = world.alice.clone();
    let outcome = world.block(vec![world.tx(&alice, &[create(&alice, "one")])]);
    let event = &outcome.events(events::REPO_CREATED)[0];
    assert_eq!((event["owner"].as_str(), event["repo"].as_str()), ("alice", "2"));
    let state = world.state();
    let id = by_path(&state, "alice", "one").unwrap().unwrap();
    let repo = get(&state, id).unwrap().unwrap();
    assert_eq!((repo.description.as_str(), repo.created_height), ("about it", 1));
    assert_eq!(repo.object_format(), ObjectFormat::Sha256);
    assert_eq!(account::get(&state, &alice.id).unwrap().unwrap().repos, 2);
    assert_eq!(by_path(&state, "alice", "two").unwrap(), None);
    assert_eq!(by_path(&state, "nobody", "one").unwrap(), None);
}

#[test]
fn broken_rules_have_their_codes() {
    let mut world = World::with(|state| state.params.repos_per_account_max = 2);
    let (alice, bob) = (world.alice.clone(), world.bob.clone());
    let again = world.tx(&alice, &[create(&alice, "hello")]);
    let outcome = world.block(vec![again]);
    assert_eq!(outcome.code(0), Some(Code::RepoExists));
    assert!(outcome.results[0].log.contains("alice/hello exists already"));
    assert_eq!(world.one(world.tx(&bob, &[create(&bob, "x")])), Some(Code::HandleMissing));
    assert_eq!(world.one(world.tx(&alice, &[create(&alice, "two")])), None);
    assert_eq!(world.one(world.tx(&alice, &[create(&alice, "three")])), Some(Code::ReposMany));
    assert_eq!(world.one(world.tx(&bob, &[edit(&bob, 1)])), Some(Code::RepoNotYours));
    assert_eq!(world.one(world.tx(&alice, &[edit(&alice, 9)])), Some(Code::RepoUnknown));
}

#[test]
fn an_edit_changes_what_it_names() {
    let mut world = World::new();
    let alice = world.alice.clone();
    let outcome = world.block(vec![world.tx(&alice, &[edit(&alice, 1)])]);
    let event = &outcome.events(events::REPO_EDITED)[0];
    assert_eq!(event["archived"], "true");
    assert!(!event.contains_key("description"));
    let repo = get(&world.state(), RepoId::new(1).unwrap()).unwrap().unwrap();
    assert_eq!((repo.default_branch.as_str(), repo.archived), ("refs/heads/trunk", true));
    assert_eq!(repo.name, "hello");
}
