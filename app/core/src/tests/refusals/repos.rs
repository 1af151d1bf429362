//! Repositories, pushes and organisations.

use guts_schema::attest::Verdict;
use guts_schema::proto::{self, ObjectFormat, OrgRole, RepoRole};
use guts_schema::tx::{OrgAction, RepoAction, ThreadAction};
use guts_schema::{AccountId, Action, Code, PushId, RepoId, names};

use super::Said;
use crate::testing::{CHAIN, Person, World, done};

const REPO: &str = "alice/hello";
const MAIN: &str = "refs/heads/main";

pub(super) fn provoke(said: &mut Said) {
    repositories(said);
    rules(said);
    pushes(said);
    bounds(said);
    ends(said);
    organisations(said);
}

fn hello() -> RepoId {
    RepoId::new(1).unwrap()
}

fn create(who: &Person, name: &str) -> Action {
    Action::CreateRepo {
        actor: who.id,
        name: name.into(),
        description: String::new(),
        default_branch: MAIN.into(),
        object_format: ObjectFormat::Sha1,
    }
}

fn archive(who: &Person, repo: u64) -> Action {
    Action::EditRepo {
        actor: who.id,
        repo: RepoId::new(repo).unwrap(),
        description: None,
        default_branch: None,
        archived: Some(true),
    }
}

fn act(who: &Person, change: RepoAction) -> Action {
    Action::Repo { actor: who.id, repo: hello(), change }
}

fn grant(who: &Person, to: &Person, role: RepoRole) -> Action {
    act(who, RepoAction::SetCollaborator { account: to.id, role })
}

fn protect(who: &Person, pattern: &str, rule: Option<proto::Protection>) -> Action {
    act(who, RepoAction::SetProtection { pattern: pattern.into(), rule })
}

fn repositories(said: &mut Said) {
    let mut world = World::with(|state| state.params.repos_per_account_max = 1);
    let w = &mut world;
    let (alice, bob) = (w.alice.clone(), w.bob.clone());
    said.no(w, &alice, Code::RepoUnknown, archive(&alice, 9));
    said.no(w, &alice, Code::ReposMany, create(&alice, "other"));
    said.no(w, &bob, Code::HandleMissing, create(&bob, "hello"));
    said.no(w, &bob, Code::RepoNotYours, archive(&bob, 1));
    said.no(w, &bob, Code::RepoNotYours, act(&bob, RepoAction::Rename { name: "x".into() }));
    said.no(w, &bob, Code::RepoOffer, act(&bob, RepoAction::Accept));
    said.no(w, &alice, Code::StarSame, act(&alice, RepoAction::Star { star: false }));
    done(w, &alice, archive(&alice, 1));
    let change = ThreadAction::Comment { text: "x".into() };
    let comment = Action::Thread { actor: bob.id, repo: hello(), number: 1, change };
    said.no(w, &bob, Code::RepoArchived, comment);
    let mut world = World::new();
    said.no(&mut world, &alice, Code::RepoExists, create(&alice, "hello"));
}

fn rules(said: &mut Said) {
    let mut world = World::with(|state| state.params.repo_rules_max = 1);
    let w = &mut world;
    let (alice, bob, gateway) = (w.alice.clone(), w.bob.clone(), w.gateway.clone());
    said.no(w, &alice, Code::RoleSame, grant(&alice, &bob, RepoRole::None));
    done(w, &alice, grant(&alice, &bob, RepoRole::Write));
    said.no(w, &alice, Code::RepoRulesMany, grant(&alice, &gateway, RepoRole::Write));
    said.no(w, &alice, Code::ProtectionNone, protect(&alice, "refs/tags/*", None));
}

/// A push of somebody's that is refused when it is ordered.
fn not_ordered(
    said: &mut Said,
    w: &mut World,
    who: &Person,
    wanted: Code,
    updates: &[(&str, u8, u8)],
) {
    let tx = w.push(&who.certificate(REPO, w.time_s, updates));
    said.tx(w, wanted, tx);
}

fn pushes(said: &mut Said) {
    let mut world = World::new();
    let w = &mut world;
    let (alice, bob) = (w.alice.clone(), w.bob.clone());
    not_ordered(said, w, &Person::new(70), Code::PushKeyUnknown, &[(MAIN, 0, 1)]);
    not_ordered(said, w, &bob, Code::PushNotAllowed, &[(MAIN, 0, 1)]);
    let early = w.push(&alice.certificate(REPO, w.time_s + 9, &[(MAIN, 0, 1)]));
    said.tx(w, Code::PushStale, early);
    let line = format!("{} {} {MAIN}\n", "00".repeat(32), "01".repeat(32));
    let long = w.push(&alice.certify(REPO, w.time_s, [line].into_iter()));
    said.tx(w, Code::PushFormat, long);
    let certificate = alice.certificate(REPO, w.time_s, &[(MAIN, 0, 1)]);
    let id = w.push_id(&certificate);
    w.attest(id, 0..4, Verdict::Good);
    assert_eq!(w.one(w.push(&certificate)), None);
    w.block(vec![]);
    let again = w.push(&certificate);
    said.tx(w, Code::PushReplayed, again);
    not_ordered(said, w, &alice, Code::RefMoved, &[(MAIN, 2, 3)]);
    not_ordered(said, w, &alice, Code::RefInTheWay, &[("refs/heads/main/x", 0, 1)]);
    not_ordered(said, w, &alice, Code::DefaultBranchDelete, &[(MAIN, 1, 0)]);
    done(w, &alice, grant(&alice, &bob, RepoRole::Write));
    let pusher = RepoRole::Admin.into();
    let rule = proto::Protection { pusher, no_delete: true, no_force: false };
    w.pushed(&alice, REPO, &[("refs/heads/b", 0, 1)]);
    done(w, &alice, protect(&alice, "refs/heads/b", Some(rule)));
    not_ordered(said, w, &bob, Code::PushProtected, &[("refs/heads/b", 1, 2)]);
    not_ordered(said, w, &alice, Code::DeleteProtected, &[("refs/heads/b", 1, 0)]);
}

fn bounds(said: &mut Said) {
    let mut world = World::with(|state| {
        (state.params.refs_per_repo_max, state.params.pack_bytes_max) = (1, 100);
        state.params.pending_bytes_per_account_max = 150;
    });
    let w = &mut world;
    let alice = w.alice.clone();
    not_ordered(said, w, &alice, Code::RefsMany, &[("refs/heads/a", 0, 1), ("refs/heads/b", 0, 1)]);
    assert_eq!(w.one(w.push(&alice.certificate(REPO, w.time_s, &[(MAIN, 0, 1)]))), None);
    not_ordered(said, w, &alice, Code::PushBytesMany, &[(MAIN, 0, 2)]);
    let mut world = World::with(|state| {
        state.params.pending_pushes_per_account_max = 1;
        state.params.pack_bytes_max = 100;
    });
    let w = &mut world;
    assert_eq!(w.one(w.push(&alice.certificate(REPO, w.time_s, &[(MAIN, 0, 1)]))), None);
    not_ordered(said, w, &alice, Code::PushesMany, &[(MAIN, 0, 2)]);
    let mut world = World::with(|state| state.params.pack_bytes_max = 99);
    not_ordered(said, &mut world, &alice, Code::PackOversize, &[(MAIN, 0, 2)]);
}

/// Orders a push of alice's.
fn ordered(w: &mut World, update: (&str, u8, u8), verdict: Option<Verdict>) -> PushId {
    let certificate = w.alice.certificate(REPO, w.time_s, &[update]);
    if let Some(verdict) = verdict {
        let id = w.push_id(&certificate);
        w.attest(id, 0..4, verdict);
    }
    assert_eq!(w.one(w.push(&certificate)), None);
    w.push_id(&certificate)
}

fn ends(said: &mut Said) {
    let mut world = World::new();
    let w = &mut world;
    let alice = w.alice.clone();
    let bad = ordered(w, (MAIN, 0, 1), Some(Verdict::ObjectsBad));
    w.block(vec![]);
    said.push(w, Code::PushRejected, &bad);
    w.pushed(&alice, REPO, &[(MAIN, 0, 1)]);
    let rule = proto::Protection { no_force: true, ..Default::default() };
    done(w, &alice, protect(&alice, "refs/heads/*", Some(rule)));
    let forced = Verdict::GoodForced([0].into_iter().collect());
    let forced = ordered(w, (MAIN, 1, 2), Some(forced));
    w.block(vec![]);
    said.push(w, Code::PushForced, &forced);
    let slow = ordered(w, (MAIN, 1, 3), None);
    w.time_s += 121;
    w.block(vec![]);
    said.push(w, Code::PushDeadline, &slow);
}

fn organisations(said: &mut Said) {
    let mut world = World::with(|state| {
        (state.params.org_members_max, state.params.org_teams_max) = (2, 1);
    });
    let w = &mut world;
    let (alice, bob, gateway) = (w.alice.clone(), w.bob.clone(), w.gateway.clone());
    let org = AccountId::of_org(1);
    let act = |who: &Person, change| Action::Org { actor: who.id, change };
    let invite = |by: &Person, who: &Person| {
        act(by, OrgAction::Invite { org, account: who.id, role: OrgRole::Member })
    };
    let team =
        |name: &str, members| act(&alice, OrgAction::PutTeam { org, team: name.into(), members });
    said.no(w, &alice, Code::OrgUnknown, invite(&alice, &bob));
    let commitment = names::handle_commitment(CHAIN, &alice.id, "guild", &[1; 32]);
    done(w, &alice, Action::CommitHandle { actor: alice.id, commitment });
    let make = OrgAction::Create { handle: "guild".into(), salt: [1; 32] };
    done(w, &alice, act(&alice, make));
    said.no(w, &bob, Code::OrgNotOwner, invite(&bob, &gateway));
    said.no(w, &bob, Code::InviteNone, act(&bob, OrgAction::Accept { org }));
    said.no(w, &alice, Code::MemberExists, invite(&alice, &alice));
    let remove = |who: &Person| act(&alice, OrgAction::Remove { org, account: who.id });
    said.no(w, &alice, Code::MemberUnknown, remove(&bob));
    said.no(w, &alice, Code::OwnerLast, remove(&alice));
    done(w, &alice, invite(&alice, &bob));
    said.no(w, &alice, Code::MembersMany, invite(&alice, &gateway));
    let drop_team = act(&alice, OrgAction::DropTeam { org, team: "crew".into() });
    said.no(w, &alice, Code::TeamUnknown, drop_team);
    done(w, &alice, team("crew", vec![alice.id]));
    said.no(w, &alice, Code::TeamsMany, team("more", vec![alice.id]));
}
