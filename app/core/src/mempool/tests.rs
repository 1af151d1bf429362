//! CheckTx with what waits: nonces in a row, spent balances, rechecks, what is forgotten.

use std::cell::{Cell, RefCell};

use guts_schema::tx::Draft;
use guts_schema::work::Puzzle;
use guts_schema::{AccountId, Action, ChainRules, Code, Tx, Verified, validate};
use guts_state::Read;

use super::{Lend, Waiting};
use crate::fault::{Broken, Refusal};
use crate::modules::account;
use crate::run::Block;
use crate::testing::refusals::{What, hear};
use crate::testing::{CHAIN, FEE, Person, World};

impl Lend for RefCell<Waiting> {
    fn lend<T>(&self, _: &AccountId, look: impl FnOnce(&mut Waiting) -> T) -> T {
        look(&mut self.borrow_mut())
    }

    fn lend_each(&self, mut look: impl FnMut(&mut Waiting)) {
        look(&mut self.borrow_mut());
    }
}

impl Waiting {
    /// Alone with it.
    fn alone<T>(&mut self, work: impl FnOnce(&RefCell<Waiting>) -> T) -> T {
        let kept = RefCell::new(std::mem::take(self));
        let done = work(&kept);
        *self = kept.into_inner();
        done
    }

    fn check(
        &mut self,
        view: &dyn Read,
        next: &Block,
        tx: &Tx,
    ) -> Result<Result<(), Refusal>, Broken> {
        self.alone(|kept| super::check(kept, view, next, tx))
    }

    fn on_commit<'a>(&mut self, time_s: u64, included: impl IntoIterator<Item = &'a Tx>) {
        self.alone(|kept| super::on_commit(kept, time_s, included));
    }
}

fn tx(world: &World, who: &Person, nonce: u64, amount: u64) -> Verified<Tx> {
    let action = Action::Transfer { actor: who.id, to: world.bob.id, amount };
    let bytes = world.tx_at(who, nonce, &[action]);
    validate(&bytes, &ChainRules::new(CHAIN)).unwrap()
}

fn check(world: &World, waiting: &mut Waiting, tx: &Tx) -> Option<Code> {
    let next = world.node.app.head().unwrap().next_block();
    waiting.check(&world.state(), &next, tx).unwrap().err().map(|refusal| refusal.code)
}

#[test]
fn nonces_wait_in_a_row() {
    let world = World::new();
    let alice = world.alice.clone();
    let mut waiting = Waiting::new();
    assert_eq!(check(&world, &mut waiting, &tx(&world, &alice, 1, 1)), Some(Code::NonceHigh));
    for nonce in 0..3 {
        assert_eq!(check(&world, &mut waiting, &tx(&world, &alice, nonce, 1)), None);
    }
    assert_eq!(waiting.next_nonce(&alice.id, 0), 3);
    assert_eq!(waiting.len(), 3);
    // Another with a nonce that waits already is late; the same one, asked about again, is not.
    assert_eq!(check(&world, &mut waiting, &tx(&world, &alice, 1, 2)), Some(Code::NonceLow));
    assert_eq!(check(&world, &mut waiting, &tx(&world, &alice, 1, 1)), None);
    assert_eq!(waiting.len(), 3);
}

#[test]
fn what_waits_counts_as_spent() {
    let world = World::new();
    let alice = world.alice.clone();
    let mut waiting = Waiting::new();
    assert_eq!(check(&world, &mut waiting, &tx(&world, &alice, 0, 1_000_000_000 - 3 * FEE)), None);
    assert_eq!(check(&world, &mut waiting, &tx(&world, &alice, 1, 1)), None);
    // The third fee is there no more.
    assert_eq!(check(&world, &mut waiting, &tx(&world, &alice, 2, 1)), Some(Code::BalanceLow));
}

#[test]
pub(crate) fn an_account_has_so_many_waiting_and_no_more() {
    let world = World::new();
    let alice = world.alice.clone();
    let mut waiting = Waiting::new();
    for nonce in 0..256 {
        assert_eq!(check(&world, &mut waiting, &tx(&world, &alice, nonce, 1)), None);
    }
    let next = world.node.app.head().unwrap().next_block();
    let many = waiting.check(&world.state(), &next, &tx(&world, &alice, 256, 1)).unwrap();
    let refusal = many.unwrap_err();
    assert_eq!(refusal.code, Code::WaitingMany);
    assert!(refusal.sentence.contains("256 transactions waiting"), "{}", refusal.sentence);
    hear(What::Mempool, refusal.code, &refusal.sentence);
    // Those that wait are asked about again, and others are not held up.
    assert_eq!(check(&world, &mut waiting, &tx(&world, &alice, 255, 1)), None);
    assert_eq!(check(&world, &mut waiting, &tx(&world, &world.bob, 0, 1)), None);
}

#[test]
fn what_would_fail_is_told_at_once() {
    let world = World::new();
    let alice = world.alice.clone();
    let mut waiting = Waiting::new();
    let much = tx(&world, &alice, 0, u64::MAX);
    assert_eq!(check(&world, &mut waiting, &much), Some(Code::BalanceLow));
    assert!(waiting.is_empty());
}

#[test]
fn commits_take_out_what_they_included_and_what_was_dropped() {
    let mut world = World::new();
    let alice = world.alice.clone();
    let mut waiting = Waiting::new();
    let all: Vec<_> = (0..3).map(|nonce| tx(&world, &alice, nonce, 1)).collect();
    for tx in &all {
        assert_eq!(check(&world, &mut waiting, tx), None);
    }
    let action = Action::Transfer { actor: alice.id, to: world.bob.id, amount: 1 };
    world.block(vec![world.tx_at(&alice, 0, &[action])]);
    waiting.on_commit(world.time_s, [&*all[0]]);
    assert_eq!(waiting.len(), 2);
    // Rechecked, in order.
    assert_eq!(check(&world, &mut waiting, &all[0]), Some(Code::NonceLow));
    assert_eq!(check(&world, &mut waiting, &all[1]), None);
    assert_eq!(check(&world, &mut waiting, &all[2]), None);
    // The engine asks no more: they may be far behind in its line, and what follows them is good.
    for _ in 0..20 {
        world.block(vec![]);
        waiting.on_commit(world.time_s, []);
    }
    assert_eq!(check(&world, &mut waiting, &tx(&world, &alice, 3, 1)), None);
    // Or it dropped them without a word: in the end their nonces are free again.
    for _ in 0..2 {
        world.block(vec![]);
        waiting.on_commit(world.time_s + 31, []);
    }
    assert_eq!(waiting.len(), 1, "asked about since");
    waiting.on_commit(world.time_s + 31, []);
    assert!(waiting.is_empty());
    assert_eq!(check(&world, &mut waiting, &tx(&world, &alice, 1, 9)), None);
}

/// A world where work is little and bytes cost none, and somebody without an account.
fn newcomer() -> (World, Person) {
    let world = World::with(|state| {
        state.params.prices.iter_mut().for_each(|price| price.work = 256);
        state.params.work_per_byte = 0;
    });
    (world, Person::new(50))
}

/// A transaction of somebody whose account is not there yet, paid by at least `bits` of work.
fn by_work(world: &World, who: &Person, nonce: u64, actions: &[Action], bits: u32) -> Draft {
    let (number, anchor) = account::newest_anchor(&world.state()).unwrap();
    let puzzle = Puzzle::new(CHAIN, &who.id, nonce, &anchor);
    let solution = puzzle.search(0, 1 << 20, bits).unwrap();
    Draft::new(CHAIN, who.id, nonce, actions).work(number, anchor, solution)
}

fn valid(draft: &Draft) -> Verified<Tx> {
    validate(&draft.encode(), &ChainRules::new(CHAIN)).unwrap()
}

fn create(who: &Person) -> Action {
    Action::CreateAccount { actor: who.id, key: who.secret.public() }
}

#[test]
fn an_account_that_waits_to_be_made_can_go_on() {
    let (world, carol) = newcomer();
    let go_on = Action::Transfer { actor: carol.id, to: world.bob.id, amount: 1 };
    let mut waiting = Waiting::new();
    let paid = |nonce, action| {
        valid(&by_work(&world, &carol, nonce, &[action], 8).sign(carol.id, &carol.secret))
    };
    assert_eq!(check(&world, &mut waiting, &paid(0, create(&carol))), None);
    for nonce in 1..16 {
        assert_eq!(check(&world, &mut waiting, &paid(nonce, go_on.clone())), None);
    }
    // Until the account is there, so many may wait and no more.
    let many = check(&world, &mut waiting, &paid(16, go_on.clone()));
    assert_eq!(many, Some(Code::WaitingMany));
    assert_eq!(check(&world, &mut waiting, &paid(15, go_on)), None);
}

#[test]
fn nobody_rides_for_nothing_behind_an_account_that_waits_to_be_made() {
    let (world, carol) = newcomer();
    let mut waiting = Waiting::new();
    let first = by_work(&world, &carol, 0, &[create(&carol)], 8).sign(carol.id, &carol.secret);
    assert_eq!(check(&world, &mut waiting, &valid(&first)), None);
    let go_on = Action::Transfer { actor: carol.id, to: world.bob.id, amount: 1 };
    let draft = || Draft::new(CHAIN, carol.id, 1, std::slice::from_ref(&go_on));
    let mut refused = |draft: Draft, who: &Person| {
        check(&world, &mut waiting, &valid(&draft.sign(carol.id, &who.secret)))
    };
    assert_eq!(refused(draft(), &carol), Some(Code::PaymentMissing));
    assert_eq!(refused(draft().fee(FEE), &carol), Some(Code::BalanceLow));
    assert_eq!(refused(draft().stake(), &carol), Some(Code::StakeMissing));
    let (number, anchor) = account::newest_anchor(&world.state()).unwrap();
    let puzzle = Puzzle::new(CHAIN, &carol.id, 1, &anchor);
    let little = (0..).find(|solution| puzzle.bits(*solution) < 8).unwrap();
    assert_eq!(refused(draft().work(number, anchor, little), &carol), Some(Code::WorkLow));
    let good = by_work(&world, &carol, 1, std::slice::from_ref(&go_on), 8);
    assert_eq!(refused(good.clone(), &Person::new(51)), Some(Code::KeyInvalid));
    assert_eq!(refused(good, &carol), None);
}

/// Lends what waits to somebody else first, before the look `at`.
struct Between<'a> {
    kept: RefCell<Waiting>,
    at: Cell<usize>,
    other: &'a dyn Fn(&mut Waiting),
}

impl Lend for Between<'_> {
    fn lend<T>(&self, _: &AccountId, look: impl FnOnce(&mut Waiting) -> T) -> T {
        let mut waiting = self.kept.borrow_mut();
        if self.at.get() == 0 {
            (self.other)(&mut waiting);
        }
        self.at.set(self.at.get().wrapping_sub(1));
        look(&mut waiting)
    }

    fn lend_each(&self, look: impl FnMut(&mut Waiting)) {
        self.kept.lend_each(look);
    }
}

#[test]
fn of_two_that_are_checked_at_once_for_one_place_the_first_gets_it() {
    let world = World::new();
    let alice = world.alice.clone();
    let next = world.node.app.head().unwrap().next_block();
    let (one, two) = (tx(&world, &alice, 0, 1), tx(&world, &alice, 0, 2));
    let other = |waiting: &mut Waiting| assert_eq!(check(&world, waiting, &two), None);
    for at in 0..2 {
        let between = Between { kept: RefCell::default(), at: Cell::new(at), other: &other };
        let answer = super::check(&between, &world.state(), &next, &one).unwrap();
        assert_eq!(answer.unwrap_err().code, Code::NonceLow);
        assert_eq!(between.kept.into_inner().len(), 1);
    }
}
