//! SSH signatures (OpenSSH `PROTOCOL.sshsig`) and keys, ed25519 only, SHA-512 only.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest, Sha256, Sha512};

use crate::ids::{Key, Signature};
use crate::limits::ARMOUR_BYTES_MAX;

const MAGIC: &[u8] = b"SSHSIG";
const KIND: &[u8] = b"ssh-ed25519";
const HASH: &[u8] = b"sha512";
const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----\n";
const END: &str = "-----END SSH SIGNATURE-----\n";
/// Characters in a line of armour, as ssh-keygen writes it.
const LINE: usize = 70;

/// Bytes that are no SSH signature or key we take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SshError {
    /// Not between the armour's lines, or not base64 in its lines.
    #[error("not an armoured SSH signature")]
    Armour,
    /// Cut short, too long, or another version.
    #[error("the SSH signature is malformed")]
    Form,
    /// Signed by a key of another kind.
    #[error("signed with a key that is not ed25519: make one with 'ssh-keygen -t ed25519'")]
    KeyKind,
    /// For another purpose.
    #[error("the SSH signature is for another purpose: its namespace is not \"{0}\"")]
    Namespace(String),
    /// Another hash.
    #[error("the SSH signature does not use sha512")]
    HashKind,
    /// Not `ssh-ed25519 BASE64 [comment]`.
    #[error("not an OpenSSH ed25519 public key (ssh-ed25519 AAAA...)")]
    PublicKey,
}

/// An SSH signature whose form is good; whether it is valid is another question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SshSignature {
    /// Who is said to have signed.
    pub key: Key,
    /// The ed25519 signature over [`message`].
    pub signature: Signature,
}

/// What the ed25519 signature inside an SSH signature covers.
pub fn message(namespace: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    for part in [namespace.as_bytes(), b"", HASH, &Sha512::digest(data)[..]] {
        put(&mut bytes, part);
    }
    bytes
}

impl SshSignature {
    /// Reads an armoured signature made for `namespace`. The text must be exactly what
    /// [`SshSignature::to_armour`] writes, which is what ssh-keygen writes.
    pub fn from_armour(text: &str, namespace: &str) -> Result<Self, SshError> {
        if text.len() > ARMOUR_BYTES_MAX {
            return Err(SshError::Armour);
        }
        let body = text.strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(END));
        let base64: String = body.ok_or(SshError::Armour)?.split('\n').collect();
        let blob = STANDARD.decode(base64).map_err(|_| SshError::Armour)?;
        let signature = Self::from_blob(&blob, namespace)?;
        if signature.to_armour(namespace) == text { Ok(signature) } else { Err(SshError::Armour) }
    }

    /// Reads the bytes inside the armour.
    pub fn from_blob(blob: &[u8], namespace: &str) -> Result<Self, SshError> {
        let rest = blob.strip_prefix(MAGIC).ok_or(SshError::Form)?;
        let mut rest = rest.strip_prefix(&[0, 0, 0, 1]).ok_or(SshError::Form)?;
        let key = key_from_blob(take(&mut rest)?)?;
        if take(&mut rest)? != namespace.as_bytes() {
            return Err(SshError::Namespace(namespace.to_owned()));
        }
        let _reserved = take(&mut rest)?;
        if take(&mut rest)? != HASH {
            return Err(SshError::HashKind);
        }
        let signature = signature_from_blob(take(&mut rest)?)?;
        if rest.is_empty() { Ok(Self { key, signature }) } else { Err(SshError::Form) }
    }

    /// The bytes inside the armour.
    pub fn to_blob(&self, namespace: &str) -> Vec<u8> {
        let mut signature = Vec::new();
        put(&mut signature, KIND);
        put(&mut signature, self.signature.as_bytes());
        let mut blob = MAGIC.to_vec();
        blob.extend_from_slice(&1u32.to_be_bytes());
        let key = key_to_blob(&self.key);
        for part in [&key[..], namespace.as_bytes(), b"", HASH, &signature] {
            put(&mut blob, part);
        }
        blob
    }

    /// The text that ssh-keygen writes.
    pub fn to_armour(&self, namespace: &str) -> String {
        let base64 = STANDARD.encode(self.to_blob(namespace));
        let mut text = BEGIN.to_owned();
        let mut rest = base64.as_str();
        while !rest.is_empty() {
            let (line, more) = rest.split_at(rest.len().min(LINE));
            text.push_str(line);
            text.push('\n');
            rest = more;
        }
        text.push_str(END);
        text
    }
}

/// Reads the inside of a key: `string "ssh-ed25519"`, `string` of 32 bytes.
pub fn key_from_blob(mut blob: &[u8]) -> Result<Key, SshError> {
    if take(&mut blob)? != KIND {
        return Err(SshError::KeyKind);
    }
    let key = Key::from_slice(take(&mut blob)?).map_err(|_| SshError::Form)?;
    if blob.is_empty() { Ok(key) } else { Err(SshError::Form) }
}

/// The inside of a key.
pub fn key_to_blob(key: &Key) -> Vec<u8> {
    let mut blob = Vec::new();
    put(&mut blob, KIND);
    put(&mut blob, key.as_bytes());
    blob
}

/// Reads `string "ssh-ed25519"`, `string` of 64 bytes: what an agent answers.
pub fn signature_from_blob(mut blob: &[u8]) -> Result<Signature, SshError> {
    if take(&mut blob)? != KIND {
        return Err(SshError::KeyKind);
    }
    let signature = Signature::from_slice(take(&mut blob)?).map_err(|_| SshError::Form)?;
    if blob.is_empty() { Ok(signature) } else { Err(SshError::Form) }
}

/// Reads `ssh-ed25519 BASE64 [comment]`.
pub fn key_from_text(text: &str) -> Result<Key, SshError> {
    let mut words = text.split_ascii_whitespace();
    if words.next() != Some("ssh-ed25519") {
        return Err(SshError::PublicKey);
    }
    let blob = words.next().and_then(|word| STANDARD.decode(word).ok());
    key_from_blob(&blob.ok_or(SshError::PublicKey)?)
}

/// `ssh-ed25519 BASE64`.
pub fn key_to_text(key: &Key) -> String {
    format!("ssh-ed25519 {}", STANDARD.encode(key_to_blob(key)))
}

/// `SHA256:BASE64`, as ssh-keygen shows a key.
pub fn fingerprint(key: &Key) -> String {
    format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(key_to_blob(key))))
}

fn put(bytes: &mut Vec<u8>, part: &[u8]) {
    bytes.extend_from_slice(&(part.len() as u32).to_be_bytes());
    bytes.extend_from_slice(part);
}

fn take<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], SshError> {
    let (length, rest) = bytes.split_first_chunk::<4>().ok_or(SshError::Form)?;
    let length = u32::from_be_bytes(*length) as usize;
    let (part, rest) = rest.split_at_checked(length).ok_or(SshError::Form)?;
    *bytes = rest;
    Ok(part)
}

#[cfg(test)]
mod tests;
