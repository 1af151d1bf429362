//! Checking that enough of a validator set signed a commit.
use guts_genesis::{Height, PublicKey, Signature, SignatureScheme, SignedBytes};

use super::{BlockId, Commit, CommitSig, Invalid, Validator, ValidatorSet};

/// How much of a trusted set must have signed: more than numerator / denominator of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrustLevel {
    /// Upper part of the fraction.
    pub numerator: u64,
    /// Lower part of the fraction.
    pub denominator: u64,
}

impl TrustLevel {
    /// One third, the least that is safe.
    pub const ONE_THIRD: TrustLevel = TrustLevel { numerator: 1, denominator: 3 };
}

/// Whether to stop at the first signatures that are enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// Stop when there are enough.
    Enough,
    /// Check every signature for the block.
    All,
}

/// A commit and the set that is said to have signed it.
#[derive(Clone, Copy)]
pub struct CommitCheck<'a> {
    /// How signatures are checked.
    pub scheme: &'a dyn SignatureScheme,
    /// The chain that is signed for.
    pub chain_id: &'a str,
    /// Who signed.
    pub validators: &'a ValidatorSet,
    /// What they signed.
    pub commit: &'a Commit,
}

/// What a run over the signatures looks at.
#[derive(Clone, Copy)]
struct Rules {
    /// Votes for nil are checked too (but never counted).
    nil_votes: bool,
    stop_when_enough: bool,
    /// Signers are found by place, not by address.
    by_index: bool,
    needed_more_than: u64,
}

struct Signed<'a> {
    index: usize,
    key: &'a PublicKey,
    message: Vec<u8>,
    signature: &'a Signature,
}

impl<'a> CommitCheck<'a> {
    /// More than two thirds signed, and every signature is good, also those for nil: for the last
    /// commit of a block, because rewards may follow from it (CometBFT's `VerifyCommit`).
    pub fn full(&self, block_id: &BlockId, height: Height) -> Result<(), Invalid> {
        self.check_subject(block_id, height)?;
        let needed_more_than = self.two_thirds();
        self.run(Rules {
            nil_votes: true,
            stop_when_enough: false,
            by_index: true,
            needed_more_than,
        })
    }

    /// More than two thirds signed (CometBFT's `VerifyCommitLight`).
    pub fn light(
        &self,
        block_id: &BlockId,
        height: Height,
        counted: Counted,
    ) -> Result<(), Invalid> {
        self.check_subject(block_id, height)?;
        let needed_more_than = self.two_thirds();
        let stop_when_enough = counted == Counted::Enough;
        self.run(Rules { nil_votes: false, stop_when_enough, by_index: true, needed_more_than })
    }

    /// More than the trust level of a set that need not be the block's own signed (CometBFT's
    /// `VerifyCommitLightTrusting`). Height and block are not checked.
    pub fn trusting(&self, level: TrustLevel, counted: Counted) -> Result<(), Invalid> {
        if level.denominator == 0 {
            return Err(Invalid::TrustDenominatorZero);
        }
        let total = i64::try_from(self.validators.total_power().0).unwrap_or(i64::MAX);
        let product = i64::try_from(level.numerator).ok().and_then(|n| total.checked_mul(n));
        let product = u64::try_from(product.ok_or(Invalid::Overflow)?).unwrap_or(0);
        let stop_when_enough = counted == Counted::Enough;
        let needed_more_than = product / level.denominator;
        self.run(Rules { nil_votes: false, stop_when_enough, by_index: false, needed_more_than })
    }

    fn two_thirds(&self) -> u64 {
        // The total is at most i64::MAX / 8, so doubling it stays in 64 bits.
        self.validators.total_power().0 * 2 / 3
    }

    fn check_subject(&self, block_id: &BlockId, height: Height) -> Result<(), Invalid> {
        if self.validators.len() != self.commit.signatures.len() {
            return Err(Invalid::SizeMismatch);
        }
        if self.commit.height != height {
            return Err(Invalid::HeightMismatch);
        }
        if self.commit.block_id != *block_id {
            return Err(Invalid::BlockIdMismatch);
        }
        Ok(())
    }

    fn run(&self, rules: Rules) -> Result<(), Invalid> {
        // CometBFT verifies in a batch from two signatures on, and then tallies before it
        // verifies: which error is reported first depends on it.
        let in_batch = self.commit.signatures.len() >= 2 && self.validators.has_one_key_type() && {
            let first = self.validators.validators().first();
            first.is_some_and(|v| matches!(v.key, PublicKey::Ed25519(_)))
        };
        let mut signed: Vec<Signed<'a>> = Vec::with_capacity(self.commit.signatures.len());
        let mut seen = vec![None; self.validators.len()];
        let mut tally = 0_u64;
        for (index, sig) in self.commit.signatures.iter().enumerate() {
            let vote = match sig {
                CommitSig::Absent => continue,
                CommitSig::Nil(_) if !rules.nil_votes => continue,
                CommitSig::Nil(vote) | CommitSig::Commit(vote) => vote,
            };
            let Some(validator) = self.signer(index, sig, rules, &mut seen)? else { continue };
            let message = self.commit.sign_bytes(self.chain_id, index).unwrap_or_default();
            let item = Signed { index, key: &validator.key, message, signature: &vote.signature };
            if !in_batch {
                self.check_one(&item)?;
            } else if vote.signature.as_bytes().len() != 64 {
                return Err(Invalid::SignatureSize);
            } else {
                signed.push(item);
            }
            if sig.is_commit() {
                tally = tally.saturating_add(validator.power.0);
            }
            if rules.stop_when_enough && tally > rules.needed_more_than {
                break;
            }
        }
        if tally <= rules.needed_more_than {
            let needed_more_than = rules.needed_more_than;
            return Err(Invalid::NotEnoughPower { got: tally, needed_more_than });
        }
        if in_batch { self.check_batch(&signed) } else { Ok(()) }
    }

    /// Who signed at `index`; none if a trusted set does not know the signer.
    fn signer(
        &self,
        index: usize,
        sig: &CommitSig,
        rules: Rules,
        seen: &mut [Option<usize>],
    ) -> Result<Option<&'a Validator>, Invalid> {
        let Some(vote) = sig.vote() else { return Ok(None) };
        if rules.by_index {
            let validator = self.validators.validators().get(index);
            let validator = validator.ok_or(Invalid::SizeMismatch)?;
            if validator.address != vote.address {
                return Err(Invalid::AddressMismatch);
            }
            return Ok(Some(validator));
        }
        let Some((place, validator)) = self.validators.by_address(&vote.address) else {
            return Ok(None);
        };
        if let Some(first) = seen[place as usize].replace(index) {
            return Err(Invalid::DoubleVote(first, index));
        }
        Ok(Some(validator))
    }

    fn check_one(&self, item: &Signed<'_>) -> Result<(), Invalid> {
        let good = self.scheme.verify(item.key, &item.message, item.signature);
        if good { Ok(()) } else { Err(Invalid::WrongSignature(item.index)) }
    }

    fn check_batch(&self, signed: &[Signed<'_>]) -> Result<(), Invalid> {
        let item = |s: &'_ Signed<'_>| -> (usize, bool) {
            (s.index, self.scheme.verify(s.key, &s.message, s.signature))
        };
        let batch: Vec<SignedBytes<'_>> = signed
            .iter()
            .map(|s| SignedBytes { key: s.key, message: &s.message, signature: s.signature })
            .collect();
        if batch.is_empty() || self.scheme.verify_batch(&batch) {
            return Ok(());
        }
        let bad = signed.iter().map(item).find(|(_, good)| !good);
        // A batch of good signatures is good, so one of them is bad.
        Err(Invalid::WrongSignature(bad.map_or(0, |(index, _)| index)))
    }
}
