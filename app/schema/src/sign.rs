//! Sign bytes of transactions, and ed25519 under ZIP-215 rules, single and batch.
//!
//! Sign bytes are `"guts.v1.tx\0"` and the canonical encoding of the body, which names the chain.
//! They start like nothing else that an SSH key signs (an SSH session begins with a length, a git
//! object with its kind), so that no signature serves two purposes.

use ed25519_dalek::VerifyingKey;
use ed25519_zebra::{SigningKey, VerificationKey, VerificationKeyBytes};
use prost::Message;

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
        let key = VerificationKey::try_from(*self.key.as_bytes());
        key.is_ok_and(|key| key.verify(&self.signature(), &self.message).is_ok())
    }

    fn signature(&self) -> ed25519_zebra::Signature {
        ed25519_zebra::Signature::from_bytes(self.signature.as_bytes())
    }
}

/// A public key as a point of the curve: finding it takes a fifth of what its signature costs in a
/// batch, so that whoever checks many does well to remember it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point(VerifyingKey);

impl Point {
    /// The point of a key; none where it is not one.
    pub fn of(key: &Key) -> Option<Self> {
        VerifyingKey::from_bytes(key.as_bytes()).ok().map(Self)
    }
}

/// Whoever knows the points of keys. The answers must be those of [`Point::of`].
pub trait Points {
    /// The point of a key; none where it is not one.
    fn point(&self, key: &Key) -> Option<Point>;
}

/// Finds each anew and remembers nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Anew;

impl Points for Anew {
    fn point(&self, key: &Key) -> Option<Point> {
        Point::of(key)
    }
}

/// Checks many signatures at about a third of the price of one by one; the answer for each. When
/// the batch fails, halves are tried, so a few bad ones cost little.
pub fn check_all(claims: &[Claim], points: &dyn Points) -> Vec<bool> {
    if let [one] = claims {
        // No point is looked up for it.
        return vec![one.is_valid()];
    }
    let mut valid = vec![true; claims.len()];
    let items: Vec<Item> = claims.iter().map(|claim| Item::new(claim, points)).collect();
    check_part(&items, &mut valid);
    valid
}

/// A claim and what a batch needs of it.
struct Item<'a> {
    claim: &'a Claim,
    point: Option<Point>,
}

impl<'a> Item<'a> {
    fn new(claim: &'a Claim, points: &dyn Points) -> Self {
        Self { claim, point: points.point(&claim.key) }
    }
}

fn check_part(items: &[Item<'_>], valid: &mut [bool]) {
    match items {
        [] => {}
        [one] => valid[0] = one.claim.is_valid(),
        many if are_valid_together(many) => {}
        many => {
            let (left, right) = valid.split_at_mut(many.len() / 2);
            check_part(&many[..left.len()], left);
            check_part(&many[left.len()..], right);
        }
    }
}

/// One equation for all of them, weighted by a hash of all that is being checked: whoever chooses
/// the signatures cannot know the weights before, and two runs have the same.
///
/// Where it holds, each is valid under ZIP-215. It does not where it has no cofactor and theirs
/// does: signatures with points of small order, which none but attackers make, are checked singly.
fn are_valid_together(items: &[Item<'_>]) -> bool {
    let points: Option<Vec<_>> = items.iter().map(|item| item.point.map(|point| point.0)).collect();
    let Some(points) = points else { return false };
    let messages: Vec<&[u8]> = items.iter().map(|item| &item.claim.message[..]).collect();
    let signatures: Vec<_> = items.iter().map(|item| item.claim.signature()).collect();
    ed25519_dalek::verify_batch(&messages, &signatures, &points).is_ok()
}

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
