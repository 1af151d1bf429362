//! Stake against plain models: what people gave, what they took back and waits, what is taken from
//! both when a validator signs twice, and epochs that end meanwhile.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::modules::staking::epoch;
use crate::testing::stake::{TEN, delegate, redelegate, stake, unbond};
use crate::testing::{FEE, World, balance};

const DAY_S: u64 = 24 * 3600;

/// Taken for two signatures at one height, in millionths: the default.
const PPM: u64 = 50_000;

/// A validator: its stake, the shares it is divided into, and those of alice and bob.
#[derive(Clone, Default)]
struct Stake {
    tokens: u128,
    shares: u128,
    held: [u128; 2],
    tombstoned: bool,
}

impl Stake {
    fn worth(&self, who: usize) -> u128 {
        (self.held[who] * self.tokens).checked_div(self.shares).unwrap_or(0)
    }

    fn buy(&mut self, who: usize, amount: u128) {
        let shares = amount * self.shares / self.tokens;
        self.tokens += amount;
        self.shares += shares;
        self.held[who] += shares;
    }

    fn sell(&mut self, who: usize, amount: u128) {
        let all = amount == self.worth(who);
        let shares = (amount * self.shares).div_ceil(self.tokens).min(self.held[who]);
        let shares = if all { self.held[who] } else { shares };
        self.tokens -= amount;
        self.shares -= shares;
        self.held[who] -= shares;
    }
}

/// Stake on its way to a balance.
struct Leaving {
    who: usize,
    from: usize,
    amount: u128,
    due_s: u64,
    /// Its power counts up to this height, once the epoch in which it left has ended.
    until: Option<u64>,
}

struct Model {
    stakes: Vec<Stake>,
    leaving: Vec<Leaving>,
    balances: [u128; 2],
}

impl Model {
    fn new() -> Self {
        let genesis = Stake { tokens: TEN.into(), shares: TEN.into(), ..Default::default() };
        Self { stakes: vec![genesis; 4], leaving: Vec::new(), balances: [1_000_000_000; 2] }
    }

    fn slash(&mut self, place: usize, height: u64) {
        let stake = &mut self.stakes[place];
        if std::mem::replace(&mut stake.tombstoned, true) {
            return;
        }
        let part = |amount: u128| amount * u128::from(PPM) / 1_000_000;
        stake.tokens -= part(stake.tokens);
        let answers =
            |one: &&mut Leaving| one.from == place && one.until.is_none_or(|h| h >= height);
        self.leaving.iter_mut().filter(answers).for_each(|one| one.amount -= part(one.amount));
    }

    /// What the end of a block does in which transactions were, or in which an epoch ends.
    fn end(&mut self, now_s: u64, height: u64, epoch_ends: bool) {
        let due = self.leaving.iter().take_while(|one| one.due_s <= now_s).count();
        for one in self.leaving.drain(..due) {
            self.balances[one.who] += one.amount;
        }
        if epoch_ends {
            let open = self.leaving.iter_mut().filter(|one| one.until.is_none());
            open.for_each(|one| one.until = Some(height + 1));
        }
    }
}

/// One step in a block of its own; whether a transaction of it did what the model says.
fn live(world: &mut World, model: &mut Model, (who, what, place, amount): (usize, u8, usize, u64)) {
    let person = [world.alice.clone(), world.bob.clone()][who].clone();
    let validator = world.validators[place].clone();
    let wait_s = [0, 0, 0, 0, 3601, 13 * 3600][usize::from(what)];
    world.time_s += wait_s;
    let (now_s, height) = (world.time_s + 1, world.height + 1);
    let epoch_ends = now_s > epoch(&world.state()).unwrap().ends_s;
    let wide = u128::from(amount);
    let stake = &model.stakes[place];
    let (action, good) = match what {
        0 | 1 => {
            let rich = model.balances[who] >= wide + u128::from(FEE);
            (delegate(&person, &validator, amount), rich && !stake.tombstoned)
        }
        2 => (unbond(&person, &validator, amount), stake.worth(who) >= wide),
        3 => {
            let evidence = world.height;
            world.double_sign(place, evidence);
            world.block(vec![]);
            model.slash(place, evidence);
            if epoch_ends {
                model.end(now_s, height, true);
            }
            return;
        }
        _ => {
            world.block(vec![]);
            if epoch_ends {
                model.end(now_s, height, true);
            }
            return;
        }
    };
    let code = world.one(world.tx(&person, &[action]));
    assert_eq!(code.is_none(), good, "{code:?}");
    model.balances[who] -= u128::from(FEE);
    if good && what == 2 {
        model.stakes[place].sell(who, wide);
        let due_s = now_s + DAY_S;
        model.leaving.push(Leaving { who, from: place, amount: wide, due_s, until: None });
    } else if good {
        model.balances[who] -= wide;
        model.stakes[place].buy(who, wide);
    }
    model.end(now_s, height, epoch_ends);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn stake_is_slashed_as_the_model_says(
        steps in prop::collection::vec((0usize..2, 0u8..6, 0usize..4, 1u64..30_000_000), 1..30)
    ) {
        // All fees are burnt, so that no rewards come to the balances.
        let mut world = World::with(|state| state.params.fee_burn_ppm = 1_000_000);
        let mut model = Model::new();
        for step in steps {
            live(&mut world, &mut model, step);
            for (who, person) in [&world.alice, &world.bob].into_iter().enumerate() {
                let found = balance(&world, person);
                prop_assert_eq!(u128::from(found), model.balances[who]);
                for (place, validator) in world.validators.iter().enumerate() {
                    let found = stake(&world, person, validator);
                    prop_assert_eq!(u128::from(found), model.stakes[place].worth(who));
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn stake_behaves_like_a_plain_map(
        steps in prop::collection::vec(
            (0usize..2, 0u8..4, 0usize..4, 0usize..4, 1u64..30_000_000),
            1..24,
        )
    ) {
        let mut world = World::new();
        let people = [world.alice.clone(), world.bob.clone()];
        let mut model: BTreeMap<(usize, usize), u64> = BTreeMap::new();
        let mut locked: BTreeMap<(usize, usize), u64> = BTreeMap::new();
        let mut balances = [1_000_000_000u64; 2];
        for (who, what, from, to, amount) in steps {
            let (person, a, b) =
                (&people[who], world.validators[from].clone(), world.validators[to].clone());
            let held = model.get(&(who, from)).copied().unwrap_or(0);
            let now_s = world.time_s + 1;
            let (action, good) = match what {
                0 | 1 => (delegate(person, &a, amount), balances[who] >= amount + FEE),
                2 => (unbond(person, &a, amount), held >= amount),
                _ if from == to => continue,
                _ => {
                    let free = locked.get(&(who, from)).is_none_or(|until| *until <= now_s);
                    (redelegate(person, &a, &b, amount), held >= amount && free)
                }
            };
            let code = world.one(world.tx(person, &[action]));
            prop_assert_eq!(code.is_none(), good, "{:?}", code);
            balances[who] -= FEE;
            if !good {
                continue;
            }
            match what {
                0 | 1 => {
                    balances[who] -= amount;
                    *model.entry((who, from)).or_default() += amount;
                }
                _ => *model.entry((who, from)).or_default() -= amount,
            }
            if model[&(who, from)] == 0 {
                locked.remove(&(who, from));
            }
            if what == 3 {
                *model.entry((who, to)).or_default() += amount;
                locked.insert((who, to), now_s + DAY_S);
            }
        }
        for ((who, validator), amount) in model {
            let validator = &world.validators[validator];
            prop_assert_eq!(stake(&world, &people[who], validator), amount);
        }
        for (who, wanted) in balances.into_iter().enumerate() {
            prop_assert_eq!(balance(&world, &people[who]), wanted);
        }
    }
}
