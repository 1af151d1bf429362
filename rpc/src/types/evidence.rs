//! Misbehaviour that a block reports, and the votes it is made of.

use guts_abci::proto::types as pb;
use serde::{Deserialize, Serialize};

use super::{Base64, BlockId, Hex, SignedHeader, Time, Validator};
use crate::json;

/// A vote.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// 1 prevote, 2 precommit.
    #[serde(rename = "type")]
    pub kind: i32,
    /// Height voted on.
    #[serde(with = "json::text")]
    pub height: i64,
    /// Round voted in.
    pub round: i32,
    /// Empty for nil.
    pub block_id: BlockId,
    /// The voter's clock, or one millisecond past the block's time.
    pub timestamp: Time,
    /// Who voted.
    pub validator_address: Hex,
    /// The voter's place in the set.
    pub validator_index: i32,
    /// Over the canonical vote.
    pub signature: Base64,
    /// The application's bytes in a precommit.
    #[serde(default)]
    pub extension: Base64,
    /// Over the canonical extension.
    #[serde(default)]
    pub extension_signature: Base64,
}

/// Two votes of one validator for one height, round and kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DuplicateVoteEvidence {
    /// The vote whose block id is smaller.
    pub vote_a: Vote,
    /// The other.
    pub vote_b: Vote,
    /// Power of the whole set at that height.
    #[serde(rename = "TotalVotingPower", with = "json::text")]
    pub total_voting_power: i64,
    /// Power of the offender.
    #[serde(rename = "ValidatorPower", with = "json::text")]
    pub validator_power: i64,
    /// Time of the block at that height.
    #[serde(rename = "Timestamp")]
    pub timestamp: Time,
}

/// A validator set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidatorSet {
    /// By power, then address. Null in JSON when there is none.
    #[serde(with = "json::null_list")]
    pub validators: Vec<Validator>,
    /// Whose turn it is.
    pub proposer: Option<Validator>,
}

/// A signed header with the set that signed it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LightBlock {
    /// Header and commit.
    pub signed_header: SignedHeader,
    /// The signers.
    pub validator_set: ValidatorSet,
}

/// A block shown to light clients that is not the chain's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct LightClientAttackEvidence {
    /// What was shown.
    pub conflicting_block: LightBlock,
    /// The last height both agree on.
    #[serde(with = "json::text")]
    pub common_height: i64,
    /// Who signed both.
    #[serde(deserialize_with = "json::null_default")]
    pub byzantine_validators: Vec<Validator>,
    /// Power of the whole set at the common height.
    #[serde(with = "json::text")]
    pub total_voting_power: i64,
    /// Time of the block at the common height.
    pub timestamp: Time,
}

/// A proof of misbehaviour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "value")]
pub enum Evidence {
    /// Equivocation.
    #[serde(rename = "tendermint/DuplicateVoteEvidence")]
    DuplicateVote(Box<DuplicateVoteEvidence>),
    /// A forged chain.
    #[serde(rename = "tendermint/LightClientAttackEvidence")]
    LightClientAttack(Box<LightClientAttackEvidence>),
}

/// `/broadcast_evidence`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceHash {
    /// Hash of the evidence.
    pub hash: Base64,
}

/// The evidence of a block.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceList {
    /// In the block's order.
    #[serde(deserialize_with = "json::null_default")]
    pub evidence: Vec<Evidence>,
}

impl From<pb::Vote> for Vote {
    fn from(from: pb::Vote) -> Self {
        Self {
            kind: from.r#type,
            height: from.height,
            round: from.round,
            block_id: from.block_id.map(Into::into).unwrap_or_default(),
            timestamp: from.timestamp.into(),
            validator_address: from.validator_address.into(),
            validator_index: from.validator_index,
            signature: from.signature.into(),
            extension: from.extension.into(),
            extension_signature: from.extension_signature.into(),
        }
    }
}

impl From<pb::ValidatorSet> for ValidatorSet {
    fn from(from: pb::ValidatorSet) -> Self {
        Self {
            validators: from.validators.into_iter().map(Into::into).collect(),
            proposer: from.proposer.map(Into::into),
        }
    }
}

impl From<pb::LightBlock> for LightBlock {
    fn from(from: pb::LightBlock) -> Self {
        Self {
            signed_header: from.signed_header.map(Into::into).unwrap_or_default(),
            validator_set: from.validator_set.map(Into::into).unwrap_or_default(),
        }
    }
}

impl From<pb::DuplicateVoteEvidence> for DuplicateVoteEvidence {
    fn from(from: pb::DuplicateVoteEvidence) -> Self {
        Self {
            vote_a: from.vote_a.map(Into::into).unwrap_or_default(),
            vote_b: from.vote_b.map(Into::into).unwrap_or_default(),
            total_voting_power: from.total_voting_power,
            validator_power: from.validator_power,
            timestamp: from.timestamp.into(),
        }
    }
}

impl From<pb::LightClientAttackEvidence> for LightClientAttackEvidence {
    fn from(from: pb::LightClientAttackEvidence) -> Self {
        Self {
            conflicting_block: from.conflicting_block.map(Into::into).unwrap_or_default(),
            common_height: from.common_height,
            byzantine_validators: from.byzantine_validators.into_iter().map(Into::into).collect(),
            total_voting_power: from.total_voting_power,
            timestamp: from.timestamp.into(),
        }
    }
}

impl From<Vote> for pb::Vote {
    fn from(from: Vote) -> Self {
        Self {
            r#type: from.kind,
            height: from.height,
            round: from.round,
            block_id: Some(from.block_id.into()),
            timestamp: Some(from.timestamp.into()),
            validator_address: from.validator_address.0,
            validator_index: from.validator_index,
            signature: from.signature.0,
            extension: from.extension.0,
            extension_signature: from.extension_signature.0,
        }
    }
}

impl From<ValidatorSet> for pb::ValidatorSet {
    fn from(from: ValidatorSet) -> Self {
        let power = from.validators.iter().map(|one| one.voting_power);
        Self {
            total_voting_power: power.fold(0, i64::saturating_add),
            validators: from.validators.into_iter().map(Into::into).collect(),
            proposer: from.proposer.map(Into::into),
        }
    }
}

impl From<Evidence> for pb::Evidence {
    fn from(from: Evidence) -> Self {
        let sum = match from {
            Evidence::DuplicateVote(votes) => {
                pb::evidence::Sum::DuplicateVoteEvidence(pb::DuplicateVoteEvidence {
                    vote_a: Some(votes.vote_a.into()),
                    vote_b: Some(votes.vote_b.into()),
                    total_voting_power: votes.total_voting_power,
                    validator_power: votes.validator_power,
                    timestamp: Some(votes.timestamp.into()),
                })
            }
            Evidence::LightClientAttack(attack) => {
                let block = attack.conflicting_block;
                let byzantine = attack.byzantine_validators.into_iter().map(Into::into);
                pb::evidence::Sum::LightClientAttackEvidence(pb::LightClientAttackEvidence {
                    conflicting_block: Some(pb::LightBlock {
                        signed_header: Some(block.signed_header.into()),
                        validator_set: Some(block.validator_set.into()),
                    }),
                    common_height: attack.common_height,
                    byzantine_validators: byzantine.collect(),
                    total_voting_power: attack.total_voting_power,
                    timestamp: Some(attack.timestamp.into()),
                })
            }
        };
        Self { sum: Some(sum) }
    }
}

impl From<pb::EvidenceList> for EvidenceList {
    /// Evidence of a kind this version does not know is left out.
    fn from(from: pb::EvidenceList) -> Self {
        let known = from.evidence.into_iter().filter_map(|one| match one.sum? {
            pb::evidence::Sum::DuplicateVoteEvidence(dup) => {
                Some(Evidence::DuplicateVote(Box::new(dup.into())))
            }
            pb::evidence::Sum::LightClientAttackEvidence(attack) => {
                Some(Evidence::LightClientAttack(Box::new(attack.into())))
            }
        });
        Self { evidence: known.collect() }
    }
}
