//! The ABCI 2.0 contract between an engine and an application.
//!
//! An engine orders transactions, an application executes them, and this crate is everything the
//! two have in common: CometBFT v0.38's messages, the traits an application implements, the bytes
//! a validator signs for a vote extension, and the socket protocol that joins the two processes.
//!
//! - [`proto`]: the protobuf messages, re-exported so that every crate uses the same types.
//! - [`Application`], [`Reader`], [`Served`]: what an application is.
//! - [`extension_sign_bytes`]: what a vote extension's signature covers.
//! - [`Address`]: where an application listens.
//! - [`codec`]: frames. [`grammar`]: the order of calls. Both pure.
//! - [`kvstore`]: the reference application, to try an engine with.
//! - [`socket`]: the server and the client; the one module with threads, clocks and sockets.

pub mod address;
mod application;
pub mod codec;
mod extension;
pub mod grammar;
mod kind;
pub mod kvstore;
pub mod socket;

pub use address::{Address, AddressError};
pub use application::{Answer, Application, Exception, Reader, Served};
pub use extension::extension_sign_bytes;
pub use kind::{Connection, Kind};

/// CometBFT v0.38's protobuf messages (`abci`, `types`, `crypto`, `version`, ...), and the
/// well-known types they use (`google::protobuf::Timestamp`, `Duration`).
pub mod proto {
    pub use prost::{DecodeError, Message};
    pub use tendermint_proto::google;
    pub use tendermint_proto::v0_38::*;
}
