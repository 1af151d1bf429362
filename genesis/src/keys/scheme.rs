//! The seam where signatures are checked: ZIP-215 for real, something cheaper in simulations.
use std::convert::Infallible;

use ed25519_zebra::{VerificationKey, VerificationKeyBytes, batch};
use k256::ecdsa::signature::Verifier;
use k256::elliptic_curve::ops::Reduce;
use k256::elliptic_curve::scalar::IsHigh;
use k256::{FieldBytes, Scalar, U256};
use rand_core::{TryCryptoRng, TryRng};
use sha2::{Digest, Sha256};

use super::{PublicKey, Signature};

/// A signature with what it is said to sign and by whom.
#[derive(Clone, Copy, Debug)]
pub struct SignedBytes<'a> {
    /// Whose signature it is said to be.
    pub key: &'a PublicKey,
    /// What it is said to sign.
    pub message: &'a [u8],
    /// The signature.
    pub signature: &'a Signature,
}

/// How signatures are checked. The rules of a network never differ in this but in simulations,
/// which trade strength for speed.
pub trait SignatureScheme: Send + Sync {
    /// Whether `signature` over `message` is `key`'s.
    fn verify(&self, key: &PublicKey, message: &[u8], signature: &Signature) -> bool;

    /// Whether all of `items` are good. An empty batch is not.
    fn verify_batch(&self, items: &[SignedBytes<'_>]) -> bool {
        let each = |item: &SignedBytes<'_>| self.verify(item.key, item.message, item.signature);
        !items.is_empty() && items.iter().all(each)
    }
}

/// Ed25519 under the rules of ZIP-215, single and in batches with equal answers; secp256k1 under
/// CometBFT's, singly.
#[derive(Clone, Copy, Debug, Default)]
pub struct Zip215;

impl SignatureScheme for Zip215 {
    fn verify(&self, key: &PublicKey, message: &[u8], signature: &Signature) -> bool {
        match key {
            PublicKey::Ed25519(key) => {
                let Some(signature) = ed25519_signature(signature) else { return false };
                let key = VerificationKey::try_from(VerificationKeyBytes::from(*key));
                key.is_ok_and(|key| key.verify(&signature, message).is_ok())
            }
            PublicKey::Secp256k1(key) => is_secp256k1_good(key, message, signature),
        }
    }

    fn verify_batch(&self, items: &[SignedBytes<'_>]) -> bool {
        if items.is_empty() {
            return false;
        }
        let mut batch = batch::Verifier::new();
        let mut seed = Sha256::new();
        for item in items {
            let PublicKey::Ed25519(key) = item.key else {
                if self.verify(item.key, item.message, item.signature) {
                    continue;
                }
                return false;
            };
            let Some(signature) = ed25519_signature(item.signature) else { return false };
            seed.update(key);
            seed.update(item.signature.as_bytes());
            seed.update(Sha256::digest(item.message));
            batch.queue((VerificationKeyBytes::from(*key), signature, item.message));
        }
        batch.verify(HashRng { seed: seed.finalize().into(), count: 0 }).is_ok()
    }
}

fn ed25519_signature(signature: &Signature) -> Option<ed25519_zebra::Signature> {
    ed25519_zebra::Signature::from_slice(signature.as_bytes()).ok()
}

/// ECDSA over the SHA-256 of the message: 64 bytes, R then S, each taken modulo the order as
/// CometBFT takes them; an S in the upper half is refused.
fn is_secp256k1_good(key: &[u8; 33], message: &[u8], signature: &Signature) -> bool {
    let Some((r, s)) = signature.as_bytes().split_at_checked(32) else { return false };
    if s.len() != 32 {
        return false;
    }
    let scalar = |bytes| <Scalar as Reduce<U256>>::reduce_bytes(FieldBytes::from_slice(bytes));
    let Ok(signature) = k256::ecdsa::Signature::from_scalars(scalar(r), scalar(s)) else {
        return false;
    };
    let is_low = !bool::from(signature.s().is_high());
    let key = k256::ecdsa::VerifyingKey::from_sec1_bytes(key);
    is_low && key.is_ok_and(|key| key.verify(message, &signature).is_ok())
}

/// The weights of a batch, drawn from a hash of everything in the batch: whoever makes the
/// signatures cannot know the weights before, and a run can be repeated.
struct HashRng {
    seed: [u8; 32],
    count: u64,
}

impl HashRng {
    fn block(&mut self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.seed);
        hash.update(self.count.to_le_bytes());
        self.count = self.count.wrapping_add(1);
        hash.finalize().into()
    }
}

impl TryRng for HashRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut word = [0; 4];
        self.try_fill_bytes(&mut word).map(|()| u32::from_le_bytes(word))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut word = [0; 8];
        self.try_fill_bytes(&mut word).map(|()| u64::from_le_bytes(word))
    }

    fn try_fill_bytes(&mut self, target: &mut [u8]) -> Result<(), Infallible> {
        for chunk in target.chunks_mut(32) {
            let block = self.block();
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for HashRng {}
