//! What validators say about pushes: vote extensions, and pseudo-transaction 0, in which the next
//! proposer carries them into a block.

use std::collections::BTreeMap;

use prost::Message;

use crate::ids::{PushId, Signature, ValidatorAddress};
use crate::limits::{ATTESTATIONS_MAX, EXTENSION_BYTES_MAX, PSEUDO_TX_BYTES_MAX, VALIDATORS_MAX};
use crate::proto;

/// First byte of pseudo-transaction 0. As protobuf it would be wire type 7, which there is not, so
/// no transaction begins with it.
pub const PSEUDO_TX_TAG: u8 = 0xff;

/// What one validator found when it looked at a push. Equal objects give equal verdicts, so
/// honest validators agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u32)]
pub enum Verdict {
    /// Good; every ref moves forward, is made or is deleted.
    Good = 1,
    /// Good; at least one old tip is no ancestor of its new one.
    GoodForced = 2,
    /// The pack is not the bytes that the transaction names, or is no pack.
    PackCorrupt = 16,
    /// An object that a new tip needs is in neither the pack nor the repository.
    ObjectsMissing = 17,
    /// An object breaks a rule of `git fsck`.
    ObjectsBad = 18,
    /// A branch would point to something that is no commit.
    NotACommit = 19,
    /// Looking at it takes more time, memory or disk than the limits allow.
    TooBig = 20,
}

impl Verdict {
    /// Every verdict.
    pub const ALL: [Self; 7] = [
        Self::Good,
        Self::GoodForced,
        Self::PackCorrupt,
        Self::ObjectsMissing,
        Self::ObjectsBad,
        Self::NotACommit,
        Self::TooBig,
    ];

    /// Its stable number.
    pub const fn number(self) -> u32 {
        self as u32
    }

    /// The verdict with that number.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|verdict| verdict.number() == number)
    }

    /// True when the push may move its refs.
    pub const fn is_good(self) -> bool {
        matches!(self, Self::Good | Self::GoodForced)
    }

    /// Why the push is refused, for the person who pushed.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Good => "the push is good",
            Self::GoodForced => "the push is good and rewrites history",
            Self::PackCorrupt => "the pack is corrupt",
            Self::ObjectsMissing => "the push lacks objects that its commits need",
            Self::ObjectsBad => "the push has objects that git fsck refuses",
            Self::NotACommit => "a branch must point to a commit",
            Self::TooBig => "the push is too big to be checked: push it in parts",
        }
    }
}

/// Attestation bytes that are malformed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttestError {
    /// Too long.
    #[error("too many bytes")]
    Oversize,
    /// Not canonical protobuf.
    #[error("not in canonical encoding")]
    Encoding,
    /// Not sorted, or twice the same.
    #[error("not sorted, or the same twice")]
    Order,
    /// A verdict that does not exist.
    #[error("no such verdict")]
    Verdict,
    /// An id or signature of the wrong length.
    #[error("an identifier of the wrong length")]
    Id,
}

/// Encodes a vote extension: the first [`ATTESTATIONS_MAX`] of `verdicts`. None is no bytes.
pub fn encode_extension(verdicts: &BTreeMap<PushId, Verdict>) -> Vec<u8> {
    let attestations = verdicts
        .iter()
        .take(ATTESTATIONS_MAX)
        .map(|(push, verdict)| proto::Attestation {
            push: push.to_vec(),
            verdict: verdict.number(),
        })
        .collect();
    let bytes = proto::Attestations { attestations }.encode_to_vec();
    assert!(bytes.len() <= EXTENSION_BYTES_MAX, "limits.rs asserts that they fit");
    bytes
}

/// Reads a vote extension; purely syntactic.
pub fn decode_extension(bytes: &[u8]) -> Result<BTreeMap<PushId, Verdict>, AttestError> {
    if bytes.len() > EXTENSION_BYTES_MAX {
        return Err(AttestError::Oversize);
    }
    let message = proto::Attestations::decode(bytes).map_err(|_| AttestError::Encoding)?;
    if message.encode_to_vec() != bytes {
        return Err(AttestError::Encoding);
    }
    if message.attestations.len() > ATTESTATIONS_MAX {
        return Err(AttestError::Oversize);
    }
    let mut verdicts = BTreeMap::new();
    for attestation in &message.attestations {
        let push = PushId::from_slice(&attestation.push).map_err(|_| AttestError::Id)?;
        let verdict = Verdict::from_number(attestation.verdict).ok_or(AttestError::Verdict)?;
        if verdicts.last_key_value().is_some_and(|(last, _)| *last >= push) {
            return Err(AttestError::Order);
        }
        verdicts.insert(push, verdict);
    }
    Ok(verdicts)
}

/// One validator's vote extension as it was signed, and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttestedVote {
    /// Whose.
    pub validator: ValidatorAddress,
    /// The extension's bytes; never empty.
    pub extension: Vec<u8>,
    /// Over `guts_abci::extension_sign_bytes`.
    pub signature: Signature,
    /// What the extension says.
    pub verdicts: BTreeMap<PushId, Verdict>,
}

impl AttestedVote {
    /// Reads a vote as ABCI gives it. An empty extension is no attested vote.
    pub fn new(validator: &[u8], extension: &[u8], signature: &[u8]) -> Result<Self, AttestError> {
        let verdicts = decode_extension(extension)?;
        if verdicts.is_empty() {
            return Err(AttestError::Encoding);
        }
        Ok(Self {
            validator: ValidatorAddress::from_slice(validator).map_err(|_| AttestError::Id)?,
            extension: extension.to_vec(),
            signature: Signature::from_slice(signature).map_err(|_| AttestError::Id)?,
            verdicts,
        })
    }
}

/// Pseudo-transaction 0: the attestations of one commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attested {
    /// Height of the votes: the one before the block's.
    pub height: u64,
    /// Round of the commit.
    pub round: u32,
    /// By rising address.
    pub votes: Vec<AttestedVote>,
}

/// True for bytes that claim to be pseudo-transaction 0.
pub fn is_pseudo_tx(bytes: &[u8]) -> bool {
    bytes.first() == Some(&PSEUDO_TX_TAG)
}

impl Attested {
    /// The bytes that go into the block. Sorts the votes.
    pub fn encode(&self) -> Vec<u8> {
        let sorted: BTreeMap<_, _> = self.votes.iter().map(|vote| (vote.validator, vote)).collect();
        let votes = sorted
            .into_values()
            .map(|vote| proto::AttestedVote {
                validator: vote.validator.to_vec(),
                extension: vote.extension.clone(),
                signature: vote.signature.to_vec(),
            })
            .collect();
        let message = proto::Attested { height: self.height, round: self.round, votes };
        let mut bytes = vec![PSEUDO_TX_TAG];
        message.encode(&mut bytes).expect("a Vec grows as needed");
        bytes
    }

    /// Reads them; `decode(x)?.encode() == x`. Signatures are the caller's to check.
    pub fn decode(bytes: &[u8]) -> Result<Self, AttestError> {
        if bytes.len() > PSEUDO_TX_BYTES_MAX {
            return Err(AttestError::Oversize);
        }
        let body = bytes.strip_prefix(&[PSEUDO_TX_TAG]).ok_or(AttestError::Encoding)?;
        let message = proto::Attested::decode(body).map_err(|_| AttestError::Encoding)?;
        if message.votes.is_empty() || message.votes.len() > VALIDATORS_MAX {
            return Err(AttestError::Oversize);
        }
        let votes: Vec<AttestedVote> = message
            .votes
            .iter()
            .map(|vote| AttestedVote::new(&vote.validator, &vote.extension, &vote.signature))
            .collect::<Result<_, _>>()?;
        if votes.windows(2).any(|pair| pair[0].validator >= pair[1].validator) {
            return Err(AttestError::Order);
        }
        let attested = Self { height: message.height, round: message.round, votes };
        if attested.encode() == bytes { Ok(attested) } else { Err(AttestError::Encoding) }
    }
}

#[cfg(test)]
mod tests;
