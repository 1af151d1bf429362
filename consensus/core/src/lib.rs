//! The consensus engine as a pure state machine.
