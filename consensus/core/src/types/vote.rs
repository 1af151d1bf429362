//! Votes: prevotes and precommits, and the extensions of precommits.
use bytes::Bytes;
use guts_abci::{extension_sign_bytes, proto};
use guts_genesis::{Address, Height, KeyError, PublicKey, Round, Signature, SignatureScheme, Time};

use super::{BlockId, Invalid, vote_sign_bytes};

/// Which of the two votes of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VoteKind {
    /// First vote of a round.
    Prevote,
    /// Second vote of a round; two thirds of them decide.
    Precommit,
}

impl VoteKind {
    /// The wire number.
    pub fn wire(self) -> i32 {
        match self {
            VoteKind::Prevote => 1,
            VoteKind::Precommit => 2,
        }
    }

    /// Reads the wire number.
    pub fn from_wire(number: i32) -> Result<VoteKind, Invalid> {
        match number {
            1 => Ok(VoteKind::Prevote),
            2 => Ok(VoteKind::Precommit),
            _ => Err(Invalid::TypeInvalid),
        }
    }
}

/// A validator's vote for a block, or for nil, in a round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vote {
    /// Prevote or precommit.
    pub kind: VoteKind,
    /// Height voted in.
    pub height: Height,
    /// Round voted in.
    pub round: Round,
    /// The block voted for, nil for none.
    pub block_id: BlockId,
    /// The voter's clock, or just after the block's time if that is later.
    pub time: Time,
    /// The voter.
    pub validator_address: Address,
    /// The voter's place in the validator set. Not signed.
    pub validator_index: u32,
    /// Signature over [`Vote::sign_bytes`].
    pub signature: Signature,
    /// What the application added; only in a precommit for a block.
    pub extension: Bytes,
    /// Signature over [`Vote::extension_sign_bytes`].
    pub extension_signature: Signature,
}

impl Vote {
    /// What the signature covers.
    pub fn sign_bytes(&self, chain_id: &str) -> Vec<u8> {
        let at = (self.height.wire(), self.round.wire());
        vote_sign_bytes(chain_id, self.kind.wire(), at, &self.block_id, self.time)
    }

    /// What the extension signature covers.
    pub fn extension_sign_bytes(&self, chain_id: &str) -> Vec<u8> {
        let (height, round) = (self.height.wire(), self.round.wire());
        extension_sign_bytes(chain_id, height, round, &self.extension)
    }

    /// Whether this is a precommit for a block, the only vote that is extended.
    pub fn is_extendable(&self) -> bool {
        self.kind == VoteKind::Precommit && !self.block_id.is_nil()
    }

    /// Checks that `key` cast this vote. The extension is not looked at.
    pub fn verify(
        &self,
        scheme: &dyn SignatureScheme,
        chain_id: &str,
        key: &PublicKey,
    ) -> Result<(), Invalid> {
        if key.address() != self.validator_address {
            return Err(Invalid::AddressMismatch);
        }
        let good = scheme.verify(key, &self.sign_bytes(chain_id), &self.signature);
        if good { Ok(()) } else { Err(Invalid::BadSignature) }
    }

    /// Checks that `key` signed the extension. Of votes that are not extended, nothing.
    pub fn verify_extension(
        &self,
        scheme: &dyn SignatureScheme,
        chain_id: &str,
        key: &PublicKey,
    ) -> Result<(), Invalid> {
        if !self.is_extendable() {
            return Ok(());
        }
        let message = self.extension_sign_bytes(chain_id);
        let good = scheme.verify(key, &message, &self.extension_signature);
        if good { Ok(()) } else { Err(Invalid::BadSignature) }
    }

    /// Reads and checks the wire form. Whether an extension must be there depends on the height
    /// (CometBFT's `EnsureExtension`): [`Vote::check_extension_required`].
    pub fn from_proto(vote: proto::types::Vote) -> Result<Vote, Invalid> {
        let kind = VoteKind::from_wire(vote.r#type)?;
        if vote.height <= 0 {
            return Err(Invalid::HeightNotPositive);
        }
        let height = Height::from_wire(vote.height)?;
        let round = Round::from_wire(vote.round)?;
        let block_id = BlockId::from_proto(vote.block_id.as_ref())?;
        if !block_id.is_nil() && !block_id.is_complete() {
            return Err(Invalid::BlockIdIncomplete);
        }
        let validator_address = Address::from_slice(&vote.validator_address)?;
        let validator_index =
            u32::try_from(vote.validator_index).map_err(|_| Invalid::IndexNegative)?;
        if vote.signature.is_empty() {
            return Err(Invalid::SignatureMissing);
        }
        let signature = Signature::from_slice(&vote.signature)?;
        let extendable = kind == VoteKind::Precommit && !block_id.is_nil();
        if !extendable && !vote.extension.is_empty() {
            return Err(Invalid::ExtensionNotAllowed);
        }
        if !extendable && !vote.extension_signature.is_empty() {
            return Err(Invalid::ExtensionSignatureNotAllowed);
        }
        let extension_signature = Signature::from_slice(&vote.extension_signature)
            .map_err(|_: KeyError| Invalid::ExtensionSignatureTooLong)?;
        if !vote.extension.is_empty() && extension_signature.is_empty() {
            return Err(Invalid::ExtensionSignatureMissing);
        }
        Ok(Vote {
            kind,
            height,
            round,
            block_id,
            time: Time::from_proto(vote.timestamp.as_ref())?,
            validator_address,
            validator_index,
            signature,
            extension: vote.extension.into(),
            extension_signature,
        })
    }

    /// At heights with extensions, a precommit for a block must have a signed one.
    pub fn check_extension_required(&self) -> Result<(), Invalid> {
        if self.is_extendable() && self.extension_signature.is_empty() {
            return Err(Invalid::ExtensionSignatureMissing);
        }
        Ok(())
    }

    /// The wire form.
    pub fn to_proto(&self) -> proto::types::Vote {
        proto::types::Vote {
            r#type: self.kind.wire(),
            height: self.height.wire(),
            round: self.round.wire(),
            block_id: Some(self.block_id.to_proto()),
            timestamp: Some(self.time.to_proto()),
            validator_address: self.validator_address.as_bytes().to_vec(),
            validator_index: i32::try_from(self.validator_index).unwrap_or(i32::MAX),
            signature: self.signature.as_bytes().to_vec(),
            extension: self.extension.to_vec(),
            extension_signature: self.extension_signature.as_bytes().to_vec(),
        }
    }
}
