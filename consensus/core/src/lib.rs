//! The consensus engine as a pure state machine.
pub mod types;
