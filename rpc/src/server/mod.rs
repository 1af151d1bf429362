//! The server: JSON-RPC over POST (single and batch), URI GET and WebSocket, as CometBFT v0.38
//! does it.
//!
//! Built on hyper alone, and it builds no tree of values: a broadcast must cost little.

mod args;
mod envelope;
mod http;
mod methods;
mod quotes;
mod search;
mod ws;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

pub use args::{Args, Coding};
pub use http::Service;
pub use methods::Methods;
use ws::Connection;

use crate::Backend;

/// What a server takes from its clients. The defaults are CometBFT's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request's body.
    pub body_bytes_max: usize,
    /// Requests in a batch; 0 for no limit.
    pub batch_max: usize,
    /// Connections at a time; further ones wait to be accepted.
    pub connections_max: usize,
    /// Seconds in which a client must send its headers.
    pub header_timeout_s: u64,
    /// WebSocket clients with subscriptions at a time.
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
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes_max: 1_000_000,
            batch_max: 10,
            connections_max: 900,
            header_timeout_s: 10,
            ws_clients_max: 100,
            ws_subscriptions_max: 5,
            ws_ping_s: 27,
            ws_idle_s: 30,
            ws_write_s: 10,
            cors_origins: Vec::new(),
        }
    }
}

/// Pause after a failed accept (out of file descriptors), so that it does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

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
    let slots = Arc::new(Semaphore::new(service.limits().connections_max));
    // Connections hold a receiver each: `closed` then says that the last one has ended.
    let (stop, stopped) = watch::channel(false);
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = async {
            let slot = Arc::clone(&slots).acquire_owned().await;
            (slot, listener.accept().await)
        };
        let (slot, stream) = tokio::select! {
            () = &mut shutdown => break,
            accepted = accepted => accepted,
        };
        match stream {
            Ok((stream, _)) => {
                let (service, stopped) = (Arc::clone(&service), stopped.clone());
                tokio::spawn(async move {
                    // A WebSocket keeps the slot for as long as it lasts.
                    let Ok(slot) = slot else { return };
                    let slot = Arc::new(slot);
                    connection(stream, service, Connection { slot, stopped }).await;
                });
            }
            Err(error) => {
                tracing::warn!(%error, "rpc: cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop((listener, stopped));
    stop.send_replace(true);
    stop.closed().await;
}

async fn connection(stream: TcpStream, service: Arc<Service>, connection: Connection) {
    let mut stopped = connection.stopped.clone();
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "rpc: cannot set TCP_NODELAY");
    }
    let timeout = Duration::from_secs(service.limits().header_timeout_s);
    let handler = service_fn(move |request| {
        let (service, connection) = (Arc::clone(&service), connection.clone());
        let answer = async move { service.handle_on(request, Some(&connection)).await };
        async move { Ok::<_, std::convert::Infallible>(answer.await) }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(timeout)
        .serve_connection(TokioIo::new(quotes::Quotes::new(stream)), handler)
        .with_upgrades();
    let mut serving = std::pin::pin!(serving);
    let stop = async {
        // An error means that the server is gone, which is a stop as well.
        drop(stopped.wait_for(|stop| *stop).await);
    };
    let ended = tokio::select! {
        ended = serving.as_mut() => Some(ended),
        () = stop => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "rpc: connection ended");
    }
}
