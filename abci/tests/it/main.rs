//! The contract against what CometBFT was recorded to do, and the sockets under bad conditions.

mod recordings;
