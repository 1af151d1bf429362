//! The round machine: Tendermint as in Algorithm 1 of arXiv:1807.04938, and nothing else.
//!
//! [`Machine::step`] is one `match` whose arms carry the line numbers of the paper. It knows no
//! votes, keys, blocks or clocks: the height above it (`crate::height`) counts votes and
//! tells the machine which of the paper's `upon` conditions holds now ([`Event`]); the machine
//! answers what to do ([`Effect`]). A condition that the paper wants handled "for the first time"
//! only is guarded by a flag of the round.
//!
//! Safety: [S-3] a locked value is prevoted against only with a newer polka.
use guts_genesis::Round;

use crate::step::StepName;
use crate::types::BlockId;

#[cfg(test)]
mod tests;

/// Where the machine is in a round; the paper's `step_p`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Waiting for a proposal.
    Propose,
    /// Has prevoted.
    Prevote,
    /// Has precommitted.
    Precommit,
}

impl Step {
    /// CometBFT's name of it.
    pub fn name(self) -> StepName {
        match self {
            Step::Propose => StepName::Propose,
            Step::Prevote => StepName::Prevote,
            Step::Precommit => StepName::Precommit,
        }
    }
}

/// A condition of the paper that holds now. All but the last five speak of the current round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Line 11: the round begins; `proposer` says whether it is ours to propose.
    StartRound {
        /// The round.
        round: Round,
        /// Whether we propose in it.
        proposer: bool,
    },
    /// Lines 22 and 28: the round's proposal and its whole block are here and judged; if it
    /// names a proof of lock, the polka of that round is here too.
    Proposal {
        /// Its block.
        id: BlockId,
        /// Whether the block is valid.
        valid: bool,
        /// The round of its proof of lock.
        pol_round: Option<Round>,
    },
    /// Line 34: more than two thirds prevoted, for whatever.
    PrevoteAny,
    /// Line 36: a polka for the round's proposal, whose block is here and valid.
    Polka(BlockId),
    /// Line 44: more than two thirds prevoted nil.
    PolkaNil,
    /// Line 47: more than two thirds precommitted, for whatever.
    PrecommitAny,
    /// Line 49: more than two thirds precommitted a block that is here, in this round or another.
    Commit(Round, BlockId),
    /// Line 55: more than one third voted in a later round.
    Skip(Round),
    /// Line 57.
    TimeoutPropose(Round),
    /// Line 61.
    TimeoutPrevote(Round),
    /// Line 65.
    TimeoutPrecommit(Round),
}

/// What the machine wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Propose this value again, with the round of its polka, or a new one.
    Propose(Option<(Round, BlockId)>),
    /// Prevote for a block, or nil.
    Prevote(Option<BlockId>),
    /// Precommit a block, or nil.
    Precommit(Option<BlockId>),
    /// Begin this round (comes back as [`Event::StartRound`]).
    Start(Round),
    /// Decide.
    Decide(Round, BlockId),
    /// Start the timeout of the step for the current round.
    Timer(Step),
}

/// The paper's variables, and the flags behind its "for the first time".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// `round_p`
    pub round: Round,
    /// `step_p`
    pub step: Step,
    /// `lockedRound_p`, `lockedValue_p`
    pub locked: Option<(Round, BlockId)>,
    /// `validRound_p`, `validValue_p`
    pub valid: Option<(Round, BlockId)>,
    /// Decided: nothing happens any more.
    pub decided: bool,
    /// Line 34 was handled in this round.
    pub prevote_any: bool,
    /// Line 36 was handled in this round.
    pub polka: bool,
    /// Line 47 was handled in this round.
    pub precommit_any: bool,
}

impl Default for Machine {
    fn default() -> Machine {
        Machine::new()
    }
}

impl Machine {
    /// Before round 0 of a height.
    pub fn new() -> Machine {
        Machine {
            round: Round::ZERO,
            step: Step::Propose,
            locked: None,
            valid: None,
            decided: false,
            prevote_any: false,
            polka: false,
            precommit_any: false,
        }
    }

    /// The transition table.
    pub fn step(&mut self, event: Event) -> Option<Effect> {
        use Effect as Do;
        use Step::{Precommit, Prevote, Propose};
        if self.decided {
            return None;
        }
        match (self.step, event) {
            // 11-21: StartRound
            (_, Event::StartRound { round, proposer }) => {
                self.enter(round);
                Some(if proposer { Do::Propose(self.valid) } else { Do::Timer(Propose) })
            }
            // 22-27, 28-33: prevote the proposal if it is valid and the lock allows it
            (Propose, Event::Proposal { id, valid, pol_round }) => {
                self.step = Prevote;
                let vote = valid && self.lock_allows(&id, pol_round);
                Some(Do::Prevote(vote.then_some(id)))
            }
            // 34-35: prevotes are split: wait a little for more of them
            (Prevote, Event::PrevoteAny) if !self.prevote_any => {
                self.prevote_any = true;
                Some(Do::Timer(Prevote))
            }
            // 36-43: a polka: lock and precommit, or (too late for that) remember it as valid
            (Prevote, Event::Polka(id)) if !self.polka => {
                self.polka = true;
                self.step = Precommit;
                self.locked = Some((self.round, id));
                self.valid = Some((self.round, id));
                Some(Do::Precommit(Some(id)))
            }
            (Precommit, Event::Polka(id)) if !self.polka => {
                self.polka = true;
                self.valid = Some((self.round, id));
                None
            }
            // 44-46: nobody can decide in this round any more
            (Prevote, Event::PolkaNil) => {
                self.step = Precommit;
                Some(Do::Precommit(None))
            }
            // 47-48: precommits are split: wait a little for more of them
            (_, Event::PrecommitAny) if !self.precommit_any => {
                self.precommit_any = true;
                Some(Do::Timer(Precommit))
            }
            // 49-54: decide
            (_, Event::Commit(round, id)) => {
                self.decided = true;
                Some(Do::Decide(round, id))
            }
            // 55-56: others are ahead
            (_, Event::Skip(round)) if round > self.round => Some(Do::Start(round)),
            // 57-60: no proposal in time
            (Propose, Event::TimeoutPropose(round)) if round == self.round => {
                self.step = Prevote;
                Some(Do::Prevote(None))
            }
            // 61-64: no polka in time
            (Prevote, Event::TimeoutPrevote(round)) if round == self.round => {
                self.step = Precommit;
                Some(Do::Precommit(None))
            }
            // 65-67: no decision in time
            (_, Event::TimeoutPrecommit(round)) if round == self.round => {
                Some(Do::Start(self.round.next()))
            }
            _ => None,
        }
    }

    /// Lines 23 and 29. Without a lock anything may be prevoted; with one, the locked value, or
    /// another one that had its polka at the lock's round or later.
    fn lock_allows(&self, id: &BlockId, pol_round: Option<Round>) -> bool {
        match self.locked {
            None => true,
            Some((_, locked)) if locked == *id => true,
            Some((locked_round, _)) => pol_round.is_some_and(|round| round >= locked_round),
        }
    }

    fn enter(&mut self, round: Round) {
        self.round = round;
        self.step = Step::Propose;
        self.prevote_any = false;
        self.polka = false;
        self.precommit_any = false;
    }

    /// What must hold between any two steps.
    pub fn check_invariants(&self) {
        if let Some((locked_round, locked)) = self.locked {
            let (valid_round, valid) = self.valid.expect("[S-3] whoever locks has seen a polka");
            assert!(locked_round <= valid_round, "[S-3] the valid value is never older");
            assert!(valid_round <= self.round, "[S-3] no polka of a round to come");
            let same_round = locked_round == valid_round;
            assert!(!same_round || locked == valid, "[S-3] one polka a round");
        }
    }
}
