//! Proof of work: SHA-256 over (chain, payer, nonce, anchor, solution) with leading zero bits.
//!
//! It covers the nonce, so it pays once; the anchor, so it cannot be stockpiled; not the actions,
//! so that it can be sought while they are being written and signed.

use sha2::{Digest, Sha256};

use crate::ids::{AccountId, Hash};

/// What a solution is sought for.
#[derive(Clone, Debug)]
pub struct Puzzle {
    midstate: Sha256,
}

impl Puzzle {
    /// The puzzle of one transaction.
    pub fn new(chain_id: &str, payer: &AccountId, nonce: u64, anchor: &Hash) -> Self {
        // The fixed-length parts first, so that the parts cannot run into each other; one digest
        // of them all, so that an attempt hashes 40 bytes whatever the chain is called.
        let prefix = Sha256::new()
            .chain_update(b"guts.v1.work\0")
            .chain_update(payer.as_bytes())
            .chain_update(nonce.to_be_bytes())
            .chain_update(anchor.as_bytes())
            .chain_update(chain_id.as_bytes())
            .finalize();
        Self { midstate: Sha256::new().chain_update(prefix) }
    }

    /// How many leading zero bits `solution` reaches.
    pub fn bits(&self, solution: u64) -> u32 {
        let digest = self.midstate.clone().chain_update(solution.to_be_bytes()).finalize();
        let mut bits = 0;
        for byte in digest {
            bits += byte.leading_zeros();
            if byte != 0 {
                break;
            }
        }
        bits
    }

    /// Tries `attempts` solutions from `first` on; the first that reaches `bits`.
    pub fn search(&self, first: u64, attempts: u64, bits: u32) -> Option<u64> {
        (first..first.saturating_add(attempts)).find(|solution| self.bits(*solution) >= bits)
    }
}

/// Bits that a transaction must reach whose actions and bytes cost `hashes` expected attempts.
pub const fn bits_for(hashes: u64) -> u32 {
    if hashes <= 1 { 0 } else { u64::BITS - (hashes - 1).leading_zeros() }
}

#[cfg(test)]
mod tests;
