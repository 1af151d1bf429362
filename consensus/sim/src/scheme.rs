//! Signatures for simulations: a hash of key and message.
//!
//! Anybody could forge them, but nobody in this world does: byzantine nodes sign with their own
//! keys only. They cost a hundredth of real ones.
use guts_genesis::{PublicKey, Signature, SignatureScheme};
use sha2::{Digest, Sha256};

/// The scheme.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyedHash;

/// The signature of `key` over `message`.
pub fn sign(key: &PublicKey, message: &[u8]) -> Signature {
    let hash = Sha256::new().chain_update(key.as_bytes()).chain_update(message).finalize();
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(&hash);
    bytes[32..].copy_from_slice(key.as_bytes().get(..32).unwrap_or(&[0; 32]));
    Signature::from_slice(&bytes).expect("64 bytes are a signature")
}

impl SignatureScheme for KeyedHash {
    fn verify(&self, key: &PublicKey, message: &[u8], signature: &Signature) -> bool {
        sign(key, message) == *signature
    }
}
