//! Handles against a plain map: who committed to which, who has which, and who may let go of one.

use std::collections::{BTreeMap, BTreeSet};

use guts_schema::proto::ObjectFormat;
use guts_schema::tx::{AccountAction, OrgAction};
use guts_schema::{AccountId, Action, names};
use proptest::prelude::*;

use crate::modules::account;
use crate::testing::{CHAIN, Person, World};

/// For so long a commitment counts: the default.
const COMMIT_S: u64 = 3600;
const HANDLES: [&str; 3] = ["alice", "h1", "h2"];

fn people() -> [Person; 3] {
    [101, 102, 103].map(Person::new)
}

/// A person, or after them the organisations, from 1 on.
fn id(who: usize) -> AccountId {
    people().get(who).map_or_else(|| AccountId::of_org(who as u64 - 2), |person| person.id)
}

struct Model {
    handles: BTreeMap<&'static str, usize>,
    /// Who committed to which, with which salt, and when.
    commits: BTreeMap<(usize, &'static str, u8), u64>,
    /// Whose handle names a repository.
    housed: BTreeSet<usize>,
    orgs: usize,
}

impl Model {
    fn has_handle(&self, who: usize) -> bool {
        self.handles.values().any(|owner| *owner == who)
    }

    /// Whether a commitment stands and what it is to is free; then it is used up.
    fn take(&mut self, commit: (usize, &'static str, u8), owner: usize, now_s: u64) -> bool {
        let made_s = self.commits.get(&commit);
        let counts = made_s.is_some_and(|made_s| now_s <= made_s + COMMIT_S);
        if !counts || self.handles.contains_key(commit.1) || self.has_handle(owner) {
            return false;
        }
        self.commits.remove(&commit);
        self.handles.insert(commit.1, owner);
        true
    }

    /// Lets go of a handle that names no repository.
    fn give(&mut self, who: usize, to: Option<usize>) -> bool {
        let handle = self.handles.iter().find(|(_, owner)| **owner == who);
        let Some(handle) = handle.map(|(handle, _)| *handle) else { return false };
        if self.housed.contains(&who) || to.is_some_and(|to| self.has_handle(to)) {
            return false;
        }
        self.handles.remove(handle);
        self.handles.extend(to.map(|to| (handle, to)));
        true
    }

    /// The end of a block that is not empty: what has had its time is forgotten.
    fn end(&mut self, now_s: u64) {
        self.commits.retain(|_, made_s| now_s < *made_s + COMMIT_S);
    }
}

/// Who, what, to whom, which handle, with which salt.
type Step = (usize, u8, usize, usize, u8);

/// One step in a block of its own: it does what the model says.
fn live(world: &mut World, model: &mut Model, (who, what, to, handle, salt): Step) {
    if what == 0 {
        world.time_s += [1000, COMMIT_S - 2, COMMIT_S - 1][to];
        world.block(vec![]);
        return;
    }
    let (person, now_s) = (&people()[who], world.time_s + 1);
    // Mostly what is claimed was committed to.
    let mine = model.commits.keys().filter(|commit| commit.0 == who).copied();
    let known = mine.cycle().nth(handle).filter(|_| matches!(what, 5..=7 | 9));
    let commit = known.unwrap_or((who, HANDLES[handle], salt));
    let (actor, handle, salt) = (person.id, commit.1, commit.2);
    let salt = [salt; 32];
    let commitment = names::handle_commitment(CHAIN, &actor, handle, &salt);
    let committed = Action::CommitHandle { actor, commitment };
    let claim = Action::ClaimHandle { actor, handle: handle.into(), salt };
    let (actions, good) = match what {
        1..=4 => {
            let is_new = !model.commits.contains_key(&commit);
            model.commits.entry(commit).or_insert(now_s);
            (vec![committed], is_new)
        }
        5..=7 => (vec![claim], model.take(commit, who, now_s)),
        // Whoever sees a claim cannot be the first by committing in its block.
        8 => (vec![committed, claim], false),
        9 => {
            let change = OrgAction::Create { handle: handle.into(), salt };
            let good = model.take(commit, model.orgs + 3, now_s);
            model.orgs += usize::from(good);
            (vec![Action::Org { actor, change }], good)
        }
        10 => {
            let good = model.has_handle(who) && model.housed.insert(who);
            let create = Action::CreateRepo {
                actor,
                name: if who == 0 { "hello".into() } else { "r".into() },
                description: String::new(),
                default_branch: "refs/heads/main".into(),
                object_format: ObjectFormat::Sha1,
            };
            (vec![create], good)
        }
        11 | 12 => {
            let change = AccountAction::ReleaseHandle;
            (vec![Action::Account { actor, change }], model.give(who, None))
        }
        _ => {
            let change = AccountAction::TransferHandle { to: people()[to].id };
            (vec![Action::Account { actor, change }], model.give(who, Some(to)))
        }
    };
    let tx = match what {
        13.. if to != who => world.tx_with(person, &people()[to], &actions),
        _ => world.tx(person, &actions),
    };
    let code = world.one(tx);
    assert_eq!(code.is_none(), good, "{who} {actions:?}: {code:?}");
    model.end(now_s);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn handles_are_those_of_a_plain_map(
        steps in prop::collection::vec(
            (0usize..3, 0u8..15, 0usize..3, 0usize..3, 0u8..2),
            1..60,
        )
    ) {
        let mut world = World::new();
        let mut model = Model {
            handles: [("alice", 0)].into(),
            commits: BTreeMap::new(),
            housed: [0].into(),
            orgs: 0,
        };
        for step in steps {
            live(&mut world, &mut model, step);
            let state = world.state();
            for handle in HANDLES {
                let owner = model.handles.get(handle).map(|who| id(*who));
                prop_assert_eq!(account::handle_owner(&state, handle).unwrap(), owner);
            }
            for who in 0..model.orgs + 3 {
                let found = account::get(&state, &id(who)).unwrap().unwrap().handle;
                let wanted = model.handles.iter().find(|(_, owner)| **owner == who);
                prop_assert_eq!(&found, wanted.map_or("", |(handle, _)| handle));
            }
        }
    }
}
