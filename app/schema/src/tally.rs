//! How votes on a proposal are counted and what they come to: for the chain when a vote ends, for
//! clients until then, from the same records of the state.

use std::collections::BTreeMap;

use crate::ids::{AccountId, ValidatorAddress};
use crate::limits::PPM;
use crate::proto::propose::Content;
use crate::proto::{self, VoteOption};
use crate::stake::{ppm_of, worth};

/// Whether `part` is more than so many millionths of `whole`.
fn exceeds(part: u64, whole: u64, ppm: u64) -> bool {
    u128::from(part) * u128::from(PPM) > u128::from(whole) * u128::from(ppm)
}

/// Stake for each option, and of the whole set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// For it.
    pub yes: u64,
    /// Against it.
    pub no: u64,
    /// Against it, and against its having been asked.
    pub veto: u64,
    /// Counted as having voted, for neither.
    pub abstain: u64,
    /// Of all validators in the set, whether it voted or not.
    pub total: u64,
}

/// What a tally comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It passes.
    Passed,
    /// It does not, and what was laid down is burnt.
    Vetoed,
    /// It does not: the quorum was missed.
    FewVoted,
    /// It does not: the threshold was missed.
    FewAgreed,
}

/// What a tally is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bars {
    /// Least share of the set's stake that votes, in millionths.
    pub quorum_ppm: u64,
    /// Share that yes must exceed, in millionths: of yes, no and veto, or of the set's stake.
    pub threshold_ppm: u64,
    /// Whether it is of the set's stake, who did not vote included.
    pub is_of_all: bool,
    /// Share of all votes that veto must exceed to stop it, in millionths.
    pub veto_ppm: u64,
}

impl Bars {
    /// Those for what is proposed, under these parameters.
    pub const fn of(params: &proto::Params, content: Option<&Content>) -> Self {
        // It is decided soon and carried out at once: who had no time to come counts as against it.
        let (threshold_ppm, is_of_all) = match content {
            Some(Content::Emergency(_)) => (params.gov_emergency_threshold_ppm, true),
            _ => (params.gov_threshold_ppm, false),
        };
        let (quorum_ppm, veto_ppm) = (params.gov_quorum_ppm, params.gov_veto_ppm);
        Self { quorum_ppm, threshold_ppm, is_of_all, veto_ppm }
    }
}

impl Outcome {
    /// Why it does not pass; nothing when it does, or was vetoed.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Passed | Self::Vetoed => "",
            Self::FewVoted => "too little stake voted",
            Self::FewAgreed => "too little stake agreed",
        }
    }
}

impl Tally {
    /// What was counted when the vote on a proposal ended; before that, nothing.
    pub fn counted(proposal: &proto::Proposal) -> Option<Self> {
        let proto::Proposal { yes, no, veto, abstain, total, .. } = *proposal;
        // The set is never empty: what it had in all is known as soon as votes were counted.
        Some(Self { yes, no, veto, abstain, total }).filter(|tally| tally.total > 0)
    }

    /// Stake that voted on it.
    pub const fn cast(&self) -> u64 {
        self.decisive().saturating_add(self.abstain)
    }

    /// Stake that cares.
    const fn decisive(&self) -> u64 {
        self.yes.saturating_add(self.no).saturating_add(self.veto)
    }

    /// Stake that must vote.
    pub fn quorum(&self, bars: &Bars) -> u64 {
        ppm_of(self.total, bars.quorum_ppm)
    }

    /// What it comes to.
    pub fn outcome(&self, bars: &Bars) -> Outcome {
        let cast = self.cast();
        if cast == 0 || cast < self.quorum(bars) {
            return Outcome::FewVoted;
        }
        // A veto that burns what was laid down is one of many, not of the few who came.
        if exceeds(self.veto, cast, bars.veto_ppm) {
            return Outcome::Vetoed;
        }
        let whole = if bars.is_of_all { self.total } else { self.decisive() };
        if exceeds(self.yes, whole, bars.threshold_ppm) {
            Outcome::Passed
        } else {
            Outcome::FewAgreed
        }
    }

    fn add(&mut self, option: VoteOption, stake: u64) {
        let sum = match option {
            VoteOption::Yes => &mut self.yes,
            VoteOption::No => &mut self.no,
            VoteOption::Veto => &mut self.veto,
            VoteOption::Abstain => &mut self.abstain,
        };
        *sum = sum.saturating_add(stake);
    }
}

/// A count under way: made of the newest set, given every vote, then ended. Delegators who vote
/// speak for themselves; for all the rest of a validator's stake, its operator does.
#[derive(Debug)]
pub struct Count {
    /// Of each validator, and the shares for which nobody has spoken yet.
    set: BTreeMap<ValidatorAddress, (proto::ValidatorInfo, u64)>,
    /// By account.
    operators: BTreeMap<Vec<u8>, Option<VoteOption>>,
    tally: Tally,
}

impl Count {
    /// Of the validators of the set, before any vote.
    pub fn new(set: impl IntoIterator<Item = (ValidatorAddress, proto::ValidatorInfo)>) -> Self {
        let set = set.into_iter().map(|(address, info)| {
            let shares = info.shares;
            (address, (info, shares))
        });
        let set: BTreeMap<_, _> = set.collect();
        let operators = set.values().map(|(info, _)| (info.operator.clone(), None)).collect();
        let tokens = set.values().map(|(info, _)| info.tokens);
        let total = tokens.fold(0u64, u64::saturating_add);
        Self { set, operators, tally: Tally { total, ..Tally::default() } }
    }

    /// Whether a validator is in the set: what an account has with others does not count.
    pub fn has(&self, validator: &ValidatorAddress) -> bool {
        self.set.contains_key(validator)
    }

    /// Adds the vote of an account that has so many shares with each of these validators.
    pub fn add(&mut self, account: &AccountId, vote: VoteOption, held: &[(ValidatorAddress, u64)]) {
        if let Some(said) = self.operators.get_mut(&account.as_bytes()[..]) {
            *said = Some(vote);
        }
        for (address, shares) in held {
            let Some((info, left)) = self.set.get_mut(address) else { continue };
            if info.operator[..] != account.as_bytes()[..] {
                *left = left.saturating_sub(*shares);
                self.tally.add(vote, worth(info, *shares));
            }
        }
    }

    /// Adds what operators speak for: the sums.
    pub fn end(self) -> Tally {
        let mut tally = self.tally;
        for (info, left) in self.set.values() {
            if let Some(Some(vote)) = self.operators.get(&info.operator) {
                tally.add(*vote, worth(info, *left));
            }
        }
        tally
    }
}

#[cfg(test)]
mod tests;
