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
//! - [`adapter`]: serves an application written for `tendermint_abci::Application`.
//!
//! The codec and the server of `tendermint-abci` are not used: it copies everything buffered for
//! every message (quadratic: 40 MiB/s for a frame of 64 MiB), believes any length a peer claims,
//! hangs on a malformed one, panics on an empty request, speaks TCP only, and never stops. Its
//! trait is what existing applications are written for, hence the adapter, and its client checks
//! our server in the tests.

pub mod adapter;
pub mod address;
mod application;
pub mod codec;
mod extension;
pub mod grammar;
mod kind;
pub mod kvstore;
pub mod socket;

pub use address::{Address, AddressError};
pub use application::{Answer, Application, CHECK_TXS_MAX, Exception, Reader, Served};
pub use extension::extension_sign_bytes;
pub use kind::{Connection, Kind};

/// CometBFT v0.38's protobuf messages (`abci`, `types`, `crypto`, `version`, ...), and the
/// well-known types they use (`google::protobuf::Timestamp`, `Duration`).
pub mod proto {
    pub use prost::{DecodeError, Message};
    pub use tendermint_proto::google;
    pub use tendermint_proto::v0_38::*;
}
