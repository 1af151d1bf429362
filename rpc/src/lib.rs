//! CometBFT-shaped JSON-RPC: server, client, backend trait.
//!
//! - [`Backend`]: what a server answers from; a node implements it over its stores.
//! - [`types`]: the answers, printing and reading as CometBFT v0.38's JSON.
//! - [`server`]: JSON-RPC over POST (single and batch), URI GET and WebSocket; further
//!   methods of a server's own are registered with [`server::Methods`]. Its [`server::door`]
//!   bounds connections, for any other HTTP service as well; [`server::files`] lets the process
//!   have open files enough for them; [`server::memory`] is how long it keeps what it freed.
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
//! on, `Vary` is sent with every answer; the calls of a batch run at the same time, begun in order,
//! and then one after the other those that may have long answers; a page of a search
//! ([`PAGE_BYTES_MAX`]) and what the answers to a batch come to (64 MiB) are bounded; a subscriber
//! that is too slow always loses its subscriptions and is told so, where CometBFT leaves out single
//! events unless `experimental_close_on_slow_client` is set. What subscribers may be behind is
//! bounded in bytes, over all of them: nothing here is the buffer of messages for each that
//! CometBFT's other two experimental settings are about.

mod backend;
pub mod client;
mod error;
pub mod events;
pub mod json;
pub mod search;
pub mod server;
mod time;
pub mod types;

pub use backend::{Backend, Dial, Heights, PAGE_BYTES_MAX, PageRoom, Query, Replies, Reply, TxHit};
pub use error::{MEMPOOL_FULL, RpcError};
