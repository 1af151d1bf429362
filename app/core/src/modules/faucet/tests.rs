//! Each rule of the faucet, broken.

use guts_schema::tx::Draft;
use guts_schema::work::Puzzle;
use guts_schema::{Action, Code, events};

use crate::genesis::AppState;
use crate::modules::account;
use crate::testing::{CHAIN, Person, World, balance};

/// A world in which work is quickly done.
fn easy(change: impl FnOnce(&mut AppState)) -> World {
    World::with(|state| {
        state.params.prices.iter_mut().for_each(|price| price.work = 4);
        state.params.work_per_byte = 0;
        change(state);
    })
}

fn draw(who: &Person) -> Action {
    Action::DrawFaucet { actor: who.id }
}

fn worked(world: &World, who: &Person, actions: &[Action]) -> Vec<u8> {
    let (number, anchor) = account::newest_anchor(&world.state()).unwrap();
    let puzzle = Puzzle::new(CHAIN, &who.id, world.nonce(who), &anchor);
    let solution = puzzle.search(0, 1 << 16, 6).unwrap();
    let draft = Draft::new(CHAIN, who.id, world.nonce(who), actions);
    draft.work(number, anchor, solution).sign(who.id, &who.secret).encode()
}

#[test]
pub(crate) fn work_is_paid_once_an_epoch() {
    let mut world = easy(|_| {});
    let alice = world.alice.clone();
    let before = balance(&world, &alice);
    let outcome = world.block(vec![worked(&world, &alice, &[draw(&alice)])]);
    assert_eq!(outcome.events(events::FAUCET_DRAWN)[0]["amount"], "10000");
    assert_eq!(balance(&world, &alice), before + 10_000);
    let again = worked(&world, &alice, &[draw(&alice)]);
    let (code, sentence) = world.refused(again);
    assert_eq!(code, Code::FaucetDrawn);
    assert!(sentence.contains("come back after"), "{sentence}");
    world.time_s += 3601;
    world.block(vec![]);
    assert_eq!(world.one(worked(&world, &alice, &[draw(&alice)])), None);
}

#[test]
pub(crate) fn only_work_is_paid() {
    let mut world = easy(|_| {});
    let alice = world.alice.clone();
    let (code, sentence) = world.refused(world.tx(&alice, &[draw(&alice)]));
    assert_eq!(code, Code::FaucetWork);
    assert!(sentence.contains("pay this by work"), "{sentence}");
    let nothing = |world: &World| {
        let draft = Draft::new(CHAIN, alice.id, world.nonce(&alice), &[draw(&alice)]);
        draft.sign(alice.id, &alice.secret).encode()
    };
    assert_eq!(world.refused(nothing(&world)).0, Code::PaymentMissing);
    // Not even where it costs nothing.
    let mut free = easy(|state| {
        state.params.prices.iter_mut().for_each(|price| (price.work, price.fee) = (0, 0));
    });
    assert_eq!(free.refused(nothing(&free)).0, Code::FaucetWork);
}

#[test]
pub(crate) fn all_accounts_together_have_a_bound() {
    let refused = |mut world: World, text: &str| {
        let (alice, bob) = (world.alice.clone(), world.bob.clone());
        let first = world.one(worked(&world, &alice, &[draw(&alice)]));
        let (code, sentence) = match first {
            None => world.refused(worked(&world, &bob, &[draw(&bob)])),
            Some(code) => (code, text.to_owned()),
        };
        assert_eq!(code, Code::FaucetEmpty);
        assert!(sentence.contains(text), "{sentence}");
    };
    // A thousandth of 40000000 that is bonded.
    refused(easy(|s| s.params.faucet_amount = 30_000), "has 10000 left for now, not 30000");
    refused(easy(|s| s.params.faucet_epoch_max = 15_000), "has 5000 left for now");
    refused(easy(|s| s.account.treasury = 12_000), "has 2000 left for now");
}

#[test]
pub(crate) fn a_shut_faucet_says_so() {
    let shut = |change: fn(&mut AppState)| {
        let mut world = easy(change);
        let alice = world.alice.clone();
        let (code, sentence) = world.refused(worked(&world, &alice, &[draw(&alice)]));
        assert_eq!(code, Code::FaucetShut);
        assert!(sentence.contains("is shut"), "{sentence}");
    };
    shut(|s| s.params.faucet_amount = 0);
    shut(|s| s.params.faucet_epoch_max = s.params.faucet_amount - 1);
}
