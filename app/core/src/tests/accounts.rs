//! Accounts against a plain model: who has how much, and which keys speak for whom.

use std::collections::BTreeMap;

use guts_schema::sign::ProofOf;
use guts_schema::tx::{AccountAction, Draft};
use guts_schema::{Action, Code, RepoId, names, proto};
use proptest::prelude::*;

use crate::modules::account::{self, supply};
use crate::testing::{CHAIN, FEE, Person, World};

/// Keys that an account may have, so that there is an end to them.
const KEYS_MAX: usize = 3;

/// The first two are accounts of genesis, the next two may be made; the others are nobody's first.
fn keys() -> Vec<Person> {
    [101, 102, 120, 121, 130, 131, 132, 133].map(Person::new).to_vec()
}

/// What a key was added with, and whether it was revoked.
struct Held {
    by: usize,
    is_scoped: bool,
    until_s: Option<u64>,
    is_revoked: bool,
}

impl Held {
    fn speaks(&self, now_s: u64) -> bool {
        !self.is_revoked && self.until_s.is_none_or(|until_s| until_s >= now_s)
    }
}

#[derive(Default)]
struct Model {
    /// By account: balance and nonce.
    accounts: BTreeMap<usize, (u64, u64)>,
    keys: BTreeMap<usize, Held>,
}

/// Something that somebody does, signed with some key.
#[derive(Clone, Copy, Debug)]
struct Step {
    who: usize,
    with: usize,
    what: u8,
    other: usize,
    form: usize,
}

impl Step {
    fn amount(&self) -> u64 {
        [1, FEE, 5 * FEE, 400_000_000, u64::MAX][self.form]
    }

    /// The bounds of a key that is added: one repository, a time.
    fn bounds(&self, now_s: u64) -> (bool, Option<u64>) {
        match self.form {
            0 | 1 => (false, None),
            2 => (true, None),
            3 => (false, Some(now_s - 1)),
            _ => (false, Some(now_s + 50)),
        }
    }
}

impl Model {
    fn new() -> Self {
        let first = |by| Held { by, is_scoped: false, until_s: None, is_revoked: false };
        Self {
            accounts: (0..2).map(|who| (who, (1_000_000_000, 0))).collect(),
            keys: (0..2).map(|who| (who, first(who))).collect(),
        }
    }

    /// Whether a key signs transactions of an account, or of one that they make with it.
    fn may_sign(&self, who: usize, with: usize, makes: bool, now_s: u64) -> bool {
        let held = self.keys.get(&with).filter(|held| held.speaks(now_s));
        match held {
            Some(held) if held.by == who => !held.is_scoped,
            _ => makes && held.is_none() && !self.accounts.contains_key(&who),
        }
    }

    /// Takes the fee and the nonce; whether there was enough.
    fn admit(&mut self, who: usize) -> bool {
        match self.accounts.get_mut(&who) {
            Some((balance, nonce)) if *balance >= FEE => {
                (*balance, *nonce) = (*balance - FEE, *nonce + 1);
                true
            }
            _ => false,
        }
    }

    fn add(&mut self, key: usize, held: Held) -> bool {
        let is_new = !self.keys.contains_key(&key);
        if is_new {
            self.keys.insert(key, held);
        }
        is_new
    }

    /// What becomes of a step, once it is paid.
    fn act(&mut self, step: &Step, now_s: u64) -> bool {
        let Step { who, other, .. } = *step;
        match step.what {
            0 | 1 => {
                let amount = step.amount();
                if self.accounts[&who].0 < amount || !self.accounts.contains_key(&other) {
                    return false;
                }
                self.accounts.entry(who).and_modify(|account| account.0 -= amount);
                self.accounts.entry(other).and_modify(|account| account.0 += amount);
                true
            }
            2 | 3 => {
                let (is_scoped, until_s) = step.bounds(now_s);
                let count = self.keys.values().filter(|held| held.by == who).count();
                let is_past = until_s.is_some_and(|until_s| until_s < now_s);
                let held = Held { by: who, is_scoped, until_s, is_revoked: false };
                count < KEYS_MAX && !is_past && self.add(other, held)
            }
            _ => {
                let rest = |(key, held): (&usize, &Held)| {
                    let is_free = !held.is_scoped && held.until_s.is_none();
                    *key != other && held.by == who && is_free && held.speaks(now_s)
                };
                let is_controlled = self.keys.iter().any(rest);
                let held = self.keys.get_mut(&other);
                match held.filter(|held| held.by == who && !held.is_revoked) {
                    Some(held) if is_controlled => {
                        held.is_revoked = true;
                        true
                    }
                    _ => false,
                }
            }
        }
    }

    /// Alice makes the account of the next person, who signs, too.
    fn make(&mut self, who: usize, now_s: u64) -> bool {
        let may = self.may_sign(0, 0, false, now_s) && self.may_sign(who, who, true, now_s);
        if !may || !self.admit(0) || self.accounts.contains_key(&who) {
            return false;
        }
        let held = Held { by: who, is_scoped: false, until_s: None, is_revoked: false };
        let is_made = self.add(who, held);
        if is_made {
            self.accounts.insert(who, (0, 0));
        }
        is_made
    }
}

fn action(step: &Step, people: &[Person], now_s: u64) -> Action {
    let (actor, other) = (people[step.who].id, &people[step.other]);
    let key = other.secret.public();
    let change = match step.what {
        0 | 1 => return Action::Transfer { actor, to: other.id, amount: step.amount() },
        2 | 3 => {
            let (is_scoped, until_s) = step.bounds(now_s);
            let repo = RepoId::new(1).filter(|_| is_scoped);
            AccountAction::AddKey { key, proof: other.proof(ProofOf::Key, &actor), repo, until_s }
        }
        _ => AccountAction::RevokeKey { key },
    };
    Action::Account { actor, change }
}

/// One step in a block of its own: it does what the model says.
fn live(world: &mut World, model: &mut Model, step: &Step) {
    let people = keys();
    let now_s = world.time_s + 1;
    let (tx, good) = match step.what {
        5 => {
            world.time_s += 30;
            world.block(vec![]);
            return;
        }
        6 => {
            let new = &people[2 + step.who % 2];
            let create = Action::CreateAccount { actor: new.id, key: new.secret.public() };
            let tx = world.tx_with(&people[0], new, &[create]);
            (tx, model.make(2 + step.who % 2, now_s))
        }
        _ => {
            let who = &people[step.who];
            let draft =
                Draft::new(CHAIN, who.id, world.nonce(who), &[action(step, &people, now_s)]);
            let tx = draft.fee(FEE).sign(who.id, &people[step.with].secret).encode();
            let may = model.may_sign(step.who, step.with, false, now_s);
            (tx, may && model.admit(step.who) && model.act(step, now_s))
        }
    };
    let code = world.one(tx);
    assert_eq!(code.is_none(), good, "{step:?}: {code:?}");
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (0usize..4, any::<bool>(), 0usize..8, 0u8..7, 0usize..8, 0usize..5);
    let step = step.prop_map(|(who, is_first, with, what, other, form)| {
        // Mostly people sign with their first keys, and act on accounts that may be there.
        let with = if is_first { who } else { with };
        let other = if what < 2 { other % 4 } else { other };
        Step { who, with, what, other, form }
    });
    prop::collection::vec(step, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn accounts_behave_like_plain_maps(steps in steps()) {
        let mut world = World::with(|state| {
            state.params.keys_per_account_max = KEYS_MAX as u64;
            state.params.fee_burn_ppm = 1_000_000;
        });
        let (mut model, people) = (Model::new(), keys());
        for step in &steps {
            live(&mut world, &mut model, step);
            let state = world.state();
            for (who, person) in people.iter().enumerate() {
                let found = account::get(&state, &person.id).unwrap();
                let has = found.as_ref().map(|one| (one.balance, one.nonce));
                prop_assert_eq!(has, model.accounts.get(&who).copied());
                let keys = model.keys.values().filter(|held| held.by == who).count();
                prop_assert_eq!(found.unwrap_or_default().keys.len(), keys);
            }
        }
        let paid: u64 = model.accounts.values().map(|(_, nonce)| nonce * FEE).sum();
        prop_assert_eq!(supply(&world.state()).unwrap().burnt, paid);
    }
}

/// Whoever sees a commitment on its way can send the same, for more, and be first.
#[test]
fn a_copy_of_a_commitment_takes_nothing_from_whose_it_is() {
    let mut world = World::new();
    let (alice, bob) = (world.bob.clone(), world.gateway.clone());
    let (handle, salt) = ("wanted", [7; 32]);
    let commitment = names::handle_commitment(CHAIN, &alice.id, handle, &salt);
    let commit = |who: &Person| Action::CommitHandle { actor: who.id, commitment };
    let claim = |who: &Person| Action::ClaimHandle { actor: who.id, handle: handle.into(), salt };
    let copied = [world.tx(&bob, &[commit(&bob)]), world.tx(&alice, &[commit(&alice)])];
    let outcome = world.block(copied.to_vec());
    assert_eq!([outcome.code(0), outcome.code(1)], [None, None]);
    let again = world.tx(&alice, &[commit(&alice)]);
    assert_eq!(world.one(again), Some(Code::CommitExists));
    assert_eq!(world.one(world.tx(&bob, &[claim(&bob)])), Some(Code::CommitUnknown));
    assert_eq!(world.one(world.tx(&alice, &[claim(&alice)])), None);
    let owner = account::handle_owner(&world.state(), handle).unwrap();
    assert_eq!(owner, Some(alice.id));
    // What nobody can claim expires as all do.
    world.time_s += 100_000;
    world.block(vec![world.tx(&bob, &[Action::Transfer { actor: bob.id, to: bob.id, amount: 1 }])]);
    let left = world.node.whole().below::<proto::HandleCommit>("handle_commit/").unwrap();
    assert_eq!(left, []);
}
