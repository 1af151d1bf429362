//! The one integration binary of the workspace: tidy, and whatever needs several crates.

mod book;
mod cometbft;
mod command_line;
mod double_sign;
mod export;
mod first_session;
mod governance;
mod killed_pushes;
mod kvstore;
mod localnet;
mod page;
mod prepare;
mod pushes;
mod rollback;
mod tidy;
mod upgrade;
