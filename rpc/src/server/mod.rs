//! The server: JSON-RPC over POST (single and batch), URI GET and WebSocket, as CometBFT v0.38
//! does it.
//!
//! Built on hyper alone, and it builds no tree of values: a broadcast must cost little.

mod args;
mod envelope;
mod http;
mod methods;
mod patient;
mod quotes;
mod search;
mod ws;

use std::future::Future;
use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

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
    /// Seconds in which a client must take something of an answer; then its connection ends.
    pub write_timeout_s: u64,
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
    let waiting = Arc::new(Semaphore::new(service.limits().waiting_max));
    // Connections hold a receiver each: `closed` then says that the last one has ended.
    let (stop, stopped) = watch::channel(false);
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "rpc: cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (service, stopped) = (Arc::clone(&service), stopped.clone());
        match Arc::clone(&slots).try_acquire_owned() {
            Ok(slot) => {
                tokio::spawn(connection(stream, service, Connection::new(slot, stopped)));
            }
            Err(_) => match Arc::clone(&waiting).try_acquire_owned() {
                Ok(place) => {
                    let turn = turn(Arc::clone(&slots), place, stopped.clone());
                    tokio::spawn(wait(stream, service, turn, stopped));
                }
                Err(_) => refuse(stream),
            },
        }
    }
    drop((listener, stopped));
    stop.send_replace(true);
    stop.closed().await;
}

/// A slot once one is free; none when the server stops. Until then `_place` is taken.
async fn turn(
    slots: Arc<Semaphore>,
    _place: OwnedSemaphorePermit,
    mut stopped: watch::Receiver<bool>,
) -> Option<OwnedSemaphorePermit> {
    tokio::select! {
        slot = slots.acquire_owned() => slot.ok(),
        _ = stopped.wait_for(|stop| *stop) => None,
    }
}

/// Serves a connection when its turn comes, if that is soon enough.
async fn wait(
    stream: TcpStream,
    service: Arc<Service>,
    turn: impl Future<Output = Option<OwnedSemaphorePermit>>,
    stopped: watch::Receiver<bool>,
) {
    let most = Duration::from_secs(service.limits().waiting_timeout_s);
    match tokio::time::timeout(most, turn).await {
        // A WebSocket keeps the slot for as long as it lasts.
        Ok(Some(slot)) => connection(stream, service, Connection::new(slot, stopped)).await,
        Ok(None) | Err(_) => refuse(stream),
    }
}

/// What is said to whoever comes when there is no room, whatever they ask.
const REFUSAL: &str = "HTTP/1.1 503 Service Unavailable\r\n\
    Content-Type: text/plain; charset=utf-8\r\n\
    Retry-After: 10\r\nConnection: close\r\nContent-Length: 44\r\n\r\n\
    503 too many open connections: try it later\n";

/// Says that there is no room, and ends the connection, all without waiting.
fn refuse(stream: TcpStream) {
    let Ok(mut stream) = stream.into_std() else { return };
    // What the client has sent already must be read, or the answer could be lost.
    let _ = stream.write(REFUSAL.as_bytes());
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let _ = stream.read(&mut [0; 4096]);
}

async fn connection(stream: TcpStream, service: Arc<Service>, connection: Connection) {
    let mut stopped = connection.stopped.clone();
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "rpc: cannot set TCP_NODELAY");
    }
    let timeout = Duration::from_secs(service.limits().header_timeout_s);
    let patience = Duration::from_secs(service.limits().write_timeout_s);
    let stream = patient::Patient::new(stream, patience);
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
