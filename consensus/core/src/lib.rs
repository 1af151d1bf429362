//! The consensus engine as a pure state machine.
//!
//! `step(now, input) -> (records, actions)`: no I/O, no clock, no threads, no errors. A shell makes
//! records durable and performs actions; whatever is slow comes back as an input.
//!
//! # Reading order
//!
//! 1. [`io`]: all that goes in and comes out, and the shell's loop of three steps.
//! 2. [`round`]: the transition table, one `match`, arms labelled by the lines of the paper;
//!    [`protocol`]: the seam at which it, its leaders and its timing can be replaced.
//! 3. [`height`]: votes, proposals and blocks of one height; which of the paper's conditions hold.
//! 4. [`engine`]: heights one after another and everything around them.
//! 5. [`wal`]: the log of the height in progress and its repair; [`messages`]: what peers say;
//!    [`config`]: settings; [`types`]: CometBFT's data; [`watch`] and [`step`]: what can be seen of
//!    a round.
//!
//! # Safety
//!
//! | id | what | guarded by |
//! |---|---|---|
//! | \[S-1\] | no two blocks at one height; whatever is decided has more than two thirds | `height::tally`, `engine::sync` |
//! | \[S-2\] | never two different signatures for one height, round and step | `guard`, `engine::rounds` |
//! | \[S-3\] | a locked value is voted against only with a newer polka | [`round`] |
//! | \[S-4\] | whoever locks a block has it | [`height`] |
//! | \[S-5\] | heights follow one another; what contradicts the chain stops the engine | `engine` |
//! | \[S-6\] | engine and application agree on every result | `engine::handshake` |
//!
//! # Where it differs from CometBFT v0.38
//!
//! - The paper's rules for prevotes (lines 22 to 33) and for skipping rounds (line 55), where v0.38
//!   prevotes the locked block always. Both are safe, and mix.
//! - A round's polka is acted upon once the block is here and valid, with or without the proposal.
//! - The chain rests when there is nothing to say (`engine::pacing`).
//! - Block sync is no mode: a fetched block is a decision like any other (`engine::sync`).
//! - Peers push and heal (`engine::peers`) where CometBFT keeps books of what everybody has.
//! - FinalizeBlock runs before the decided block is durable, Commit after.
pub mod config;
pub mod engine;
mod guard;
pub mod height;
pub mod io;
mod mempool;
pub mod messages;
pub mod protocol;
pub mod round;
pub mod step;
pub mod types;
pub mod wal;
pub mod watch;

#[cfg(test)]
mod vectors;
