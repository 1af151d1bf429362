//! The socket protocol between two processes: the application's [`Server`] and the engine's
//! [`Client`].
//!
//! This is the one impure module of the crate. Both ends answer first in, first out on each
//! connection; neither waits for a Flush before it writes.

mod client;
mod lane;
mod server;
mod stream;
mod turns;

pub use client::{CONNECT_TIMEOUT, CallError, Client, ConnectError, Loss, LossCause, Pending};
pub use lane::IN_FLIGHT_MAX;
pub use server::{CONNECTIONS_MAX, STOP_TIMEOUT, ServeError, Server, serve};
pub use turns::take_short_turns;
