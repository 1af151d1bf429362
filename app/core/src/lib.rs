//! The deterministic state machine of Guts.
