//! CometBFT-shaped JSON-RPC: server, client, backend trait.
//!
//! - [`Backend`]: what a server answers from; a node implements it over its stores.
//! - [`types`]: the answers, printing and reading as CometBFT v0.38's JSON.
//! - [`server`]: JSON-RPC over POST (single and batch), URI GET and WebSocket; further
//!   methods of a server's own are registered with [`server::Methods`]. Its [`server::door`]
//!   bounds connections, for any other HTTP service as well.
//! - [`search`]: the query language of searches and subscriptions; [`events`]: what is told.
//! - [`client`]: typed calls to any server of this shape.
//!
//! Answers equal CometBFT v0.38.25's, JSON value for value, status and headers (`tests/vectors/rpc`
//! holds the recordings). Where its answer is a slip of Go rather than a contract, this server does
//! what JSON-RPC 2.0 says:
//!
//! - A request without `params` has the defaults, for every method (CometBFT: HTTP 500).
//! - An empty batch is an invalid request, -32600 (CometBFT: 200 and nothing).
//! - The words of Go's JSON, base64 and number parsers after `error converting .. params to
//!   arguments: ` and `error unmarshaling request: ` are this server's own.
//!
//! And it differs in these, which no client depends on: paths are not cleaned (`//health` is 404,
//! not a redirect); headers may have about 400 KB; answers always have a Content-Length; with CORS
//! on, `Vary` is sent with every answer; the calls of a batch run at the same time, begun in order.
//!
//! Not here yet: unsafe routes, and the events of rounds over WebSocket.

mod backend;
pub mod client;
mod error;
pub mod events;
pub mod json;
pub mod search;
pub mod server;
mod time;
pub mod types;

pub use backend::{Backend, Heights, Query, Reply, TxHit};
pub use error::RpcError;
