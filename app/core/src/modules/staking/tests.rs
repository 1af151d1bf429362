//! Genesis validators: what is refused, and who counts as an operator.

use guts_schema::ids::ValidatorAddress;
use guts_schema::tx::{StakingAction, ValidatorEdit};
use guts_schema::{Action, Code, events, proto};

use super::{at, block, candidates, epoch, in_force, info, newest, operates, state};
use crate::modules::staking::Operator;
use crate::modules::{account, params};
use crate::run::Run;
use crate::testing::stake::{TEN, act, bond, delegate, redelegate, stake, unbond};
use crate::testing::{FEE, Person, World, address, balance};

fn refused(validators: u8, change: impl FnOnce(&mut Vec<Operator>)) -> String {
    let mut state = World::genesis();
    change(&mut state.staking.operators);
    World::try_genesis(validators, &state).err().expect("refused").to_string()
}

#[test]
fn operators_are_accounts_and_validators_of_genesis() {
    assert!(refused(4, |list| list[0].account = Person::new(9).id).contains("no account"));
    let stranger = Person::new(9).secret.public();
    assert!(refused(4, |list| list[0].consensus_key = stranger).contains("no validator"));
    assert!(refused(4, |list| list.push(list[0].clone())).contains("two operators"));
    assert!(refused(0, |_| {}).contains("no validators"));
    let rule = refused(4, |list| list[0].gateway = "git.example.org".into());
    assert!(rule.contains("a gateway's URL is http:// or https://"), "{rule}");
}

const DAY_S: u64 = 24 * 3600;

fn edit(who: &Person, commission_ppm: Option<u32>) -> Action {
    let (peer_id, name) = (Some(vec![2; 38]), Some("other".into()));
    let edit = ValidatorEdit { peer_id, name, commission_ppm, gateway: None };
    act(who, StakingAction::EditValidator(edit))
}

fn claim(who: &Person, from: &Person) -> Action {
    act(who, StakingAction::ClaimRewards { validator: address(from) })
}

fn info_of(world: &World, validator: &Person) -> proto::ValidatorInfo {
    info(&world.state(), &address(validator)).unwrap().unwrap()
}

/// Ends the epoch; the powers that change.
fn next_epoch(world: &mut World) -> Vec<i64> {
    world.time_s += 3601;
    let outcome = world.block(vec![]);
    assert_eq!(outcome.events(events::EPOCH_ENDED).len(), 1);
    assert_eq!(outcome.events(events::POWER_CHANGED).len(), outcome.updates.len());
    outcome.updates.iter().map(|update| update.power).collect()
}

fn in_set(world: &World, validator: &Person) -> bool {
    let set = newest(&world.state()).unwrap();
    set.iter().any(|one| one.address == address(validator).to_vec())
}

#[test]
fn a_validator_is_bonded_and_elected() {
    let mut world = World::new();
    let (bob, key) = (world.bob.clone(), Person::new(60));
    let outcome = world.block(vec![world.tx(&bob, &[bond(&bob, &key, 2 * TEN)])]);
    assert_eq!(outcome.events(events::VALIDATOR_BONDED)[0]["amount"], "20000000");
    assert!(outcome.updates.is_empty() && !in_set(&world, &key));
    assert_eq!(balance(&world, &bob), 1_000_000_000 - FEE - 2 * TEN);
    assert_eq!(next_epoch(&mut world), [20]);
    // It signs from two blocks later on.
    let power = |height| at(&world.state(), height).unwrap().unwrap().power(&address(&key));
    assert_eq!((power(world.height + 1), power(world.height + 2)), (0, 20));
    assert_eq!(world.time_s - 1 + 3600, epoch(&world.state()).unwrap().ends_s - 1);
    assert!(next_epoch(&mut world).is_empty(), "and nothing changes any more");
}

#[test]
pub(crate) fn bonding_has_rules() {
    let mut world = World::with(|state| state.params.validators_max = 4);
    let (alice, bob, key) = (world.alice.clone(), world.bob.clone(), Person::new(60));
    let taken = world.validators[1].clone();
    let (code, sentence) = world.refused(world.tx(&bob, &[bond(&bob, &taken, TEN)]));
    assert_eq!(code, Code::ValidatorExists);
    assert!(sentence.contains("bond another consensus key"), "{sentence}");
    let (code, sentence) = world.refused(world.tx(&bob, &[bond(&bob, &key, 999_999)]));
    assert_eq!(code, Code::StakeSmall);
    assert!(sentence.contains("1000000 is the least"), "{sentence}");
    let rich = world.refused(world.tx(&bob, &[bond(&bob, &key, 2_000_000_000)]));
    assert_eq!(rich.0, Code::BalanceLow);
    assert_eq!(world.one(world.tx(&bob, &[bond(&bob, &key, TEN)])), None);
    let other = Person::new(61);
    let (code, sentence) = world.refused(world.tx(&bob, &[bond(&bob, &other, TEN)]));
    assert_eq!(code, Code::OperatorBusy);
    assert!(sentence.contains("delegate to that"), "{sentence}");
    // As much stake as the others is not more: the set stays as it is.
    let before = newest(&world.state()).unwrap();
    next_epoch(&mut world);
    assert_eq!(newest(&world.state()).unwrap().len(), before.len());
    // More stake is.
    assert_eq!(world.one(world.tx(&alice, &[delegate(&alice, &key, TEN)])), None);
    next_epoch(&mut world);
    assert!(in_set(&world, &key));
    // Whoever goes below the least makes room, with whatever it leaves there.
    let mut world = World::with(|state| {
        (state.params.validators_max, state.params.candidates_max) = (4, 5);
    });
    assert_eq!(world.one(world.tx(&bob, &[bond(&bob, &key, TEN)])), None);
    let second = bond(&alice, &other, TEN);
    let full = world.refused(world.tx(&alice, std::slice::from_ref(&second)));
    assert_eq!(full.0, Code::CandidatesMany);
    assert_eq!(world.one(world.tx(&bob, &[unbond(&bob, &key, TEN - 1)])), None);
    assert_eq!(world.one(world.tx(&alice, &[second])), None);
}

#[test]
pub(crate) fn stake_is_given_and_comes_back_when_it_is_due() {
    let mut world = World::new();
    let (alice, one) = (world.alice.clone(), world.validators[1].clone());
    let nobody = Person::new(60);
    let (code, sentence) = world.refused(world.tx(&alice, &[delegate(&alice, &nobody, 1)]));
    assert_eq!(code, Code::ValidatorUnknown);
    assert!(sentence.contains("is no validator"), "{sentence}");
    let rich = world.refused(world.tx(&alice, &[delegate(&alice, &one, u64::MAX)]));
    assert_eq!(rich.0, Code::BalanceLow);
    assert_eq!(world.one(world.tx(&alice, &[delegate(&alice, &one, 5 * TEN)])), None);
    assert_eq!(next_epoch(&mut world), [60]);
    let (code, sentence) = world.refused(world.tx(&alice, &[unbond(&alice, &one, 5 * TEN + 1)]));
    assert_eq!(code, Code::StakeLow);
    assert!(sentence.contains("has 50000000 with validator"), "{sentence}");
    let outcome = world.block(vec![world.tx(&alice, &[unbond(&alice, &one, 5 * TEN)])]);
    let due = outcome.events(events::UNBONDING)[0]["due"].parse::<u64>().unwrap();
    assert_eq!(due, world.time_s + DAY_S);
    assert_eq!(next_epoch(&mut world), [10]);
    let before = balance(&world, &alice);
    world.time_s = due - 2;
    world.block(vec![]);
    assert_eq!(balance(&world, &alice), before);
    world.time_s += 3601;
    let outcome = world.block(vec![]);
    assert_eq!(outcome.events(events::UNBONDED)[0]["amount"], "50000000");
    assert_eq!(balance(&world, &alice), before + 5 * TEN);
}

#[test]
pub(crate) fn what_is_under_way_is_bounded() {
    let mut world = World::new();
    let (alice, one) = (world.alice.clone(), world.validators[1].clone());
    assert_eq!(world.one(world.tx(&alice, &[delegate(&alice, &one, TEN)])), None);
    for _ in 0..4 {
        let sixteen = vec![unbond(&alice, &one, 1); 16];
        assert_eq!(world.one(world.tx(&alice, &sixteen)), None);
    }
    let (code, sentence) = world.refused(world.tx(&alice, &[unbond(&alice, &one, 1)]));
    assert_eq!(code, Code::UnbondingsMany);
    assert!(sentence.contains("64 unbondings under way"), "{sentence}");
    let mut world = World::try_genesis(66, &World::genesis()).unwrap();
    let validators = world.validators.clone();
    for part in validators[..64].chunks(16) {
        let actions: Vec<_> = part.iter().map(|to| delegate(&alice, to, 1)).collect();
        assert_eq!(world.one(world.tx(&alice, &actions)), None);
    }
    let more = world.tx(&alice, &[delegate(&alice, &validators[64], 1)]);
    let (code, sentence) = world.refused(more);
    assert_eq!(code, Code::DelegationsMany);
    assert!(sentence.contains("stake with 64 validators"), "{sentence}");
    assert_eq!(world.one(world.tx(&alice, &[delegate(&alice, &validators[63], 1)])), None);
}

#[test]
pub(crate) fn stake_moves_once_and_answers_for_where_it_was() {
    let mut world = World::new();
    let alice = world.alice.clone();
    let [one, two, three] = [1, 2, 3].map(|place: usize| world.validators[place].clone());
    assert_eq!(world.one(world.tx(&alice, &[delegate(&alice, &one, 2 * TEN)])), None);
    let low = world.refused(world.tx(&alice, &[redelegate(&alice, &two, &one, 1)]));
    assert_eq!(low.0, Code::StakeLow);
    let nobody = world.refused(world.tx(&alice, &[redelegate(&alice, &one, &alice, 1)]));
    assert_eq!(nobody.0, Code::ValidatorUnknown);
    let height = world.height;
    assert_eq!(world.one(world.tx(&alice, &[redelegate(&alice, &one, &two, TEN)])), None);
    let (code, sentence) = world.refused(world.tx(&alice, &[redelegate(&alice, &two, &three, 1)]));
    assert_eq!(code, Code::StakeLocked);
    assert!(sentence.contains("may not move on before"), "{sentence}");
    // Half of what moved leaves by the back door.
    assert_eq!(world.one(world.tx(&alice, &[unbond(&alice, &two, TEN - 100)])), None);
    world.double_sign(1, height);
    let outcome = world.block(vec![]);
    let event = &outcome.events(events::SLASHED)[0];
    // A twentieth of the validator's own, of what alice still has there, and of what she moved.
    assert_eq!(event["amount"], (3 * TEN / 20).to_string());
    assert_eq!(event["reason"], "double_sign");
    assert_eq!(stake(&world, &alice, &one), TEN - TEN / 20);
    assert_eq!(stake(&world, &alice, &two), 0);
    let before = balance(&world, &alice);
    world.time_s += DAY_S + 1;
    world.block(vec![]);
    assert_eq!(balance(&world, &alice), before + TEN - TEN / 20);
    let late = world.refused(world.tx(&alice, &[delegate(&alice, &one, 1)]));
    assert_eq!(late.0, Code::Tombstoned);
    let late = world.refused(world.tx(&alice, &[redelegate(&alice, &three, &one, 1)]));
    assert_eq!(late.0, Code::Tombstoned);
}

#[test]
pub(crate) fn two_signatures_at_one_height_end_a_validator() {
    let mut world = World::new();
    let (bob, alice, key) = (world.bob.clone(), world.alice.clone(), Person::new(60));
    assert_eq!(world.one(world.tx(&bob, &[bond(&bob, &key, TEN)])), None);
    assert_eq!(world.one(world.tx(&alice, &[delegate(&alice, &key, TEN)])), None);
    assert_eq!(world.one(world.tx(&alice, &[unbond(&alice, &key, TEN / 2)])), None);
    next_epoch(&mut world);
    world.validators.push(key.clone());
    world.verdicts.push(Default::default());
    let height = world.height;
    world.double_sign(4, height - 1);
    let before = info_of(&world, &key).tokens;
    let outcome = world.block(vec![]);
    let after = info_of(&world, &key);
    assert!(after.tombstoned && after.tokens == before - before / 20);
    // What was on its way answers too: its power counted until two heights after the epoch.
    assert_eq!(outcome.events(events::SLASHED)[0]["amount"], (2 * TEN / 20).to_string());
    // Once: the same evidence, and other evidence, says nothing new.
    world.double_sign(4, height);
    assert!(world.block(vec![]).events(events::SLASHED).is_empty());
    assert_eq!(next_epoch(&mut world), [0]);
    let (code, sentence) = world.refused(world.tx(&bob, &[act(&bob, StakingAction::Unjail)]));
    assert_eq!(code, Code::Tombstoned);
    assert!(sentence.contains("out for ever"), "{sentence}");
    // The operator may begin anew, with another key.
    assert_eq!(world.one(world.tx(&bob, &[bond(&bob, &Person::new(61), TEN)])), None);
    assert_eq!(world.one(world.tx(&bob, &[unbond(&bob, &key, 1)])), None);
    // Evidence against strangers changes nothing.
    world.double_sign(0, 0);
    world.evidence[0].validator.as_mut().unwrap().address = vec![9; 20].into();
    assert!(world.block(vec![]).events(events::SLASHED).is_empty());
}

#[test]
fn stake_that_left_answers_while_its_power_counts() {
    // What a slash takes when the lie was told so many heights after the end of the epoch in which
    // half of the stake left.
    let taken = |later: u64| {
        let mut world = World::new();
        let (alice, one) = (world.alice.clone(), world.validators[1].clone());
        assert_eq!(world.one(world.tx(&alice, &[delegate(&alice, &one, TEN)])), None);
        next_epoch(&mut world);
        assert_eq!(world.one(world.tx(&alice, &[unbond(&alice, &one, TEN)])), None);
        (0..3).for_each(|_| drop(world.block(vec![])));
        next_epoch(&mut world);
        let ended = world.height;
        let power = |height| at(&world.state(), height).unwrap().unwrap().power(&address(&one));
        assert_eq!((power(ended), power(ended + 1), power(ended + 2)), (20, 20, 10));
        (0..3).for_each(|_| drop(world.block(vec![])));
        world.double_sign(1, ended + later);
        world.block(vec![]).events(events::SLASHED)[0]["amount"].parse::<u64>().unwrap()
    };
    assert_eq!(taken(0), 2 * TEN / 20);
    assert_eq!(taken(1), 2 * TEN / 20);
    // From then on it had no power, and does not answer.
    assert_eq!(taken(2), TEN / 20);
    // While the epoch runs, its power counts.
    let mut world = World::new();
    let (alice, one) = (world.alice.clone(), world.validators[1].clone());
    assert_eq!(world.one(world.tx(&alice, &[delegate(&alice, &one, TEN)])), None);
    assert_eq!(world.one(world.tx(&alice, &[unbond(&alice, &one, TEN)])), None);
    (0..3).for_each(|_| drop(world.block(vec![])));
    world.double_sign(1, world.height);
    let outcome = world.block(vec![]);
    assert_eq!(outcome.events(events::SLASHED)[0]["amount"], (2 * TEN / 20).to_string());
}

#[test]
pub(crate) fn so_much_is_under_way_in_all() {
    let mut world = World::with(|state| state.params.unbondings_max = 1);
    let (alice, bob, one) = (world.alice.clone(), world.bob.clone(), world.validators[1].clone());
    for who in [&alice, &bob] {
        assert_eq!(world.one(world.tx(who, &[delegate(who, &one, TEN)])), None);
    }
    assert_eq!(world.one(world.tx(&alice, &[unbond(&alice, &one, 1)])), None);
    let (code, sentence) = world.refused(world.tx(&bob, &[unbond(&bob, &one, 999_999)]));
    assert_eq!(code, Code::UnbondingsAll);
    assert!(sentence.contains("take 1000000 or more at once"), "{sentence}");
    assert_eq!(world.one(world.tx(&bob, &[unbond(&bob, &one, 1_000_000)])), None);
}

/// One account with dust enough for all places has half of them.
#[test]
fn an_account_that_has_some_under_way_leaves_places_to_those_that_have_none() {
    let mut world = World::with(|state| state.params.unbondings_max = 4);
    let (alice, bob, one) = (world.alice.clone(), world.bob.clone(), world.validators[1].clone());
    for who in [&alice, &bob] {
        assert_eq!(world.one(world.tx(who, &[delegate(who, &one, TEN)])), None);
    }
    for code in [None, None, Some(Code::UnbondingsAll)] {
        assert_eq!(world.one(world.tx(&alice, &[unbond(&alice, &one, 1)])), code);
    }
    assert_eq!(world.one(world.tx(&bob, &[unbond(&bob, &one, 1)])), None);
    for (amount, code) in [(1, Some(Code::UnbondingsAll)), (1_000_000, None)] {
        assert_eq!(world.one(world.tx(&bob, &[unbond(&bob, &one, amount)])), code);
    }
}

/// A world that jails after three missed blocks of ten.
fn strict() -> World {
    World::with(|state| {
        (state.params.missed_window, state.params.missed_max) = (10, 3);
        state.params.slash_downtime_ppm = 10_000;
    })
}

fn some_tx(world: &World) -> Vec<u8> {
    let action = Action::Transfer { actor: world.alice.id, to: world.bob.id, amount: 1 };
    world.tx(&world.alice, &[action])
}

#[test]
pub(crate) fn who_misses_too_much_is_jailed_and_comes_back() {
    let mut world = strict();
    let (gateway, zero) = (world.gateway.clone(), world.validators[0].clone());
    let unjail = [act(&gateway, StakingAction::Unjail)];
    let (code, sentence) = world.refused(world.tx(&gateway, &unjail));
    assert_eq!(code, Code::NotJailed);
    assert!(sentence.contains("is not jailed"), "{sentence}");
    world.absent = vec![0];
    // Blocks without transactions do not count.
    (0..5).for_each(|_| drop(world.block(vec![])));
    (0..3).for_each(|_| drop(world.block(vec![some_tx(&world)])));
    assert!(!info_of(&world, &zero).jailed);
    let outcome = world.block(vec![some_tx(&world)]);
    assert_eq!(outcome.events(events::JAILED).len(), 1);
    let slashed = &outcome.events(events::SLASHED)[0];
    assert_eq!((slashed["reason"].as_str(), slashed["amount"].as_str()), ("downtime", "100000"));
    let (code, sentence) = world.refused(world.tx(&gateway, &unjail));
    assert_eq!(code, Code::JailedUntil);
    assert!(sentence.contains("wait"), "{sentence}");
    assert_eq!(next_epoch(&mut world), [0]);
    assert!(!in_set(&world, &zero));
    assert_eq!(world.one(world.tx(&gateway, &unjail)), None);
    assert_eq!(next_epoch(&mut world), [9]);
    assert!(in_set(&world, &zero));
    // A window that has passed is forgotten.
    world.absent = vec![0];
    (0..3).for_each(|_| drop(world.block(vec![some_tx(&world)])));
    world.absent.clear();
    (0..8).for_each(|_| drop(world.block(vec![some_tx(&world)])));
    world.absent = vec![0];
    (0..3).for_each(|_| drop(world.block(vec![some_tx(&world)])));
    assert!(!info_of(&world, &zero).jailed);
}

#[test]
pub(crate) fn a_validator_that_lost_its_stake_stays_out() {
    let mut world = World::with(|state| {
        (state.params.missed_window, state.params.missed_max) = (10, 3);
        state.params.slash_downtime_ppm = 1_000_000;
        state.params.jail_s = 1;
    });
    let (alice, bob, key) = (world.alice.clone(), world.bob.clone(), Person::new(60));
    assert_eq!(world.one(world.tx(&bob, &[bond(&bob, &key, TEN)])), None);
    next_epoch(&mut world);
    world.validators.push(key.clone());
    world.verdicts.push(Default::default());
    world.absent = vec![4];
    (0..4).for_each(|_| drop(world.block(vec![some_tx(&world)])));
    assert_eq!(info_of(&world, &key).tokens, 0);
    world.block(vec![]);
    let small = world.refused(world.tx(&bob, &[act(&bob, StakingAction::Unjail)]));
    assert_eq!(small.0, Code::StakeSmall);
    let (code, sentence) = world.refused(world.tx(&alice, &[delegate(&alice, &key, 5)]));
    assert_eq!(code, Code::ValidatorEmpty);
    assert!(sentence.contains("delegate to another"), "{sentence}");
    let good = world.validators[0].clone();
    assert_eq!(world.one(world.tx(&alice, &[delegate(&alice, &good, 5)])), None);
    let moved = world.refused(world.tx(&alice, &[redelegate(&alice, &good, &key, 5)]));
    assert_eq!(moved, (code, sentence));
    // Its operator is not kept out with it.
    assert_eq!(world.one(world.tx(&bob, &[bond(&bob, &Person::new(61), TEN)])), None);
}

#[test]
fn no_more_than_a_third_leaves_in_an_epoch() {
    let mut world = strict();
    world.absent = vec![1, 2, 3];
    (0..4).for_each(|_| drop(world.block(vec![some_tx(&world)])));
    let jailed = (1..4).filter(|place| info_of(&world, &world.validators[*place]).jailed).count();
    assert_eq!(jailed, 3);
    let left = |world: &World| newest(&world.state()).unwrap().len();
    next_epoch(&mut world);
    assert_eq!(left(&world), 3);
    // Slashed, the two have 9 of 28 each: one of them is a third, and then one is a half.
    next_epoch(&mut world);
    assert_eq!(left(&world), 2);
    next_epoch(&mut world);
    assert_eq!(left(&world), 2);
    let mut world = World::with(|state| {
        (state.params.missed_window, state.params.missed_max) = (10, 3);
        state.params.validators_min = 4;
    });
    world.absent = vec![1];
    (0..4).for_each(|_| drop(world.block(vec![some_tx(&world)])));
    assert_eq!(next_epoch(&mut world), [9], "the set does not fall below its least number");
    assert_eq!(left(&world), 4);
}

#[test]
pub(crate) fn operators_edit_within_bounds() {
    let mut world = World::new();
    let (bob, key) = (world.bob.clone(), Person::new(60));
    let (code, sentence) = world.refused(world.tx(&bob, &[edit(&bob, None)]));
    assert_eq!(code, Code::NotOperator);
    assert!(sentence.contains("bond one first"), "{sentence}");
    let unjail = world.refused(world.tx(&bob, &[act(&bob, StakingAction::Unjail)]));
    assert_eq!(unjail.0, Code::NotOperator);
    assert_eq!(world.one(world.tx(&bob, &[bond(&bob, &key, TEN)])), None);
    let (code, sentence) = world.refused(world.tx(&bob, &[edit(&bob, Some(110_001))]));
    assert_eq!(code, Code::CommissionStep);
    assert!(sentence.contains("by 10000 millionths a day, not by 10001"), "{sentence}");
    let (code, sentence) = world.refused(world.tx(&bob, &[edit(&bob, Some(110_000))]));
    assert_eq!(code, Code::CommissionEarly);
    assert!(sentence.contains("wait"), "{sentence}");
    world.time_s += DAY_S;
    let outcome = world.block(vec![world.tx(&bob, &[edit(&bob, Some(110_000))])]);
    let event = &outcome.events(events::VALIDATOR_EDITED)[0];
    assert_eq!((event["commission"].as_str(), event["name"].as_str()), ("110000", "other"));
    let info = info_of(&world, &key);
    assert_eq!((info.commission_ppm, info.peer_id), (110_000, vec![2; 38]));
    assert_eq!(info.gateway, "https://new.example", "what is not named stays");
    for url in ["http://10.0.0.1:8080", ""] {
        let edit = ValidatorEdit { gateway: Some(url.into()), ..ValidatorEdit::default() };
        let tx = world.tx(&bob, &[act(&bob, StakingAction::EditValidator(edit))]);
        assert_eq!(world.block(vec![tx]).events(events::VALIDATOR_EDITED)[0]["gateway"], url);
        assert_eq!(info_of(&world, &key).gateway, url);
    }
}

#[test]
pub(crate) fn fees_and_issuance_are_shared() {
    let mut world = World::with(|state| {
        state.params.issuance_per_epoch = 1_000_000;
        state.params.fee_burn_ppm = 500_000;
    });
    let (alice, bob, key) = (world.alice.clone(), world.bob.clone(), Person::new(60));
    let (code, sentence) = world.refused(world.tx(&alice, &[claim(&alice, &world.validators[1])]));
    assert_eq!(code, Code::RewardsNone);
    assert!(sentence.contains("nothing is due"), "{sentence}");
    assert_eq!(world.one(world.tx(&bob, &[bond(&bob, &key, TEN)])), None);
    assert_eq!(world.one(world.tx(&alice, &[delegate(&alice, &key, 5 * TEN)])), None);
    next_epoch(&mut world);
    // Three fees, half of each burnt; then the stake of the new validator counts: 60 of 100.
    let supply = account::supply(&world.state()).unwrap();
    assert_eq!(supply.burnt, 3 * FEE / 2);
    let carried = supply.fees;
    next_epoch(&mut world);
    let pool = 1_000_000 + carried;
    let part = pool * 6 / 10;
    let (before, commission) = (balance(&world, &alice), part / 10);
    let outcome = world.block(vec![world.tx(&alice, &[claim(&alice, &key)])]);
    let paid: u64 = outcome.events(events::REWARDS_PAID)[0]["amount"].parse().unwrap();
    assert_eq!(balance(&world, &alice), before + paid - FEE);
    let expected = (part - commission) * 5 / 6;
    assert!(expected - paid <= 1, "{expected} {paid}");
    let outcome = world.block(vec![world.tx(&bob, &[claim(&bob, &key)])]);
    let paid: Vec<u64> = outcome
        .events(events::REWARDS_PAID)
        .iter()
        .map(|event| event["amount"].parse().unwrap())
        .collect();
    assert_eq!(paid.len(), 2, "of the stake, and commission");
    assert_eq!(paid[1], commission);
    let again = world.refused(world.tx(&bob, &[claim(&bob, &key)]));
    assert_eq!(again.0, Code::RewardsNone);
    let unknown = world.refused(world.tx(&bob, &[claim(&bob, &bob)]));
    assert_eq!(unknown.0, Code::ValidatorUnknown);
    // More stake pays out what was due before.
    next_epoch(&mut world);
    let more = world.block(vec![world.tx(&alice, &[delegate(&alice, &key, 1)])]);
    assert_eq!(more.events(events::REWARDS_PAID).len(), 1);
}

#[test]
fn the_set_of_genesis_signs_from_the_first_height_on() {
    let world = World::new();
    let state = world.state();
    let next = world.node.app.head().unwrap().next_block();
    let run = Run::new(&next, &state);
    let set = in_force(&run).unwrap();
    assert_eq!(set.total(), 40);
    let first = ValidatorAddress::of_key(&Person::new(1).secret.public());
    assert_eq!((set.power(&first), set.key(&first)), (10, Some(Person::new(1).secret.public())));
    let stranger = ValidatorAddress::of_key(&Person::new(9).secret.public());
    assert_eq!((set.power(&stranger), set.key(&stranger)), (0, None));
    assert_eq!(at(&state, 0).unwrap(), None);
    assert_eq!(at(&state, 1).unwrap(), Some(set.clone()));
    assert_eq!(at(&state, 900).unwrap(), Some(set));
    assert!(operates(&run, &world.gateway.id).unwrap());
    assert!(!operates(&run, &world.alice.id).unwrap());
}

/// Writes validators with ten times the stake of those of genesis.
fn put_rich(run: &mut Run<'_>, seeds: std::ops::Range<u8>) {
    for seed in seeds {
        let key = Person::new(seed);
        let info = proto::ValidatorInfo {
            consensus_key: key.secret.public().to_vec(),
            operator: key.id.to_vec(),
            tokens: 10 * TEN,
            shares: 10 * TEN,
            ..Default::default()
        };
        state::put_info(run, &address(&key), &info).unwrap();
    }
}

#[test]
fn newcomers_wait_for_places_that_are_not_free_yet() {
    let world = World::with(|state| state.params.validators_max = 4);
    let (view, block) = (world.state(), world.node.app.head().unwrap().next_block());
    let mut run = Run::new(&block, &view);
    put_rich(&mut run, 80..84);
    let params = params::get(&run.state).unwrap();
    let mut set = newest(&run.state).unwrap();
    // A quarter of the power leaves, then a third of what the old have left at most.
    for old in [3, 3, 2] {
        let before = set;
        set = block::elect(&run, &params, &before).unwrap();
        assert_eq!(set.len(), 4, "no more than validators_max");
        let is_old = |one: &&proto::Validator| one.power == 10;
        assert!(set.iter().filter(is_old).count() <= old);
        assert!(set.windows(2).all(|pair| pair[0].address < pair[1].address));
    }
}

#[test]
fn a_set_that_is_to_shrink_takes_in_nobody() {
    let world = World::new();
    let (view, block) = (world.state(), world.node.app.head().unwrap().next_block());
    let mut run = Run::new(&block, &view);
    put_rich(&mut run, 80..84);
    let params = proto::Params { validators_max: 2, ..params::get(&run.state).unwrap() };
    let before = newest(&run.state).unwrap();
    let set = block::elect(&run, &params, &before).unwrap();
    assert_eq!(set.len(), 3);
    assert!(set.iter().all(|one| before.iter().any(|old| old.address == one.address)));
}

#[test]
fn there_are_so_many_candidates_and_no_more() {
    let world = World::with(|state| {
        (state.params.validators_max, state.params.candidates_max) = (4, 6);
    });
    let (view, block) = (world.state(), world.node.app.head().unwrap().next_block());
    let mut run = Run::new(&block, &view);
    put_rich(&mut run, 80..90);
    assert_eq!(candidates(&run.state).unwrap().len(), 6);
    // When one has left, another gets in as soon as it is written again.
    let first = Person::new(80);
    let gone = proto::ValidatorInfo::default();
    state::put_info(&mut run, &address(&first), &gone).unwrap();
    put_rich(&mut run, 89..90);
    assert!(candidates(&run.state).unwrap().contains(&address(&Person::new(89))));
}
