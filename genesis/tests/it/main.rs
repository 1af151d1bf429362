//! Recorded vectors of CometBFT v0.38.25 against keys, parameters and genesis documents.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../../../tests/vectors/cases.rs"]
mod cases;
mod documents;
mod keys;
mod support;
