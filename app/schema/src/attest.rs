//! What validators say about pushes: vote extensions, and pseudo-transaction 0, in which the next
//! proposer carries them into a block.

use std::collections::BTreeMap;
use std::fmt;

use prost::Message;

use crate::ids::{PushId, Signature, ValidatorAddress};
use crate::limits::{
    ATTESTATIONS_MAX, EXTENSION_BYTES_MAX, PSEUDO_TX_BYTES_MAX, PUSH_REFS_MAX, VALIDATORS_MAX,
};
use crate::proto;

/// First byte of pseudo-transaction 0. As protobuf it would be wire type 7, which there is not, so
/// no transaction begins with it.
pub const PSEUDO_TX_TAG: u8 = 0xff;

/// Some of the refs of a push, by the places of their updates in its certificate.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RefSet([u8; REF_SET_BYTES]);

/// Bytes of a set: a bit for each ref that a push can have.
const REF_SET_BYTES: usize = PUSH_REFS_MAX / 8;

impl RefSet {
    /// Whether it has the ref at that place.
    pub fn has(&self, place: usize) -> bool {
        self.0.get(place / 8).is_some_and(|byte| byte >> (place % 8) & 1 == 1)
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Its bytes, without those at its end that are 0.
    pub fn to_vec(&self) -> Vec<u8> {
        let length = self.0.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        self.0[..length].to_vec()
    }

    /// Reads them.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        let mut set = Self::default();
        set.0.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(set).filter(|_| bytes.last() != Some(&0))
    }
}

impl FromIterator<usize> for RefSet {
    /// Places beyond what a push can have are left out.
    fn from_iter<T: IntoIterator<Item = usize>>(places: T) -> Self {
        let mut set = Self::default();
        for place in places {
            if let Some(byte) = set.0.get_mut(place / 8) {
                *byte |= 1 << (place % 8);
            }
        }
        set
    }
}

impl fmt::Debug for RefSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries((0..PUSH_REFS_MAX).filter(|place| self.has(*place))).finish()
    }
}

/// What one validator found when it looked at a push. Equal objects give equal verdicts, so
/// honest validators agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Good; every ref moves forward, is made or is deleted.
    Good,
    /// Good; the old tips of these are no ancestors of their new ones.
    GoodForced(RefSet),
    /// The pack is not the bytes that the transaction names, or is no pack.
    PackCorrupt,
    /// An object that a new tip needs is in neither the pack nor the repository.
    ObjectsMissing,
    /// An object breaks a rule of `git fsck`.
    ObjectsBad,
    /// A branch would point to something that is no commit.
    NotACommit,
    /// Looking at it takes more time, memory or disk than the limits allow.
    TooBig,
}

impl Verdict {
    /// Its stable number.
    pub const fn number(self) -> u32 {
        match self {
            Self::Good => 1,
            Self::GoodForced(_) => 2,
            Self::PackCorrupt => 16,
            Self::ObjectsMissing => 17,
            Self::ObjectsBad => 18,
            Self::NotACommit => 19,
            Self::TooBig => 20,
        }
    }

    /// The refs it is about; none when it is about the push as a whole.
    pub fn refs(self) -> RefSet {
        match self {
            Self::GoodForced(refs) => refs,
            _ => RefSet::default(),
        }
    }

    /// The verdict with that number, about these refs.
    pub fn from_parts(number: u32, refs: &[u8]) -> Option<Self> {
        let refs = RefSet::from_slice(refs)?;
        let verdict = match number {
            1 => Self::Good,
            2 if !refs.is_empty() => return Some(Self::GoodForced(refs)),
            16 => Self::PackCorrupt,
            17 => Self::ObjectsMissing,
            18 => Self::ObjectsBad,
            19 => Self::NotACommit,
            20 => Self::TooBig,
            _ => return None,
        };
        Some(verdict).filter(|_| refs.is_empty())
    }

    /// True when the push may move its refs.
    pub const fn is_good(self) -> bool {
        matches!(self, Self::Good | Self::GoodForced(_))
    }

    /// Why the push is refused, for the person who pushed.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Good => "the push is good",
            Self::GoodForced(_) => "the push is good and rewrites history",
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
    /// A verdict that does not exist, or about refs that it cannot be about.
    #[error("no such verdict")]
    Verdict,
    /// An id or signature of the wrong length.
    #[error("an identifier of the wrong length")]
    Id,
}

/// Encodes a vote extension of the first of `verdicts`, each about another push, that fit:
/// [`ATTESTATIONS_MAX`] at most and always one. None is no bytes. The pushes that they are about,
/// too.
pub fn encode_extension(
    verdicts: impl IntoIterator<Item = (PushId, Verdict)>,
) -> (Vec<u8>, Vec<PushId>) {
    let (mut taken, mut left) = (BTreeMap::new(), EXTENSION_BYTES_MAX);
    for (push, verdict) in verdicts.into_iter().take(ATTESTATIONS_MAX) {
        let one = encode_attestation(&push, verdict);
        let Some(rest) = left.checked_sub(one.len()) else { break };
        left = rest;
        taken.insert(push, one);
    }
    (taken.values().flatten().copied().collect(), taken.into_keys().collect())
}

/// One verdict of a vote extension: the encoding of a list is that of its parts, one after the
/// other.
fn encode_attestation(push: &PushId, verdict: Verdict) -> Vec<u8> {
    let (push, number, refs) = (push.to_vec(), verdict.number(), verdict.refs().to_vec());
    let one = proto::Attestation { push, verdict: number, refs };
    proto::Attestations { attestations: vec![one] }.encode_to_vec()
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
        let verdict = Verdict::from_parts(attestation.verdict, &attestation.refs);
        let verdict = verdict.ok_or(AttestError::Verdict)?;
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
