//! Stake against a plain map, where nobody does wrong and nothing is given out: with the numbers
//! that people see.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::testing::stake::{delegate, redelegate, stake, unbond};
use crate::testing::{FEE, World, balance};

const DAY_S: u64 = 24 * 3600;

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
