//! Push certificates of stock git, byte for byte.
//!
//! ```text
//! certificate version 0.1
//! pusher SHA256:<fingerprint>  <seconds> <zone>
//! pushee <url>
//! nonce <nonce>
//! push-option <option>            (any number)
//!
//! <old> <new> <ref>               (one a ref)
//! -----BEGIN SSH SIGNATURE-----   (namespace "git", sha512, over all above)
//! ```
//! The signed part alone names the certificate ([`Certificate::hash`]): whoever wraps the signature
//! in other lines makes no new one of it. A push is a certificate, who brings it, and a pack
//! ([`crate::tx::PushRefs::id`]).

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use crate::ids::{Hash, Oid};
use crate::limits::{
    CERTIFICATE_BYTES_MAX, PUSH_OPTION_BYTES_MAX, PUSH_OPTIONS_MAX, PUSH_REFS_MAX,
};
use crate::nonce::{NonceError, PushNonce};
use crate::proto::ObjectFormat;
use crate::refs::{RefNameError, check_ref_name};
use crate::sign::Claim;
use crate::sshsig::{self, SshError, SshSignature};

/// The SSHSIG namespace git signs in.
pub const NAMESPACE: &str = "git";

/// Bytes that are no certificate we take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Too many bytes.
    #[error("a push certificate has at most {CERTIFICATE_BYTES_MAX} bytes")]
    Oversize,
    /// Not UTF-8: a ref name or URL that is not.
    #[error("the push certificate is not UTF-8")]
    Encoding,
    /// A line is missing or not what it should be.
    #[error("the push certificate has no good {0} line")]
    Line(&'static str),
    /// Too many refs.
    #[error("a push moves 1 to {PUSH_REFS_MAX} refs at a time")]
    Refs,
    /// Too many or too long push options.
    #[error("a push has at most {PUSH_OPTIONS_MAX} options of {PUSH_OPTION_BYTES_MAX} bytes")]
    Options,
    /// The same ref twice.
    #[error("the push names {0} twice")]
    Twice(String),
    /// A ref that does not move.
    #[error("the push leaves {0} where it is")]
    Unmoved(String),
    /// Object ids of both formats.
    #[error("the push mixes SHA-1 and SHA-256 object ids")]
    Formats,
    /// A bad ref name.
    #[error("{name}: {error}")]
    RefName {
        /// The name.
        name: String,
        /// What is wrong with it.
        error: RefNameError,
    },
    /// A bad nonce.
    #[error(transparent)]
    Nonce(#[from] NonceError),
    /// A bad signature.
    #[error(transparent)]
    Signature(#[from] SshError),
}

/// One ref that a push moves. `old` none: it must not exist; `new` none: it is deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefUpdate {
    /// Full name.
    pub name: String,
    /// Where it must be.
    pub old: Option<Oid>,
    /// Where it goes.
    pub new: Option<Oid>,
}

/// A push certificate whose form is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The bytes it was read from.
    pub bytes: Vec<u8>,
    /// Length of the signed part, and its digest.
    signed: usize,
    hash: Hash,
    /// The fingerprint git wrote; who pushed is said by the signature alone.
    pub pusher: String,
    /// The URL the client dialled; says nothing sure.
    pub pushee: Option<String>,
    /// Chain, repository and time it is bound to.
    pub nonce: PushNonce,
    /// Push options, in order.
    pub options: Vec<String>,
    /// The refs, in order; each once, each moving.
    pub updates: Vec<RefUpdate>,
    /// Format of the object ids.
    pub object_format: ObjectFormat,
    /// The signature and who made it.
    pub signature: SshSignature,
}

impl Certificate {
    /// Reads a certificate as git 2.34 and later send it.
    pub fn parse(bytes: &[u8]) -> Result<Self, CertificateError> {
        if bytes.len() > CERTIFICATE_BYTES_MAX {
            return Err(CertificateError::Oversize);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| CertificateError::Encoding)?;
        // No line of the signed part can begin like this but one that ends it.
        let signed = text.find("\n-----BEGIN ").map(|at| at + 1);
        let signed = signed.ok_or(CertificateError::Line("signature"))?;
        let signature = SshSignature::from_armour(&text[signed..], NAMESPACE)?;
        let (head, commands) =
            text[..signed].split_once("\n\n").ok_or(CertificateError::Line("empty"))?;
        let head = Head::parse(head)?;
        let (updates, object_format) = parse_commands(commands)?;
        let digest = Sha256::new().chain_update(b"guts.v1.certificate\0");
        Ok(Self {
            bytes: bytes.to_vec(),
            signed,
            hash: Hash::new(digest.chain_update(&bytes[..signed]).finalize().into()),
            pusher: head.pusher.to_owned(),
            pushee: head.pushee.map(str::to_owned),
            nonce: PushNonce::parse(head.nonce)?,
            options: head.options.into_iter().map(str::to_owned).collect(),
            updates,
            object_format,
            signature,
        })
    }

    /// What was signed.
    pub fn payload(&self) -> &[u8] {
        &self.bytes[..self.signed]
    }

    /// A digest of what was signed: a certificate moves its refs once.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// The signature, to be checked.
    pub fn claim(&self) -> Claim {
        let SshSignature { key, signature } = self.signature;
        Claim { key, message: sshsig::message(NAMESPACE, self.payload()), signature }
    }
}

/// The header lines.
struct Head<'a> {
    pusher: &'a str,
    pushee: Option<&'a str>,
    nonce: &'a str,
    options: Vec<&'a str>,
}

impl<'a> Head<'a> {
    fn parse(head: &'a str) -> Result<Self, CertificateError> {
        use CertificateError::Line;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some("certificate version 0.1") {
            return Err(Line("version"));
        }
        let pusher = lines.next().and_then(|line| line.strip_prefix("pusher "));
        let pusher = pusher.and_then(parse_pusher).ok_or(Line("pusher"))?;
        // git leaves the line out when it has no URL.
        let pushee = lines.peek().and_then(|line| line.strip_prefix("pushee "));
        if pushee.is_some() {
            lines.next();
        }
        let nonce = lines.next().and_then(|line| line.strip_prefix("nonce "));
        let nonce = nonce.ok_or(Line("nonce"))?;
        let mut options = Vec::new();
        for line in lines {
            let option = line.strip_prefix("push-option ").ok_or(Line("push-option"))?;
            if option.len() > PUSH_OPTION_BYTES_MAX || options.len() == PUSH_OPTIONS_MAX {
                return Err(CertificateError::Options);
            }
            options.push(option);
        }
        Ok(Self { pusher, pushee, nonce, options })
    }
}

/// The fingerprint in `SHA256:<fingerprint>  <seconds> <zone>` (two spaces: git has no name).
fn parse_pusher(line: &str) -> Option<&str> {
    let mut words = line.rsplitn(3, ' ');
    let (zone, seconds, ident) = (words.next()?, words.next()?, words.next()?);
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let zone_ok = zone.len() == 5 && zone.starts_with(['+', '-']) && digits(&zone[1..]);
    (zone_ok && digits(seconds)).then(|| ident.trim_end_matches(' '))
}

fn parse_commands(text: &str) -> Result<(Vec<RefUpdate>, ObjectFormat), CertificateError> {
    let lines = text.strip_suffix('\n').ok_or(CertificateError::Line("ref"))?;
    let mut updates = Vec::new();
    let mut names = BTreeSet::new();
    let mut lengths = BTreeSet::new();
    for line in lines.split('\n') {
        if updates.len() == PUSH_REFS_MAX {
            return Err(CertificateError::Refs);
        }
        let mut words = line.splitn(3, ' ');
        let mut oid = || words.next().and_then(parse_oid).ok_or(CertificateError::Line("ref"));
        let (old, new) = (oid()?, oid()?);
        let name = words.next().ok_or(CertificateError::Line("ref"))?;
        check_ref_name(name)
            .map_err(|error| CertificateError::RefName { name: name.to_owned(), error })?;
        if !names.insert(name) {
            return Err(CertificateError::Twice(name.to_owned()));
        }
        if old.0 == new.0 {
            return Err(CertificateError::Unmoved(name.to_owned()));
        }
        lengths.extend([old.1, new.1]);
        updates.push(RefUpdate { name: name.to_owned(), old: old.0, new: new.0 });
    }
    match (lengths.first(), lengths.last()) {
        (Some(40), Some(40)) => Ok((updates, ObjectFormat::Sha1)),
        (Some(64), Some(64)) => Ok((updates, ObjectFormat::Sha256)),
        _ => Err(CertificateError::Formats),
    }
}

/// An object id or the null id, and the number of its digits.
fn parse_oid(word: &str) -> Option<(Option<Oid>, usize)> {
    let length = word.len();
    if !matches!(length, 40 | 64) {
        return None;
    }
    let null = word.bytes().all(|b| b == b'0');
    Some((if null { None } else { Some(word.parse().ok()?) }, length))
}

#[cfg(test)]
mod tests;
