//! Precommits of the height in progress that are with the application, which judges what they are
//! extended with, and those it refused: none of them is verified, or shown to it, once more.
//!
//! A validator says one thing in a round. One that says many, or that speaks for many rounds at a
//! time, makes the application look at a few of them; the others count as not said.
use std::collections::{BTreeMap, VecDeque};

use guts_genesis::{Round, Signature};

use crate::types::Vote;

#[cfg(test)]
mod tests;

/// Precommits of one validator that are with the application at a time.
const WAITING_MAX: usize = 4;
/// Precommits of one validator in one round that are shown to the application, if it takes none.
const PER_ROUND_MAX: usize = 4;
/// Precommits of one validator that are remembered. The oldest answered one gives way.
const REMEMBERED_MAX: usize = 16;

#[derive(Clone, Debug)]
struct Shown {
    round: Round,
    /// Of the vote and of what extends it: of all that it says.
    signatures: (Signature, Signature),
    waits: bool,
}

/// See the module. By the places of the validators.
#[derive(Clone, Debug, Default)]
pub struct Extensions(BTreeMap<u32, VecDeque<Shown>>);

impl Extensions {
    /// Whether the application is not to be asked about a precommit: it is being, or was, or was
    /// asked about too much of its validator's.
    pub fn is_settled(&self, vote: &Vote) -> bool {
        let Some(shown) = self.0.get(&vote.validator_index) else { return false };
        let of_round = shown.iter().filter(|one| one.round == vote.round).count();
        let waiting = shown.iter().filter(|one| one.waits).count();
        of_round >= PER_ROUND_MAX
            || waiting >= WAITING_MAX
            || shown.iter().any(|one| one.signatures == signatures_of(vote))
    }

    /// The application is asked about a verified precommit.
    pub fn ask(&mut self, vote: &Vote) {
        let shown = self.0.entry(vote.validator_index).or_default();
        if shown.len() >= REMEMBERED_MAX
            && let Some(oldest) = shown.iter().position(|one| !one.waits)
        {
            shown.remove(oldest);
        }
        let signatures = signatures_of(vote);
        shown.push_back(Shown { round: vote.round, signatures, waits: true });
        assert!(shown.len() <= REMEMBERED_MAX, "what is remembered is bounded");
    }

    /// It has answered. What it accepts is counted, and known from that.
    pub fn answer(&mut self, vote: &Vote, accepted: bool) {
        let Some(shown) = self.0.get_mut(&vote.validator_index) else { return };
        let signatures = signatures_of(vote);
        let Some(at) = shown.iter().position(|one| one.signatures == signatures) else { return };
        if accepted {
            shown.remove(at);
        } else {
            shown[at].waits = false;
        }
    }

    /// It will not answer any more what it was asked.
    pub fn forget_waiting(&mut self) {
        self.0.values_mut().for_each(|shown| shown.retain(|one| !one.waits));
    }
}

fn signatures_of(vote: &Vote) -> (Signature, Signature) {
    (vote.signature, vote.extension_signature)
}
