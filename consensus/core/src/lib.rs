//! The consensus engine as a pure state machine.
pub mod io;
pub mod messages;
pub mod round;
pub mod types;
pub mod wal;
