//! What a Guts client links: actions, transactions, state keys, certificates.
//!
//! Pure: bytes in, values out. Every format that another program must agree on is made here and
//! nowhere else:
//!
//! | module | fixes |
//! |---|---|
//! | [`proto`] | the protobuf messages, package `guts.v1` |
//! | [`ids`] | accounts, keys, repositories, pushes, object ids |
//! | [`tx`] | typed transactions, their building and decoding |
//! | [`sign`] | the bytes that are signed; ed25519 under ZIP-215 rules, single and batch |
//! | [`mod@validate`] | every check that needs no state; the only maker of [`Verified`] |
//! | [`certificate`], [`sshsig`], [`nonce`] | signed pushes of stock git |
//! | [`names`], [`refs`] | handle, repository and ref names; `refs_root` |
//! | [`price`], [`work`] | what a transaction costs, proof of work |
//! | [`tally`] | how votes are counted |
//! | [`attest`] | vote extensions and pseudo-transaction 0 |
//! | [`keys`], [`values`] | where state lies, and how its values are encoded |
//! | [`events`], [`query`], [`codes`], [`limits`] | what an application says to the outside |
//!
//! Encodings are canonical: a value has one encoding, and a decoder refuses every other.
#![forbid(unsafe_code)]

pub mod attest;
pub mod certificate;
pub mod codes;
pub mod events;
pub mod ids;
pub mod keys;
pub mod limits;
pub mod names;
pub mod nonce;
pub mod price;
pub mod proto;
pub mod query;
pub mod refs;
pub mod sign;
pub mod sshsig;
pub mod stake;
pub mod tally;
pub mod tx;
pub mod validate;
pub mod values;
pub mod work;

pub use codes::Code;
pub use ids::{AccountId, Hash, Key, Oid, PushId, RepoId, Signature};
pub use tx::{Action, ActionKind, Payment, Tx};
pub use validate::{ChainRules, TxError, Verified, validate, validate_batch};
