//! What the faucet gives against plain sums: once an epoch to each, so much to all, while there is
//! some left.

use std::collections::BTreeSet;

use guts_schema::Action;
use guts_schema::tx::Draft;
use proptest::prelude::*;

use crate::modules::account::{self, GenesisAccount, Pot, supply};
use crate::testing::stake::{TEN, delegate, unbond};
use crate::testing::{CHAIN, FEE, Person, World, balance};

const AMOUNT: u64 = 10_000;
/// In an epoch, to all; and that is a thousandth of this much stake.
const EPOCH_MAX: u64 = 55_000;
const TREASURY: u64 = 125_000;

/// Those who draw; alice has the stake.
fn people() -> Vec<Person> {
    [102, 103, 140, 141, 142, 143].map(Person::new).to_vec()
}

struct Model {
    balances: [u64; 6],
    treasury: u64,
    bonded: u64,
    /// Of alice's, in the first validator.
    stake: u64,
    /// In this epoch: how much, to whom.
    given: u64,
    drew: BTreeSet<usize>,
}

impl Model {
    fn draw(&mut self, who: usize) -> bool {
        let bound = EPOCH_MAX.min(self.bonded / 1000);
        let is_left = self.given + AMOUNT <= bound && AMOUNT <= self.treasury;
        if !is_left || !self.drew.insert(who) {
            return false;
        }
        self.balances[who] += AMOUNT;
        self.treasury -= AMOUNT;
        self.given += AMOUNT;
        true
    }

    fn next_epoch(&mut self) {
        self.given = 0;
        self.drew.clear();
    }
}

/// One step in a block of its own: it does what the model says.
fn live(world: &mut World, model: &mut Model, (who, what, amount): (usize, u8, u64)) {
    let person = &people()[who];
    let (alice, validator) = (world.alice.clone(), world.validators[0].clone());
    let draw = Action::DrawFaucet { actor: person.id };
    let (tx, good) = match what {
        0 => {
            world.time_s += 3601;
            world.block(vec![]);
            model.next_epoch();
            return;
        }
        1 => {
            model.bonded += amount;
            model.stake += amount;
            (world.tx(&alice, &[delegate(&alice, &validator, amount)]), true)
        }
        2 => {
            let good = amount <= model.stake;
            let out = if good { amount } else { 0 };
            model.bonded -= out;
            model.stake -= out;
            (world.tx(&alice, &[unbond(&alice, &validator, amount)]), good)
        }
        // It gives for nothing but work.
        3 => {
            model.balances[who] -= FEE;
            (world.tx(person, &[draw]), false)
        }
        _ => {
            let (number, anchor) = account::newest_anchor(&world.state()).unwrap();
            let draft = Draft::new(CHAIN, person.id, world.nonce(person), &[draw]);
            let tx = draft.work(number, anchor, 0).sign(person.id, &person.secret).encode();
            (tx, model.draw(who))
        }
    };
    let code = world.one(tx);
    assert_eq!(code.is_none(), good, "{who} {what}: {code:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_faucet_gives_what_plain_sums_say(
        steps in prop::collection::vec((0usize..6, 0u8..12, 1u64..5_000_000), 1..60)
    ) {
        let mut world = World::with(|state| {
            let params = &mut state.params;
            (params.faucet_amount, params.faucet_epoch_max) = (AMOUNT, EPOCH_MAX);
            (params.work_per_byte, params.fee_burn_ppm) = (0, 1_000_000);
            params.prices.iter_mut().for_each(|price| price.work = 0);
            state.account.treasury = TREASURY;
            state.account.accounts.extend(people()[2..].iter().map(|one| GenesisAccount {
                key: one.secret.public(),
                handle: String::new(),
                balance: 1_000_000_000,
            }));
        });
        let mut model = Model {
            balances: [1_000_000_000; 6],
            treasury: TREASURY,
            bonded: 4 * TEN,
            stake: 0,
            given: 0,
            drew: BTreeSet::new(),
        };
        for step in steps {
            live(&mut world, &mut model, step);
            let supply = supply(&world.state()).unwrap();
            prop_assert_eq!(Pot::Treasury.of(&supply), model.treasury);
            prop_assert_eq!(Pot::Bonded.of(&supply), model.bonded);
            for (person, wanted) in people().iter().zip(model.balances) {
                prop_assert_eq!(balance(&world, person), wanted);
            }
        }
    }
}
