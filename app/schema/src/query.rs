//! ABCI query paths. Arguments go in `data`.
//!
//! Only [`STORE`] answers with a proof; what the others answer, a client checks against proved
//! values (a listing against `refs_root` or a count) or treats as a hint.

use crate::ids::RepoId;
use crate::limits::PAGE_MAX;
use crate::proto;

/// One state key, as `keys` spells it: value (empty when absent) and ICS-23 proof.
pub const STORE: &str = "/store";
/// `PageRequest { repo }` -> `RefListing`: all refs of a repository, by rising name.
pub const REFS: &str = "/refs";
/// `PageRequest { from, limit }` -> `RepoListing`; `from` is a repository's number.
pub const REPOS: &str = "/repos";
/// `PageRequest { repo, from, limit }` -> `RefLogListing`; `from` is an entry's number.
pub const REF_LOG: &str = "/ref_log";
/// `PageRequest { account }` -> `PendingNonce`.
pub const NONCE: &str = "/nonce";
/// Nothing -> `PaymentTerms`.
pub const TERMS: &str = "/terms";
/// A transaction, signed and encoded -> `Simulation`: what it would cost and do on the newest
/// state. Its proof of work need not be done, and its time may be past. A node answers so many a
/// second and no more.
pub const SIMULATE: &str = "/simulate";

/// Key type that proofs of [`STORE`] carry in their `ProofOp`.
pub const PROOF_TYPE: &str = "ics23:jmt";

/// The page of numbers a request asks for: `from .. end`, of `count` things numbered from `first`.
pub fn page(request: &proto::PageRequest, first: u64, count: u64) -> std::ops::Range<u64> {
    let end = first.saturating_add(count);
    let from = request.from.max(first).min(end);
    let limit = if request.limit == 0 { PAGE_MAX } else { request.limit.min(PAGE_MAX) };
    from..from.saturating_add(limit).min(end)
}

/// A request for all of a repository's refs.
pub fn of_repo(repo: RepoId) -> proto::PageRequest {
    proto::PageRequest { repo: repo.number(), ..Default::default() }
}

#[cfg(test)]
mod tests;
