//! Each rule of repositories, broken.

use guts_schema::attest::Verdict;
use guts_schema::proto::{self, ObjectFormat, OrgRole, PushStatus, RepoRole};
use guts_schema::tx::{Draft, OrgAction, RepoAction};
use guts_schema::{AccountId, Action, Code, PushId, RepoId, events};

use super::{by_path, get, role};
use crate::modules::org::tests::found;
use crate::modules::{account, push};
use crate::testing::{self, CHAIN, Person, World};

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
pub(crate) fn broken_rules_have_their_codes() {
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

fn hello() -> RepoId {
    RepoId::new(1).unwrap()
}

fn act(who: &Person, change: RepoAction) -> Action {
    Action::Repo { actor: who.id, repo: hello(), change }
}

fn refused(world: &mut World, who: &Person, change: RepoAction, code: Code, text: &str) {
    testing::refused(world, who, act(who, change), code, text);
}

fn done(world: &mut World, who: &Person, change: RepoAction) {
    testing::done(world, who, act(who, change));
}

/// A world in which bob has a handle and a repository of the same name too.
fn two_owners() -> World {
    World::with(|state| {
        let bob = Person::new(102).secret.public();
        let of_bob = state.account.accounts.iter_mut().find(|account| account.key == bob);
        of_bob.unwrap().handle = "bob".into();
    })
}

fn rename(name: &str) -> RepoAction {
    RepoAction::Rename { name: name.into() }
}

#[test]
pub(crate) fn a_former_name_leads_to_the_repository() {
    let mut world = World::new();
    let (alice, bob) = (world.alice.clone(), world.bob.clone());
    let w = &mut world;
    refused(w, &bob, rename("x"), Code::RepoNotYours, "only who owns alice/hello");
    refused(w, &alice, rename("hello"), Code::RepoExists, "alice/hello exists already");
    done(w, &alice, rename("other"));
    for name in ["hello", "other"] {
        assert_eq!(by_path(&w.state(), "alice", name).unwrap(), Some(hello()));
    }
    // A push to the former name arrives.
    let old = alice.certificate("alice/hello", w.time_s, &[("refs/heads/main", 0, 1)]);
    assert_eq!(w.one(w.push(&old)), None);
    // The name is free for another, and to come back to.
    assert_eq!(w.one(w.tx(&alice, &[create(&alice, "hello")])), None);
    assert_eq!(by_path(&w.state(), "alice", "hello").unwrap(), RepoId::new(2));
    refused(w, &alice, rename("hello"), Code::RepoExists, "choose another name");
    done(w, &alice, rename("third"));
    done(w, &alice, rename("other"));
    let unknown =
        Action::Repo { actor: alice.id, repo: RepoId::new(9).unwrap(), change: rename("x") };
    assert_eq!(w.refused(w.tx(&alice, &[unknown])).0, Code::RepoUnknown);
}

#[test]
pub(crate) fn a_repository_is_offered_and_accepted() {
    let mut world = two_owners();
    let (alice, bob, gateway) = (world.alice.clone(), world.bob.clone(), world.gateway.clone());
    let to = |who: &Person| RepoAction::Transfer { to: who.id };
    let w = &mut world;
    refused(w, &bob, to(&bob), Code::RepoNotYours, "only who ");
    refused(w, &alice, to(&Person::new(70)), Code::AccountUnknown, "does not exist");
    refused(w, &alice, to(&gateway), Code::HandleMissing, "has no handle");
    refused(w, &bob, RepoAction::Accept, Code::RepoOffer, "is not offered to bob");
    assert_eq!(w.one(w.tx(&alice, &[create(&alice, "two")])), None);
    assert_eq!(w.one(w.tx(&bob, &[create(&bob, "hello")])), None);
    refused(w, &alice, to(&bob), Code::RepoExists, "bob/hello exists already");
    done(w, &alice, rename("gift"));
    done(w, &alice, to(&bob));
    refused(w, &alice, RepoAction::Accept, Code::RepoOffer, "ask its owner");
    // An offer is taken back by an offer to the owner; where there is none, that is a mistake.
    refused(w, &bob, to(&alice), Code::RepoNotYours, "only who ");
    done(w, &alice, to(&alice));
    refused(w, &bob, RepoAction::Accept, Code::RepoOffer, "is not offered to bob");
    refused(w, &alice, to(&alice), Code::RepoExists, "alice/gift exists already");
    done(w, &alice, to(&bob));
    done(w, &bob, RepoAction::Accept);
    let repo = get(&w.state(), hello()).unwrap().unwrap();
    assert_eq!((repo.owner, repo.owner_index), (bob.id.to_vec(), 1));
    for (owner, name) in [("bob", "gift"), ("alice", "gift"), ("alice", "hello")] {
        assert_eq!(by_path(&w.state(), owner, name).unwrap(), Some(hello()));
    }
    refused(w, &alice, rename("mine"), Code::RepoNotYours, "only who owns bob/gift");
    let counts = |who: &Person| account::get(&w.state(), &who.id).unwrap().unwrap().repos;
    assert_eq!((counts(&alice), counts(&bob)), (1, 2));
}

#[test]
pub(crate) fn an_account_has_so_many_repositories() {
    let mut world = World::with(|state| {
        let bob = Person::new(102).secret.public();
        let of_bob = state.account.accounts.iter_mut().find(|account| account.key == bob);
        of_bob.unwrap().handle = "bob".into();
        state.params.repos_per_account_max = 1;
    });
    let (alice, bob) = (world.alice.clone(), world.bob.clone());
    assert_eq!(world.one(world.tx(&bob, &[create(&bob, "one")])), None);
    let to = RepoAction::Transfer { to: bob.id };
    refused(&mut world, &alice, to, Code::ReposMany, "has 1 repositories");
}

fn collaborate(who: &Person, role: RepoRole) -> RepoAction {
    RepoAction::SetCollaborator { account: who.id, role }
}

fn role_of(world: &World, who: &Person) -> RepoRole {
    let repo = get(&world.state(), hello()).unwrap().unwrap();
    role(&world.state(), hello(), &repo, &who.id).unwrap()
}

#[test]
pub(crate) fn collaborators_have_roles() {
    let mut world = World::with(|state| state.params.repo_rules_max = 1);
    let (alice, bob, gateway) = (world.alice.clone(), world.bob.clone(), world.gateway.clone());
    let w = &mut world;
    let write = collaborate(&bob, RepoRole::Write);
    refused(w, &bob, write.clone(), Code::RepoNotYours, "only who ");
    let nobody = collaborate(&Person::new(70), RepoRole::Write);
    refused(w, &alice, nobody, Code::AccountUnknown, "does not exist");
    let none = collaborate(&bob, RepoRole::None);
    refused(w, &alice, none.clone(), Code::RoleSame, "has that role in alice/hello already");
    done(w, &alice, write.clone());
    refused(w, &alice, write, Code::RoleSame, "already");
    let second = collaborate(&gateway, RepoRole::Write);
    refused(w, &alice, second, Code::RepoRulesMany, "has 1 of these");
    // Who may write pushes, and administers nothing.
    let push = bob.certificate("alice/hello", w.time_s, &[("refs/heads/main", 0, 1)]);
    assert_eq!(w.one(w.push(&push)), None);
    let topics = RepoAction::SetTopics { topics: vec!["git".into()] };
    refused(w, &bob, topics.clone(), Code::RepoNotYours, "only who ");
    done(w, &alice, collaborate(&bob, RepoRole::Triage));
    let push = bob.certificate("alice/hello", w.time_s, &[("refs/heads/b", 0, 1)]);
    assert_eq!(w.one(w.push(&push)), Some(Code::PushNotAllowed));
    // An administrator does most things, but does not give the house away.
    done(w, &alice, collaborate(&bob, RepoRole::Admin));
    done(w, &bob, topics);
    assert_eq!(get(&w.state(), hello()).unwrap().unwrap().topics, ["git"]);
    refused(w, &bob, rename("mine"), Code::RepoNotYours, "only who ");
    // Whoever may leave, may leave.
    done(w, &bob, none);
    assert_eq!(role_of(w, &bob), RepoRole::None);
}

#[test]
pub(crate) fn teams_and_owners_of_an_organisation_have_roles() {
    let mut world = World::with(|state| state.params.repo_rules_max = 1);
    let (alice, bob) = (world.alice.clone(), world.bob.clone());
    let org = found(&mut world, &alice);
    let w = &mut world;
    let org_act = |who: &Person, change| Action::Org { actor: who.id, change };
    let grant = |team: &str, role| RepoAction::SetTeamRole { team: team.into(), role };
    refused(w, &alice, grant("crew", RepoRole::Write), Code::TeamUnknown, "alice has no team crew");
    // An owner of the organisation hands over at once.
    done(w, &alice, RepoAction::Transfer { to: org });
    assert_eq!(by_path(&w.state(), "guild", "hello").unwrap(), Some(hello()));
    assert_eq!(role_of(w, &alice), RepoRole::Admin);
    let role = OrgRole::Member;
    let join = [
        org_act(&alice, OrgAction::Invite { org, account: bob.id, role }),
        org_act(&alice, OrgAction::PutTeam { org, team: "crew".into(), members: vec![] }),
        org_act(&alice, OrgAction::PutTeam { org, team: "more".into(), members: vec![] }),
    ];
    assert_eq!(w.one(w.tx(&alice, &join)), None);
    assert_eq!(w.one(w.tx(&bob, &[org_act(&bob, OrgAction::Accept { org })])), None);
    assert_eq!(role_of(w, &bob), RepoRole::None);
    done(w, &alice, grant("crew", RepoRole::Write));
    refused(w, &alice, grant("crew", RepoRole::Write), Code::RoleSame, "crew has that role");
    refused(w, &alice, grant("more", RepoRole::Write), Code::RepoRulesMany, "remove one first");
    refused(w, &bob, grant("more", RepoRole::Write), Code::RepoNotYours, "only who ");
    let with_bob = OrgAction::PutTeam { org, team: "crew".into(), members: vec![bob.id] };
    assert_eq!(w.one(w.tx(&alice, &[org_act(&alice, with_bob)])), None);
    assert_eq!(role_of(w, &bob), RepoRole::Write);
    // The roles of teams stay behind when the repository leaves.
    done(w, &alice, RepoAction::Transfer { to: alice.id });
    assert_eq!(role_of(w, &bob), RepoRole::None);
}

#[test]
pub(crate) fn a_fork_says_where_it_comes_from() {
    let mut world = two_owners();
    let (alice, bob, gateway) = (world.alice.clone(), world.bob.clone(), world.gateway.clone());
    let org = found(&mut world, &alice);
    let w = &mut world;
    let fork =
        |owner: &AccountId, name: &str| RepoAction::Fork { owner: *owner, name: name.into() };
    refused(w, &gateway, fork(&gateway.id, "x"), Code::HandleMissing, "has no handle");
    refused(w, &bob, fork(&org, "x"), Code::OrgNotOwner, "only an owner of guild");
    let of_another = "only who controls alice may do that; bob does not";
    refused(w, &bob, fork(&alice.id, "x"), Code::RepoNotYours, of_another);
    refused(w, &alice, fork(&alice.id, "hello"), Code::RepoExists, "alice/hello exists");
    done(w, &bob, fork(&bob.id, "hello"));
    done(w, &alice, fork(&org, "hello"));
    let made = get(&w.state(), RepoId::new(2).unwrap()).unwrap().unwrap();
    assert_eq!((made.parent, made.owner), (1, bob.id.to_vec()));
    assert_eq!(push::head(&w.state(), RepoId::new(3).unwrap()).unwrap().count, 0);
}

#[test]
fn owners_may_be_exempt_inside_their_repositories() {
    let mut world = World::with(|state| {
        let price = state.params.prices.iter_mut().find(|price| price.kind == "edit_repo");
        price.unwrap().owner = true;
        state.params.work_per_byte = 0;
    });
    let (alice, bob) = (world.alice.clone(), world.bob.clone());
    let free = |world: &World, who: &Person, action: Action| {
        let draft = Draft::new(CHAIN, who.id, world.nonce(who), &[action]);
        draft.sign(who.id, &who.secret).encode()
    };
    assert_eq!(world.one(free(&world, &alice, edit(&alice, 1))), None);
    let foreign = free(&world, &bob, edit(&bob, 1));
    assert_eq!(world.refused(foreign).0, Code::PaymentMissing);
    let gone = free(&world, &alice, edit(&alice, 9));
    assert_eq!(world.refused(gone).0, Code::PaymentMissing);
    // Other kinds are paid for as ever.
    let other = free(&world, &alice, act(&alice, rename("other")));
    assert_eq!(world.refused(other).0, Code::PaymentMissing);
}

#[test]
pub(crate) fn stars_are_counted() {
    let mut world = World::new();
    let (alice, bob) = (world.alice.clone(), world.bob.clone());
    let star = |star| RepoAction::Star { star };
    let w = &mut world;
    refused(w, &bob, star(false), Code::StarSame, "nothing changes");
    done(w, &bob, star(true));
    refused(w, &bob, star(true), Code::StarSame, "starred alice/hello already");
    done(w, &alice, star(true));
    assert_eq!(get(&w.state(), hello()).unwrap().unwrap().stars, 2);
    done(w, &bob, star(false));
    assert_eq!(get(&w.state(), hello()).unwrap().unwrap().stars, 1);
}

fn protect(pattern: &str, rule: Option<(bool, bool, RepoRole)>) -> RepoAction {
    let rule = rule.map(|(no_force, no_delete, pusher)| proto::Protection {
        no_force,
        no_delete,
        pusher: pusher.into(),
    });
    RepoAction::SetProtection { pattern: pattern.into(), rule }
}

/// The first ref of a push is forced.
fn forced() -> Verdict {
    Verdict::GoodForced([0].into_iter().collect())
}

/// A push that all validators find to be so; its end.
fn pushed(
    world: &mut World,
    who: &Person,
    update: (&str, u8, u8),
    verdict: Verdict,
) -> (PushStatus, Option<Code>) {
    let certificate = who.certificate("alice/hello", world.time_s, &[update]);
    let id: PushId = world.push_id(&certificate);
    world.attest(id, 0..4, verdict);
    if let Some(code) = world.one(world.push(&certificate)) {
        return (PushStatus::Failed, Some(code));
    }
    world.block(vec![]);
    let push = push::get(&world.state(), &id).unwrap().unwrap();
    if push.code == Code::PushForced.number() {
        let begin = "this push rewrites the history of refs/heads/b, which is protected: ";
        assert!(push.reason.starts_with(begin), "{}", push.reason);
    }
    (push.status(), Code::from_number(push.code))
}

#[test]
pub(crate) fn protected_refs_are_protected() {
    let mut world = World::with(|state| state.params.repo_rules_max = 2);
    let (alice, bob) = (world.alice.clone(), world.bob.clone());
    let w = &mut world;
    let heads = protect("refs/heads/*", Some((true, true, RepoRole::None)));
    refused(w, &bob, heads.clone(), Code::RepoNotYours, "only who ");
    let gone = protect("refs/heads/*", None);
    refused(w, &alice, gone.clone(), Code::ProtectionNone, "refs/heads/* is not protected");
    done(w, &alice, heads);
    done(w, &alice, protect("refs/heads/stable", Some((false, false, RepoRole::Admin))));
    let third = protect("refs/tags/*", Some((true, true, RepoRole::None)));
    refused(w, &alice, third, Code::RepoRulesMany, "has 2 of these");
    done(w, &alice, collaborate(&bob, RepoRole::Write));
    let moved = (PushStatus::Moved, None);
    let failed = |code| (PushStatus::Failed, Some(code));
    assert_eq!(pushed(w, &bob, ("refs/heads/b", 0, 1), Verdict::Good), moved);
    assert_eq!(pushed(w, &bob, ("refs/heads/b", 1, 2), Verdict::Good), moved);
    let refused = pushed(w, &bob, ("refs/heads/b", 2, 3), forced());
    assert_eq!(refused, failed(Code::PushForced));
    let deleted = pushed(w, &alice, ("refs/heads/b", 2, 0), Verdict::Good);
    assert_eq!(deleted, failed(Code::DeleteProtected));
    // What may not be rewritten is not deleted either, to be pushed anew.
    done(w, &alice, protect("refs/heads/*", Some((true, false, RepoRole::None))));
    let deleted = pushed(w, &bob, ("refs/heads/b", 2, 0), Verdict::Good);
    assert_eq!(deleted, failed(Code::DeleteProtected));
    let stable = pushed(w, &bob, ("refs/heads/stable", 0, 1), Verdict::Good);
    assert_eq!(stable, failed(Code::PushProtected));
    assert_eq!(pushed(w, &alice, ("refs/heads/stable", 0, 1), Verdict::Good), moved);
    // Elsewhere, history is one's own.
    assert_eq!(pushed(w, &bob, ("refs/tags/t", 0, 1), Verdict::Good), moved);
    assert_eq!(pushed(w, &bob, ("refs/tags/t", 1, 2), forced()), moved);
    done(w, &alice, gone);
    assert_eq!(pushed(w, &bob, ("refs/heads/b", 2, 3), forced()), moved);
    // Nor does it matter what happens to others in the same push.
    done(w, &alice, protect("refs/heads/stable", Some((true, false, RepoRole::None))));
    let both = [("refs/tags/t", 2, 3), ("refs/heads/stable", 1, 2)];
    let mixed = bob.certificate("alice/hello", w.time_s, &both);
    let id = w.push_id(&mixed);
    w.attest(id, 0..4, forced());
    assert_eq!(w.one(w.push(&mixed)), None);
    w.block(vec![]);
    let push = push::get(&w.state(), &id).unwrap().unwrap();
    assert_eq!(push.status(), PushStatus::Moved, "{}", push.reason);
    // A rule made while a push is pending is asked when its refs would move.
    let late = bob.certificate("alice/hello", w.time_s, &[("refs/heads/b", 3, 4)]);
    assert_eq!(w.one(w.push(&late)), None);
    done(w, &alice, protect("refs/heads/b", Some((false, false, RepoRole::Admin))));
    let id = w.push_id(&late);
    w.attest(id, 0..4, Verdict::Good);
    w.block(vec![]);
    w.block(vec![]);
    let push = push::get(&w.state(), &w.push_id(&late)).unwrap().unwrap();
    assert_eq!(push.code, Code::PushProtected.number());
    assert!(push.reason.contains("ask somebody with a higher role"), "{}", push.reason);
}
