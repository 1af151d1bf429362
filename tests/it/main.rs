//! The one integration binary of the workspace: tidy, and whatever needs several crates.

mod cometbft;
mod tidy;
