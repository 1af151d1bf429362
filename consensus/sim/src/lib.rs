//! A one-thread world with faults for the consensus engine.
