//! When to begin a height, and when to wait.
//!
//! A chain rests when there is nothing to say: round 0 begins when there are transactions or
//! evidence, when the application's hash changed with the last block (the next header must show
//! it), when others have begun, or when the interval for empty blocks has passed.
use std::time::Duration;

use guts_genesis::{Height, Round, Time};

use super::{Action, Engine, TimerId};
use crate::round::{Event, Step};

/// Where the pacing of the height in progress stands.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    /// When the last block was committed here, or taken up at the start.
    pub(super) since: Option<Time>,
    /// The pause after the last block is over.
    pause_over: bool,
    /// An empty block is due.
    empty_due: bool,
    /// The last block changed the application's hash.
    must_show: bool,
    /// Others have begun.
    pub(super) others_began: bool,
    /// Where the height stood when lost messages were last looked for.
    pub(super) healed_at: Option<(Height, Round, Step)>,
    /// Whose turn it is to be asked for them.
    pub(super) asked: usize,
}

impl Pace {
    pub(super) fn is_pause_over(&self) -> bool {
        self.pause_over
    }
}

impl Engine {
    /// A height has begun; sets its timers.
    pub(super) fn begin_pacing(&mut self, must_show: bool) {
        let pacing = &self.config.pacing;
        let (pause, interval) = (pacing.timeout_commit, pacing.create_empty_blocks_interval);
        let first = self.state.is_before_first_block();
        let pause_over = pause.is_zero() || first;
        let since = Some(self.now.wall);
        self.pacing = Pace { since, pause_over, empty_due: first, must_show, ..Pace::default() };
        let height = self.cur.height;
        if !pause_over {
            self.act(Action::SetTimer { id: TimerId::Commit(height), after: pause });
        }
        if !pacing_is_eager(self) && !interval.is_zero() {
            self.act(Action::SetTimer { id: TimerId::EmptyBlock(height), after: interval });
        }
    }

    pub(super) fn on_commit_pause_over(&mut self, height: Height) {
        if height == self.cur.height {
            self.pacing.pause_over = true;
        }
    }

    pub(super) fn on_empty_block_due(&mut self, height: Height) {
        if height == self.cur.height {
            self.pacing.empty_due = true;
        }
    }

    /// Begins round 0 if it is time.
    pub(super) fn maybe_start(&mut self) {
        if self.cur.started || self.deciding.is_some() || self.is_fetching() {
            return;
        }
        let pace = self.pacing;
        let reason = pacing_is_eager(self)
            || pace.empty_due
            || pace.must_show
            || !self.mempool.is_empty()
            || self.evidences.has_pending(&self.state);
        if pace.others_began || (pace.pause_over && reason) {
            let proposer = self.cur.is_proposer(Round::ZERO);
            self.advance(Some(Event::StartRound { round: Round::ZERO, proposer }));
        }
    }

    pub(super) fn set_round_timer(&mut self, step: Step) {
        let (height, round) = (self.cur.height, self.cur.machine.round);
        let id = match step {
            Step::Propose => TimerId::Propose(height, round),
            Step::Prevote => TimerId::Prevote(height, round),
            Step::Precommit => TimerId::Precommit(height, round),
        };
        let protocol = &self.common.protocol;
        let after: Duration = protocol.timeout(&self.config.pacing, step, round);
        self.act(Action::SetTimer { id, after });
    }

    pub(super) fn on_timeout(&mut self, timer: TimerId) {
        let (height, event) = match timer {
            TimerId::Propose(height, round) => (height, Event::TimeoutPropose(round)),
            TimerId::Prevote(height, round) => (height, Event::TimeoutPrevote(round)),
            TimerId::Precommit(height, round) => (height, Event::TimeoutPrecommit(round)),
            _ => return,
        };
        if height == self.cur.height && self.is_running() {
            self.notice_timeout(timer);
            self.advance(Some(event));
        }
    }
}

fn pacing_is_eager(engine: &Engine) -> bool {
    engine.config.pacing.create_empty_blocks
}
