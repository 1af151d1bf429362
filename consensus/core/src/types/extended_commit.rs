//! Commits with the vote extensions of their precommits: kept beside a block, shown to the next
//! proposer's application, and shipped to nodes that catch up.
use bytes::Bytes;
use guts_abci::proto;
use guts_genesis::{Height, KeyError, Round, Signature, SignatureScheme};

use super::commit::read_head;
use super::{BlockId, Commit, CommitSig, Invalid, ValidatorSet, Vote, VoteKind};

/// Longest vote extension, in bytes (CometBFT's `MaxVoteExtensionSize`).
pub const EXTENSION_BYTES_MAX: usize = 1024 * 1024;

/// One validator's place in an extended commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtendedCommitSig {
    /// What the plain commit has.
    pub sig: CommitSig,
    /// The vote extension; empty unless the vote is for the block.
    pub extension: Bytes,
    /// The extension's signature; empty unless the vote is for the block.
    pub extension_signature: Signature,
}

impl ExtendedCommitSig {
    /// No vote.
    pub const ABSENT: ExtendedCommitSig = ExtendedCommitSig {
        sig: CommitSig::Absent,
        extension: Bytes::new(),
        extension_signature: Signature::NONE,
    };

    /// Extensions on: votes for the block are signed extensions, others carry none.
    pub fn check_extension(&self) -> Result<(), Invalid> {
        if self.sig.is_commit() {
            let missing = self.extension_signature.is_empty();
            return if missing { Err(Invalid::ExtensionSignatureMissing) } else { Ok(()) };
        }
        if self.extension.is_empty() && self.extension_signature.is_empty() {
            return Ok(());
        }
        Err(Invalid::ExtensionNotAllowed)
    }

    fn check_no_extension(&self) -> Result<(), Invalid> {
        if self.extension.is_empty() && self.extension_signature.is_empty() {
            return Ok(());
        }
        Err(Invalid::ExtensionPresent)
    }

    fn from_proto(sig: &proto::types::ExtendedCommitSig) -> Result<ExtendedCommitSig, Invalid> {
        let plain = CommitSig::from_proto(&proto::types::CommitSig {
            block_id_flag: sig.block_id_flag,
            validator_address: sig.validator_address.clone(),
            timestamp: sig.timestamp,
            signature: sig.signature.clone(),
        })?;
        let extension_signature = Signature::from_slice(&sig.extension_signature)
            .map_err(|_: KeyError| Invalid::ExtensionSignatureTooLong)?;
        if plain.is_commit() && sig.extension.len() > EXTENSION_BYTES_MAX {
            return Err(Invalid::ExtensionTooLong);
        }
        // Whether there must or may be an extension is for `check_extensions` to say.
        if !plain.is_commit() && !sig.extension.is_empty() && extension_signature.is_empty() {
            return Err(Invalid::ExtensionSignatureMissing);
        }
        let extension = Bytes::copy_from_slice(&sig.extension);
        Ok(ExtendedCommitSig { sig: plain, extension, extension_signature })
    }

    fn to_proto(&self) -> proto::types::ExtendedCommitSig {
        let plain = self.sig.to_proto();
        proto::types::ExtendedCommitSig {
            block_id_flag: plain.block_id_flag,
            validator_address: plain.validator_address,
            timestamp: plain.timestamp,
            signature: plain.signature,
            extension: self.extension.to_vec(),
            extension_signature: self.extension_signature.as_bytes().to_vec(),
        }
    }
}

/// A commit with vote extensions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExtendedCommit {
    /// Height of the decided block.
    pub height: Height,
    /// Round it was decided in.
    pub round: Round,
    /// The decided block.
    pub block_id: BlockId,
    /// One place a validator, in the order of the set.
    pub signatures: Vec<ExtendedCommitSig>,
}

impl ExtendedCommit {
    /// The commit of `votes`, one place a validator: those for another block count as absent.
    /// `extended` says whether extensions are on at this height, and is checked.
    pub fn of_votes(
        height: Height,
        round: Round,
        block_id: BlockId,
        votes: &[Option<Vote>],
        extended: bool,
    ) -> Result<ExtendedCommit, Invalid> {
        let place = |vote: &Option<Vote>| match vote {
            Some(vote) if vote.block_id.is_nil() => {
                ExtendedCommitSig { sig: CommitSig::Nil(vote.into()), ..ExtendedCommitSig::ABSENT }
            }
            Some(vote) if vote.block_id == block_id => ExtendedCommitSig {
                sig: CommitSig::Commit(vote.into()),
                extension: vote.extension.clone(),
                extension_signature: vote.extension_signature,
            },
            _ => ExtendedCommitSig::ABSENT,
        };
        let signatures = votes.iter().map(place).collect();
        let commit = ExtendedCommit { height, round, block_id, signatures };
        commit.check_extensions(extended)?;
        Ok(commit)
    }

    /// A plain commit as one without extensions.
    pub fn without_extensions(commit: &Commit) -> ExtendedCommit {
        let place = |sig: &CommitSig| ExtendedCommitSig { sig: *sig, ..ExtendedCommitSig::ABSENT };
        ExtendedCommit {
            height: commit.height,
            round: commit.round,
            block_id: commit.block_id,
            signatures: commit.signatures.iter().map(place).collect(),
        }
    }

    /// The commit without the extensions.
    pub fn to_commit(&self) -> Commit {
        Commit {
            height: self.height,
            round: self.round,
            block_id: self.block_id,
            signatures: self.signatures.iter().map(|place| place.sig).collect(),
        }
    }

    /// The precommit at `index`; none if absent or beyond the end.
    pub fn vote(&self, index: usize) -> Option<Vote> {
        let place = self.signatures.get(index)?;
        let vote = place.sig.vote()?;
        Some(Vote {
            kind: VoteKind::Precommit,
            height: self.height,
            round: self.round,
            block_id: if place.sig.is_commit() { self.block_id } else { BlockId::NIL },
            time: vote.time,
            validator_address: vote.address,
            validator_index: u32::try_from(index).ok()?,
            signature: vote.signature,
            extension: place.extension.clone(),
            extension_signature: place.extension_signature,
        })
    }

    /// Checks that there are signed extensions if `extended`, and none if not.
    pub fn check_extensions(&self, extended: bool) -> Result<(), Invalid> {
        self.signatures.iter().try_for_each(|place| match extended {
            true => place.check_extension(),
            false => place.check_no_extension(),
        })
    }

    /// Checks that each vote and each extension is signed by the validator in its place. Whether
    /// they are enough is for [`super::CommitCheck`] to say.
    pub fn verify(
        &self,
        scheme: &dyn SignatureScheme,
        chain_id: &str,
        validators: &ValidatorSet,
    ) -> Result<(), Invalid> {
        if self.signatures.len() != validators.len() {
            return Err(Invalid::SizeMismatch);
        }
        self.check_extensions(true)?;
        for (index, validator) in validators.validators().iter().enumerate() {
            let Some(vote) = self.vote(index) else { continue };
            vote.verify(scheme, chain_id, &validator.key)?;
            vote.verify_extension(scheme, chain_id, &validator.key)
                .map_err(|_| Invalid::ExtensionBadSignature)?;
        }
        Ok(())
    }

    /// Reads and checks the wire form.
    pub fn from_proto(commit: proto::types::ExtendedCommit) -> Result<ExtendedCommit, Invalid> {
        let (at, id) = ((commit.height, commit.round), commit.block_id.as_ref());
        let (height, round, block_id) = read_head(at, id, commit.extended_signatures.is_empty())?;
        let read = |(index, sig): (usize, &proto::types::ExtendedCommitSig)| {
            let sig = ExtendedCommitSig::from_proto(sig);
            sig.map_err(|error| Invalid::CommitSig(index, Box::new(error)))
        };
        let signatures =
            commit.extended_signatures.iter().enumerate().map(read).collect::<Result<_, _>>()?;
        Ok(ExtendedCommit { height, round, block_id, signatures })
    }

    /// The wire form.
    pub fn to_proto(&self) -> proto::types::ExtendedCommit {
        proto::types::ExtendedCommit {
            height: self.height.wire(),
            round: self.round.wire(),
            block_id: Some(self.block_id.to_proto()),
            extended_signatures: self.signatures.iter().map(ExtendedCommitSig::to_proto).collect(),
        }
    }
}

impl From<&Vote> for super::SignedVote {
    fn from(vote: &Vote) -> super::SignedVote {
        super::SignedVote {
            address: vote.validator_address,
            time: vote.time,
            signature: vote.signature,
        }
    }
}
