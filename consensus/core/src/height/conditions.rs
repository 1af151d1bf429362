//! Which of the paper's conditions hold now: Algorithm 1's `upon` clauses, looked up in the data.
use guts_genesis::{Power, Round};

use super::{Progress, RoundVotes};
use crate::round::{Event, Step};
use crate::types::{BlockId, Proposal};

impl Progress {
    /// The first condition of the paper that holds and that the machine has not handled.
    pub fn next_event(&self) -> Option<Event> {
        if self.machine.decided {
            return None;
        }
        for (round, votes) in &self.rounds {
            if let Some(id) = votes.precommits.maj23()
                && self.candidate(&id).is_some()
            {
                return Some(Event::Commit(*round, id));
            }
        }
        let machine = &self.machine;
        let event = self.rounds.get(&machine.round).and_then(|votes| self.round_event(votes));
        event.or_else(|| {
            let ahead = self.rounds.range(machine.round.next()..).rev();
            ahead.into_iter().find(|(_, votes)| self.is_ahead(votes)).map(|(r, _)| Event::Skip(*r))
        })
    }

    fn round_event(&self, votes: &RoundVotes) -> Option<Event> {
        let machine = &self.machine;
        if machine.step == Step::Propose
            && let Some(proposal) = &votes.proposal
            && let Some(valid) = self.proposal_verdict(proposal)
            && proposal.pol_round.is_none_or(|pol| self.has_polka(pol, &proposal.block_id))
        {
            let (id, pol_round) = (proposal.block_id, proposal.pol_round);
            return Some(Event::Proposal { id, valid, pol_round });
        }
        match votes.prevotes.maj23() {
            Some(id) if id.is_nil() && machine.step == Step::Prevote => {
                return Some(Event::PolkaNil);
            }
            Some(id) if !id.is_nil() && !machine.polka && machine.step != Step::Propose => {
                let valid = self.candidate(&id).and_then(|candidate| candidate.verdict);
                if valid == Some(true) {
                    return Some(Event::Polka(id));
                }
            }
            _ => {}
        }
        let split = votes.prevotes.has_two_thirds_any();
        if machine.step == Step::Prevote && !machine.prevote_any && split {
            return Some(Event::PrevoteAny);
        }
        let split = votes.precommits.has_two_thirds_any();
        (!machine.precommit_any && split).then_some(Event::PrecommitAny)
    }

    /// Whether the proposal's block is valid, once that is known. A block whose hash is not the
    /// proposed one is not.
    fn proposal_verdict(&self, proposal: &Proposal) -> Option<bool> {
        let candidate = self.candidate_of(&proposal.block_id.parts)?;
        if candidate.parts.is_complete() && candidate.id() != Some(proposal.block_id) {
            return Some(false);
        }
        candidate.verdict
    }

    fn has_polka(&self, round: Round, id: &BlockId) -> bool {
        self.rounds.get(&round).is_some_and(|votes| votes.prevotes.maj23() == Some(*id))
    }

    fn is_ahead(&self, votes: &RoundVotes) -> bool {
        let voters = votes.prevotes.voters().or(votes.precommits.voters());
        let voters = voters.ones().filter_map(|i| self.validators.at(u32::try_from(i).ok()?));
        let power = voters.fold(Power::ZERO, |sum, v| sum.saturating_add(v.power));
        power.is_over_one_third(self.validators.total_power())
    }
}
