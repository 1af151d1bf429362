//! What a trial says is what the block does; what it costs; what waits before it; no trace of it.

use guts_schema::proto::{SimulatedEvent, Simulation};
use guts_schema::tx::Draft;
use guts_schema::{Action, ChainRules, Code, events, names, validate};

use super::{event, no_tx, simulate};
use crate::modules::account;
use crate::testing::{CHAIN, FEE, Person, World};

fn ask(world: &World, bytes: &[u8], nonce_max: u64) -> Simulation {
    let tx = validate(bytes, &ChainRules::new(CHAIN)).unwrap();
    let next = world.node.app.head().unwrap().next_block();
    simulate(&world.state(), &next, &tx, nonce_max).unwrap()
}

fn pay(from: &Person, to: &Person, amount: u64) -> Action {
    Action::Transfer { actor: from.id, to: to.id, amount }
}

#[test]
fn a_trial_says_what_the_block_does() {
    let mut world = World::new();
    let (alice, bob) = (world.alice.clone(), world.bob.clone());
    let claim = Action::ClaimHandle { actor: bob.id, handle: "bob".into(), salt: [1; 32] };
    let commitment = names::handle_commitment(CHAIN, &bob.id, "bob", &[1; 32]);
    let commit = Action::CommitHandle { actor: bob.id, commitment };
    for (who, actions) in [
        (&alice, vec![pay(&alice, &bob, 5)]),
        (&alice, vec![pay(&alice, &bob, 5), pay(&alice, &bob, u64::MAX)]),
        (&bob, vec![claim.clone()]),
        (&bob, vec![commit]),
        (&bob, vec![claim]),
    ] {
        let bytes = world.tx(who, &actions);
        let before = world.state().root();
        let trial = ask(&world, &bytes, 0);
        assert_eq!(world.state().root(), before);
        let outcome = world.block(vec![bytes]);
        let result = &outcome.results[0];
        assert_eq!((trial.code, &trial.sentence), (result.code, &result.log));
        assert_eq!((&trial.name, &trial.codespace), (&result.info, &result.codespace));
        assert!(trial.admitted);
        assert_eq!(trial.height, world.height - 1);
        let told: Vec<SimulatedEvent> = result.events.iter().cloned().map(event).collect();
        assert_eq!(trial.events, told);
        let fee = &trial.events[0];
        assert_eq!((&fee.kind[..], &fee.attributes[1].value), (events::FEE_PAID, &FEE.to_string()));
        assert_eq!(trial.cost.unwrap().fee_paid, FEE);
    }
}

#[test]
fn what_is_past_can_be_tried_and_not_executed() {
    let mut world = World::new();
    let (alice, bob) = (world.alice.clone(), world.bob.clone());
    let draft = Draft::new(CHAIN, alice.id, 0, &[pay(&alice, &bob, 1)]).fee(FEE);
    let draft = draft.valid_until_s(world.node.app.head().unwrap().time_s - 1);
    let bytes = draft.sign(alice.id, &alice.secret).encode();
    let trial = ask(&world, &bytes, 0);
    assert_eq!((trial.code, trial.admitted), (0, true), "{}", trial.sentence);
    let outcome = world.block(vec![bytes]);
    assert_eq!(outcome.results[0].code, Code::Expired.number());
}

#[test]
fn the_cost_is_told_before_the_work_is_done() {
    let mut world = World::with(|state| state.params.work_per_byte = 1000);
    let (alice, bob) = (world.alice.clone(), world.bob.clone());
    world.block(vec![world.tx(&alice, &[pay(&alice, &bob, 1)])]);
    let (number, anchor) = account::newest_anchor(&world.state()).unwrap();
    let draft = Draft::new(CHAIN, alice.id, 1, &[pay(&alice, &bob, 7)]).work(number, anchor, 0);
    let bytes = draft.sign(alice.id, &alice.secret).encode();
    let trial = ask(&world, &bytes, 0);
    assert_eq!((trial.code, trial.admitted), (0, true), "{}", trial.sentence);
    let cost = trial.cost.unwrap();
    assert!(cost.work >= 1000 * cost.size && cost.work_bits > 16, "{cost:?}");
    assert_eq!((cost.size, cost.fee_paid), (bytes.len() as u64, 0));
    // Sent like that, it is refused.
    assert_eq!(world.one(bytes), Some(Code::WorkLow));
}

#[test]
fn what_is_not_let_in_costs_nothing() {
    let world = World::new();
    let (alice, bob) = (world.alice.clone(), world.bob.clone());
    let five = [pay(&alice, &bob, 5)];
    let late = ask(&world, &world.tx_at(&alice, 2, &five), 1);
    assert_eq!(Code::from_number(late.code), Some(Code::NonceHigh));
    assert_eq!((late.admitted, late.cost.unwrap().fee_paid), (false, 0));
    // With two waiting before it, it is the next.
    let follows = ask(&world, &world.tx_at(&alice, 2, &five), 2);
    assert_eq!((follows.code, follows.admitted), (0, true));
    let stranger = Person::new(77);
    let nobody = ask(&world, &world.tx(&stranger, &[pay(&stranger, &bob, 1)]), 0);
    assert_eq!(Code::from_number(nobody.code), Some(Code::AccountUnknown));
    assert!(!nobody.admitted);
}

#[test]
fn what_is_no_transaction_is_told_apart() {
    let world = World::new();
    let error = validate(b"nonsense", &ChainRules::new(CHAIN)).unwrap_err();
    let trial = no_tx(&world.node.app.head().unwrap().next_block(), &error);
    assert_eq!(Code::from_number(trial.code), Some(Code::TxUndecodable));
    assert_eq!((trial.sentence, trial.cost), (error.to_string(), None));
}
