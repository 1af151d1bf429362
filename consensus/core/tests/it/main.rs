//! Recorded vectors of CometBFT v0.38.25 against the types of this crate.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod blocks;
mod chain;
mod evidence;
mod extended;
mod merkle;
mod support;
mod validators;
mod verify;
mod votes;
