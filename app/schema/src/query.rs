//! ABCI query paths. Arguments go in `data`.
//!
//! Only [`STORE`] answers with a proof; what the others answer, a client checks against proved
//! values (a listing against `refs_root`) or treats as a hint.

use crate::ids::RepoId;
use crate::proto;

/// One state key, as `keys` spells it: value (empty when absent) and ICS-23 proof.
pub const STORE: &str = "/store";
/// `PageRequest { repo }` -> `RefListing`: all refs of a repository, by rising name.
pub const REFS: &str = "/refs";
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

/// A request for all of a repository's refs.
pub fn of_repo(repo: RepoId) -> proto::PageRequest {
    proto::PageRequest { repo: repo.number(), ..Default::default() }
}
