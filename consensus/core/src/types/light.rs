//! Headers with the commits that signed them, as light clients and evidence carry them.
use guts_abci::proto;

use super::{Commit, Header, Invalid, ValidatorSet};

/// A header and the commit that decided it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedHeader {
    /// The header.
    pub header: Header,
    /// The commit for it.
    pub commit: Commit,
}

impl SignedHeader {
    /// Reads and checks the wire form: both parts are there and sound.
    pub fn from_proto(signed: proto::types::SignedHeader) -> Result<SignedHeader, Invalid> {
        let header = signed.header.ok_or(Invalid::HeaderMissing)?;
        let commit = signed.commit.ok_or(Invalid::CommitMissing)?;
        let header = Header::from_proto(header).map_err(|e| Invalid::Header(Box::new(e)))?;
        let commit = Commit::from_proto(commit).map_err(|e| Invalid::Commit(Box::new(e)))?;
        Ok(SignedHeader { header, commit })
    }

    /// Checks that header and commit are of one block of `chain_id`.
    pub fn check(&self, chain_id: &str) -> Result<(), Invalid> {
        if self.header.chain_id != chain_id {
            return Err(Invalid::ChainIdMismatch);
        }
        if self.commit.height != self.header.height {
            return Err(Invalid::HeightMismatch);
        }
        if self.commit.block_id.hash != self.header.hash() {
            return Err(Invalid::CommitBlockMismatch);
        }
        Ok(())
    }

    /// The wire form.
    pub fn to_proto(&self) -> proto::types::SignedHeader {
        proto::types::SignedHeader {
            header: Some(self.header.to_proto()),
            commit: Some(self.commit.to_proto()),
        }
    }
}

/// A signed header with the validator set of its height.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LightBlock {
    /// Header and commit.
    pub signed_header: SignedHeader,
    /// The validators of its height.
    pub validators: ValidatorSet,
}

impl LightBlock {
    /// Reads and checks the wire form: all parts are there and sound.
    pub fn from_proto(block: proto::types::LightBlock) -> Result<LightBlock, Invalid> {
        let signed_header = block.signed_header.ok_or(Invalid::SignedHeaderMissing)?;
        let validators = block.validator_set.ok_or(Invalid::ValidatorsMissing)?;
        let signed_header = SignedHeader::from_proto(signed_header)?;
        Ok(LightBlock { signed_header, validators: ValidatorSet::from_proto(&validators)? })
    }

    /// Checks that header, commit and validators are of one block of `chain_id`.
    pub fn check(&self, chain_id: &str) -> Result<(), Invalid> {
        self.signed_header.check(chain_id)?;
        if self.signed_header.header.validators_hash != self.validators.hash() {
            return Err(Invalid::ValidatorsHashMismatch);
        }
        Ok(())
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.signed_header.header
    }

    /// The commit.
    pub fn commit(&self) -> &Commit {
        &self.signed_header.commit
    }

    /// The wire form.
    pub fn to_proto(&self) -> proto::types::LightBlock {
        proto::types::LightBlock {
            signed_header: Some(self.signed_header.to_proto()),
            validator_set: Some(self.validators.to_proto()),
        }
    }
}
