//! Stake against a plain model that has everything which moves it: what people give, take back and
//! move on, what waits and is still answered for, what is taken for two signatures and for none,
//! and what an epoch gives out.

use guts_schema::limits::REWARD_INDEX_BITS;
use guts_schema::tx::StakingAction;
use guts_schema::{AccountId, Action};
use proptest::prelude::*;

use crate::modules::account::{GenesisAccount, Pot, supply};
use crate::modules::staking::{epoch, info, newest};
use crate::testing::stake::{TEN, act, delegate, redelegate, stake, unbond};
use crate::testing::{FEE, Person, World, address, balance};

const DAY_S: u64 = 24 * 3600;
const JAIL_S: u64 = 600;
/// Taken for two signatures at one height, in millionths: the default; for one that is missing.
const PPM_TWO: u64 = 50_000;
const PPM_NONE: u64 = 77_777;
/// Made at the end of each epoch.
const ISSUED: u128 = 12_345;

fn part(amount: u128, ppm: u64) -> u128 {
    amount * u128::from(ppm) / 1_000_000
}

/// What somebody has with a validator.
#[derive(Clone, Copy, Default)]
struct Held {
    shares: u128,
    /// The validator's index up to which rewards were paid out.
    index: u128,
    locked_until_s: u64,
}

/// A validator: its stake, the shares it is divided into, and those of alice and bob.
#[derive(Clone, Default)]
struct Stake {
    tokens: u128,
    shares: u128,
    /// Rewards of a share since genesis.
    index: u128,
    held: [Held; 2],
    is_tombstoned: bool,
    jailed_until_s: Option<u64>,
}

impl Stake {
    fn worth(&self, who: usize) -> u128 {
        (self.held[who].shares * self.tokens).checked_div(self.shares).unwrap_or(0)
    }

    /// What is due to somebody since it was paid out last.
    fn due(&self, who: usize) -> u128 {
        let held = &self.held[who];
        (held.shares * (self.index - held.index)) >> REWARD_INDEX_BITS
    }

    fn buy(&mut self, who: usize, amount: u128) {
        let shares = amount * self.shares / self.tokens;
        self.tokens += amount;
        self.shares += shares;
        self.held[who].shares += shares;
    }

    fn sell(&mut self, who: usize, amount: u128) {
        let all = amount == self.worth(who);
        let held = &mut self.held[who];
        let shares = (amount * self.shares).div_ceil(self.tokens).min(held.shares);
        let shares = if all { held.shares } else { shares };
        held.shares -= shares;
        if held.shares == 0 {
            held.locked_until_s = 0;
        }
        self.tokens -= amount;
        self.shares -= shares;
    }
}

/// Stake on its way to a balance, or for a while from one validator to another.
#[derive(Clone)]
struct Leaving {
    who: usize,
    from: usize,
    to: Option<usize>,
    amount: u128,
    height: u64,
    due_s: u64,
    /// Its power counts up to this height, once the epoch in which it left has ended.
    until: Option<u64>,
}

struct Model {
    stakes: Vec<Stake>,
    leaving: Vec<Leaving>,
    balances: [u128; 2],
    fees: u128,
}

impl Model {
    fn new() -> Self {
        let genesis = Stake { tokens: TEN.into(), shares: TEN.into(), ..Default::default() };
        let balances = [1_000_000_000; 2];
        Self { stakes: vec![genesis; 4], leaving: Vec::new(), balances, fees: 0 }
    }

    fn settle(&mut self, who: usize, place: usize) {
        let stake = &mut self.stakes[place];
        self.balances[who] += stake.due(who);
        stake.held[who].index = stake.index;
    }

    fn claim(&mut self, who: usize, place: usize) -> bool {
        let is_due = self.stakes[place].due(who) > 0;
        if is_due {
            self.settle(who, place);
        }
        is_due
    }

    fn delegate(&mut self, who: usize, place: usize, amount: u128) -> bool {
        if self.balances[who] < amount || self.stakes[place].is_tombstoned {
            return false;
        }
        self.balances[who] -= amount;
        self.settle(who, place);
        self.stakes[place].buy(who, amount);
        true
    }

    /// Takes stake out of a validator: it leaves in this block, and answers for it for a day.
    fn take(&mut self, entry: Leaving) -> bool {
        let Leaving { who, from, amount, .. } = entry;
        if self.stakes[from].worth(who) < amount {
            return false;
        }
        self.settle(who, from);
        self.stakes[from].sell(who, amount);
        self.leaving.push(entry);
        true
    }

    fn redelegate(&mut self, entry: Leaving, now_s: u64) -> bool {
        let Leaving { who, from, to: Some(to), amount, due_s, .. } = entry else { return false };
        let is_locked = self.stakes[from].held[who].locked_until_s > now_s;
        if self.stakes[to].is_tombstoned || is_locked || !self.take(entry) {
            return false;
        }
        self.settle(who, to);
        self.stakes[to].buy(who, amount);
        self.stakes[to].held[who].locked_until_s = due_s;
        true
    }

    /// Takes a part of what answers for a validator at a height: what left it first, then what it
    /// has. What moved on is looked for where it is now, then on its way from there.
    fn slash(&mut self, place: usize, ppm: u64, height: u64) {
        let answers =
            |one: &Leaving| one.from == place && one.until.is_none_or(|until| until >= height);
        let all = self.leaving.clone();
        for (number, one) in all.iter().enumerate().filter(|(_, one)| answers(one)) {
            let mut rest = part(one.amount, ppm);
            let Some(to) = one.to else {
                let amount = &mut self.leaving[number].amount;
                *amount -= rest.min(*amount);
                continue;
            };
            let amount = rest.min(self.stakes[to].worth(one.who));
            if amount > 0 {
                self.settle(one.who, to);
                self.stakes[to].sell(one.who, amount);
                rest -= amount;
            }
            let after = |next: &&mut Leaving| {
                let is_it = next.who == one.who && next.from == to && next.to.is_none();
                is_it && next.height >= one.height
            };
            for next in self.leaving.iter_mut().filter(after) {
                let amount = rest.min(next.amount);
                next.amount -= amount;
                rest -= amount;
            }
        }
        let tokens = &mut self.stakes[place].tokens;
        *tokens -= part(*tokens, ppm);
    }

    fn double_sign(&mut self, place: usize, height: u64) {
        if !std::mem::replace(&mut self.stakes[place].is_tombstoned, true) {
            self.slash(place, PPM_TWO, height);
        }
    }

    /// A validator of the set did not sign a block with transactions: once is too often.
    fn miss(&mut self, place: usize, height: u64, now_s: u64) {
        let stake = &self.stakes[place];
        if !stake.is_tombstoned && stake.jailed_until_s.is_none() {
            self.slash(place, PPM_NONE, height);
            self.stakes[place].jailed_until_s = Some(now_s + JAIL_S);
        }
    }

    /// What the end of a block does in which transactions were, or in which an epoch ends; `set` is
    /// who was elected last.
    fn end(&mut self, now_s: u64, height: u64, set: &[usize], epoch_ends: bool) {
        let due = self.leaving.iter().take_while(|one| one.due_s <= now_s).count();
        for one in self.leaving.drain(..due).filter(|one| one.to.is_none()) {
            self.balances[one.who] += one.amount;
        }
        if !epoch_ends {
            return;
        }
        let open = self.leaving.iter_mut().filter(|one| one.until.is_none());
        open.for_each(|one| one.until = Some(height + 1));
        let good = |place: &&usize| {
            let stake = &self.stakes[**place];
            !stake.is_tombstoned && stake.jailed_until_s.is_none() && stake.shares > 0
        };
        let sharing: Vec<usize> = set.iter().filter(good).copied().collect();
        let total: u128 = sharing.iter().map(|place| self.stakes[*place].tokens).sum();
        if total == 0 {
            return;
        }
        self.fees += ISSUED;
        let fees = self.fees;
        for place in sharing {
            let stake = &mut self.stakes[place];
            let given = fees * stake.tokens / total;
            stake.index += (given << REWARD_INDEX_BITS) / stake.shares;
            self.fees -= given;
        }
    }
}

/// Who does what with which validators, and how much of it.
type Step = (usize, u8, usize, usize, u64);

fn places(world: &World) -> Vec<usize> {
    let set = newest(&world.state()).unwrap();
    let is_in = |one: &Person| set.iter().any(|v| v.address == address(one).to_vec());
    (0..4).filter(|place| is_in(&world.validators[*place])).collect()
}

/// A block without transactions, after some time.
fn rest(world: &mut World, model: &mut Model) {
    let (now_s, height, set) = (world.time_s + 1, world.height + 1, places(world));
    let epoch_ends = now_s > epoch(&world.state()).unwrap().ends_s;
    world.block(vec![]);
    if epoch_ends {
        model.end(now_s, height, &set, true);
    }
}

/// One step in a block of its own; whether a transaction of it did what the model says.
fn live(world: &mut World, model: &mut Model, (who, what, place, to, amount): Step) {
    let person = [&world.alice, &world.bob][who].clone();
    let [validator, other] = [place, to].map(|place| world.validators[place].clone());
    let (now_s, height, set) = (world.time_s + 1, world.height + 1, places(world));
    let epoch_ends = now_s > epoch(&world.state()).unwrap().ends_s;
    let wide = u128::from(amount);
    let due_s = now_s + DAY_S;
    let entry = Leaving { who, from: place, to: None, amount: wide, height, due_s, until: None };
    match what {
        10 | 11 => {
            world.time_s += [3601, 13 * 3600][usize::from(what - 10)];
            return rest(world, model);
        }
        9 => {
            model.double_sign(place, world.height);
            world.double_sign(place, world.height);
            return rest(world, model);
        }
        _ => {}
    }
    // Validator 0 is the gateway's, the others are their own operators.
    let operator = if place == 0 { world.gateway.clone() } else { validator.clone() };
    let payer = if what == 8 { &operator } else { &person };
    if what != 8 {
        model.balances[who] -= u128::from(FEE);
    }
    model.fees += u128::from(FEE);
    let (action, good) = match what {
        0..=2 => (delegate(&person, &validator, amount), model.delegate(who, place, wide)),
        3 => (unbond(&person, &validator, amount), model.take(entry)),
        4 | 5 if place != to => {
            let good = model.redelegate(Leaving { to: Some(to), ..entry }, now_s);
            (redelegate(&person, &validator, &other, amount), good)
        }
        4..=6 => {
            let claim = StakingAction::ClaimRewards { validator: address(&validator) };
            (act(&person, claim), model.claim(who, place))
        }
        7 => {
            world.absent = vec![place];
            let to = AccountId::of_key(&world.gateway.secret.public());
            model.balances[who] -= 1;
            (Action::Transfer { actor: person.id, to, amount: 1 }, true)
        }
        _ => {
            let stake = &mut model.stakes[place];
            let is_over = stake.jailed_until_s.is_some_and(|until_s| until_s <= now_s);
            let good = is_over && !stake.is_tombstoned && stake.tokens >= 1_000_000;
            if good {
                stake.jailed_until_s = None;
            }
            (act(&operator, StakingAction::Unjail), good)
        }
    };
    let code = world.one(world.tx(payer, &[action]));
    assert_eq!(code.is_none(), good, "{what}: {code:?}");
    if !std::mem::take(&mut world.absent).is_empty() && set.contains(&place) {
        model.miss(place, height, now_s);
    }
    model.end(now_s, height, &set, epoch_ends);
}

fn world() -> World {
    World::with(|state| {
        let params = &mut state.params;
        (params.missed_window, params.missed_max, params.jail_s) = (1, 0, JAIL_S);
        params.slash_downtime_ppm = PPM_NONE;
        params.issuance_per_epoch = u64::try_from(ISSUED).unwrap();
        state.account.accounts.extend((2..=4).map(|seed| GenesisAccount {
            key: Person::new(seed).secret.public(),
            handle: String::new(),
            balance: 1_000_000_000,
        }));
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn stake_is_slashed_and_rewarded_as_the_model_says(
        steps in prop::collection::vec(
            (0usize..2, 0u8..12, 0usize..4, 0usize..4, 1u64..20_000_000),
            1..40,
        )
    ) {
        let (mut world, mut model) = (world(), Model::new());
        for step in steps {
            live(&mut world, &mut model, step);
            let state = world.state();
            for (place, validator) in world.validators.iter().enumerate() {
                let found = info(&state, &address(validator)).unwrap().unwrap();
                let wanted = &model.stakes[place];
                prop_assert_eq!(u128::from(found.tokens), wanted.tokens);
                prop_assert_eq!(u128::from(found.shares), wanted.shares);
                for (who, person) in [&world.alice, &world.bob].into_iter().enumerate() {
                    let found = stake(&world, person, validator);
                    prop_assert_eq!(u128::from(found), wanted.worth(who));
                }
            }
            for (who, person) in [&world.alice, &world.bob].into_iter().enumerate() {
                prop_assert_eq!(u128::from(balance(&world, person)), model.balances[who]);
            }
            prop_assert_eq!(u128::from(Pot::Fees.of(&supply(&state).unwrap())), model.fees);
        }
    }
}
