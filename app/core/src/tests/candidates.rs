//! Who may be elected, where not all may be that have enough stake: against a plain list.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use guts_schema::ids::ValidatorAddress;
use guts_schema::tx::StakingAction;
use guts_schema::{Action, Code, events};
use proptest::prelude::*;

use crate::genesis::AppState;
use crate::modules::account::GenesisAccount;
use crate::modules::staking::{candidates, info, newest};
use crate::testing::stake::{TEN, act, bond, delegate, redelegate, unbond};
use crate::testing::{Person, World, address, done, refused};

/// Least stake of a validator: the default.
const LEAST: u64 = 1_000_000;

/// Four in the set, and so many more that may be elected.
fn world(waiting: u64, change: impl FnOnce(&mut AppState)) -> World {
    World::with(|state| {
        (state.params.validators_max, state.params.candidates_max) = (4, 4 + waiting);
        change(state);
    })
}

fn is_candidate(world: &World, validator: &Person) -> bool {
    candidates(&world.state()).unwrap().contains(&address(validator))
}

#[test]
pub(crate) fn more_stake_takes_the_place_of_one_that_waits() {
    let mut world = world(1, |_| {});
    let w = &mut world;
    let (alice, bob) = (w.alice.clone(), w.bob.clone());
    let (first, second) = (Person::new(60), Person::new(61));
    done(w, &bob, bond(&bob, &first, TEN));
    let rule = "10000001 or more takes the place of one";
    refused(w, &alice, bond(&alice, &second, TEN), Code::CandidatesMany, rule);
    let outcome = w.block(vec![w.tx(&alice, &[bond(&alice, &second, TEN + 1)])]);
    let [event] = &outcome.events(events::CANDIDATE_OUTBID)[..] else { panic!("one is outbid") };
    assert_eq!(event["validator"], address(&first).to_string());
    assert_eq!(event["by"], address(&second).to_string());
    assert_eq!(event["amount"], TEN.to_string());
    assert!(!is_candidate(w, &first) && is_candidate(w, &second));
    // And back again: with as much it is not enough, with more it is.
    refused(w, &bob, delegate(&bob, &first, 1), Code::CandidatesMany, "10000002 or more");
    done(w, &bob, delegate(&bob, &first, 2));
    assert!(is_candidate(w, &first) && !is_candidate(w, &second));
    // Nor with what comes from another validator.
    let zero = w.validators[0].clone();
    done(w, &alice, delegate(&alice, &zero, 5));
    let rule = "10000003 or more";
    refused(w, &alice, redelegate(&alice, &zero, &second, 1), Code::CandidatesMany, rule);
    // What would not be enough to be elected takes nobody's place.
    done(w, &alice, unbond(&alice, &second, TEN + 1 - 5));
    done(w, &alice, delegate(&alice, &second, LEAST - 6));
    assert!(is_candidate(w, &first) && !is_candidate(w, &second));
}

#[test]
pub(crate) fn no_stake_takes_the_place_of_one_in_the_set() {
    // A set that has more than it should, until some have left.
    let mut state = World::genesis();
    (state.params.validators_max, state.params.candidates_max) = (4, 5);
    let mut world = World::try_genesis(5, &state).unwrap();
    let alice = world.alice.clone();
    let rich = bond(&alice, &Person::new(60), 50 * TEN);
    refused(&mut world, &alice, rich, Code::CandidatesMany, "wait until one leaves");
}

#[test]
fn who_fell_below_the_least_comes_back_with_more() {
    let mut world = world(1, |state| {
        (state.params.missed_window, state.params.missed_max) = (10, 3);
        state.params.slash_downtime_ppm = 950_000;
    });
    let w = &mut world;
    let (alice, bob, gateway) = (w.alice.clone(), w.bob.clone(), w.gateway.clone());
    let (zero, small, other) = (w.validators[0].clone(), Person::new(60), Person::new(61));
    done(w, &bob, bond(&bob, &small, LEAST));
    w.absent = vec![0];
    for _ in 0..4 {
        done(w, &alice, Action::Transfer { actor: alice.id, to: gateway.id, amount: 1 });
    }
    w.absent.clear();
    assert!(!is_candidate(w, &zero), "half of the least is left of its stake");
    // Its seat is gone to somebody with as little as there may be.
    done(w, &alice, bond(&alice, &other, LEAST));
    w.time_s += 3601;
    w.block(vec![]);
    let unjail = act(&gateway, StakingAction::Unjail);
    refused(w, &gateway, unjail.clone(), Code::StakeSmall, "1000000 is the least");
    done(w, &gateway, delegate(&gateway, &zero, LEAST));
    done(w, &gateway, unjail);
    assert!(is_candidate(w, &zero));
    w.time_s += 3601;
    w.block(vec![]);
    let set = newest(&w.state()).unwrap();
    assert!(set.iter().any(|one| one.address == address(&zero).to_vec()));
}

#[test]
pub(crate) fn who_left_jail_and_is_outbid_is_told() {
    let mut world = world(1, |state| {
        (state.params.missed_window, state.params.missed_max) = (10, 3);
        state.params.slash_downtime_ppm = 0;
    });
    let w = &mut world;
    let (alice, bob, gateway) = (w.alice.clone(), w.bob.clone(), w.gateway.clone());
    let (first, second) = (Person::new(60), Person::new(61));
    w.absent = vec![0];
    for _ in 0..4 {
        done(w, &alice, Action::Transfer { actor: alice.id, to: gateway.id, amount: 1 });
    }
    w.absent.clear();
    done(w, &bob, bond(&bob, &first, 2 * TEN));
    // Jailed, it leaves the set, and with it what kept its place.
    w.time_s += 3601;
    w.block(vec![]);
    done(w, &alice, bond(&alice, &second, 3 * TEN));
    assert!(!is_candidate(w, &w.validators[0]));
    let unjail = act(&gateway, StakingAction::Unjail);
    refused(w, &gateway, unjail.clone(), Code::CandidatesMany, "30000001 or more");
    done(w, &gateway, delegate(&gateway, &w.validators[0].clone(), 3 * TEN));
    done(w, &gateway, unjail);
    assert!(is_candidate(w, &w.validators[0]));
}

/// Who may be elected, and everybody's stake.
#[derive(Default)]
struct Model {
    stakes: BTreeMap<ValidatorAddress, u64>,
    listed: BTreeSet<ValidatorAddress>,
}

impl Model {
    const MOST: usize = 6;

    /// Whose place one with so much stake would take: nobody's where there is room; none where
    /// there is no room.
    fn place(&self, set: &[ValidatorAddress], tokens: u64) -> Option<Option<ValidatorAddress>> {
        if self.listed.len() < Self::MOST {
            return Some(None);
        }
        let waiting = self.listed.iter().filter(|one| !set.contains(one));
        let least = waiting.min_by_key(|one| (self.stakes[*one], Reverse(**one)))?;
        (self.stakes[least] < tokens).then_some(Some(*least))
    }

    /// A validator gets to so much stake; whether it may.
    fn put(&mut self, set: &[ValidatorAddress], one: ValidatorAddress, tokens: u64) -> bool {
        if tokens < LEAST {
            self.listed.remove(&one);
        } else if !self.listed.contains(&one) {
            match self.place(set, tokens) {
                Some(Some(other)) => _ = self.listed.remove(&other),
                Some(None) => {}
                None => return false,
            }
            self.listed.insert(one);
        }
        self.stakes.insert(one, tokens);
        true
    }
}

fn operators() -> Vec<Person> {
    (70..75).map(Person::new).collect()
}

/// A step in a block of its own, and what the model says to it.
fn live(world: &mut World, model: &mut Model, (who, what, amount): (usize, u8, u64)) {
    let person = &operators()[who];
    let validator = Person::new(80 + who as u8);
    let place = address(&validator);
    let set = newest(&world.state()).unwrap();
    let set: Vec<_> =
        set.iter().map(|one| ValidatorAddress::from_slice(&one.address).unwrap()).collect();
    let has = model.stakes.get(&place).copied();
    let (action, good) = match (what, has) {
        (0, _) => {
            world.time_s += 3601;
            world.block(vec![]);
            return;
        }
        (_, None) => {
            let good = amount >= LEAST && model.put(&set, place, amount);
            (bond(person, &validator, amount), good)
        }
        (1, Some(has)) => {
            let good = has >= amount;
            if good {
                model.put(&set, place, has - amount);
                model.stakes.insert(place, has - amount);
            }
            (unbond(person, &validator, amount), good)
        }
        (_, Some(has)) => {
            (delegate(person, &validator, amount), model.put(&set, place, has + amount))
        }
    };
    let code = world.one(world.tx(person, &[action]));
    assert_eq!(code.is_none(), good, "{code:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn candidates_are_those_of_a_plain_list(
        steps in prop::collection::vec((0usize..5, 0u8..5, 500_000u64..15_000_000), 1..40)
    ) {
        let mut world = world(2, |state| {
            state.account.accounts.extend(operators().iter().map(|one| GenesisAccount {
                key: one.secret.public(),
                handle: String::new(),
                balance: 1_000_000_000,
            }));
        });
        let mut model = Model::default();
        for validator in &world.validators {
            assert!(model.put(&[], address(validator), TEN));
        }
        for step in steps {
            live(&mut world, &mut model, step);
            let state = world.state();
            let found: BTreeSet<_> = candidates(&state).unwrap().into_iter().collect();
            prop_assert_eq!(&found, &model.listed);
            for (one, tokens) in &model.stakes {
                prop_assert_eq!(info(&state, one).unwrap().unwrap().tokens, *tokens);
            }
        }
    }
}
