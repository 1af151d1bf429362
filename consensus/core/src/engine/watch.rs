//! What those who watch are shown: a picture of the round, and notices of what happens in it.
//!
//! Most notices come from comparing the round machine before and after it moved, so that the
//! places where it is moved need not know of them.
use std::sync::Arc;

use guts_genesis::{Height, Round};

use super::Engine;
use crate::height::Progress;
use crate::io::TimerId;
use crate::round::{Machine, Step};
use crate::step::StepName;
use crate::types::BlockId;
use crate::watch::{BlockSoFar, Happened, Notice, RoundState};

/// Whether somebody watches, and what was said that is said once a round.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Watch {
    on: bool,
    begun: Option<(Height, Round)>,
    proposed: Option<(Height, Round)>,
}

impl Engine {
    /// From now on outputs have notices, or have none (at first).
    pub fn watch(&mut self, on: bool) {
        self.watch.on = on;
    }

    /// Height, round and step. Costs nothing.
    pub fn position(&self) -> (Height, Round, StepName) {
        let (cur, machine) = (&self.cur, &self.cur.machine);
        (cur.height, machine.round, self.watched_step(cur.started, machine))
    }

    /// A picture of the height in progress.
    pub fn round_state(&self) -> RoundState {
        let (cur, machine) = (&self.cur, self.cur.machine);
        let validators = match machine.round {
            Round::ZERO => Arc::clone(&cur.validators),
            Round(turns) => Arc::new(cur.validators.turned(turns)),
        };
        let votes = (0..=machine.round.next().0).map(|round| cur.round_votes(Round(round)));
        let votes: Vec<_> = votes.collect();
        let present = &votes[machine.round.0 as usize];
        let of = |(round, id): (Round, BlockId)| (round, self.block_so_far(id));
        let since = self.pacing.since.unwrap_or(self.state.last_block_time);
        let first = self.state.is_before_first_block();
        RoundState {
            height: cur.height,
            round: machine.round,
            step: self.watched_step(cur.started, &machine),
            start_time: since.checked_add(self.config.pacing.timeout_commit).unwrap_or(since),
            commit_time: (!first).then_some(since),
            validators,
            proposer: cur.proposer(machine.round),
            proposal: present.proposal.clone(),
            proposal_block: present.proposal.as_ref().map(|p| self.block_so_far(p.block_id)),
            locked: machine.locked.map(of),
            valid: machine.valid.map(of),
            votes,
            commit_round: self.deciding.as_ref().map(|d| d.commit.decided.commit.round),
            last_commit: self.last.as_ref().map(|last| last.tally.clone()),
            triggered_timeout_precommit: machine.precommit_any,
        }
    }

    fn block_so_far(&self, id: BlockId) -> BlockSoFar {
        let found = self.cur.candidate_of(&id.parts);
        let none = || crate::types::BitArray::new(id.parts.total as usize);
        BlockSoFar {
            id,
            parts: found.map_or_else(none, |candidate| candidate.parts.bits().clone()),
            block: found.and_then(|candidate| candidate.block.clone()),
        }
    }

    fn watched_step(&self, started: bool, machine: &Machine) -> StepName {
        match machine.step {
            _ if machine.decided => StepName::Commit,
            _ if !started && self.pacing.is_pause_over() => StepName::NewRound,
            _ if !started => StepName::NewHeight,
            Step::Prevote if machine.prevote_any => StepName::PrevoteWait,
            step => step.name(),
        }
    }

    /// Tells of something that happened now.
    pub(super) fn notice(&mut self, what: impl FnOnce() -> Happened) {
        if self.watch.on {
            let (round, step) =
                (self.cur.machine.round, self.watched_step(self.cur.started, &self.cur.machine));
            self.notice_at(round, step, what());
        }
    }

    fn notice_at(&mut self, round: Round, step: StepName, what: Happened) {
        let height = self.cur.height;
        self.out.notices.push(Notice { height, round, step, what });
    }

    /// A height has begun.
    pub(super) fn notice_height(&mut self) {
        if self.watch.on {
            self.notice_at(Round::ZERO, StepName::NewHeight, Happened::NewRoundStep);
        }
    }

    /// A round that can begin and a proposal that is whole, once each.
    pub(super) fn notice_news(&mut self) {
        if !self.watch.on || !self.is_running() {
            return;
        }
        let round = self.cur.machine.round;
        let here = Some((self.cur.height, round));
        let waits = self.cur.started || self.pacing.is_pause_over();
        if waits && self.watch.begun != here {
            self.watch.begun = here;
            let proposer = self.cur.proposer(round);
            if let Some((index, _)) = self.cur.validators.by_address(&proposer) {
                let what = Happened::NewRound { proposer, index };
                self.notice_at(round, StepName::NewRound, what);
            }
        }
        if self.watch.proposed != here
            && let Some(id) = whole_proposal(&self.cur, round)
        {
            self.watch.proposed = here;
            self.notice(|| Happened::CompleteProposal(id));
        }
    }

    /// The machine has moved from `before`.
    pub(super) fn notice_moves(&mut self, was_started: bool, before: &Machine) {
        if !self.watch.on {
            return;
        }
        let after = self.cur.machine;
        let step = self.watched_step(was_started, before);
        let same_round = was_started && after.round == before.round;
        if after.valid != before.valid {
            self.notice_at(before.round, step, Happened::ValidBlock);
        }
        let precommits = before.step != Step::Precommit && after.step == Step::Precommit;
        let votes = self.cur.round(before.round);
        let has_polka = votes.is_some_and(|votes| votes.prevotes.maj23().is_some());
        if same_round && precommits && has_polka {
            self.notice_at(before.round, step, Happened::Polka);
        }
        if after.locked != before.locked {
            let same = before.locked.map(|(_, id)| id) == after.locked.map(|(_, id)| id);
            let what = if same { Happened::Relock } else { Happened::Lock };
            self.notice_at(before.round, step, what);
        }
        if !same_round {
            self.notice_news();
        }
        let step_now = self.watched_step(self.cur.started, &after);
        let waits = after.precommit_any && !before.precommit_any;
        if !same_round || step_now != step || waits {
            self.notice_at(after.round, step_now, Happened::NewRoundStep);
        }
    }

    /// A timeout of the present step is over.
    pub(super) fn notice_timeout(&mut self, timer: TimerId) {
        let machine = self.cur.machine;
        let here = (self.cur.height, machine.round);
        match (timer, machine.step) {
            _ if machine.decided => {}
            (TimerId::Propose(height, round), Step::Propose) if (height, round) == here => {
                self.notice(|| Happened::TimeoutPropose);
            }
            (TimerId::Prevote(height, round), Step::Prevote) if (height, round) == here => {
                self.notice(|| Happened::TimeoutWait);
            }
            (TimerId::Precommit(height, round), _) if (height, round) == here => {
                self.notice(|| Happened::TimeoutWait);
            }
            _ => {}
        }
    }
}

/// The block of the round's proposal, if all of it is here.
fn whole_proposal(cur: &Progress, round: Round) -> Option<BlockId> {
    let id = cur.round(round)?.proposal.as_ref()?.block_id;
    let whole = cur.candidate_of(&id.parts)?.id()?;
    (whole == id).then_some(id)
}
