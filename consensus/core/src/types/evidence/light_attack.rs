//! A signed header that is not the chain's, made to fool light clients.
use guts_abci::proto;
use guts_genesis::{Height, Power, SignatureScheme, Time};

use super::misbehavior;
use crate::types::verify::CommitCheck;
use crate::types::{
    CommitSig, Counted, Hash, Header, Invalid, LightBlock, SignedHeader, TrustLevel, Validator,
    ValidatorSet, wire,
};

#[cfg(test)]
mod tests;

/// A light block that light clients would accept though the chain has another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LightClientAttack {
    /// The block that is not the chain's.
    pub conflicting: LightBlock,
    /// The last height at which both histories agree.
    pub common_height: Height,
    /// The validators at fault, as far as they can be told.
    pub byzantine: Vec<Validator>,
    /// Power of all validators at the common height.
    pub total_power: Power,
    /// Time of the block at the common height.
    pub time: Time,
}

impl LightClientAttack {
    /// The hash by which it is known: equal for equal attacks with other signatures.
    pub fn hash(&self) -> Hash {
        attack_hash(&self.conflicting.header().hash(), self.common_height)
    }

    /// What the application is told: one entry a validator at fault.
    pub fn to_abci(&self) -> Vec<proto::abci::Misbehavior> {
        let kind = proto::abci::MisbehaviorType::LightClientAttack;
        let when = (self.common_height, self.time, self.total_power);
        let entry = |validator: &Validator| {
            misbehavior(kind, (validator.address.as_bytes(), validator.power), when)
        };
        self.byzantine.iter().map(entry).collect()
    }

    /// Whether the conflicting header could not have followed from our state: validators broke
    /// the rules of the application, not only of voting ("lunatic").
    fn is_lunatic(&self, ours: &Header) -> bool {
        let theirs = self.conflicting.header();
        theirs.validators_hash != ours.validators_hash
            || theirs.next_validators_hash != ours.next_validators_hash
            || theirs.consensus_hash != ours.consensus_hash
            || theirs.app_hash != ours.app_hash
            || theirs.last_results_hash != ours.last_results_hash
    }

    /// Who is at fault, in the order of power.
    fn at_fault(&self, common: &ValidatorSet, ours: &SignedHeader) -> Vec<Validator> {
        let theirs = self.conflicting.commit();
        let mut found: Vec<Validator> = Vec::new();
        if self.is_lunatic(&ours.header) {
            let signer = |sig: &CommitSig| match sig {
                CommitSig::Commit(vote) => common.by_address(&vote.address).map(|(_, v)| *v),
                _ => None,
            };
            found.extend(theirs.signatures.iter().filter_map(signer));
        } else if ours.commit.round == theirs.round {
            // Signed both blocks of one round: equivocation. In different rounds it is amnesia,
            // and nobody can be named.
            for (sig, our_sig) in theirs.signatures.iter().zip(&ours.commit.signatures) {
                if let (CommitSig::Commit(vote), true) = (sig, our_sig.is_commit()) {
                    let set = &self.conflicting.validators;
                    found.extend(set.by_address(&vote.address).map(|(_, v)| *v));
                }
            }
        }
        found.sort_by(Validator::order_in_set);
        found
    }

    /// Checks what the validators of the common height alone can tell, without our own block: that
    /// enough of them signed, and that the conflicting block has the commit it needs.
    pub fn check_signed(
        &self,
        scheme: &dyn SignatureScheme,
        chain_id: &str,
        common: &ValidatorSet,
    ) -> Result<(), Invalid> {
        let (theirs, commit) = (&self.conflicting, self.conflicting.commit());
        let check = |validators| CommitCheck { scheme, chain_id, validators, commit };
        let height = theirs.header().height;
        if self.common_height != height {
            check(common)
                .trusting(TrustLevel::ONE_THIRD, Counted::All)
                .map_err(|_| Invalid::NotEnoughCommonPower)?;
        } else if theirs.header().validators_hash != common.hash() {
            return Err(Invalid::HeightMismatch);
        }
        check(&theirs.validators).light(&commit.block_id, height, Counted::All)?;
        if self.total_power != common.total_power() {
            return Err(Invalid::TotalPowerMismatch);
        }
        Ok(())
    }

    /// Checks the rest, against our chain: `common` are the validators of the common height, and
    /// `trusted` is our header at the conflicting height with the commit that the next block
    /// carries, or our latest header if that is lower.
    pub fn check_against(
        &self,
        common: &ValidatorSet,
        trusted: &SignedHeader,
    ) -> Result<(), Invalid> {
        let theirs = self.conflicting.header();
        if self.common_height == theirs.height && self.is_lunatic(&trusted.header) {
            return Err(Invalid::HeightMismatch);
        }
        let ahead = theirs.height > trusted.header.height;
        if ahead && theirs.time > trusted.header.time {
            return Err(Invalid::TimeNotViolated);
        }
        if !ahead && trusted.header.hash() == theirs.hash() {
            return Err(Invalid::SameHeader);
        }
        self.check_named(&self.at_fault(common, trusted))
    }

    fn check_named(&self, expected: &[Validator]) -> Result<(), Invalid> {
        if expected.is_empty() && !self.byzantine.is_empty() {
            return Err(Invalid::ByzantineListNotNil);
        }
        if expected.len() != self.byzantine.len() {
            return Err(Invalid::ByzantineCount);
        }
        for (named, expected) in self.byzantine.iter().zip(expected) {
            if named.address != expected.address {
                return Err(Invalid::ByzantineAddress);
            }
            if named.key != expected.key {
                return Err(Invalid::ByzantineKey);
            }
            if named.power != expected.power {
                return Err(Invalid::ByzantinePower);
            }
        }
        Ok(())
    }

    /// Reads and checks the wire form.
    pub fn from_proto(
        evidence: proto::types::LightClientAttackEvidence,
    ) -> Result<LightClientAttack, Invalid> {
        let block = evidence.conflicting_block.ok_or(Invalid::ConflictingBlockMissing)?;
        let conflicting = LightBlock::from_proto(block)?;
        if evidence.total_voting_power <= 0 {
            return Err(Invalid::TotalPowerNotPositive);
        }
        if evidence.common_height <= 0 {
            return Err(Invalid::CommonHeightNotPositive);
        }
        let common_height = Height::from_wire(evidence.common_height)?;
        if common_height > conflicting.header().height {
            return Err(Invalid::CommonHeightTooHigh);
        }
        let chain_id = conflicting.header().chain_id.clone();
        conflicting.check(&chain_id)?;
        let byzantine = evidence.byzantine_validators.iter().map(Validator::from_proto);
        Ok(LightClientAttack {
            byzantine: byzantine.collect::<Result<_, _>>()?,
            conflicting,
            common_height,
            total_power: Power::from_wire(evidence.total_voting_power)?,
            time: Time::from_proto(evidence.timestamp.as_ref())?,
        })
    }

    /// The wire form.
    pub fn to_proto(&self) -> proto::types::LightClientAttackEvidence {
        proto::types::LightClientAttackEvidence {
            conflicting_block: Some(self.conflicting.to_proto()),
            common_height: self.common_height.wire(),
            byzantine_validators: self.byzantine.iter().map(Validator::to_proto).collect(),
            total_voting_power: self.total_power.wire(),
            timestamp: Some(self.time.to_proto()),
        }
    }
}

/// SHA-256 over the first 31 bytes of the block hash, a zero and the height as zigzag varint.
pub(crate) fn attack_hash(block_hash: &Hash, common_height: Height) -> Hash {
    let mut bytes = block_hash.to_vec();
    bytes.truncate(31);
    bytes.resize(32, 0);
    let height = common_height.wire();
    wire::put_varint(&mut bytes, ((height << 1) ^ (height >> 63)) as u64);
    Hash::of(&bytes)
}
