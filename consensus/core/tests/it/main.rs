//! Recorded vectors of CometBFT v0.38.25 against the types of this crate, and whole engines in one
//! process with an instant network, a log in memory and the kvstore application.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod apps;
mod attack;
mod blocks;
#[path = "../../../../tests/vectors/cases.rs"]
mod cases;
mod chain;
mod cluster;
mod disk;
mod evidence;
mod extended;
mod faults;
mod fetch;
mod flood;
mod handshake;
mod happy;
mod merkle;
mod messages;
mod pool;
mod protocol;
mod prune;
mod rules;
mod support;
mod topology;
mod upgrade;
mod validators;
mod verify;
mod votes;
mod watch;
