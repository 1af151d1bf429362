//! Votes of one kind in one round, counted.
//!
//! A validator's first vote counts. A second, different one is proof of misbehaviour; it counts
//! too (for its own block id) where that can matter: when it is the validator's second, or when
//! somebody else voted for that block id. So an equivocator can neither hide a polka that others
//! see nor fill memory. Whoever voted twice still counts once in the sum of all.
use std::sync::Arc;

use guts_genesis::Power;

use crate::types::{BitArray, BlockId, ValidatorSet, Vote};

/// What became of a vote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Added {
    /// Counted.
    New,
    /// The validator contradicts an earlier vote of its own, which is given back.
    Conflict {
        /// The earlier vote.
        earlier: Box<Vote>,
        /// Whether the new one was counted.
        counted: bool,
    },
    /// Known.
    Known,
}

impl Added {
    /// Whether the vote was counted.
    pub fn is_counted(&self) -> bool {
        matches!(self, Added::New | Added::Conflict { counted: true, .. })
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Count {
    id: BlockId,
    power: Power,
    voters: BitArray,
}

/// The votes of one kind in one round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    validators: Arc<ValidatorSet>,
    first: Vec<Option<Vote>>,
    more: Vec<Vote>,
    counts: Vec<Count>,
    voters: BitArray,
    power: Power,
    maj23: Option<BlockId>,
    /// Breaks the quorum on purpose, to see whether the simulator notices.
    quorum_minus_one: bool,
}

impl Tally {
    /// No votes yet.
    pub fn new(validators: Arc<ValidatorSet>, quorum_minus_one: bool) -> Tally {
        let len = validators.len();
        Tally {
            validators,
            first: vec![None; len],
            more: Vec::new(),
            counts: Vec::new(),
            voters: BitArray::new(len),
            power: Power::ZERO,
            maj23: None,
            quorum_minus_one,
        }
    }

    /// Whether this very choice of this validator was counted. Asked before a signature is checked.
    pub fn has(&self, index: u32, id: &BlockId) -> bool {
        let count = self.counts.iter().find(|count| count.id == *id);
        count.is_some_and(|count| count.voters.get(index as usize))
    }

    /// Counts a vote whose signature was verified against the validator at its index.
    pub fn add(&mut self, vote: Vote) -> Added {
        let index = vote.validator_index as usize;
        if self.has(vote.validator_index, &vote.block_id) {
            return Added::Known;
        }
        let Some(place) = self.first.get(index) else { return Added::Known };
        let earlier = place.clone();
        let Some(earlier) = earlier else {
            let power = self.count(&vote);
            self.power = self.power.saturating_add(power);
            self.voters.set(index, true);
            self.first[index] = Some(vote);
            return Added::New;
        };
        let first_conflict = !self.more.iter().any(|v| v.validator_index == vote.validator_index);
        let others_too = self.counts.iter().any(|count| count.id == vote.block_id);
        let counted = first_conflict || others_too;
        if counted {
            self.count(&vote);
            self.more.push(vote);
        }
        Added::Conflict { earlier: Box::new(earlier), counted }
    }

    fn count(&mut self, vote: &Vote) -> Power {
        let power = self.validators.at(vote.validator_index).map_or(Power::ZERO, |v| v.power);
        let len = self.validators.len();
        let at = self.counts.iter().position(|count| count.id == vote.block_id);
        let at = at.unwrap_or_else(|| {
            let voters = BitArray::new(len);
            self.counts.push(Count { id: vote.block_id, power: Power::ZERO, voters });
            self.counts.len() - 1
        });
        let count = &mut self.counts[at];
        count.power = count.power.saturating_add(power);
        count.voters.set(vote.validator_index as usize, true);
        let reached = count.power;
        if self.maj23.is_none() && self.is_quorum(reached) {
            self.maj23 = Some(vote.block_id);
        }
        power
    }

    fn is_quorum(&self, power: Power) -> bool {
        let total = self.validators.total_power();
        if self.quorum_minus_one {
            let one = self.validators.validators().iter().map(|v| v.power).max();
            return power.saturating_add(one.unwrap_or_default()).is_over_two_thirds(total);
        }
        power.is_over_two_thirds(total)
    }

    /// The block id (or nil) that more than two thirds voted for. [S-1] At most one, if less than
    /// a third of the power is Byzantine.
    pub fn maj23(&self) -> Option<BlockId> {
        self.maj23
    }

    /// Whether more than two thirds voted, for whatever.
    pub fn has_two_thirds_any(&self) -> bool {
        self.is_quorum(self.power)
    }

    /// Power of those who voted.
    pub fn power(&self) -> Power {
        self.power
    }

    /// Who voted.
    pub fn voters(&self) -> &BitArray {
        &self.voters
    }

    /// Who voted for `id`.
    pub fn voters_for(&self, id: &BlockId) -> BitArray {
        let count = self.counts.iter().find(|count| count.id == *id);
        count.map_or_else(|| BitArray::new(self.first.len()), |count| count.voters.clone())
    }

    /// Whether everybody voted.
    pub fn is_full(&self) -> bool {
        self.voters.is_full()
    }

    /// The first vote of a validator.
    pub fn vote(&self, index: u32) -> Option<&Vote> {
        self.first.get(index as usize)?.as_ref()
    }

    /// All votes that were counted.
    pub fn votes(&self) -> impl Iterator<Item = &Vote> {
        self.first.iter().flatten().chain(&self.more)
    }

    /// One vote a validator, in order, as a commit for `id` wants them: the vote for `id` if there
    /// is one.
    pub fn votes_for_commit(&self, id: &BlockId) -> Vec<Option<Vote>> {
        let mut votes = self.first.clone();
        for vote in self.more.iter().filter(|vote| vote.block_id == *id) {
            votes[vote.validator_index as usize] = Some(vote.clone());
        }
        votes
    }

    /// The validators whose votes are counted.
    pub fn validators(&self) -> &Arc<ValidatorSet> {
        &self.validators
    }

    /// The sums once more from the votes, for audits.
    pub fn audit(&self) {
        let mut sum = Power::ZERO;
        for (index, vote) in self.first.iter().enumerate() {
            let Some(vote) = vote else { continue };
            assert_eq!(vote.validator_index as usize, index, "[S-1] votes are in their places");
            let power = self.validators.at(vote.validator_index).map(|v| v.power);
            sum = sum.saturating_add(power.expect("[S-1] only validators are counted"));
        }
        assert_eq!(sum, self.power, "[S-1] everybody counts once");
        let quorums = self.counts.iter().filter(|c| self.is_quorum(c.power)).count();
        let first = self.counts.iter().find(|c| self.is_quorum(c.power)).map(|c| c.id);
        assert!(quorums == 0 || first.is_some() && self.maj23.is_some(), "[S-1] quorum is seen");
    }
}
