//! Everything that needs more than one crate, and the tidy test.
