//! Builds and runs a network of pairs on one machine.
