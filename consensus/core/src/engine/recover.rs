//! The height in progress comes back from the log.
//!
//! Parts, proposals and votes go back into their tallies, the round machine takes its last
//! recorded state, and own intents are asked to be signed again, to the byte. A step whose vote
//! was never intended is taken back: nothing was promised in it, and the conditions that led to
//! it are looked up again in the data. Timers start anew.
use guts_genesis::Round;

use super::{Engine, Pending};
use crate::io::{SignPosition, SignStep};
use crate::round::{Machine, Step};
use crate::step::StepName;
use crate::types::VoteKind;
use crate::wal::{Entry, Intent, MachineEntry};

impl Engine {
    /// The handshake is over: take up the height in progress.
    pub(super) fn resume(&mut self) {
        let log = std::mem::take(&mut self.log);
        let fresh = !self.cur.started && self.deciding.is_none();
        if fresh {
            let must_show = self.must_show();
            self.begin_pacing(must_show);
            self.evidences.on_height(&self.cur);
        }
        self.restore(&log);
        if let Some(deciding) = self.deciding.take() {
            // The application came back without having committed it: once more.
            self.finalize(deciding.commit, deciding.synced);
        } else {
            self.cur.forget_asked();
            self.resume_step();
        }
        self.start_heal_timer();
        self.replay_early();
        self.ask_everybody();
        self.recheck();
    }

    /// Whether the application's hash changed with the last block.
    fn must_show(&self) -> bool {
        let last = self.last.as_ref().map(|last| last.decided.block.header().app_hash.clone());
        last.is_some_and(|shown| shown != self.state.app_hash)
    }

    fn restore(&mut self, log: &[Entry]) {
        let height = self.cur.height;
        let of_height = || log.iter().filter(|entry| entry.height() == height);
        for entry in of_height() {
            if let Entry::Intent(intent) = entry {
                self.intents.insert(intent.position(), intent.clone());
            }
        }
        let machine = of_height().rev().find_map(|entry| match entry {
            Entry::Machine(machine) => Some(*machine),
            _ => None,
        });
        machine.iter().for_each(|entry| self.restore_machine(entry));
        for entry in of_height() {
            match entry {
                Entry::Proposal(proposal) => {
                    let round = self.cur.round_mut(proposal.round);
                    round.proposal.get_or_insert_with(|| proposal.clone());
                }
                Entry::Part { header, part, .. } => self.cur.restore_part(*header, part),
                Entry::Vote(vote) => {
                    self.cur.add_verified_vote(vote.clone());
                }
                Entry::Machine(_) | Entry::Intent(_) | Entry::EndHeight(_) => {}
            }
        }
        let unsigned: Vec<Intent> =
            self.intents.values().filter(|intent| !self.is_signed(intent)).cloned().collect();
        unsigned.into_iter().for_each(|intent| self.ask_signature(intent));
    }

    fn restore_machine(&mut self, entry: &MachineEntry) {
        self.cur.started = true;
        self.cur.machine = Machine {
            round: entry.round,
            step: self.step_promised(entry.round, entry.step),
            locked: entry.locked,
            valid: entry.valid,
            ..Machine::new()
        };
    }

    /// The step up to which votes were intended.
    fn step_promised(&self, round: Round, step: StepName) -> Step {
        let intended = |step: SignStep| {
            let at = SignPosition { height: self.cur.height, round, step };
            self.cur.my_index().is_none() || self.intents.contains_key(&at)
        };
        match step {
            StepName::Precommit if intended(SignStep::Precommit) => Step::Precommit,
            StepName::Precommit | StepName::Prevote if intended(SignStep::Prevote) => Step::Prevote,
            _ => Step::Propose,
        }
    }

    /// Asks once more for the newest signature, if the signer refused it: without it a round in
    /// which others are missing, too, would never end.
    pub(super) fn ask_refused(&mut self) {
        let Some(intent) = self.intents.values().next_back() else { return };
        let is_asked = |pending: &Pending| matches!(pending, Pending::Sign(of) if **of == *intent);
        if !self.is_signed(intent) && !self.pending.values().any(is_asked) {
            let intent = intent.clone();
            self.ask_signature(intent);
        }
    }

    /// Whether the signed form of an intent is here.
    fn is_signed(&self, intent: &Intent) -> bool {
        match intent {
            Intent::Proposal(proposal) => {
                let round = self.cur.round(proposal.round);
                round.is_some_and(|round| round.proposal.is_some())
            }
            Intent::Vote(vote) => {
                let round = self.cur.round(vote.round);
                let tally = round.map(|round| round.tally(vote.kind));
                tally.is_some_and(|tally| tally.has(vote.validator_index, &vote.block_id))
            }
        }
    }

    /// Sets the timer of the step that was interrupted, and asks again what the application did
    /// not answer.
    fn resume_step(&mut self) {
        if !self.cur.started {
            return;
        }
        let machine = self.cur.machine;
        let (height, round) = (self.cur.height, machine.round);
        let at = |step| SignPosition { height, round, step };
        match machine.step {
            Step::Propose => {
                self.set_round_timer(Step::Propose);
                let proposed = self.cur.round(round).is_some_and(|r| r.proposal.is_some())
                    || self.intents.contains_key(&at(SignStep::Proposal));
                if self.cur.is_proposer(round) && !proposed {
                    self.propose_again();
                }
            }
            // An extension that was asked for and never came.
            Step::Precommit if !self.intents.contains_key(&at(SignStep::Precommit)) => {
                let polka = self.cur.round(round).and_then(|r| r.prevotes.maj23());
                let locked = machine.locked.filter(|(r, _)| *r == round).map(|(_, id)| id);
                self.precommit_again(locked.or(polka.filter(|id| !id.is_nil())));
            }
            _ => {}
        }
        let known = self.cur.round(round).map(|r| r.tally(VoteKind::Prevote).has_two_thirds_any());
        if machine.prevote_any && known == Some(true) && machine.step == Step::Prevote {
            self.set_round_timer(Step::Prevote);
        }
        if machine.precommit_any {
            self.set_round_timer(Step::Precommit);
        }
    }
}
