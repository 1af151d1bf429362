//! CometBFT v0.38 data structures: blocks, votes, validator sets, evidence, state.
