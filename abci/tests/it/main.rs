//! The contract against what CometBFT was recorded to do, and the sockets under bad conditions.

#![allow(clippy::unwrap_used)]

mod recordings;
