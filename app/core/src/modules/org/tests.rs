//! Each rule of organisations, broken.

use guts_schema::proto::OrgRole::{self, Member, Owner};
use guts_schema::tx::OrgAction;
use guts_schema::{AccountId, Action, Code, events, names};

use super::{get, member_role};
use crate::modules::account;
use crate::testing::{CHAIN, FEE, Person, World, done, refused};

fn act(who: &Person, change: OrgAction) -> Action {
    Action::Org { actor: who.id, change }
}

fn invite(who: &Person, org: AccountId, account: &Person, role: OrgRole) -> Action {
    act(who, OrgAction::Invite { org, account: account.id, role })
}

fn accept(who: &Person, org: AccountId) -> Action {
    act(who, OrgAction::Accept { org })
}

fn drop_invite(who: &Person, org: AccountId, account: &Person) -> Action {
    act(who, OrgAction::DropInvite { org, account: account.id })
}

fn set_role(who: &Person, org: AccountId, account: &Person, role: OrgRole) -> Action {
    act(who, OrgAction::SetRole { org, account: account.id, role })
}

fn remove(who: &Person, org: AccountId, account: &Person) -> Action {
    act(who, OrgAction::Remove { org, account: account.id })
}

fn team(who: &Person, org: AccountId, team: &str, members: &[&Person]) -> Action {
    let mut members: Vec<_> = members.iter().map(|member| member.id).collect();
    members.sort();
    act(who, OrgAction::PutTeam { org, team: team.into(), members })
}

/// Makes the organisation `guild`, whose owner is `who`.
pub fn found(world: &mut World, who: &Person) -> AccountId {
    let commitment = names::handle_commitment(CHAIN, &who.id, "guild", &[1; 32]);
    let commit = Action::CommitHandle { actor: who.id, commitment };
    assert_eq!(world.one(world.tx(who, &[commit])), None);
    let create = act(who, OrgAction::Create { handle: "guild".into(), salt: [1; 32] });
    let outcome = world.block(vec![world.tx(who, &[create])]);
    outcome.events(events::ORG_CREATED)[0]["org"].parse().unwrap()
}

#[test]
pub(crate) fn an_organisation_is_founded_under_a_claimed_handle() {
    let mut world = World::new();
    let (alice, bob) = (world.alice.clone(), world.bob.clone());
    let create =
        |who: &Person| act(who, OrgAction::Create { handle: "guild".into(), salt: [1; 32] });
    refused(&mut world, &alice, create(&alice), Code::CommitUnknown, "committed to no such handle");
    let org = found(&mut world, &alice);
    assert_eq!(org, AccountId::of_org(1));
    let value = account::get(&world.state(), &org).unwrap().unwrap();
    assert_eq!((value.handle.as_str(), value.org), ("guild", 1));
    assert_eq!(member_role(&world.state(), &org, &alice.id).unwrap(), Some(Owner));
    assert_eq!(member_role(&world.state(), &org, &bob.id).unwrap(), None);
    let commitment = names::handle_commitment(CHAIN, &bob.id, "guild", &[1; 32]);
    done(&mut world, &bob, Action::CommitHandle { actor: bob.id, commitment });
    refused(&mut world, &bob, create(&bob), Code::HandleTaken, "guild is taken");
    let nobody = Person::new(70);
    refused(&mut world, &alice, accept(&alice, nobody.id), Code::OrgUnknown, "is no organisation");
    refused(&mut world, &alice, team(&alice, nobody.id, "x", &[]), Code::OrgUnknown, "is no org");
}

#[test]
pub(crate) fn members_are_invited_and_accept() {
    let mut world = World::with(|state| state.params.org_members_max = 2);
    let (alice, bob, gateway) = (world.alice.clone(), world.bob.clone(), world.gateway.clone());
    let org = found(&mut world, &alice);
    let w = &mut world;
    refused(w, &bob, invite(&bob, org, &bob, Owner), Code::OrgNotOwner, "only an owner of guild");
    refused(w, &bob, accept(&bob, org), Code::InviteNone, "is not invited to guild");
    refused(w, &alice, drop_invite(&alice, org, &bob), Code::InviteNone, "ask an owner");
    let nobody = Person::new(70);
    let stranger = invite(&alice, org, &nobody, Member);
    refused(w, &alice, stranger, Code::AccountUnknown, "does not exist");
    refused(w, &alice, invite(&alice, org, &alice, Member), Code::MemberExists, "already");
    done(w, &alice, invite(&alice, org, &bob, Member));
    // Invited again, as something else; that counts once.
    done(w, &alice, invite(&alice, org, &bob, Owner));
    let third = invite(&alice, org, &gateway, Member);
    refused(w, &alice, third, Code::MembersMany, "guild has 2 members and invitations");
    refused(w, &gateway, drop_invite(&gateway, org, &bob), Code::OrgNotOwner, "only an owner");
    done(w, &bob, drop_invite(&bob, org, &bob));
    done(w, &alice, invite(&alice, org, &bob, Member));
    done(w, &alice, drop_invite(&alice, org, &bob));
    done(w, &alice, invite(&alice, org, &bob, Owner));
    done(w, &bob, accept(&bob, org));
    assert_eq!(member_role(&w.state(), &org, &bob.id).unwrap(), Some(Owner));
    refused(w, &bob, accept(&bob, org), Code::InviteNone, "is not invited");
}

#[test]
pub(crate) fn there_is_always_an_owner() {
    let mut world = World::new();
    let (alice, bob) = (world.alice.clone(), world.bob.clone());
    let org = found(&mut world, &alice);
    let w = &mut world;
    let last = "alice is the last owner of guild";
    refused(w, &alice, remove(&alice, org, &alice), Code::OwnerLast, last);
    refused(w, &alice, set_role(&alice, org, &alice, Member), Code::OwnerLast, last);
    refused(w, &alice, remove(&alice, org, &bob), Code::MemberUnknown, "invite it first");
    refused(w, &alice, set_role(&alice, org, &bob, Owner), Code::MemberUnknown, "is no member");
    done(w, &alice, invite(&alice, org, &bob, Member));
    done(w, &bob, accept(&bob, org));
    refused(w, &alice, remove(&alice, org, &alice), Code::OwnerLast, last);
    refused(w, &bob, remove(&bob, org, &alice), Code::OrgNotOwner, "only an owner");
    refused(w, &bob, set_role(&bob, org, &bob, Owner), Code::OrgNotOwner, "only an owner");
    done(w, &alice, set_role(&alice, org, &bob, Owner));
    done(w, &alice, remove(&alice, org, &alice));
    refused(w, &bob, remove(&bob, org, &bob), Code::OwnerLast, "make somebody else an owner");
}

#[test]
pub(crate) fn teams_are_of_members() {
    let mut world = World::with(|state| state.params.org_teams_max = 1);
    let (alice, bob) = (world.alice.clone(), world.bob.clone());
    let org = found(&mut world, &alice);
    let w = &mut world;
    let with_bob = team(&alice, org, "crew", &[&alice, &bob]);
    refused(w, &alice, with_bob.clone(), Code::MemberUnknown, "is no member of guild");
    done(w, &alice, invite(&alice, org, &bob, Member));
    done(w, &bob, accept(&bob, org));
    done(w, &alice, with_bob);
    refused(w, &alice, team(&alice, org, "more", &[]), Code::TeamsMany, "guild has 1 teams");
    refused(w, &bob, team(&bob, org, "crew", &[]), Code::OrgNotOwner, "only an owner");
    // Whoever leaves the organisation leaves its teams.
    done(w, &bob, remove(&bob, org, &bob));
    assert_eq!(get(&w.state(), &org).unwrap().unwrap().teams[0].members, [alice.id.to_vec()]);
    let gone = |name: &str| act(&alice, OrgAction::DropTeam { org, team: name.into() });
    refused(w, &alice, gone("more"), Code::TeamUnknown, "guild has no team more");
    done(w, &alice, gone("crew"));
    assert!(get(&w.state(), &org).unwrap().unwrap().teams.is_empty());
}

#[test]
pub(crate) fn owners_spend_what_an_organisation_has() {
    let mut world = World::new();
    let (alice, bob) = (world.alice.clone(), world.bob.clone());
    let org = found(&mut world, &alice);
    let w = &mut world;
    done(w, &bob, Action::Transfer { actor: bob.id, to: org, amount: 1000 });
    let spend = |who: &Person, amount| act(who, OrgAction::Transfer { org, to: alice.id, amount });
    refused(w, &bob, spend(&bob, 1), Code::OrgNotOwner, "only an owner");
    refused(w, &alice, spend(&alice, 1001), Code::BalanceLow, "has 1000, 1001 is needed");
    let before = account::get(&w.state(), &alice.id).unwrap().unwrap().balance;
    done(w, &alice, spend(&alice, 1000));
    let after = account::get(&w.state(), &alice.id).unwrap().unwrap().balance;
    assert_eq!(after, before + 1000 - FEE);
}
