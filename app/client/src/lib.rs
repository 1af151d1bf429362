//! The proof-checked client library and the guts command.
//!
//! What a node says is believed when it is proved:
//!
//! 1. [`home`] pins the genesis: its validators are the first trust.
//! 2. [`chain`] follows headers from there with the light-client verifier: a header counts when
//!    more than two thirds of the stake signed it, and is remembered.
//! 3. [`state`] reads keys with ICS-23 proofs ([`proof`]) against the app hash of such a header;
//!    the client spells the key itself.
//! 4. [`send`] pays, signs ([`signer`]), sends, and waits until it is proved what came of it.
//!
//! `examples/refs.rs` is a whole program of that in thirty lines.
//! Nodes behind `https://` are spoken to through [`https`]. The binary is in [`cli`].
#![forbid(unsafe_code)]

pub mod chain;
pub mod cli;
pub mod error;
pub mod home;
pub mod https;
pub mod light;
pub mod proof;
pub mod send;
pub mod signer;
pub mod state;

pub use chain::Chain;
pub use error::Error;
pub use home::Home;
pub use signer::Signer;
pub use state::State;
