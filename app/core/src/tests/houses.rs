//! Repositories against a plain model: who owns them and under which names they are found, who has
//! which role in them, and so whose pushes move which refs.

use std::collections::{BTreeMap, BTreeSet};

use guts_schema::attest::Verdict;
use guts_schema::ids::Oid;
use guts_schema::proto::{self, ObjectFormat, OrgRole, Protection, PushStatus, RepoRole};
use guts_schema::tx::{OrgAction, RepoAction};
use guts_schema::{AccountId, Action, RepoId, keys};
use proptest::prelude::*;

use crate::modules::org::tests::found as found_org;
use crate::modules::{push, repo};
use crate::run::load;
use crate::testing::{Person, World, done, together};

/// Of one owner; and of the roles, and of the protections, of one repository.
const REPOS_MAX: usize = 2;
const RULES_MAX: usize = 2;
/// An organisation of alice's, in which bob is.
const GUILD: usize = 3;
/// The third has none.
const HANDLES: [&str; 4] = ["alice", "bob", "", "guild"];
const NAMES: [&str; 3] = ["hello", "a", "b"];
const MAIN: &str = "refs/heads/main";
const REFS: [&str; 3] = [MAIN, "refs/heads/dev", "refs/tags/t"];
const PATTERNS: [&str; 3] = ["refs/heads/*", "refs/heads/dev", "refs/tags/t"];
const ROLES: [RepoRole; 4] = [RepoRole::None, RepoRole::Triage, RepoRole::Write, RepoRole::Admin];

fn people() -> [Person; 3] {
    [101, 102, 103].map(Person::new)
}

fn id(who: usize) -> AccountId {
    people().get(who).map_or(AccountId::of_org(1), |person| person.id)
}

fn place(bytes: &[u8]) -> usize {
    (0..4).find(|who| id(*who).to_vec() == bytes).unwrap()
}

#[derive(Debug, Default, PartialEq)]
struct House {
    owner: usize,
    name: String,
    /// The number of what it was forked from.
    parent: u64,
    offered: Option<usize>,
    archived: bool,
    topics: Vec<String>,
    stars: BTreeSet<usize>,
    roles: BTreeMap<usize, RepoRole>,
    /// The role of the owner's team `crew`.
    crew: RepoRole,
    rules: BTreeMap<String, Protection>,
    refs: BTreeMap<String, u8>,
}

struct Model {
    houses: Vec<House>,
    /// Where a name leads, former ones too.
    names: BTreeMap<(usize, String), usize>,
    /// In the organisation: who owns it, and who is of the crew, if there is one.
    owners: BTreeSet<usize>,
    crew: Option<BTreeSet<usize>>,
}

#[derive(Clone, Debug)]
enum Act {
    Create(&'static str),
    House(usize, RepoAction),
    Archive(usize, bool),
    /// Whether bob owns the organisation, too.
    Owner(bool),
    Crew(Option<Vec<usize>>),
    Push(Push),
}

/// A ref of the repository of a name is to be this byte; 0: nothing.
#[derive(Clone, Debug)]
struct Push {
    to: (usize, String),
    name: &'static str,
    new: u8,
    is_forced: bool,
}

impl Model {
    fn new() -> Self {
        Self {
            houses: vec![House { name: "hello".into(), ..House::default() }],
            names: [((0, "hello".to_owned()), 0)].into(),
            owners: [0].into(),
            crew: None,
        }
    }

    fn controls(&self, owner: usize, who: usize) -> bool {
        owner == who || (owner == GUILD && self.owners.contains(&who))
    }

    fn role(&self, house: usize, who: usize) -> RepoRole {
        let house = &self.houses[house];
        if self.controls(house.owner, who) {
            return RepoRole::Admin;
        }
        let is_crew = self.crew.as_ref().is_some_and(|crew| crew.contains(&who));
        let by_crew = if house.owner == GUILD && is_crew { house.crew } else { RepoRole::None };
        house.roles.get(&who).copied().unwrap_or(RepoRole::None).max(by_crew)
    }

    /// Whether an owner has a handle and room, and no repository of that name.
    fn takes(&self, owner: usize, name: &str) -> bool {
        let own: Vec<_> = self.houses.iter().filter(|house| house.owner == owner).collect();
        let free = own.iter().all(|house| house.name != name);
        !HANDLES[owner].is_empty() && free && own.len() < REPOS_MAX
    }

    fn make(&mut self, owner: usize, name: &str, parent: u64) -> bool {
        let takes = self.takes(owner, name);
        if takes {
            self.names.insert((owner, name.into()), self.houses.len());
            let name = name.into();
            self.houses.push(House { owner, name, parent, ..House::default() });
        }
        takes
    }

    /// Collaborators stay, and former names; what the former owner's team had goes.
    fn hand_over(&mut self, house: usize, to: usize) -> bool {
        let one = &mut self.houses[house];
        (one.owner, one.offered, one.crew) = (to, None, RepoRole::None);
        self.names.insert((to, one.name.clone()), house);
        true
    }

    fn transfer(&mut self, house: usize, who: usize, to: usize) -> bool {
        let one = &mut self.houses[house];
        if to == one.owner && one.offered.is_some() {
            one.offered = None;
            return true;
        }
        let name = one.name.clone();
        match self.takes(to, &name) {
            true if self.controls(to, who) => self.hand_over(house, to),
            true => {
                self.houses[house].offered = Some(to);
                true
            }
            false => false,
        }
    }

    fn change(&mut self, house: usize, who: usize, change: &RepoAction) -> bool {
        let owns = self.controls(self.houses[house].owner, who);
        let is_admin = self.role(house, who) == RepoRole::Admin;
        let one = &mut self.houses[house];
        match change {
            RepoAction::Fork { owner, name } => {
                let owner = place(owner.as_bytes());
                self.controls(owner, who) && self.make(owner, name, house as u64 + 1)
            }
            RepoAction::Rename { name } => {
                let owner = one.owner;
                let taken = self.houses.iter().any(|one| one.owner == owner && one.name == *name);
                if !owns || taken {
                    return false;
                }
                self.names.insert((owner, name.clone()), house);
                self.houses[house].name.clone_from(name);
                true
            }
            RepoAction::Transfer { to } => owns && self.transfer(house, who, place(to.as_bytes())),
            RepoAction::Accept => match one.offered {
                Some(to) => {
                    let name = one.name.clone();
                    let may = self.controls(to, who) && self.takes(to, &name);
                    may && self.hand_over(house, to)
                }
                None => false,
            },
            RepoAction::Star { star } => match star {
                true => one.stars.insert(who),
                false => one.stars.remove(&who),
            },
            RepoAction::SetCollaborator { account, role } => {
                let account = place(account.as_bytes());
                let leaves = account == who && *role == RepoRole::None;
                (is_admin || leaves) && grant(&mut one.roles, account, *role)
            }
            RepoAction::SetTeamRole { role, .. } => {
                let there = one.owner == GUILD && self.crew.is_some();
                let may = is_admin && one.crew != *role && (there || *role == RepoRole::None);
                one.crew = if may { *role } else { one.crew };
                may
            }
            RepoAction::SetTopics { topics } => {
                one.topics = if is_admin { topics.clone() } else { one.topics.clone() };
                is_admin
            }
            RepoAction::SetProtection { pattern, rule: None } => {
                is_admin && one.rules.remove(pattern).is_some()
            }
            RepoAction::SetProtection { pattern, rule: Some(rule) } => {
                let known = one.rules.contains_key(pattern);
                let may = is_admin && (known || one.rules.len() < RULES_MAX);
                if may {
                    one.rules.insert(pattern.clone(), *rule);
                }
                may
            }
        }
    }

    fn act(&mut self, who: usize, act: &Act) -> bool {
        match act {
            Act::Create(name) => self.make(who, name, 0),
            Act::House(house, change) => self.change(*house, who, change),
            Act::Archive(house, archived) => {
                let may = self.role(*house, who) == RepoRole::Admin;
                let one = &mut self.houses[*house];
                one.archived = if may { *archived } else { one.archived };
                may
            }
            Act::Owner(owns) => {
                self.owners = if *owns { [0, 1].into() } else { [0].into() };
                true
            }
            Act::Crew(Some(crew)) => {
                self.crew = Some(crew.iter().copied().collect());
                true
            }
            Act::Crew(None) => self.crew.take().is_some(),
            Act::Push(push) => self.push(who, push),
        }
    }

    /// Whether a push moves its ref.
    fn push(&mut self, who: usize, push: &Push) -> bool {
        let Some(house) = self.names.get(&push.to) else { return false };
        let role = self.role(*house, who);
        let one = &mut self.houses[*house];
        let covers = |pattern: &str| match pattern {
            "refs/heads/*" => push.name.starts_with("refs/heads/"),
            _ => pattern == push.name,
        };
        let rules = one.rules.iter().filter(|(pattern, _)| covers(pattern));
        let rules: Vec<Protection> = rules.map(|(_, rule)| *rule).collect();
        let forbids = |rule: &Protection| {
            let deletes = push.new == 0 && (rule.no_delete || rule.no_force);
            deletes || rule.pusher() > role || (push.is_forced && rule.no_force)
        };
        let ends = push.new == 0 && push.name == MAIN;
        if role < RepoRole::Write || one.archived || ends || rules.iter().any(forbids) {
            return false;
        }
        match push.new {
            0 => one.refs.remove(push.name).is_some(),
            new => one.refs.insert(push.name.into(), new) != Some(new),
        }
    }

    /// What a name's ref is now.
    fn old(&self, push: &Push) -> u8 {
        let house = self.names.get(&push.to);
        let house = house.map(|house| &self.houses[*house]);
        house.and_then(|house| house.refs.get(push.name).copied()).unwrap_or(0)
    }
}

fn grant(roles: &mut BTreeMap<usize, RepoRole>, who: usize, role: RepoRole) -> bool {
    let held = roles.get(&who).copied().unwrap_or(RepoRole::None);
    let is_new = held == RepoRole::None;
    if held == role || (is_new && roles.len() >= RULES_MAX) {
        return false;
    }
    match role {
        RepoRole::None => drop(roles.remove(&who)),
        role => drop(roles.insert(who, role)),
    }
    true
}

/// What there is, read back.
fn found(world: &World) -> (Vec<House>, BTreeMap<(usize, String), usize>) {
    let state = world.state();
    let count = repo::count(&state).unwrap();
    let houses = (1..=count).map(|number| found_house(world, RepoId::new(number).unwrap()));
    let mut names = BTreeMap::new();
    for (who, handle) in HANDLES.iter().enumerate().filter(|(_, handle)| !handle.is_empty()) {
        for name in NAMES {
            if let Some(repo) = repo::by_path(&state, handle, name).unwrap() {
                names.insert((who, name.to_owned()), repo.number() as usize - 1);
            }
        }
    }
    (houses.collect(), names)
}

fn found_house(world: &World, repo: RepoId) -> House {
    let state = world.state();
    let value = repo::get(&state, repo).unwrap().unwrap();
    let access = repo::access(&state, repo).unwrap();
    let rules = repo::protections(&state, repo).unwrap().rules;
    let starred =
        |who: &usize| load::<proto::Star>(&state, &keys::star(repo, &id(*who))).unwrap().is_some();
    let byte = |oid: Vec<u8>| Oid::from_slice(&oid).unwrap().to_vec()[0];
    let refs = push::all_refs(&state, repo).unwrap().1;
    House {
        owner: place(&value.owner),
        name: value.name,
        parent: value.parent,
        offered: (!value.offered_to.is_empty()).then(|| place(&value.offered_to)),
        archived: value.archived,
        topics: value.topics,
        stars: (0..3).filter(starred).collect(),
        roles: access.collaborators.iter().map(|one| (place(&one.account), one.role())).collect(),
        crew: access.teams.first().map_or(RepoRole::None, |team| team.role()),
        rules: rules.into_iter().map(|one| (one.pattern, one.rule.unwrap())).collect(),
        refs: refs.into_iter().map(|one| (one.name, byte(one.oid))).collect(),
    }
}

/// Who, what, where, and numbers that the act reads as it likes.
type Step = (usize, u8, usize, (usize, usize));

fn act(model: &Model, &(who, what, house, (a, b)): &Step) -> Act {
    let known = model.names.keys().cycle().nth(house + a).unwrap();
    let house = house % model.houses.len();
    let (name, to, role) = (NAMES[b % 3].to_owned(), id(a), ROLES[b % 4]);
    let on = b < 6;
    Act::House(
        house,
        match what {
            0 => return Act::Create(NAMES[b % 3]),
            1 => return Act::Archive(house, b < 1),
            2 => return Act::Owner(on),
            3 => {
                let crew = [None, Some(vec![0]), Some(vec![1]), Some(vec![0, 1])];
                return Act::Crew(crew[a].clone());
            }
            4..=9 => {
                let (to, name, new) = (known.clone(), REFS[b % 3], (a + b) as u8 % 3);
                return Act::Push(Push { to, name, new, is_forced: b > 4 });
            }
            10 => RepoAction::Fork { owner: to, name },
            11 => RepoAction::Rename { name },
            12 | 13 => RepoAction::Transfer { to },
            14 => RepoAction::Accept,
            15 => RepoAction::Star { star: on },
            16 => RepoAction::SetCollaborator { account: to, role },
            // Whoever has a role may give it up.
            17 => RepoAction::SetCollaborator { account: id(who), role: RepoRole::None },
            18 => RepoAction::SetTeamRole { team: "crew".into(), role },
            19 => RepoAction::SetTopics { topics: vec![name] },
            _ => {
                let (no_force, no_delete) = (b % 2 == 0, b % 4 == 1);
                let pusher = ROLES[[0, 0, 2, 3][(a + b) % 4]];
                let rule = Protection { no_force, no_delete, pusher: pusher.into() };
                let pattern = PATTERNS[a % 3].to_owned();
                RepoAction::SetProtection { pattern, rule: (b < 7).then_some(rule) }
            }
        },
    )
}

fn action(actor: AccountId, act: Act) -> Action {
    let org = AccountId::of_org(1);
    let change = match act {
        Act::Create(name) => {
            return Action::CreateRepo {
                actor,
                name: name.into(),
                description: String::new(),
                default_branch: MAIN.into(),
                object_format: ObjectFormat::Sha1,
            };
        }
        Act::House(house, change) => {
            return Action::Repo { actor, repo: RepoId::new(house as u64 + 1).unwrap(), change };
        }
        Act::Archive(house, archived) => {
            let repo = RepoId::new(house as u64 + 1).unwrap();
            let (description, default_branch, archived) = (None, None, Some(archived));
            return Action::EditRepo { actor, repo, description, default_branch, archived };
        }
        Act::Owner(owns) => {
            let role = if owns { OrgRole::Owner } else { OrgRole::Member };
            OrgAction::SetRole { org, account: id(1), role }
        }
        Act::Crew(Some(crew)) => {
            let mut members: Vec<_> = crew.into_iter().map(id).collect();
            members.sort();
            OrgAction::PutTeam { org, team: "crew".into(), members }
        }
        Act::Crew(None) => OrgAction::DropTeam { org, team: "crew".into() },
        Act::Push(_) => unreachable!("a certificate says it"),
    };
    Action::Org { actor, change }
}

/// Whether a push moved its ref, which all validators find good.
fn is_moved(world: &mut World, who: &Person, old: u8, push: &Push) -> bool {
    let path = format!("{}/{}", HANDLES[push.to.0], push.to.1);
    let certificate = who.certificate(&path, world.time_s, &[(push.name, old, push.new)]);
    let id = world.push_id(&certificate);
    let forced = Verdict::GoodForced([0].into_iter().collect());
    world.attest(id, 0..4, if push.is_forced { forced } else { Verdict::Good });
    if world.one(world.push(&certificate)).is_some() {
        return false;
    }
    world.block(vec![]);
    push::get(&world.state(), &id).unwrap().unwrap().status() == PushStatus::Moved
}

/// Steps of one block, and the pushes among them after it: each does what the model says.
fn live(world: &mut World, model: &mut Model, steps: &[Step]) {
    let (mut acts, mut wanted, mut pushes) = (Vec::new(), Vec::new(), Vec::new());
    for step in steps {
        let (who, act) = (step.0, act(model, step));
        // Alice alone looks after the organisation.
        let who = if matches!(act, Act::Owner(_) | Act::Crew(_)) { 0 } else { who };
        let person = people()[who].clone();
        if let Act::Push(push) = act {
            pushes.push((who, push));
            continue;
        }
        wanted.push((model.act(who, &act), format!("{who} {act:?}")));
        let action = action(person.id, act);
        acts.push((person, action));
    }
    for (result, (good, said)) in together(world, acts).iter().zip(wanted) {
        assert_eq!(result.code == 0, good, "{said}: {}", result.log);
    }
    for (who, mut push) in pushes {
        let old = model.old(&push);
        // There is no history to rewrite where a ref comes or goes.
        push.is_forced &= old != 0 && push.new != 0;
        if old != push.new {
            let moved = is_moved(world, &people()[who], old, &push);
            assert_eq!(moved, model.push(who, &push), "{who} {push:?}");
        }
    }
    assert_same(world, model);
}

fn assert_same(world: &World, model: &Model) {
    let (houses, names) = found(world);
    assert_eq!(houses, model.houses);
    assert_eq!(names, model.names);
    let state = world.state();
    for (number, house) in (1..).zip(&houses) {
        let repo = RepoId::new(number).unwrap();
        let value = repo::get(&state, repo).unwrap().unwrap();
        for who in 0..3 {
            let role = repo::role(&state, repo, &value, &id(who)).unwrap();
            assert_eq!(role, model.role(number as usize - 1, who), "{who} in {house:?}");
        }
    }
}

/// Bob has a handle, and is in alice's organisation.
fn world() -> World {
    let mut world = World::with(|state| {
        state.params.repos_per_account_max = REPOS_MAX as u64;
        state.params.repo_rules_max = RULES_MAX as u64;
        let bob = people()[1].secret.public();
        let accounts = &mut state.account.accounts;
        accounts.iter_mut().find(|one| one.key == bob).unwrap().handle = "bob".into();
    });
    let (alice, bob) = (world.alice.clone(), world.bob.clone());
    let org = found_org(&mut world, &alice);
    let invite = OrgAction::Invite { org, account: bob.id, role: OrgRole::Member };
    done(&mut world, &alice, Action::Org { actor: alice.id, change: invite });
    done(&mut world, &bob, Action::Org { actor: bob.id, change: OrgAction::Accept { org } });
    world
}

/// Bob writes in alice's repository, which has two refs and a rule; the organisation has another,
/// where he does by its crew.
fn first() -> Vec<Step> {
    vec![
        (0, 16, 0, (1, 2)),
        (0, 20, 0, (0, 0)),
        (0, 4, 0, (0, 1)),
        (0, 4, 0, (0, 2)),
        (0, 10, 0, (GUILD, 1)),
        (0, 3, 0, (2, 0)),
        (0, 18, 1, (0, 2)),
        (0, 16, 1, (1, 1)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let who = prop_oneof![Just(0usize), 0usize..3];
    (who, 0u8..23, 0usize..4, (0usize..4, 0usize..8))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn repositories_are_those_of_a_plain_model(
        steps in prop::collection::vec(prop::collection::vec(step(), 1..12), 1..8)
    ) {
        let (mut world, mut model) = (world(), Model::new());
        live(&mut world, &mut model, &first());
        for steps in steps {
            live(&mut world, &mut model, &steps);
        }
    }
}
