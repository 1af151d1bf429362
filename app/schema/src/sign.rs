//! Sign bytes of transactions, and ed25519 under ZIP-215 rules, single and batch.
//!
//! Sign bytes are `"guts.v1.tx\0"` and the canonical encoding of the body, which names the chain.
//! They start like nothing else that an SSH key signs (an SSH session begins with a length, a git
//! object with its kind), so that no signature serves two purposes.

use ed25519_zebra::{SigningKey, VerificationKeyBytes, batch};
use prost::Message;
use sha2::{Digest, Sha256};

use crate::ids::{AccountId, Key, Signature};
use crate::proto;

/// What sign bytes of transactions begin with.
pub const TX_DOMAIN: &[u8] = b"guts.v1.tx\0";
/// The SSHSIG namespace of transactions.
pub const TX_NAMESPACE: &str = "guts.v1.tx";

/// What a plain signature of a transaction covers.
pub fn tx_bytes(body: &proto::TxBody) -> Vec<u8> {
    let mut bytes = TX_DOMAIN.to_vec();
    bytes.reserve(body.encoded_len());
    body.encode(&mut bytes).expect("a Vec grows as needed");
    bytes
}

/// What a signature of that form covers.
pub fn tx_message(body: &proto::TxBody, form: proto::SignatureForm) -> Vec<u8> {
    let bytes = tx_bytes(body);
    match form {
        proto::SignatureForm::Plain => bytes,
        proto::SignatureForm::Sshsig => crate::sshsig::message(TX_NAMESPACE, &bytes),
    }
}

/// What a key's holder agrees to when it signs a proof; also the SSHSIG namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofOf {
    /// That an account is controlled by the key.
    Key,
    /// That a validator signs with the key, operated by an account.
    Bond,
}

impl ProofOf {
    /// Its SSHSIG namespace.
    pub const fn namespace(self) -> &'static str {
        match self {
            Self::Key => "guts.v1.key",
            Self::Bond => "guts.v1.bond",
        }
    }
}

/// The bytes of a proof for `account`: without one, anybody could claim a key that is not theirs,
/// and so keep its holder from using it.
pub fn proof_bytes(of: ProofOf, chain_id: &str, account: &AccountId) -> Vec<u8> {
    [of.namespace().as_bytes(), b"\0", chain_id.as_bytes(), b"\0", account.as_bytes()].concat()
}

/// What the signature of a proof covers.
pub fn proof_message(
    of: ProofOf,
    chain_id: &str,
    account: &AccountId,
    form: proto::SignatureForm,
) -> Vec<u8> {
    let bytes = proof_bytes(of, chain_id, account);
    match form {
        proto::SignatureForm::Plain => bytes,
        proto::SignatureForm::Sshsig => crate::sshsig::message(of.namespace(), &bytes),
    }
}

/// One signature to be checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Who is said to have signed.
    pub key: Key,
    /// What.
    pub message: Vec<u8>,
    /// The signature.
    pub signature: Signature,
}

impl Claim {
    /// True when the signature is valid under ZIP-215 rules.
    pub fn is_valid(&self) -> bool {
        self.item().verify_single().is_ok()
    }

    fn item(&self) -> batch::Item {
        let key = VerificationKeyBytes::from(*self.key.as_bytes());
        let signature = ed25519_zebra::Signature::from_bytes(self.signature.as_bytes());
        batch::Item::from((key, signature, &self.message))
    }
}

/// Checks many signatures at about a third of the price of one by one; the answer for each. When
/// the batch fails, halves are tried, so a few bad ones cost little.
pub fn check_all(claims: &[Claim]) -> Vec<bool> {
    let mut valid = vec![true; claims.len()];
    let items: Vec<batch::Item> = claims.iter().map(Claim::item).collect();
    check_part(&items, &seed(claims), &mut valid);
    valid
}

fn check_part(items: &[batch::Item], seed: &[u8; 32], valid: &mut [bool]) {
    match items {
        [] => {}
        [one] => valid[0] = one.clone().verify_single().is_ok(),
        many => {
            let mut verifier = batch::Verifier::new();
            many.iter().for_each(|item| verifier.queue(item.clone()));
            if verifier.verify(Derived { seed: *seed, used: 0 }).is_err() {
                let (left, right) = valid.split_at_mut(many.len() / 2);
                check_part(&many[..left.len()], seed, left);
                check_part(&many[left.len()..], seed, right);
            }
        }
    }
}

/// The batch's randomness is derived from everything that is being checked: whoever chooses the
/// signatures cannot know it before, and two runs do the same.
fn seed(claims: &[Claim]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(b"guts.v1.batch\0");
    for claim in claims {
        hasher.update(claim.key.as_bytes());
        hasher.update(claim.signature.as_bytes());
        hasher.update((claim.message.len() as u64).to_be_bytes());
        hasher.update(&claim.message);
    }
    hasher.finalize().into()
}

/// SHA-256 in counter mode.
struct Derived {
    seed: [u8; 32],
    used: u64,
}

impl rand_core::TryRng for Derived {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        for chunk in bytes.chunks_mut(32) {
            let block = Sha256::new().chain_update(self.seed).chain_update(self.used.to_be_bytes());
            self.used = self.used.wrapping_add(1);
            chunk.copy_from_slice(&block.finalize()[..chunk.len()]);
        }
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Derived {}

/// Signs with a secret key's 32-byte seed; for tests, tools and gateways with a key of their own.
#[derive(Clone)]
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// The key of that seed.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(SigningKey::from(seed))
    }

    /// Its seed.
    pub fn seed(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// Its public half.
    pub fn public(&self) -> Key {
        Key::new(VerificationKeyBytes::from(&self.0).into())
    }

    /// Signs plainly.
    pub fn sign(&self, message: &[u8]) -> Signature {
        Signature::new(self.0.sign(message).to_bytes())
    }
}

#[cfg(test)]
mod tests;
