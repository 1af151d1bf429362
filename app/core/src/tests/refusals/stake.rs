//! Validators, stake, the faucet, and what the network decides.

use guts_schema::proto::propose::Content;
use guts_schema::proto::{self, VoteOption};
use guts_schema::tx::{Draft, GovernanceAction, StakingAction, ValidatorEdit};
use guts_schema::{Action, Code};

use super::Said;
use crate::genesis::AppState;
use crate::modules::account::{GenesisAccount, newest_anchor};
use crate::testing::stake::{TEN, act, bond, delegate, redelegate, unbond};
use crate::testing::{CHAIN, Person, World, address, done};

/// What opens a vote.
const ENOUGH: u64 = 1_000_000;

pub(super) fn provoke(said: &mut Said) {
    validators(said);
    fallen_validators(said);
    stake(said);
    faucet(said);
    proposals(said);
    full_houses(said);
}

fn commission(who: &Person, ppm: u32) -> Action {
    let edit = ValidatorEdit { commission_ppm: Some(ppm), ..ValidatorEdit::default() };
    act(who, StakingAction::EditValidator(edit))
}

fn unjail(who: &Person) -> Action {
    act(who, StakingAction::Unjail)
}

fn validators(said: &mut Said) {
    let mut world = World::new();
    let w = &mut world;
    let (alice, bob, gateway) = (w.alice.clone(), w.bob.clone(), w.gateway.clone());
    let (one, key) = (w.validators[1].clone(), Person::new(60));
    said.no(w, &alice, Code::ValidatorUnknown, delegate(&alice, &key, 1));
    said.no(w, &alice, Code::ValidatorExists, bond(&alice, &one, TEN));
    said.no(w, &gateway, Code::OperatorBusy, bond(&gateway, &key, TEN));
    said.no(w, &alice, Code::StakeSmall, bond(&alice, &key, 1));
    said.no(w, &alice, Code::NotOperator, unjail(&alice));
    said.no(w, &gateway, Code::NotJailed, unjail(&gateway));
    done(w, &bob, bond(&bob, &key, TEN));
    said.no(w, &bob, Code::CommissionStep, commission(&bob, 200_000));
    said.no(w, &bob, Code::CommissionEarly, commission(&bob, 100_001));
    let claim = act(&alice, StakingAction::ClaimRewards { validator: address(&one) });
    said.no(w, &alice, Code::RewardsNone, claim);
    let mut world = World::with(|state| {
        (state.params.validators_max, state.params.candidates_max) = (4, 5);
    });
    done(&mut world, &bob, bond(&bob, &key, TEN));
    let other = Person::new(61);
    said.no(&mut world, &alice, Code::CandidatesMany, bond(&alice, &other, TEN));
}

fn fallen_validators(said: &mut Said) {
    let mut world = World::with(|state| {
        (state.params.missed_window, state.params.missed_max) = (10, 3);
        state.params.slash_downtime_ppm = 1_000_000;
    });
    let w = &mut world;
    let (alice, gateway, zero) = (w.alice.clone(), w.gateway.clone(), w.validators[0].clone());
    w.absent = vec![0];
    for _ in 0..4 {
        let pay = Action::Transfer { actor: alice.id, to: gateway.id, amount: 1 };
        done(w, &alice, pay);
    }
    said.no(w, &gateway, Code::JailedUntil, unjail(&gateway));
    said.no(w, &alice, Code::ValidatorEmpty, delegate(&alice, &zero, 5));
    w.double_sign(0, 1);
    said.no(w, &gateway, Code::Tombstoned, unjail(&gateway));
}

fn stake(said: &mut Said) {
    let mut world = World::new();
    let w = &mut world;
    let alice = w.alice.clone();
    let (one, two) = (w.validators[1].clone(), w.validators[2].clone());
    said.no(w, &alice, Code::StakeLow, unbond(&alice, &one, 1));
    done(w, &alice, delegate(&alice, &one, TEN));
    done(w, &alice, redelegate(&alice, &one, &two, 5));
    said.no(w, &alice, Code::StakeLocked, redelegate(&alice, &two, &one, 5));
    for count in [16, 16, 16, 15] {
        let many = vec![unbond(&alice, &one, 1); count];
        assert_eq!(w.one(w.tx(&alice, &many)), None);
    }
    said.no(w, &alice, Code::UnbondingsMany, unbond(&alice, &one, 1));
    let mut world = World::with(|state| state.params.unbondings_max = 1);
    let w = &mut world;
    done(w, &alice, delegate(&alice, &one, TEN));
    done(w, &alice, unbond(&alice, &one, 1));
    said.no(w, &alice, Code::UnbondingsAll, unbond(&alice, &one, 1));
    let mut world = World::try_genesis(65, &World::genesis()).unwrap();
    let validators = world.validators.clone();
    for part in validators[..64].chunks(16) {
        let many: Vec<_> = part.iter().map(|to| delegate(&alice, to, 1)).collect();
        assert_eq!(world.one(world.tx(&alice, &many)), None);
    }
    said.no(&mut world, &alice, Code::DelegationsMany, delegate(&alice, &validators[64], 1));
}

fn faucet(said: &mut Said) {
    let easy = |treasury| {
        World::with(|state: &mut AppState| {
            state.params.prices.iter_mut().for_each(|price| price.work = 0);
            (state.params.work_per_byte, state.account.treasury) = (0, treasury);
        })
    };
    let draw = |world: &World| {
        let alice = &world.alice;
        let (number, anchor) = newest_anchor(&world.state()).unwrap();
        let action = Action::DrawFaucet { actor: alice.id };
        let draft = Draft::new(CHAIN, alice.id, world.nonce(alice), &[action]);
        draft.work(number, anchor, 0).sign(alice.id, &alice.secret).encode()
    };
    let mut world = easy(1_000_000);
    let alice = world.alice.clone();
    let action = Action::DrawFaucet { actor: alice.id };
    said.no(&mut world, &alice, Code::FaucetWork, action);
    let first = draw(&world);
    assert_eq!(world.one(first), None);
    let second = draw(&world);
    said.tx(&mut world, Code::FaucetDrawn, second);
    let mut world = easy(7);
    let tx = draw(&world);
    said.tx(&mut world, Code::FaucetEmpty, tx);
}

fn decide(who: &Person, change: GovernanceAction) -> Action {
    Action::Governance { actor: who.id, change }
}

fn propose(who: &Person, deposit: u64, content: Option<Content>) -> Action {
    let (title, text) = ("better".into(), "because".into());
    decide(who, GovernanceAction::Propose(proto::Propose { title, text, deposit, content }))
}

fn deposit(who: &Person, proposal: u64) -> Action {
    decide(who, GovernanceAction::Deposit { proposal, amount: 1 })
}

fn proposals(said: &mut Said) {
    let mut world = World::new();
    let w = &mut world;
    let (alice, bob, gateway) = (w.alice.clone(), w.bob.clone(), w.gateway.clone());
    let vote =
        |who: &Person| decide(who, GovernanceAction::Vote { proposal: 1, option: VoteOption::Yes });
    let no = |content| propose(&alice, ENOUGH, Some(content));
    said.no(w, &alice, Code::ProposalUnknown, deposit(&alice, 1));
    let params = |json: &str| Content::Params(json.into());
    said.no(w, &alice, Code::ParamsRefused, no(params("{}")));
    said.no(w, &alice, Code::ParamsRefused, no(params("{\"evidence_age_s\": 1}")));
    said.no(w, &alice, Code::ParamsRefused, no(params("{\"epoch_s\": 0}")));
    said.no(w, &alice, Code::ParamsRefused, no(params("{\"power_unit\": 10000001}")));
    said.no(w, &alice, Code::ParamsRefused, no(params("{\"gov_deposit_min\": 999999999}")));
    let upgrade = Content::Upgrade(proto::Upgrade { height: 1, version: 2 });
    said.no(w, &alice, Code::UpgradePast, no(upgrade));
    let spend = Content::Spend(proto::Spend { to: bob.id.to_vec(), amount: u64::MAX });
    said.no(w, &alice, Code::TreasuryLow, no(spend));
    done(w, &alice, propose(&alice, 1, None));
    said.no(w, &gateway, Code::ProposalPast, vote(&gateway));
    said.no(w, &alice, Code::VoteStake, vote(&alice));
}

fn full_houses(said: &mut Said) {
    let mut world = World::with(|state| state.params.gov_open_max = 1);
    let w = &mut world;
    let (alice, bob) = (w.alice.clone(), w.bob.clone());
    done(w, &alice, propose(&alice, 1, None));
    said.no(w, &bob, Code::ProposalsMany, propose(&bob, 1, None));
    done(w, &alice, propose(&alice, ENOUGH, None));
    said.no(w, &bob, Code::VotesMany, propose(&bob, ENOUGH, None));
    let mut world = World::with(|state| {
        state.params.gov_deposit_min = 1_000_000_000_000;
        state.account.accounts.extend((1..=100).map(|seed| GenesisAccount {
            key: Person::new(seed).secret.public(),
            handle: String::new(),
            balance: 1_000_000,
        }));
    });
    let w = &mut world;
    done(w, &alice, propose(&alice, 1, None));
    let people: Vec<_> = (1..=100).map(Person::new).collect();
    let txs = people[..99].iter().map(|who| w.tx(who, &[deposit(who, 1)])).collect();
    w.block(txs);
    said.no(w, &people[99], Code::DepositorsMany, deposit(&people[99], 1));
}
