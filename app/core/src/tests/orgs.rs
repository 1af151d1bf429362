//! Organisations against plain maps: who is in them, who is invited, who is in which team.

use std::collections::{BTreeMap, BTreeSet};

use guts_schema::proto::{OrgMember, OrgRole};
use guts_schema::tx::OrgAction;
use guts_schema::{AccountId, Action};
use proptest::prelude::*;

use crate::modules::account::GenesisAccount;
use crate::modules::org::{self, tests::found as found_org};
use crate::testing::{Person, World, together};

/// In all and invited; and teams.
const MEMBERS_MAX: usize = 3;
const TEAMS_MAX: usize = 2;
const TEAMS: [&str; 3] = ["crew", "docs", "ops"];

fn people() -> [Person; 4] {
    [101, 102, 103, 140].map(Person::new)
}

fn place(id: &[u8]) -> usize {
    people().iter().position(|one| one.id.to_vec() == id).unwrap()
}

#[derive(Debug, Default, PartialEq)]
struct Model {
    members: BTreeMap<usize, OrgRole>,
    invited: BTreeMap<usize, OrgRole>,
    teams: BTreeMap<String, BTreeSet<usize>>,
}

impl Model {
    fn is_last(&self, who: usize) -> bool {
        let owns = |(_, role): &(&usize, &OrgRole)| **role == OrgRole::Owner;
        let owners: Vec<_> = self.members.iter().filter(owns).map(|(who, _)| *who).collect();
        owners == [who]
    }

    fn act(&mut self, who: usize, change: &OrgAction) -> bool {
        let owns = self.members.get(&who) == Some(&OrgRole::Owner);
        let of = |account: &AccountId| place(account.as_bytes());
        match change {
            OrgAction::Invite { account, role, .. } => {
                let whom = of(account);
                let full = self.members.len() + self.invited.len() >= MEMBERS_MAX;
                let fits = self.invited.contains_key(&whom) || !full;
                let may = owns && fits && !self.members.contains_key(&whom);
                if may {
                    self.invited.insert(whom, *role);
                }
                may
            }
            OrgAction::Accept { .. } => match self.invited.remove(&who) {
                Some(role) => self.members.insert(who, role).is_none(),
                None => false,
            },
            OrgAction::DropInvite { account, .. } => {
                (owns || of(account) == who) && self.invited.remove(&of(account)).is_some()
            }
            OrgAction::SetRole { account, role, .. } => {
                let (whom, is_last) = (of(account), self.is_last(of(account)));
                match self.members.get_mut(&whom) {
                    Some(now) if owns && (*role == OrgRole::Owner || !is_last) => {
                        *now = *role;
                        true
                    }
                    _ => false,
                }
            }
            OrgAction::Remove { account, .. } => {
                let whom = of(account);
                let may = (owns || whom == who) && !self.is_last(whom);
                if !may || self.members.remove(&whom).is_none() {
                    return false;
                }
                self.teams.values_mut().for_each(|team| team.retain(|one| *one != whom));
                true
            }
            OrgAction::PutTeam { team, members, .. } => {
                let members: BTreeSet<_> = members.iter().map(of).collect();
                let fits = self.teams.contains_key(team) || self.teams.len() < TEAMS_MAX;
                let may = owns && fits && members.iter().all(|who| self.members.contains_key(who));
                if may {
                    self.teams.insert(team.clone(), members);
                }
                may
            }
            OrgAction::DropTeam { team, .. } => owns && self.teams.remove(team).is_some(),
            OrgAction::Create { .. } | OrgAction::Transfer { .. } => unreachable!("not here"),
        }
    }
}

/// What there is, read back.
fn found(world: &World, id: &AccountId) -> Model {
    let org = org::get(&world.state(), id).unwrap().unwrap();
    let role = |one: &OrgMember| (place(&one.account), one.role());
    let team = |members: Vec<Vec<u8>>| members.iter().map(|who| place(who)).collect();
    Model {
        members: org.members.iter().map(role).collect(),
        invited: org.invited.iter().map(role).collect(),
        teams: org.teams.into_iter().map(|one| (one.name, team(one.members))).collect(),
    }
}

/// Numbers, read as the change likes.
fn change(org: AccountId, what: u8, whom: usize, form: usize) -> OrgAction {
    let account = people()[whom].id;
    let role = [OrgRole::Member, OrgRole::Owner][form % 2];
    let team = TEAMS[form % 3].to_owned();
    match what {
        0..=2 => OrgAction::Invite { org, account, role },
        3 | 4 => OrgAction::Accept { org },
        5 => OrgAction::DropInvite { org, account },
        6 => OrgAction::SetRole { org, account, role },
        7 => OrgAction::Remove { org, account },
        8 | 9 => {
            let some = people().into_iter().take(whom + 1).skip(form % 2);
            let mut members: Vec<_> = some.map(|one| one.id).collect();
            members.sort();
            OrgAction::PutTeam { org, team, members }
        }
        _ => OrgAction::DropTeam { org, team },
    }
}

/// Who, what, about whom, how; much of it by alice, who begins as the owner.
fn step() -> impl Strategy<Value = (usize, u8, usize, usize)> {
    (prop_oneof![Just(0usize), 0usize..4], 0u8..11, 0usize..4, 0usize..6)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn membership_is_that_of_plain_maps(
        steps in prop::collection::vec(prop::collection::vec(step(), 1..16), 1..10)
    ) {
        let mut world = World::with(|state| {
            state.params.org_members_max = MEMBERS_MAX as u64;
            state.params.org_teams_max = TEAMS_MAX as u64;
            let key = people()[3].secret.public();
            let fourth = GenesisAccount { key, handle: String::new(), balance: 1_000_000_000 };
            state.account.accounts.push(fourth);
        });
        let org = found_org(&mut world, &people()[0]);
        let mut model = Model::default();
        model.members.insert(0, OrgRole::Owner);
        for steps in steps {
            let (mut acts, mut wanted) = (Vec::new(), Vec::new());
            for (who, what, whom, form) in steps {
                let (person, change) = (people()[who].clone(), change(org, what, whom, form));
                wanted.push((model.act(who, &change), format!("{who} {change:?}")));
                let action = Action::Org { actor: person.id, change };
                acts.push((person, action));
            }
            for (result, (good, said)) in together(&mut world, acts).iter().zip(wanted) {
                prop_assert_eq!(result.code == 0, good, "{}: {}", said, &result.log);
            }
            prop_assert_eq!(&found(&world, &org), &model);
        }
    }
}
