//! CometBFT-shaped JSON-RPC: server, client, backend trait.
//!
//! - [`Backend`]: what a server answers from; a node implements it over its stores.
//! - [`types`]: the answers, printing and reading as CometBFT v0.38's JSON.
//! - [`server`]: JSON-RPC over POST (single and batch) and URI GET.
//! - [`client`]: typed calls to any server of this shape.

mod backend;
pub mod client;
mod error;
pub mod json;
pub mod server;
mod time;
pub mod types;

pub use backend::{Backend, Heights, Query, Reply};
pub use error::RpcError;
