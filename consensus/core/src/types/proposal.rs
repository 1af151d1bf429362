//! Proposals: a proposer names the block it wants decided in a round.
use guts_abci::proto;
use guts_genesis::{Height, PublicKey, Round, Signature, SignatureScheme, Time};

use super::{BlockId, Invalid, PART_SIZE, proposal_sign_bytes};

/// A signed proposal. The block itself travels as parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// Height proposed at.
    pub height: Height,
    /// Round proposed in.
    pub round: Round,
    /// The earlier round in which the block had a polka, if it is proposed again.
    pub pol_round: Option<Round>,
    /// The proposed block.
    pub block_id: BlockId,
    /// When it was proposed.
    pub time: Time,
    /// Signature over [`Proposal::sign_bytes`].
    pub signature: Signature,
}

impl Proposal {
    /// Wire number of a proposal among signed messages.
    pub const KIND: i32 = 32;

    /// The wire form of [`Proposal::pol_round`].
    pub fn pol_round_wire(&self) -> i32 {
        self.pol_round.map_or(-1, Round::wire)
    }

    /// What the signature covers.
    pub fn sign_bytes(&self, chain_id: &str) -> Vec<u8> {
        let at = (self.height.wire(), self.round.wire(), self.pol_round_wire());
        proposal_sign_bytes(chain_id, at, &self.block_id, self.time)
    }

    /// Checks that `key` made this proposal.
    pub fn verify(
        &self,
        scheme: &dyn SignatureScheme,
        chain_id: &str,
        key: &PublicKey,
    ) -> Result<(), Invalid> {
        let good = scheme.verify(key, &self.sign_bytes(chain_id), &self.signature);
        if good { Ok(()) } else { Err(Invalid::BadSignature) }
    }

    /// Checks that the named number of parts can hold a block of at most `block_max_bytes`
    /// (negative: the protocol's limit).
    pub fn check_parts(&self, block_max_bytes: i64) -> Result<(), Invalid> {
        let limit = if block_max_bytes < 0 { super::BLOCK_SIZE_MAX } else { block_max_bytes };
        let most = u64::try_from(limit).unwrap_or(0).div_ceil(PART_SIZE as u64);
        if u64::from(self.block_id.parts.total) > most {
            return Err(Invalid::TooManyParts);
        }
        Ok(())
    }

    /// Reads and checks the wire form.
    pub fn from_proto(proposal: proto::types::Proposal) -> Result<Proposal, Invalid> {
        if proposal.r#type != Self::KIND {
            return Err(Invalid::TypeInvalid);
        }
        let height = Height::from_wire(proposal.height)?;
        let round = Round::from_wire(proposal.round)?;
        let pol_round = match proposal.pol_round {
            -1 => None,
            other => Some(Round::from_wire(other).map_err(|_| Invalid::PolRoundNegative)?),
        };
        let block_id = BlockId::from_proto(proposal.block_id.as_ref())?;
        if !block_id.is_complete() {
            return Err(Invalid::BlockIdIncomplete);
        }
        if proposal.signature.is_empty() {
            return Err(Invalid::SignatureMissing);
        }
        let signature = Signature::from_slice(&proposal.signature)?;
        let time = Time::from_proto(proposal.timestamp.as_ref())?;
        Ok(Proposal { height, round, pol_round, block_id, time, signature })
    }

    /// The wire form.
    pub fn to_proto(&self) -> proto::types::Proposal {
        proto::types::Proposal {
            r#type: Self::KIND,
            height: self.height.wire(),
            round: self.round.wire(),
            pol_round: self.pol_round_wire(),
            block_id: Some(self.block_id.to_proto()),
            timestamp: Some(self.time.to_proto()),
            signature: self.signature.as_bytes().to_vec(),
        }
    }
}
