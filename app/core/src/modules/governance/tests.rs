//! Each rule of governance, broken; each kind of proposal, carried out.

use guts_abci::proto::abci::RequestProcessProposal;
use guts_schema::proto::propose::Content;
use guts_schema::proto::{self, ProposalStatus, VoteOption};
use guts_schema::tally::Tally;
use guts_schema::tx::GovernanceAction;
use guts_schema::{Action, Code, events};

use super::{get, proposals, tally};
use crate::fault::Broken;
use crate::modules::{account, params};
use crate::rules::Rules;
use crate::run::Run;
use crate::testing::stake::delegate;
use crate::testing::{FEE, Person, World, balance, done, refused};

const DAY_S: u64 = 24 * 3600;
const ENOUGH: u64 = 1_000_000;

fn act(who: &Person, change: GovernanceAction) -> Action {
    Action::Governance { actor: who.id, change }
}

fn propose(who: &Person, deposit: u64, content: Option<Content>) -> Action {
    let (title, text) = ("better".into(), "because".into());
    act(who, GovernanceAction::Propose(proto::Propose { title, text, deposit, content }))
}

fn deposit(who: &Person, proposal: u64, amount: u64) -> Action {
    act(who, GovernanceAction::Deposit { proposal, amount })
}

fn vote(who: &Person, option: VoteOption) -> Action {
    act(who, GovernanceAction::Vote { proposal: 1, option })
}

fn json(text: &str) -> Option<Content> {
    Some(Content::Params(text.into()))
}

fn status(world: &World) -> ProposalStatus {
    get(&world.state(), 1).unwrap().unwrap().status()
}

/// What the votes on the proposal come to now.
fn so_far(world: &World) -> Tally {
    let votes = get(&world.state(), 1).unwrap().unwrap().votes;
    tally(&world.state(), 1, votes).unwrap()
}

/// Time passes, and a block is made that moves proposals on.
fn pass(world: &mut World, seconds: u64) {
    world.time_s += seconds;
    world.block(vec![]);
}

/// Proposes, with alice holding most of the stake; votes; the vote ends.
fn decided(content: Option<Content>, option: VoteOption) -> World {
    decided_in(World::new(), content, option)
}

fn decided_in(mut world: World, content: Option<Content>, option: VoteOption) -> World {
    let (alice, one) = (world.alice.clone(), world.validators[1].clone());
    done(&mut world, &alice, delegate(&alice, &one, 400_000_000));
    done(&mut world, &alice, propose(&alice, ENOUGH, content));
    done(&mut world, &alice, vote(&alice, option));
    pass(&mut world, DAY_S + 1);
    world
}

#[test]
pub(crate) fn a_vote_opens_when_enough_is_laid_down() {
    let mut world = World::with(|state| state.params.gov_open_max = 1);
    let (alice, bob) = (world.alice.clone(), world.bob.clone());
    let w = &mut world;
    refused(w, &bob, deposit(&bob, 1, 1), Code::ProposalUnknown, "there is no proposal 1");
    let rich = propose(&bob, u64::MAX, None);
    refused(w, &bob, rich, Code::BalanceLow, "is needed");
    done(w, &alice, propose(&alice, 1, None));
    assert_eq!(status(w), ProposalStatus::Deposit);
    refused(w, &bob, propose(&bob, 1, None), Code::ProposalsMany, "1 proposals wait for deposits");
    refused(w, &alice, vote(&alice, VoteOption::Yes), Code::VoteStake, "delegate some first");
    let gateway = w.gateway.clone();
    let early = vote(&gateway, VoteOption::Yes);
    refused(w, &gateway, early.clone(), Code::ProposalPast, "takes no votes now");
    done(w, &bob, deposit(&bob, 1, ENOUGH));
    assert_eq!(status(w), ProposalStatus::Voting);
    refused(w, &bob, deposit(&bob, 1, 1), Code::ProposalPast, "takes no deposits now");
    done(w, &gateway, early);
    // Nobody else votes: too little. What was laid down comes back.
    let before = balance(w, &bob);
    w.time_s += DAY_S;
    let late = w.tx(&gateway, &[vote(&gateway, VoteOption::No)]);
    assert_eq!(w.refused(late).0, Code::ProposalPast);
    assert_eq!(status(w), ProposalStatus::Rejected);
    assert_eq!(balance(w, &bob), before + ENOUGH);
    let reason = get(&w.state(), 1).unwrap().unwrap().reason;
    assert!(reason.contains("too little stake voted"), "{reason}");
}

#[test]
pub(crate) fn a_larger_deposit_pushes_out_the_smallest() {
    let mut world = World::with(|state| state.params.gov_open_max = 2);
    let (alice, bob) = (world.alice.clone(), world.bob.clone());
    let w = &mut world;
    let before = balance(w, &bob);
    done(w, &alice, propose(&alice, 2, None));
    done(w, &bob, propose(&bob, 1, None));
    refused(w, &alice, propose(&alice, 1, None), Code::ProposalsMany, "lay down more");
    done(w, &alice, propose(&alice, 3, None));
    let second = get(&w.state(), 2).unwrap().unwrap();
    assert_eq!(second.status(), ProposalStatus::Dropped);
    assert!(second.reason.contains("a larger deposit"), "{}", second.reason);
    assert_eq!(balance(w, &bob), before - FEE, "what was laid down came back");
    // Whoever lays down enough at once waits for nobody.
    done(w, &bob, propose(&bob, ENOUGH, None));
    assert_eq!(proposals(&w.state()).unwrap().open, [1, 3, 4]);
    done(w, &alice, deposit(&alice, 1, ENOUGH));
    // Votes have a bound of their own.
    let fifth = propose(&bob, ENOUGH, None);
    refused(w, &bob, fifth, Code::VotesMany, "wait for one to end");
    let third = deposit(&alice, 3, ENOUGH);
    refused(w, &alice, third, Code::VotesMany, "2 proposals are voted on");
    done(w, &alice, deposit(&alice, 3, 1));
}

#[test]
fn a_vote_takes_some_stake() {
    let mut world = World::new();
    let (alice, bob, one) = (world.alice.clone(), world.bob.clone(), world.validators[1].clone());
    let w = &mut world;
    done(w, &alice, propose(&alice, ENOUGH, None));
    done(w, &bob, delegate(&bob, &one, 999_999));
    let small = vote(&bob, VoteOption::Yes);
    refused(w, &bob, small.clone(), Code::VoteStake, "999999 of stake, 1000000 is the least");
    done(w, &bob, delegate(&bob, &one, 1));
    done(w, &bob, small);
}

#[test]
fn what_nobody_supports_is_dropped() {
    let mut world = World::new();
    let alice = world.alice.clone();
    let before = balance(&world, &alice);
    done(&mut world, &alice, propose(&alice, 5, None));
    pass(&mut world, DAY_S + 1);
    assert_eq!(status(&world), ProposalStatus::Dropped);
    assert_eq!(balance(&world, &alice), before - FEE);
    assert!(proposals(&world.state()).unwrap().open.is_empty());
}

#[test]
pub(crate) fn so_many_lay_something_down_and_no_more() {
    let mut world = World::with(|state| {
        state.params.gov_deposit_min = 1_000_000_000_000;
        state.account.accounts.extend((1..=100).map(|seed| account::GenesisAccount {
            key: Person::new(seed).secret.public(),
            handle: String::new(),
            balance: 1_000_000,
        }));
    });
    let alice = world.alice.clone();
    done(&mut world, &alice, propose(&alice, 5, None));
    let people: Vec<_> = (1..=100).map(Person::new).collect();
    let txs = people[..99].iter().map(|who| world.tx(who, &[deposit(who, 1, 1)])).collect();
    let outcome = world.block(txs);
    assert!((0..99).all(|index| outcome.code(index).is_none()));
    let more = deposit(&people[99], 1, 1);
    refused(&mut world, &people[99], more, Code::DepositorsMany, "100 accounts laid something");
    done(&mut world, &alice, deposit(&alice, 1, 1));
}

#[test]
fn parameters_change_after_the_time_lock() {
    let mut world = decided(json("{\"epoch_s\": 7200}"), VoteOption::Yes);
    assert_eq!(status(&world), ProposalStatus::Queued);
    assert_eq!(params::get(&world.state()).unwrap().epoch_s, 3600);
    pass(&mut world, DAY_S + 1);
    assert_eq!(status(&world), ProposalStatus::Done);
    assert_eq!(params::get(&world.state()).unwrap().epoch_s, 7200);
}

#[test]
pub(crate) fn parameters_that_cannot_be_are_not_voted_on() {
    let mut world = World::new();
    let alice = world.alice.clone();
    for (text, why) in [
        ("nonsense", "expected"),
        ("{}", "name parameters"),
        ("{\"app_version\": 9}", "upgrades alone"),
        ("{\"no_such\": 1}", "unknown field"),
        ("{\"epoch_s\": 0}", "epoch_s"),
        ("{\"evidence_age_s\": 1}", "what the genesis document says"),
        ("{\"epoch_s\": 1.5}", "floating point"),
    ] {
        let action = propose(&alice, ENOUGH, json(text));
        refused(&mut world, &alice, action, Code::ParamsRefused, why);
    }
}

#[test]
fn an_emergency_is_decided_sooner_and_by_more() {
    let urgent = || Some(Content::Emergency("{\"accept_fee\": false}".into()));
    let mut world = World::new();
    let (alice, bob, one) = (world.alice.clone(), world.bob.clone(), world.validators[1].clone());
    done(&mut world, &alice, delegate(&alice, &one, 60_000_000));
    done(&mut world, &bob, delegate(&bob, &one, 40_000_000));
    done(&mut world, &alice, propose(&alice, ENOUGH, urgent()));
    done(&mut world, &alice, vote(&alice, VoteOption::Yes));
    done(&mut world, &bob, vote(&bob, VoteOption::No));
    pass(&mut world, 3601);
    let reason = get(&world.state(), 1).unwrap().unwrap().reason;
    assert!(reason.contains("too little stake agreed"), "six of ten are not enough: {reason}");
    let mut world = World::new();
    done(&mut world, &alice, delegate(&alice, &one, 90_000_000));
    done(&mut world, &alice, propose(&alice, ENOUGH, urgent()));
    done(&mut world, &alice, vote(&alice, VoteOption::Yes));
    pass(&mut world, 3601);
    assert_eq!(status(&world), ProposalStatus::Done);
    assert!(!params::get(&world.state()).unwrap().accept_fee);
}

#[test]
fn a_veto_burns_what_was_laid_down() {
    let world = decided(None, VoteOption::Veto);
    assert_eq!(status(&world), ProposalStatus::Vetoed);
    assert_eq!(account::supply(&world.state()).unwrap().burnt, ENOUGH);
    let world = decided(None, VoteOption::No);
    assert_eq!(status(&world), ProposalStatus::Rejected);
    assert_eq!(account::supply(&world.state()).unwrap().burnt, 0);
    let world = decided(None, VoteOption::Yes);
    assert_eq!(status(&world), ProposalStatus::Done, "a text has nothing to wait for");
}

#[test]
fn a_veto_needs_the_quorum() {
    let mut world = World::new();
    let (alice, gateway) = (world.alice.clone(), world.gateway.clone());
    done(&mut world, &alice, propose(&alice, ENOUGH, None));
    let before = balance(&world, &alice);
    // A quarter of the stake, all of it against: too little to burn anything.
    done(&mut world, &gateway, vote(&gateway, VoteOption::Veto));
    pass(&mut world, DAY_S + 1);
    assert_eq!(status(&world), ProposalStatus::Rejected);
    assert_eq!(balance(&world, &alice), before + ENOUGH);
    assert_eq!(account::supply(&world.state()).unwrap().burnt, 0);
}

#[test]
pub(crate) fn the_treasury_pays() {
    let spend =
        |who: &Person, amount| Some(Content::Spend(proto::Spend { to: who.id.to_vec(), amount }));
    let mut world = World::new();
    let (alice, bob) = (world.alice.clone(), world.bob.clone());
    let much = propose(&alice, ENOUGH, spend(&bob, u64::MAX));
    refused(&mut world, &alice, much, Code::TreasuryLow, "ask for less");
    let nobody = propose(&alice, ENOUGH, spend(&Person::new(70), 1));
    refused(&mut world, &alice, nobody, Code::AccountUnknown, "does not exist");
    let mut world = decided(spend(&bob, 777), VoteOption::Yes);
    let before = balance(&world, &bob);
    pass(&mut world, DAY_S + 1);
    assert_eq!(balance(&world, &bob), before + 777);
    // What can no longer be done fails, and says why.
    let world = World::with(|state| {
        (state.account.treasury, state.params.faucet_amount) = (1000, 0);
    });
    let mut world = decided_in(world, spend(&bob, 1000), VoteOption::Yes);
    done(&mut world, &alice, propose(&alice, ENOUGH, spend(&bob, 1000)));
    let second = act(&alice, GovernanceAction::Vote { proposal: 2, option: VoteOption::Yes });
    done(&mut world, &alice, second);
    pass(&mut world, DAY_S + 1);
    pass(&mut world, DAY_S + 1);
    let second = get(&world.state(), 2).unwrap().unwrap();
    assert_eq!(second.status(), ProposalStatus::Failed);
    assert!(second.reason.contains("the treasury has 0"), "{}", second.reason);
}

#[test]
fn delegators_speak_for_themselves() {
    let mut world = World::new();
    let (alice, bob, gateway) = (world.alice.clone(), world.bob.clone(), world.gateway.clone());
    let zero = world.validators[0].clone();
    for (who, amount) in [(&alice, 30_000_000), (&bob, 20_000_000)] {
        done(&mut world, who, delegate(who, &zero, amount));
    }
    done(&mut world, &alice, propose(&alice, ENOUGH, None));
    // The operator speaks for its own and for bob's, who says nothing; alice for hers.
    done(&mut world, &gateway, vote(&gateway, VoteOption::No));
    let none = Tally { total: 90_000_000, ..Tally::default() };
    assert_eq!(so_far(&world), Tally { no: 60_000_000, ..none });
    done(&mut world, &alice, vote(&alice, VoteOption::Abstain));
    assert_eq!(so_far(&world), Tally { no: 30_000_000, abstain: 30_000_000, ..none });
    done(&mut world, &alice, vote(&alice, VoteOption::Yes));
    let last = so_far(&world);
    pass(&mut world, DAY_S + 1);
    let proposal = get(&world.state(), 1).unwrap().unwrap();
    assert_eq!(
        Tally::counted(&proposal),
        Some(last),
        "nothing changed between the last look and the count"
    );
    assert_eq!((proposal.yes, proposal.no, proposal.abstain), (30_000_000, 30_000_000, 0));
    assert_eq!((proposal.total, proposal.votes), (90_000_000, 2));
    assert_eq!(proposal.status(), ProposalStatus::Rejected, "half is not more than half");
}

#[test]
fn a_deposit_after_a_rest_comes_too_late() {
    let mut world = World::new();
    let (alice, bob) = (world.alice.clone(), world.bob.clone());
    done(&mut world, &alice, propose(&alice, 1, None));
    world.time_s += DAY_S;
    // The block that ends the rest drops it, after its transactions.
    let late = deposit(&bob, 1, ENOUGH);
    refused(&mut world, &bob, late, Code::ProposalPast, "proposal 1 takes no deposits now");
    assert_eq!(status(&world), ProposalStatus::Dropped);
}

#[test]
pub(crate) fn nobody_is_locked_out_by_parameters() {
    let mut world = World::new();
    let alice = world.alice.clone();
    let mut no = |text: &str, why: &str| {
        refused(&mut world, &alice, propose(&alice, ENOUGH, json(text)), Code::ParamsRefused, why);
    };
    // Each validator has ten millions, each of three accounts a thousand.
    no("{\"power_unit\": 10000001}", "more than two thirds of the stake");
    no("{\"validator_stake_min\": 999999999}", "more than two thirds of the stake");
    no("{\"gov_deposit_min\": 300000001}", "at most 1/10 of what accounts have");
    for good in ["{\"power_unit\": 10000000}", "{\"gov_deposit_min\": 290000000}"] {
        done(&mut world, &alice, propose(&alice, ENOUGH, json(good)));
    }
}

fn upgrade(height: u64, version: u64) -> Option<Content> {
    Some(Content::Upgrade(proto::Upgrade { height, version }))
}

#[test]
pub(crate) fn an_upgrade_that_is_known_begins_at_its_height() {
    let world = World::with(|state| state.params.app_version = 0);
    let mut world = decided_in(world, upgrade(9, 1), VoteOption::Yes);
    pass(&mut world, DAY_S + 1);
    assert_eq!(status(&world), ProposalStatus::Done);
    let (alice, bob) = (world.alice.clone(), world.bob.clone());
    while world.height < 9 {
        assert_eq!(params::get(&world.state()).unwrap().app_version, 0);
        let pay = Action::Transfer { actor: alice.id, to: bob.id, amount: 1 };
        done(&mut world, &alice, pay);
    }
    assert_eq!(params::get(&world.state()).unwrap().app_version, 1);
    let late = propose(&alice, ENOUGH, upgrade(99, 1));
    refused(&mut world, &alice, late, Code::UpgradePast, "leads back");
    let late = propose(&alice, ENOUGH, upgrade(3, 2));
    refused(&mut world, &alice, late, Code::UpgradePast, "comes too late");
}

#[test]
pub(crate) fn what_can_be_no_longer_fails_and_says_why() {
    let failed = |mut world: World, why: &str| {
        pass(&mut world, DAY_S + 1);
        let proposal = get(&world.state(), 1).unwrap().unwrap();
        assert_eq!(proposal.status(), ProposalStatus::Failed);
        assert!(proposal.reason.contains(why), "{}", proposal.reason);
    };
    // Its height comes while the time lock lasts.
    failed(decided(upgrade(5, 2), VoteOption::Yes), "height 5 or version 2 comes too late");
    // What was a tenth of all balances is more, once much of them is bonded.
    let mut world = decided(json("{\"gov_deposit_min\": 250000000}"), VoteOption::Yes);
    let (bob, one) = (world.bob.clone(), world.validators[1].clone());
    done(&mut world, &bob, delegate(&bob, &one, 900_000_000));
    failed(world, "at most 1/10 of what accounts have");
}

#[test]
fn an_upgrade_that_is_not_known_stops_the_program() {
    let mut world = decided(upgrade(7, 2), VoteOption::Yes);
    pass(&mut world, DAY_S + 1);
    while world.height < 6 {
        world.block(vec![]);
    }
    // Known before it comes to that.
    assert!([0, 6].iter().all(|last| world.node.app.check_rules(*last).is_ok()));
    let ahead = [7, u64::MAX].map(|last| world.node.app.check_rules(last).unwrap_err());
    assert!(ahead.iter().all(|one| *one == Broken::Upgrade { height: 7, version: 2, known: 1 }));
    let request = guts_abci::proto::abci::RequestFinalizeBlock {
        hash: vec![1; 32].into(),
        height: 7,
        ..Default::default()
    };
    let stopped = world.node.app.finalize(&request, &crate::Direct).unwrap_err().to_string();
    assert!(stopped.contains("version 2 of the rules holds from height 7 on"), "{stopped}");
    assert!(stopped.contains("guts-app run"), "{stopped}");
}

fn burnt_ppm(world: &World) -> u64 {
    params::get(&world.state()).unwrap().fee_burn_ppm
}

/// What a second version of the rules could want of the state: here, that more is burnt.
fn burn_more(run: &mut Run<'_>) -> Result<(), Broken> {
    let mut params = params::get(&run.state)?;
    params.fee_burn_ppm += 7;
    params::put(run, &params)
}

fn burn_twice(run: &mut Run<'_>) -> Result<(), Broken> {
    let mut params = params::get(&run.state)?;
    params.fee_burn_ppm *= 2;
    params::put(run, &params)
}

#[test]
fn the_program_that_knows_an_upgrade_goes_on_and_migrates_once() {
    let mut world = decided(upgrade(7, 3), VoteOption::Yes);
    pass(&mut world, DAY_S + 1);
    while world.height < 6 {
        world.block(vec![]);
    }
    let process = |world: &mut World| {
        let height = world.height as i64 + 1;
        let hash = vec![1; 32].into();
        let request = RequestProcessProposal { hash, height, ..Default::default() };
        world.node.app.process(&request, &crate::Direct).map_err(|error| error.to_string())
    };
    let stopped = process(&mut world).unwrap_err();
    assert!(stopped.contains("and this program knows 1"), "{stopped}");
    world.install(Rules::new(&[burn_more, burn_twice]));
    let before = burnt_ppm(&world);
    // The replica, which is another node, does the same.
    let outcome = world.block(vec![]);
    assert_eq!(outcome.events(events::UPGRADED)[0]["version"], "3");
    assert_eq!(outcome.version, Some(3), "headers follow");
    assert_eq!(burnt_ppm(&world), (before + 7) * 2, "in their order");
    let alice = world.alice.clone();
    let pay = Action::Transfer { actor: alice.id, to: world.bob.id, amount: 1 };
    let outcome = world.block(vec![world.tx(&alice, &[pay])]);
    assert_eq!((outcome.code(0), outcome.version), (None, None));
    assert_eq!(burnt_ppm(&world), (before + 7) * 2, "once");
    assert_eq!(world.node.app.info().unwrap().app_version, 3);
    // A program that is older than the state does not touch it.
    world.restart();
    let stopped = process(&mut world).unwrap_err();
    assert!(stopped.contains("version 3 of the rules holds from height 9 on"), "{stopped}");
    let older = world.node.app.check_rules(0).unwrap_err();
    assert_eq!(older, Broken::Upgrade { height: 9, version: 3, known: 1 });
}

/// More than half of the stake, and nobody else had the time to come.
#[test]
fn an_emergency_takes_more_than_its_share_of_all_stake() {
    let urgent = || Some(Content::Emergency("{\"jail_s\": 5}".into()));
    for (content, stake, ends) in [
        (json("{\"jail_s\": 5}"), 50_000_000, ProposalStatus::Queued),
        (urgent(), 50_000_000, ProposalStatus::Rejected),
        (urgent(), 400_000_000, ProposalStatus::Done),
    ] {
        let mut world = World::new();
        let (alice, one) = (world.alice.clone(), world.validators[1].clone());
        done(&mut world, &alice, delegate(&alice, &one, stake));
        done(&mut world, &alice, propose(&alice, ENOUGH, content));
        done(&mut world, &alice, vote(&alice, VoteOption::Yes));
        pass(&mut world, DAY_S + 1);
        assert_eq!(status(&world), ends);
    }
}
