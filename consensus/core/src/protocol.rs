//! The protocol: who proposes, how long a node waits, and which votes follow from what it knows.
//! One seam, so that another can stand in Tendermint's place on the same blocks, votes and commits.
//!
//! What a height knows ([`Progress`]) and how a round stands ([`Machine`]) is data, and the same
//! for all of them; a protocol has none of its own, so the log restores it with them.
use std::fmt::Debug;
use std::time::Duration;

use guts_genesis::{Address, Round};

use crate::config::Pacing;
use crate::height::Progress;
use crate::round::{Effect, Event, Machine, Step};
use crate::types::ValidatorSet;

/// See the module. All methods are pure; what is not said otherwise is Tendermint's. Leaders and
/// the voting rule must be the same on all nodes of a network, or it makes no blocks; how long
/// a node waits is its own affair.
pub trait Protocol: Debug + Send + Sync {
    /// The leader schedule: who proposes in a round of a height that has these validators, never
    /// none, turned to round 0. Takes time with the round; it is asked of no round that only others
    /// have named.
    fn proposer(&self, validators: &ValidatorSet, round: Round) -> Address {
        let turned = (round > Round::ZERO).then(|| validators.turned(round.0));
        let set = turned.as_ref().unwrap_or(validators);
        set.proposer().expect("a validator set is never empty").address
    }

    /// Round timing: how long to wait in a step. Longer in each round, so that in some round it is
    /// long enough.
    fn timeout(&self, pacing: &Pacing, step: Step, round: Round) -> Duration {
        let (base, delta) = match step {
            Step::Propose => (pacing.timeout_propose, pacing.timeout_propose_delta),
            Step::Prevote => (pacing.timeout_prevote, pacing.timeout_prevote_delta),
            Step::Precommit => (pacing.timeout_precommit, pacing.timeout_precommit_delta),
        };
        base.saturating_add(delta.saturating_mul(round.0))
    }

    /// The voting rule, first half: the first condition that holds and that the machine has not
    /// handled. Asked again and again: [`Protocol::step`] must handle what is named here.
    fn next_event(&self, height: &Progress) -> Option<Event> {
        height.next_event()
    }

    /// The voting rule, second half: what follows from a condition.
    fn step(&self, machine: &mut Machine, event: Event) -> Option<Effect> {
        machine.step(event)
    }

    /// Asserts what must hold between any two steps.
    fn check_invariants(&self, machine: &Machine) {
        machine.check_invariants();
    }
}

/// Tendermint: Algorithm 1 of arXiv:1807.04938 ([`crate::round`]), its leaders in turn by power.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tendermint;

impl Protocol for Tendermint {}
