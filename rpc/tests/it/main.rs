//! The server and client against recorded answers of CometBFT v0.38.25, and against other
//! implementations of the client's side.

// A test fails by panicking, in its helpers too.
#![allow(clippy::unwrap_used)]

mod cases;
mod chain;
mod clients;
mod crowd;
mod events;
mod json;
#[path = "../../../tests/vectors/requests.rs"]
mod requests;
mod service;
mod wire;
mod ws;
