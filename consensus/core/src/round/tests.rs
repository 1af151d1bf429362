//! The paper's rules, one by one, and the lock under attack.
use super::*;
use crate::types::{Hash, PartSetHeader};

fn id(name: &str) -> BlockId {
    BlockId {
        hash: Hash::of(name.as_bytes()),
        parts: PartSetHeader { total: 1, hash: Hash::of(b"parts") },
    }
}

fn started(proposer: bool) -> Machine {
    let mut machine = Machine::new();
    let effect = machine.step(Event::StartRound { round: Round(0), proposer });
    let wanted = if proposer { Effect::Propose(None) } else { Effect::Timer(Step::Propose) };
    assert_eq!(effect, Some(wanted));
    machine
}

fn proposal(name: &str, pol_round: Option<u32>) -> Event {
    Event::Proposal { id: id(name), valid: true, pol_round: pol_round.map(Round) }
}

#[test]
fn the_happy_path_locks_and_decides() {
    let mut machine = started(false);
    assert_eq!(machine.step(proposal("a", None)), Some(Effect::Prevote(Some(id("a")))));
    assert_eq!(machine.step(Event::Polka(id("a"))), Some(Effect::Precommit(Some(id("a")))));
    assert_eq!(machine.locked, Some((Round(0), id("a"))));
    let decided = machine.step(Event::Commit(Round(0), id("a")));
    assert_eq!(decided, Some(Effect::Decide(Round(0), id("a"))));
    assert_eq!(machine.step(Event::TimeoutPrecommit(Round(0))), None);
    machine.check_invariants();
}

#[test]
fn timeouts_lead_to_the_next_round() {
    let mut machine = started(false);
    assert_eq!(machine.step(Event::TimeoutPropose(Round(1))), None, "not of this round");
    assert_eq!(machine.step(Event::TimeoutPropose(Round(0))), Some(Effect::Prevote(None)));
    assert_eq!(machine.step(Event::PrevoteAny), Some(Effect::Timer(Step::Prevote)));
    assert_eq!(machine.step(Event::PrevoteAny), None, "only once");
    assert_eq!(machine.step(Event::TimeoutPrevote(Round(0))), Some(Effect::Precommit(None)));
    assert_eq!(machine.step(Event::PrecommitAny), Some(Effect::Timer(Step::Precommit)));
    assert_eq!(machine.step(Event::TimeoutPrecommit(Round(0))), Some(Effect::Start(Round(1))));
}

#[test]
fn s3_a_lock_holds_until_a_newer_polka() {
    let mut machine = started(false);
    machine.step(proposal("a", None));
    machine.step(Event::Polka(id("a")));
    machine.step(Event::StartRound { round: Round(1), proposer: false });
    assert_eq!(machine.step(proposal("b", None)), Some(Effect::Prevote(None)));
    machine.step(Event::TimeoutPrevote(Round(1)));
    machine.step(Event::StartRound { round: Round(2), proposer: false });
    assert_eq!(machine.step(proposal("b", Some(1))), Some(Effect::Prevote(Some(id("b")))));
    machine.step(Event::StartRound { round: Round(3), proposer: true });
    assert_eq!(machine.valid, Some((Round(0), id("a"))));
    machine.check_invariants();
}

#[test]
fn a_late_polka_is_remembered_and_proposed_again() {
    let mut machine = started(false);
    machine.step(Event::TimeoutPropose(Round(0)));
    machine.step(Event::TimeoutPrevote(Round(0)));
    assert_eq!(machine.step(Event::Polka(id("a"))), None);
    assert_eq!((machine.locked, machine.valid), (None, Some((Round(0), id("a")))));
    let effect = machine.step(Event::StartRound { round: Round(1), proposer: true });
    assert_eq!(effect, Some(Effect::Propose(Some((Round(0), id("a"))))));
}

#[test]
fn rounds_are_skipped_forward_only() {
    let mut machine = started(false);
    assert_eq!(machine.step(Event::Skip(Round(5))), Some(Effect::Start(Round(5))));
    machine.step(Event::StartRound { round: Round(5), proposer: false });
    assert_eq!(machine.step(Event::Skip(Round(4))), None);
}
