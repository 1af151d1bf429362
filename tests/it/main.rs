//! The one integration binary of the workspace: tidy, and whatever needs several crates.

mod cometbft;
mod first_session;
mod kvstore;
mod pushes;
mod tidy;
