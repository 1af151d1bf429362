//! The words this crate shares with its users: ids and ref updates are the schema's.

pub use guts_schema::certificate::RefUpdate;
pub use guts_schema::proto::ObjectFormat;
pub use guts_schema::{Oid, RepoId};

/// The SHA-256 of a whole pack file: how gateways ask each other for it.
pub use guts_schema::Hash as PackHash;

use crate::error::GitError;

/// A pack in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackInfo {
    /// Its content hash.
    pub hash: PackHash,
    /// Its length in bytes.
    pub size: u64,
}

/// An object id as git writes it; the null id is none.
pub(crate) fn parse_oid(text: &str) -> Result<Option<Oid>, GitError> {
    let null = matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte == b'0');
    if null {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| GitError::Protocol("an object id"))
}
