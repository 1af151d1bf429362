//! The whole machine: blocks, proposals, replay, rest, queries.

use guts_schema::attest::Verdict;
use guts_schema::{Action, events};

use crate::modules::{self, push};
use crate::testing::World;

#[test]
fn a_chain_lives_and_rests() {
    let mut world = World::new();
    world.block(vec![]);
    let (alice, bob) = (world.alice.clone(), world.bob.clone());
    let transfer = Action::Transfer { actor: alice.id, to: bob.id, amount: 5 };
    let outcome = world.block(vec![world.tx(&alice, &[transfer])]);
    assert_eq!(outcome.code(0), None);
    assert_eq!(outcome.events(events::TRANSFERRED)[0]["amount"], "5");
    world.block(vec![]);
    world.restart();
    world.block(vec![]);
    let create = Action::CreateRepo {
        actor: alice.id,
        name: "new".into(),
        description: "one line".into(),
        default_branch: "refs/heads/main".into(),
        object_format: guts_schema::proto::ObjectFormat::Sha1,
    };
    assert_eq!(world.one(world.tx(&alice, &[create])), None);
    assert_eq!(modules::repo::count(&world.state()).unwrap(), 2);

    let certificate = alice.certificate("alice/new", world.time_s, &[("refs/heads/main", 0, 7)]);
    let id = certificate.id();
    world.attest(id, 0..3, Verdict::Good);
    let ordered = world.block(vec![world.push(&certificate)]);
    assert_eq!(ordered.commit.ordered, [id]);
    let moved = world.block(vec![]);
    assert_eq!(moved.commit.closed, [id]);
    assert_eq!(moved.results.len(), 1, "pseudo-transaction 0");
    assert_eq!(moved.events(events::REF_MOVED)[0]["new"], "07".repeat(20));
    let repo = guts_schema::RepoId::new(2).unwrap();
    let (head, refs) = push::all_refs(&world.state(), repo).unwrap();
    assert_eq!((head.count, refs.len(), refs[0].name.as_str()), (1, 1, "refs/heads/main"));
    world.block(vec![]);
}

#[test]
fn refs_move_forward_and_back() {
    let mut world = World::new();
    world.block(vec![]);
    let alice = world.alice.clone();
    let main = "refs/heads/main";
    world.pushed(&alice, "alice/hello", &[(main, 0, 7), ("refs/tags/v1", 0, 7)]);
    world.pushed(&alice, "alice/hello", &[(main, 7, 8), ("refs/tags/v1", 7, 0)]);
    let repo = guts_schema::RepoId::new(1).unwrap();
    let (head, refs) = push::all_refs(&world.state(), repo).unwrap();
    assert_eq!((head.count, head.log_count), (1, 4));
    assert_eq!(refs[0].oid, [8; 20]);
}
