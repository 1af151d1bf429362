//! Ref names, and `refs_root`: one digest over all refs of a repository.
//!
//! A proof of one key cannot show that a listing is complete, so each repository keeps a root over
//! the sorted set of its refs. It is made of buckets, so that a push rehashes only those it
//! touches:
//!
//! ```text
//! bucket(name) = first byte of SHA-256("guts.v1.bucket\0" name)
//! bucket hash  = SHA-256("guts.v1.refs\0"  for each ref by rising name:
//!                        u32be(len name) name u8(len oid) oid)
//! refs root    = SHA-256("guts.v1.root\0"  for each bucket that is not empty, rising:
//!                        u8(bucket) bucket hash)
//! ```
//! A client that has a listing computes the root from it and compares it with the proved one.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::ids::{Hash, Oid};
use crate::limits::REF_NAME_BYTES_MAX;

/// A ref name that git or Guts does not take; the text is the rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefNameError {
    /// Too long.
    #[error("a ref name has at most {REF_NAME_BYTES_MAX} bytes")]
    Length,
    /// Not below `refs/`, or nothing below its second part.
    #[error("a ref lies two levels below refs/, such as refs/heads/main")]
    Level,
    /// Refused by `git check-ref-format`.
    #[error("git takes no ref name with {0}")]
    Format(&'static str),
    /// A space of names that Guts or git keeps to itself.
    #[error("refs below {0} are not pushed")]
    Reserved(&'static str),
}

/// Name spaces nobody pushes to: ours, and those that change what other refs mean.
const RESERVED: [&str; 3] = ["refs/guts/", "refs/pull/", "refs/replace/"];

/// Checks a full ref name by the rules of `git check-ref-format`, and ours.
pub fn check_ref_name(name: &str) -> Result<(), RefNameError> {
    use RefNameError::{Format, Length, Level, Reserved};
    if name.len() > REF_NAME_BYTES_MAX {
        return Err(Length);
    }
    if !name.starts_with("refs/") || name.split('/').count() < 3 {
        return Err(Level);
    }
    for part in name.split('/') {
        if part.is_empty() {
            return Err(Format("an empty part"));
        }
        if part.starts_with('.') {
            return Err(Format("a part that starts with '.'"));
        }
        if part.ends_with(".lock") {
            return Err(Format("a part that ends in '.lock'"));
        }
    }
    if name.contains("..") {
        return Err(Format("'..'"));
    }
    if name.contains("@{") {
        return Err(Format("'@{'"));
    }
    if name.ends_with('.') {
        return Err(Format("'.' at its end"));
    }
    let bad = |c: char| c.is_ascii_control() || " ~^:?*[\\".contains(c);
    if name.contains(bad) {
        return Err(Format("a space, a control character or one of ~^:?*[\\"));
    }
    match RESERVED.iter().find(|space| name.starts_with(**space)) {
        Some(space) => Err(Reserved(space)),
        None => Ok(()),
    }
}

/// Checks the full name of a branch.
pub fn check_branch(name: &str) -> Result<(), RefNameError> {
    check_ref_name(name)?;
    if name.starts_with("refs/heads/") { Ok(()) } else { Err(RefNameError::Level) }
}

/// The directories above a ref that another ref could be in the way of, nearest last:
/// `refs/heads/a/b` has `refs/heads/a`. A ref cannot exist where another has a directory.
pub fn parents(name: &str) -> impl Iterator<Item = &str> {
    // The first two parts ("refs", "refs/heads") are never refs.
    name.match_indices('/').skip(2).map(|(at, _)| &name[..at])
}

/// The bucket a ref falls into.
pub fn bucket(name: &str) -> u8 {
    Sha256::new().chain_update(b"guts.v1.bucket\0").chain_update(name).finalize()[0]
}

/// The hash of one bucket; `None` when it is empty.
pub fn bucket_hash<'a>(refs: impl IntoIterator<Item = (&'a str, Oid)>) -> Option<Hash> {
    // Sorted here, so that the hash is that of the set whatever the order given.
    let sorted: BTreeMap<&str, Oid> = refs.into_iter().collect();
    if sorted.is_empty() {
        return None;
    }
    let mut hasher = Sha256::new();
    hasher.update(b"guts.v1.refs\0");
    for (name, oid) in sorted {
        hasher.update((name.len() as u32).to_be_bytes());
        hasher.update(name);
        hasher.update([oid.as_bytes().len() as u8]);
        hasher.update(oid.as_bytes());
    }
    Some(Hash::new(hasher.finalize().into()))
}

/// The root over the hashes of the buckets that are not empty.
pub fn root_of_buckets(buckets: &BTreeMap<u8, Hash>) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(b"guts.v1.root\0");
    for (bucket, hash) in buckets {
        hasher.update([*bucket]);
        hasher.update(hash.as_bytes());
    }
    Hash::new(hasher.finalize().into())
}

/// The root over a whole listing, as a client computes it.
pub fn root(refs: &BTreeMap<String, Oid>) -> Hash {
    let mut buckets: BTreeMap<u8, Vec<(&str, Oid)>> = BTreeMap::new();
    for (name, oid) in refs {
        buckets.entry(bucket(name)).or_default().push((name, *oid));
    }
    let hashes = buckets.into_iter().filter_map(|(b, refs)| Some((b, bucket_hash(refs)?)));
    root_of_buckets(&hashes.collect())
}

#[cfg(test)]
mod tests;
