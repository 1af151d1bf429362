//! Decisions against a plain model: what is laid down and comes back, who speaks for which stake,
//! what the votes come to, and what is carried out.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use guts_schema::proto::propose::Content;
use guts_schema::proto::{self, ProposalStatus as Status, VoteOption};
use guts_schema::tally::Tally;
use guts_schema::tx::GovernanceAction;
use guts_schema::{AccountId, Action};
use proptest::prelude::*;

use crate::modules::account::{GenesisAccount, Pot, supply};
use crate::modules::{governance, params, staking};
use crate::testing::stake::{TEN, delegate};
use crate::testing::{FEE, Person, World, balance};

const DEPOSIT_S: u64 = 500;
const VOTING_S: u64 = 1000;
const EMERGENCY_S: u64 = 300;
const TIMELOCK_S: u64 = 700;
/// What opens a vote, and the stake that one votes with: the defaults.
const ENOUGH: u64 = 1_000_000;
/// Open at a time, of each kind.
const OPEN_MAX: usize = 2;
/// What one proposal asks of the treasury, which has enough for one.
const SPENT: u64 = 2000;
/// Shares in millionths: the defaults.
const QUORUM: u128 = 334_000;
const VETO: u128 = 334_000;
const OPTIONS: [VoteOption; 4] =
    [VoteOption::Yes, VoteOption::No, VoteOption::Veto, VoteOption::Abstain];

/// What is proposed: nothing, a parameter, the same at once, money for alice.
#[derive(Clone, Copy, Debug, PartialEq)]
enum What {
    Text,
    Jail(u64),
    JailNow(u64),
    Spend,
}

struct Proposal {
    what: What,
    status: Status,
    until_s: u64,
    deposits: BTreeMap<usize, u64>,
    votes: BTreeMap<usize, VoteOption>,
    tally: Option<Tally>,
}

impl Proposal {
    fn laid_down(&self) -> u64 {
        self.deposits.values().sum()
    }
}

/// People 2 and 3 operate the first two validators; nobody speaks for the others.
struct Model {
    balances: [u64; 4],
    /// Stake by whose it is and which validator has it; those who never act are past the people.
    stakes: BTreeMap<(usize, usize), u64>,
    proposals: Vec<Proposal>,
    treasury: u64,
    jail_s: u64,
}

fn operator(validator: usize) -> usize {
    validator + 2
}

impl Model {
    fn new() -> Self {
        let own = |validator| ((operator(validator), validator), TEN);
        Self {
            balances: [1_000_000_000; 4],
            stakes: (0..4).map(own).collect(),
            proposals: Vec::new(),
            treasury: SPENT + 1,
            jail_s: 600,
        }
    }

    fn count(&self, of: impl Fn(Status) -> bool) -> usize {
        self.proposals.iter().filter(|one| of(one.status)).count()
    }

    /// What was laid down goes back.
    fn refund(&mut self, place: usize) {
        for (who, amount) in std::mem::take(&mut self.proposals[place].deposits) {
            self.balances[who] += amount;
        }
    }

    fn propose(&mut self, who: usize, what: What, amount: u64, now_s: u64) -> bool {
        if self.balances[who] < amount || (what == What::Spend && self.treasury < SPENT) {
            return false;
        }
        let mut out = None;
        if amount < ENOUGH && self.count(|status| status == Status::Deposit) >= OPEN_MAX {
            let waiting = self.proposals.iter().enumerate();
            let waiting = waiting.filter(|(_, one)| one.status == Status::Deposit);
            let least = waiting.min_by_key(|(place, one)| (one.laid_down(), Reverse(*place)));
            match least.filter(|(_, one)| one.laid_down() < amount) {
                Some((place, _)) => out = Some(place),
                None => return false,
            }
        }
        self.proposals.push(Proposal {
            what,
            status: Status::Deposit,
            until_s: now_s + DEPOSIT_S,
            deposits: BTreeMap::new(),
            votes: BTreeMap::new(),
            tally: None,
        });
        if !self.lay_down(who, self.proposals.len() - 1, amount, now_s) {
            self.proposals.pop();
            return false;
        }
        if let Some(place) = out {
            self.refund(place);
            self.proposals[place].status = Status::Dropped;
        }
        true
    }

    fn lay_down(&mut self, who: usize, place: usize, amount: u64, now_s: u64) -> bool {
        let is_open = |status| matches!(status, Status::Voting | Status::Queued);
        let is_full = self.count(is_open) >= OPEN_MAX;
        if self.balances[who] < amount || place >= self.proposals.len() {
            return false;
        }
        let one = &mut self.proposals[place];
        let opens = one.laid_down() + amount >= ENOUGH;
        if one.status != Status::Deposit || now_s > one.until_s || (opens && is_full) {
            return false;
        }
        self.balances[who] -= amount;
        *one.deposits.entry(who).or_default() += amount;
        if opens {
            let is_urgent = matches!(one.what, What::JailNow(_));
            one.status = Status::Voting;
            one.until_s = now_s + if is_urgent { EMERGENCY_S } else { VOTING_S };
        }
        true
    }

    fn vote(&mut self, who: usize, place: usize, option: VoteOption, now_s: u64) -> bool {
        let speaks = |&(&(holder, validator), _): &(&(usize, usize), &u64)| {
            holder == who || operator(validator) == who
        };
        let stake: u64 = self.stakes.iter().filter(speaks).map(|(_, amount)| amount).sum();
        let one = self.proposals.get_mut(place);
        match one.filter(|one| one.status == Status::Voting && now_s <= one.until_s) {
            Some(one) if stake >= ENOUGH => {
                one.votes.insert(who, option);
                true
            }
            _ => false,
        }
    }

    /// Each stake speaks once: whose it is, if that one votes, else who operates the validator.
    fn tally(&self, votes: &BTreeMap<usize, VoteOption>) -> Tally {
        let mut tally = Tally::default();
        for (&(holder, validator), amount) in &self.stakes {
            tally.total += amount;
            match votes.get(&holder).or_else(|| votes.get(&operator(validator))) {
                Some(VoteOption::Yes) => tally.yes += amount,
                Some(VoteOption::No) => tally.no += amount,
                Some(VoteOption::Veto) => tally.veto += amount,
                Some(VoteOption::Abstain) => tally.abstain += amount,
                None => {}
            }
        }
        tally
    }

    /// The end of a block that is not empty, or in which an epoch ends.
    fn end(&mut self, now_s: u64) {
        for place in 0..self.proposals.len() {
            let one = &self.proposals[place];
            match one.status {
                _ if now_s <= one.until_s => {}
                Status::Deposit => {
                    self.refund(place);
                    self.proposals[place].status = Status::Dropped;
                }
                Status::Voting => self.decide(place, now_s),
                Status::Queued => self.carry_out(place),
                _ => {}
            }
        }
    }

    fn decide(&mut self, place: usize, now_s: u64) {
        let tally = self.tally(&self.proposals[place].votes);
        self.proposals[place].tally = Some(tally);
        let [yes, no, veto, abstain] =
            [tally.yes, tally.no, tally.veto, tally.abstain].map(u128::from);
        let (cared, million) = (yes + no + veto, 1_000_000);
        let cast = cared + abstain;
        let is_urgent = matches!(self.proposals[place].what, What::JailNow(_));
        let (of, bar) =
            if is_urgent { (u128::from(tally.total), 667_000) } else { (cared, 500_000) };
        let came = cast > 0 && cast >= u128::from(tally.total) * QUORUM / million;
        if came && veto * million > cast * VETO {
            // Burnt.
            self.proposals[place].deposits.clear();
            self.proposals[place].status = Status::Vetoed;
            return;
        }
        self.refund(place);
        let one = &mut self.proposals[place];
        if !came || yes * million <= of * bar {
            one.status = Status::Rejected;
        } else if matches!(one.what, What::Text | What::JailNow(_)) {
            self.carry_out(place);
        } else {
            (one.status, one.until_s) = (Status::Queued, now_s + TIMELOCK_S);
        }
    }

    fn carry_out(&mut self, place: usize) {
        self.proposals[place].status = Status::Done;
        match self.proposals[place].what {
            What::Text => {}
            What::Jail(jail_s) | What::JailNow(jail_s) => self.jail_s = jail_s,
            What::Spend if self.treasury >= SPENT => {
                self.treasury -= SPENT;
                self.balances[0] += SPENT;
            }
            What::Spend => self.proposals[place].status = Status::Failed,
        }
    }
}

fn content(what: What, to: &AccountId) -> Option<Content> {
    let json = |jail_s| format!("{{\"jail_s\": {jail_s}}}");
    match what {
        What::Text => None,
        What::Jail(jail_s) => Some(Content::Params(json(jail_s))),
        What::JailNow(jail_s) => Some(Content::Emergency(json(jail_s))),
        What::Spend => Some(Content::Spend(proto::Spend { to: to.to_vec(), amount: SPENT })),
    }
}

/// Who does what, with which proposal, and a number for what it takes.
type Step = (usize, u8, usize, u64);

/// One step in a block of its own: it does what the model says.
fn live(world: &mut World, model: &mut Model, (who, act, place, form): Step) {
    let people = people(world);
    let person = &people[who];
    let wait_s = [0, 0, 0, 0, 0, 0, 0, 0, 250, 1200][usize::from(act)];
    world.time_s += wait_s;
    let now_s = world.time_s + 1;
    let epoch_ends = now_s > staking::epoch(&world.state()).unwrap().ends_s;
    if wait_s > 0 {
        world.block(vec![]);
        if epoch_ends {
            model.end(now_s);
        }
        return;
    }
    model.balances[who] -= FEE;
    let number = place as u64 + 1;
    let amount = [1, ENOUGH / 2, ENOUGH, u64::MAX][usize::try_from(form % 4).unwrap()];
    let (change, good) = match act {
        0 | 1 => {
            let what = match place % 4 {
                0 => What::Text,
                1 => What::Jail(601 + form),
                2 => What::JailNow(601 + form),
                _ => What::Spend,
            };
            let propose = proto::Propose {
                title: "t".into(),
                text: "x".into(),
                deposit: amount,
                content: content(what, &people[0].id),
            };
            let good = model.propose(who, what, amount, now_s);
            (GovernanceAction::Propose(propose), good)
        }
        2 => {
            let good = model.lay_down(who, place, amount, now_s);
            (GovernanceAction::Deposit { proposal: number, amount }, good)
        }
        3..=6 => {
            let option = OPTIONS[usize::try_from(form % 4).unwrap()];
            let good = model.vote(who, place, option, now_s);
            (GovernanceAction::Vote { proposal: number, option }, good)
        }
        _ => {
            let (validator, amount) = (place % 4, 1 + form * 1_000_000);
            let action = delegate(person, &world.validators[validator], amount);
            assert_eq!(world.one(world.tx(person, &[action])), None);
            model.balances[who] -= amount;
            *model.stakes.entry((who, validator)).or_default() += amount;
            model.end(now_s);
            return;
        }
    };
    let action = Action::Governance { actor: person.id, change };
    let code = world.one(world.tx(person, &[action]));
    assert_eq!(code.is_none(), good, "{act}: {code:?}");
    model.end(now_s);
}

fn people(world: &World) -> [Person; 4] {
    [&world.alice, &world.bob, &world.gateway, &world.validators[1]].map(Clone::clone)
}

fn assert_same(world: &World, model: &Model) {
    let state = world.state();
    for (who, person) in people(world).iter().enumerate() {
        assert_eq!(balance(world, person), model.balances[who], "{who}");
    }
    assert_eq!(governance::proposals(&state).unwrap().count, model.proposals.len() as u64);
    for (number, wanted) in (1..).zip(&model.proposals) {
        let found = governance::get(&state, number).unwrap().unwrap();
        assert_eq!(found.status(), wanted.status, "{number}: {found:?}");
        assert_eq!(Tally::counted(&found), wanted.tally, "{number}");
        let laid_down: u64 = found.deposits.iter().map(|one| one.amount).sum();
        assert_eq!(laid_down, wanted.laid_down(), "{number}");
        if wanted.status == Status::Voting {
            let so_far = governance::tally(&state, number, found.votes).unwrap();
            assert_eq!(so_far, model.tally(&wanted.votes), "{number}");
        }
    }
    assert_eq!(params::get(&state).unwrap().jail_s, model.jail_s);
    assert_eq!(Pot::Treasury.of(&supply(&state).unwrap()), model.treasury);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn what_is_decided_is_what_a_plain_model_decides(
        steps in prop::collection::vec((0usize..4, 0u8..10, 0usize..5, 0u64..12), 1..50)
    ) {
        let mut world = World::with(|state| {
            let params = &mut state.params;
            (params.gov_deposit_s, params.gov_voting_s) = (DEPOSIT_S, VOTING_S);
            (params.gov_emergency_voting_s, params.gov_timelock_s) = (EMERGENCY_S, TIMELOCK_S);
            (params.gov_open_max, params.fee_burn_ppm) = (OPEN_MAX as u64, 1_000_000);
            state.account.treasury = SPENT + 1;
            // The second validator's key is its operator's, too.
            let key = Person::new(2).secret.public();
            let operator = GenesisAccount { key, handle: String::new(), balance: 1_000_000_000 };
            state.account.accounts.push(operator);
        });
        let mut model = Model::new();
        for step in steps {
            live(&mut world, &mut model, step);
            assert_same(&world, &model);
        }
    }
}
