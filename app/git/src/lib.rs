//! Git processes: bare repositories, quarantine, pack exchange, smart HTTP.
//!
//! The wire protocol is stock `git upload-pack` and `git receive-pack`; this crate starts them,
//! limits them, and stands between receive-pack and the refs:
//!
//! | module | does |
//! |---|---|
//! | [`http`] | smart HTTP: advertisements with our nonce, streamed requests and answers |
//! | [`hook`] | the programs receive-pack starts: pre-receive asks and waits, proc-receive reports |
//! | `desk` | the other end of pre-receive: stores the pack, asks the [`Host`] |
//! | [`PackStore`], [`Exchange`] | packs of pending pushes by hash, and getting them from others |
//! | [`Peer`] | where others are asked, and where not |
//! | [`Verifier`] | what a validator checks before it attests |
//! | [`Repositories`] | bare repositories; their refs are a cache of state with one writer |
//!
//! Upon a push: receive-pack unpacks into quarantine and checks it; pre-receive gives certificate
//! and pack to the desk; the host brings them to the chain; upon commit the host installs the
//! pack and moves the refs, then answers; pre-receive ends, git drops or keeps the quarantine,
//! proc-receive says ok. Upon a refusal: pre-receive fails, git drops the quarantine, and the
//! reason is written into git's report for each ref.
#![forbid(unsafe_code)]

mod child;
mod desk;
mod error;
mod exchange;
mod gateway;
pub mod hook;
pub mod http;
mod packs;
mod pktline;
mod reach;
mod repositories;
mod shares;
mod turns;
mod types;
mod verify;

pub use child::Limits;
pub use error::GitError;
pub use exchange::{Download, Exchange};
pub use gateway::{Found, Gateway, Host, Outcome, Push, Say};
pub use packs::PackStore;
pub use reach::{Peer, Scope};
pub use repositories::{FormatOf, Repositories};
pub use types::{ObjectFormat, Oid, PackHash, PackInfo, RefUpdate, RepoId};
pub use verify::Verifier;
