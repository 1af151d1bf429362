//! Commits: the precommits that decided a block, one place a validator.
use guts_abci::proto;
use guts_genesis::{Address, Height, Round, Signature, Time};

use super::{BlockId, Hash, Invalid, Vote, VoteKind, merkle, vote_sign_bytes, wire};

/// Who signed, when, and the signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedVote {
    /// The voter.
    pub address: Address,
    /// The vote's time.
    pub time: Time,
    /// The vote's signature.
    pub signature: Signature,
}

/// One validator's place in a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitSig {
    /// No precommit was seen, or one for another block.
    Absent,
    /// A precommit for the decided block.
    Commit(SignedVote),
    /// A precommit for nil.
    Nil(SignedVote),
}

impl CommitSig {
    /// The vote, unless absent.
    pub fn vote(&self) -> Option<&SignedVote> {
        match self {
            CommitSig::Absent => None,
            CommitSig::Commit(vote) | CommitSig::Nil(vote) => Some(vote),
        }
    }

    /// Whether this is a precommit for the block.
    pub fn is_commit(&self) -> bool {
        matches!(self, CommitSig::Commit(_))
    }

    /// The wire number of the flag.
    pub fn flag(&self) -> i32 {
        match self {
            CommitSig::Absent => 1,
            CommitSig::Commit(_) => 2,
            CommitSig::Nil(_) => 3,
        }
    }

    /// Reads and checks the wire form.
    pub fn from_proto(sig: &proto::types::CommitSig) -> Result<CommitSig, Invalid> {
        let time = Time::from_proto(sig.timestamp.as_ref())?;
        if sig.block_id_flag == 1 {
            if !sig.validator_address.is_empty() || !sig.signature.is_empty() {
                return Err(Invalid::AbsentNotEmpty);
            }
            return if time.is_zero() { Ok(CommitSig::Absent) } else { Err(Invalid::TimeNotZero) };
        }
        if !(2..=3).contains(&sig.block_id_flag) {
            return Err(Invalid::FlagUnknown);
        }
        let address = Address::from_slice(&sig.validator_address)?;
        if sig.signature.is_empty() {
            return Err(Invalid::SignatureMissing);
        }
        let vote = SignedVote { address, time, signature: Signature::from_slice(&sig.signature)? };
        Ok(if sig.block_id_flag == 2 { CommitSig::Commit(vote) } else { CommitSig::Nil(vote) })
    }

    /// The wire form.
    pub fn to_proto(&self) -> proto::types::CommitSig {
        let vote = self.vote();
        proto::types::CommitSig {
            block_id_flag: self.flag(),
            validator_address: vote.map_or(Vec::new(), |vote| vote.address.as_bytes().to_vec()),
            timestamp: Some(vote.map_or(Time::ZERO, |vote| vote.time).to_proto()),
            signature: vote.map_or(Vec::new(), |vote| vote.signature.as_bytes().to_vec()),
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let vote = self.vote();
        let mut out = Vec::with_capacity(112);
        wire::put_int(&mut out, 1, i64::from(self.flag()));
        wire::put_bytes(&mut out, 2, vote.map_or(&[], |vote| vote.address.as_bytes()));
        let time = vote.map_or(Time::ZERO, |vote| vote.time);
        wire::put_message(&mut out, 3, &wire::timestamp(time));
        wire::put_bytes(&mut out, 4, vote.map_or(&[], |vote| vote.signature.as_bytes()));
        out
    }
}

/// The precommits that decided a block. The empty commit (height 0) stands in the first block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commit {
    /// Height of the decided block.
    pub height: Height,
    /// Round it was decided in.
    pub round: Round,
    /// The decided block.
    pub block_id: BlockId,
    /// One place a validator, in the order of the set.
    pub signatures: Vec<CommitSig>,
}

impl Commit {
    /// Merkle root over the signatures.
    pub fn hash(&self) -> Hash {
        let leaves: Vec<[u8; 32]> =
            self.signatures.iter().map(|sig| merkle::leaf_hash(&sig.encode())).collect();
        merkle::root_of_leaves(&leaves)
    }

    /// What the signature at `index` covers; none if absent or beyond the end.
    pub fn sign_bytes(&self, chain_id: &str, index: usize) -> Option<Vec<u8>> {
        let sig = self.signatures.get(index)?;
        let block_id = if sig.is_commit() { self.block_id } else { BlockId::NIL };
        let at = (self.height.wire(), self.round.wire());
        let kind = VoteKind::Precommit.wire();
        Some(vote_sign_bytes(chain_id, kind, at, &block_id, sig.vote()?.time))
    }

    /// The precommit at `index`, without an extension; none if absent or beyond the end.
    pub fn vote(&self, index: usize) -> Option<Vote> {
        let sig = self.signatures.get(index)?;
        let vote = sig.vote()?;
        Some(Vote {
            kind: VoteKind::Precommit,
            height: self.height,
            round: self.round,
            block_id: if sig.is_commit() { self.block_id } else { BlockId::NIL },
            time: vote.time,
            validator_address: vote.address,
            validator_index: u32::try_from(index).ok()?,
            signature: vote.signature,
            extension: bytes::Bytes::new(),
            extension_signature: Signature::NONE,
        })
    }

    /// Reads and checks the wire form.
    pub fn from_proto(commit: proto::types::Commit) -> Result<Commit, Invalid> {
        let (at, id) = ((commit.height, commit.round), commit.block_id.as_ref());
        let (height, round, block_id) = read_head(at, id, commit.signatures.is_empty())?;
        let read = |(index, sig): (usize, &proto::types::CommitSig)| {
            let sig = CommitSig::from_proto(sig);
            sig.map_err(|error| Invalid::CommitSig(index, Box::new(error)))
        };
        let signatures = commit.signatures.iter().enumerate().map(read).collect::<Result<_, _>>();
        Ok(Commit { height, round, block_id, signatures: signatures? })
    }

    /// The wire form.
    pub fn to_proto(&self) -> proto::types::Commit {
        proto::types::Commit {
            height: self.height.wire(),
            round: self.round.wire(),
            block_id: Some(self.block_id.to_proto()),
            signatures: self.signatures.iter().map(CommitSig::to_proto).collect(),
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(96 + 112 * self.signatures.len());
        wire::put_int(&mut out, 1, self.height.wire());
        wire::put_int(&mut out, 2, i64::from(self.round.wire()));
        wire::put_message(&mut out, 3, &self.block_id.encode());
        self.signatures.iter().for_each(|sig| wire::put_message(&mut out, 4, &sig.encode()));
        out
    }
}

/// What a commit, extended or not, is of; beyond height 0 it must be of a block, and signed.
pub(super) fn read_head(
    (height, round): (i64, i32),
    block_id: Option<&proto::types::BlockId>,
    is_unsigned: bool,
) -> Result<(Height, Round, BlockId), Invalid> {
    let (height, round) = (Height::from_wire(height)?, Round::from_wire(round)?);
    let block_id = BlockId::from_proto(block_id)?;
    if height > Height::ZERO && block_id.is_nil() {
        return Err(Invalid::CommitForNil);
    }
    if height > Height::ZERO && is_unsigned {
        return Err(Invalid::NoSignatures);
    }
    Ok((height, round, block_id))
}
