//! Evidence that a validator broke the rules.
use bytes::Bytes;
use guts_abci::proto::{self, Message, types::evidence::Sum};
use guts_genesis::{Height, Power, Time};

use super::{Hash, Invalid, merkle, wire};

mod duplicate_vote;
mod light_attack;

pub use duplicate_vote::DuplicateVote;
pub use light_attack::LightClientAttack;

/// Proof of misbehaviour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// Two votes for one height, round and type.
    DuplicateVote(Box<DuplicateVote>),
    /// A header that light clients would take, but that is not the chain's.
    LightClientAttack(Box<LightClientAttack>),
}

impl Evidence {
    /// The height at which it happened; its age counts from there.
    pub fn height(&self) -> Height {
        match self {
            Evidence::DuplicateVote(evidence) => evidence.height(),
            Evidence::LightClientAttack(evidence) => evidence.common_height,
        }
    }

    /// The time of the block at that height, as the evidence states it.
    pub fn time(&self) -> Time {
        match self {
            Evidence::DuplicateVote(evidence) => evidence.time,
            Evidence::LightClientAttack(evidence) => evidence.time,
        }
    }

    /// The hash by which it is known.
    pub fn hash(&self) -> Hash {
        match self {
            Evidence::DuplicateVote(_) => Hash::of(&self.encode_bare()),
            Evidence::LightClientAttack(evidence) => evidence.hash(),
        }
    }

    /// Bytes it takes in the evidence list of a block.
    pub fn encoded_len(&self) -> u64 {
        wire::field_len(self.to_proto().encoded_len()) as u64
    }

    /// What the application is told: one entry a validator at fault.
    pub fn to_abci(&self) -> Vec<proto::abci::Misbehavior> {
        match self {
            Evidence::DuplicateVote(evidence) => vec![evidence.to_abci()],
            Evidence::LightClientAttack(evidence) => evidence.to_abci(),
        }
    }

    /// Reads and checks the wire form.
    pub fn from_proto(evidence: proto::types::Evidence) -> Result<Evidence, Invalid> {
        match evidence.sum.ok_or(Invalid::EvidenceTypeUnknown)? {
            Sum::DuplicateVoteEvidence(evidence) => {
                DuplicateVote::from_proto(evidence).map(Box::new).map(Evidence::DuplicateVote)
            }
            Sum::LightClientAttackEvidence(evidence) => LightClientAttack::from_proto(evidence)
                .map(Box::new)
                .map(Evidence::LightClientAttack),
        }
    }

    /// The wire form.
    pub fn to_proto(&self) -> proto::types::Evidence {
        let sum = match self {
            Evidence::DuplicateVote(evidence) => Sum::DuplicateVoteEvidence(evidence.to_proto()),
            Evidence::LightClientAttack(evidence) => {
                Sum::LightClientAttackEvidence(evidence.to_proto())
            }
        };
        proto::types::Evidence { sum: Some(sum) }
    }

    /// The encoding without the union around it.
    fn encode_bare(&self) -> Vec<u8> {
        match self {
            Evidence::DuplicateVote(evidence) => evidence.to_proto().encode_to_vec(),
            Evidence::LightClientAttack(evidence) => evidence.to_proto().encode_to_vec(),
        }
    }
}

/// The evidence hash of a header: Merkle root over the bare encodings.
pub fn evidence_hash(list: &[Evidence]) -> Hash {
    let leaves: Vec<Vec<u8>> = list.iter().map(Evidence::encode_bare).collect();
    merkle::root(&leaves)
}

/// The encoding of an evidence list, as in a block and on the evidence channel.
pub fn encode_list(list: &[Evidence]) -> Vec<u8> {
    let mut out = Vec::new();
    for evidence in list {
        wire::put_message(&mut out, 1, &evidence.to_proto().encode_to_vec());
    }
    out
}

/// Whether evidence is too old to count: both limits have passed.
pub fn is_expired(
    (height_now, time_now): (i64, Time),
    (height, time): (i64, Time),
    (age_blocks, age_nanos): (i64, i64),
) -> bool {
    let blocks = i128::from(height_now) - i128::from(height);
    blocks > i128::from(age_blocks) && time_now.nanos_since(time) > i128::from(age_nanos)
}

fn misbehavior(
    kind: proto::abci::MisbehaviorType,
    (address, power): (&[u8], Power),
    (height, time, total): (Height, Time, Power),
) -> proto::abci::Misbehavior {
    proto::abci::Misbehavior {
        r#type: kind as i32,
        validator: Some(proto::abci::Validator {
            address: Bytes::copy_from_slice(address),
            power: power.wire(),
        }),
        height: height.wire(),
        time: Some(time.to_proto()),
        total_voting_power: total.wire(),
    }
}
