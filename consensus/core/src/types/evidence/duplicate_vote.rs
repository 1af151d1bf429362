//! Two votes of one validator where only one is allowed.
use guts_abci::proto;
use guts_genesis::{Height, Power, SignatureScheme, Time};

use super::misbehavior;
use crate::types::{Invalid, ValidatorSet, Vote};

/// Two different votes of one validator for one height, round and type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DuplicateVote {
    /// The vote whose block id is the smaller ([`crate::types::BlockId::key`]).
    pub vote_a: Vote,
    /// The other vote.
    pub vote_b: Vote,
    /// Power of all validators at that height.
    pub total_power: Power,
    /// Power of the validator at that height.
    pub validator_power: Power,
    /// Time of the block at that height.
    pub time: Time,
}

impl DuplicateVote {
    /// Makes evidence of two votes (in any order), with the validators of their height and the
    /// time of its block.
    pub fn new(
        one: Vote,
        other: Vote,
        time: Time,
        validators: &ValidatorSet,
    ) -> Result<DuplicateVote, Invalid> {
        let (_, validator) =
            validators.by_address(&one.validator_address).ok_or(Invalid::NotAValidator)?;
        let in_order = one.block_id.key() < other.block_id.key();
        let (vote_a, vote_b) = if in_order { (one, other) } else { (other, one) };
        let (validator_power, total_power) = (validator.power, validators.total_power());
        Ok(DuplicateVote { vote_a, vote_b, total_power, validator_power, time })
    }

    /// The height of the votes.
    pub fn height(&self) -> Height {
        self.vote_a.height
    }

    /// Checks against the validators of the height that both votes were cast by one of them and
    /// contradict each other.
    pub fn verify(
        &self,
        scheme: &dyn SignatureScheme,
        chain_id: &str,
        validators: &ValidatorSet,
    ) -> Result<(), Invalid> {
        let (a, b) = (&self.vote_a, &self.vote_b);
        let (_, validator) =
            validators.by_address(&a.validator_address).ok_or(Invalid::NotAValidator)?;
        if (a.height, a.round, a.kind) != (b.height, b.round, b.kind) {
            return Err(Invalid::HeightRoundTypeMismatch);
        }
        if a.validator_address != b.validator_address {
            return Err(Invalid::AddressMismatch);
        }
        if a.block_id == b.block_id {
            return Err(Invalid::SameBlock);
        }
        if self.validator_power != validator.power {
            return Err(Invalid::ValidatorPowerMismatch);
        }
        if self.total_power != validators.total_power() {
            return Err(Invalid::TotalPowerMismatch);
        }
        a.verify(scheme, chain_id, &validator.key)?;
        b.verify(scheme, chain_id, &validator.key)
    }

    /// What the application is told.
    pub fn to_abci(&self) -> proto::abci::Misbehavior {
        let kind = proto::abci::MisbehaviorType::DuplicateVote;
        let who = (self.vote_a.validator_address.as_bytes(), self.validator_power);
        misbehavior(kind, who, (self.height(), self.time, self.total_power))
    }

    /// Reads and checks the wire form.
    pub fn from_proto(
        evidence: proto::types::DuplicateVoteEvidence,
    ) -> Result<DuplicateVote, Invalid> {
        let (Some(a), Some(b)) = (evidence.vote_a, evidence.vote_b) else {
            return Err(Invalid::VoteMissing);
        };
        let vote = |vote| Vote::from_proto(vote).map_err(|error| Invalid::Vote(Box::new(error)));
        let (vote_a, vote_b) = (vote(a)?, vote(b)?);
        if vote_a.block_id.key() >= vote_b.block_id.key() {
            return Err(Invalid::VotesNotOrdered);
        }
        Ok(DuplicateVote {
            vote_a,
            vote_b,
            total_power: Power::from_wire(evidence.total_voting_power)?,
            validator_power: Power::from_wire(evidence.validator_power)?,
            time: Time::from_proto(evidence.timestamp.as_ref())?,
        })
    }

    /// The wire form.
    pub fn to_proto(&self) -> proto::types::DuplicateVoteEvidence {
        proto::types::DuplicateVoteEvidence {
            vote_a: Some(self.vote_a.to_proto()),
            vote_b: Some(self.vote_b.to_proto()),
            total_voting_power: self.total_power.wire(),
            validator_power: self.validator_power.wire(),
            timestamp: Some(self.time.to_proto()),
        }
    }
}
