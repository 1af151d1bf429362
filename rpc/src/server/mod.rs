//! The server: JSON-RPC over POST (single and batch), URI GET and WebSocket, as CometBFT v0.38
//! does it.
//!
//! Built on hyper alone, and it builds no tree of values: a broadcast must cost little.

/// What a stream around another, its `inner`, does of `AsyncWrite` as that does it.
macro_rules! rest_of_write {
    () => {
        fn is_write_vectored(&self) -> bool {
            self.inner.is_write_vectored()
        }

        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.inner).poll_flush(cx)
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.inner).poll_shutdown(cx)
        }
    };
}

mod args;
pub mod door;
mod envelope;
pub mod files;
mod http;
pub mod memory;
mod methods;
mod patient;
mod quotes;
mod search;
mod submit;
mod ws;

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::{Request, Response};
use tokio::net::{TcpListener, TcpStream};

pub use args::{Args, Coding};
pub use http::Service;
pub use methods::Methods;

use door::{Bounds, Handler, Pass};
use patient::Patient;
use quotes::Quotes;

use crate::Backend;

/// What a server takes from its clients. The defaults are CometBFT's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request's body.
    pub body_bytes_max: usize,
    /// Requests in a batch; 0 for no limit.
    pub batch_max: usize,
    /// Connections at a time.
    pub connections_max: usize,
    /// Further connections that wait until one of those ends. Whoever comes then, or waits too
    /// long, is refused with 503 (at CometBFT all wait, unheard, for as long as it takes).
    pub waiting_max: usize,
    /// Seconds that a connection waits for another to end.
    pub waiting_timeout_s: u64,
    /// Seconds in which a client must send its headers.
    pub header_timeout_s: u64,
    /// Seconds in which a client must send its body, once its headers are there; then 408.
    pub body_timeout_s: u64,
    /// Seconds that a client may keep an answer waiting before it has taken 1 KiB for each of
    /// them; then its connection ends.
    pub write_timeout_s: u64,
    /// WebSocket clients with subscriptions at a time, and waiting calls of `broadcast_tx_commit`.
    pub ws_clients_max: usize,
    /// Subscriptions of one of them.
    pub ws_subscriptions_max: usize,
    /// Seconds between two pings of a WebSocket.
    pub ws_ping_s: u64,
    /// Seconds without anything from a WebSocket after which it is taken for dead.
    pub ws_idle_s: u64,
    /// Seconds in which a WebSocket must take a message.
    pub ws_write_s: u64,
    /// Origins that browsers may call from; `*` for any. Empty: none, and no CORS headers at all.
    /// A WebSocket with an `Origin` that is neither here nor the host it asks for is refused with
    /// 403, which CometBFT does not do: any page that an operator looks at could open one.
    pub cors_origins: Vec<String>,
    /// Whether methods are served that change the node: `dial_peers`, `dial_seeds` and
    /// `unsafe_flush_mempool`.
    pub is_unsafe: bool,
}

impl Limits {
    /// What they say about connections.
    fn bounds(&self) -> Bounds {
        Bounds {
            connections_max: self.connections_max,
            // As at CometBFT: clients of many a user come through one proxy.
            per_address_max: 0,
            waiting_max: self.waiting_max,
            waiting_timeout_s: self.waiting_timeout_s,
            header_timeout_s: self.header_timeout_s,
            write_timeout_s: self.write_timeout_s,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes_max: 1_000_000,
            batch_max: 10,
            connections_max: 900,
            waiting_max: 100,
            waiting_timeout_s: 10,
            header_timeout_s: 10,
            body_timeout_s: 10,
            write_timeout_s: 10,
            ws_clients_max: 100,
            ws_subscriptions_max: 5,
            ws_ping_s: 27,
            ws_idle_s: 30,
            ws_write_s: 10,
            cors_origins: Vec::new(),
            is_unsafe: false,
        }
    }
}

/// Serves `backend` until `shutdown` is done; then takes no new requests, and returns when the
/// ones in hand are answered.
pub async fn serve(
    listener: TcpListener,
    backend: Arc<dyn Backend>,
    limits: Limits,
    shutdown: impl Future<Output = ()> + Send,
) {
    serve_service(listener, Arc::new(Service::new(backend, limits, Methods::default())), shutdown)
        .await;
}

/// As [`serve`], for a service with further methods.
pub async fn serve_service(
    listener: TcpListener,
    service: Arc<Service>,
    shutdown: impl Future<Output = ()> + Send,
) {
    let bounds = service.limits().bounds();
    let each = move |stream: TcpStream, pass| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "rpc: cannot set TCP_NODELAY");
        }
        let stream = Quotes::new(Patient::new(stream, bounds.write_timeout_s));
        tokio::spawn(door::hold(stream, bounds, Answers(Arc::clone(&service)), pass));
    };
    door::admit(listener, bounds, each, shutdown).await;
}

/// The methods behind a door.
#[derive(Clone)]
struct Answers(Arc<Service>);

impl Handler for Answers {
    type Body = Full<Bytes>;

    async fn answer(&self, request: Request<Incoming>, pass: Pass) -> Response<Full<Bytes>> {
        self.0.handle_on(request, Some(&pass)).await
    }
}
