//! Recorded vectors of CometBFT v0.38.25 against the types of this crate.
mod blocks;
mod chain;
mod evidence;
mod extended;
mod merkle;
mod support;
mod validators;
mod verify;
mod votes;
