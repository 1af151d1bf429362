//! The door of an HTTP server: how many connections it takes, from whom, and how long each may
//! keep it waiting. What is behind it does not matter: this crate's methods, or a [`Handler`] of
//! one's own.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::patient::Patient;

/// What a door lets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Connections at a time.
    pub connections_max: usize,
    /// Of them, from one address (of IPv6: from one network of 64 bits); 0 for no bound.
    pub per_address_max: usize,
    /// Further connections that wait until one of those ends. Whoever comes then, or waits too
    /// long, is refused with 503.
    pub waiting_max: usize,
    /// Seconds that a connection waits for another to end.
    pub waiting_timeout_s: u64,
    /// Seconds in which a client must send its headers, from the connection or the answer before
    /// on: so it is also how long a connection may be idle.
    pub header_timeout_s: u64,
    /// Seconds that a client may keep an answer waiting before it has taken 1 KiB for each of
    /// them; then its connection ends. Counted one by one: those in which this process was paused
    /// are not held against anybody.
    pub write_timeout_s: u64,
}

/// A request as it comes in.
pub type Ask = Request<Incoming>;

/// Answers requests.
pub trait Handler: Clone + Send + Sync + 'static {
    /// What the answers are.
    type Body: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
        + Send
        + 'static;

    /// The answer to a request that came over the connection of `pass`.
    fn answer(&self, to: Ask, pass: Pass) -> impl Future<Output = Response<Self::Body>> + Send;
}

/// What a connection has from the door.
#[derive(Debug, Clone)]
pub struct Pass {
    /// Its place among the connections: free for another when the last copy is gone.
    pub(super) place: Arc<Place>,
    /// True when the server stops.
    pub(super) stopped: watch::Receiver<bool>,
}

impl Pass {
    /// Where it comes from: an address, or of IPv6 the network of 64 bits.
    pub fn address(&self) -> IpAddr {
        self.place.share.address
    }
}

/// A place among the connections.
#[derive(Debug)]
pub(super) struct Place {
    _slot: OwnedSemaphorePermit,
    share: Share,
}

/// Pause after a failed accept (out of file descriptors), so that it does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Answers requests until `shutdown` is done; then takes no new ones, and returns when those in
/// hand are answered: for as long as the caller has patience.
pub async fn serve_handler<H: Handler>(
    listener: TcpListener,
    bounds: Bounds,
    handler: H,
    shutdown: impl Future<Output = ()> + Send,
) {
    let each = move |stream, pass| {
        let handler = handler.clone();
        let stream = Patient::new(stream, bounds.write_timeout_s);
        tokio::spawn(hold(stream, bounds, handler, pass));
    };
    admit(listener, bounds, each, shutdown).await;
}

/// Gives every connection that is let in to `each`, until `shutdown` is done; returns when the
/// last pass is gone.
pub(super) async fn admit(
    listener: TcpListener,
    bounds: Bounds,
    each: impl Fn(TcpStream, Pass) + Send + Sync + 'static,
    shutdown: impl Future<Output = ()> + Send,
) {
    let each = Arc::new(each);
    let slots = Arc::new(Semaphore::new(bounds.connections_max));
    let waiting = Arc::new(Semaphore::new(bounds.waiting_max));
    let sources = Sources::new(bounds.per_address_max);
    // Connections hold a receiver each: `closed` then says that the last one has ended.
    let (stop, stopped) = watch::channel(false);
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Some(share) = sources.enter(address.ip()) else {
            refuse(stream);
            continue;
        };
        let pass = {
            let stopped = stopped.clone();
            |slot| Pass { place: Arc::new(Place { _slot: slot, share }), stopped }
        };
        if let Ok(slot) = Arc::clone(&slots).try_acquire_owned() {
            each(stream, pass(slot));
        } else if let Ok(chair) = Arc::clone(&waiting).try_acquire_owned() {
            let turn = turn(Arc::clone(&slots), chair, stopped.clone());
            let (each, most) = (Arc::clone(&each), Duration::from_secs(bounds.waiting_timeout_s));
            tokio::spawn(async move {
                match tokio::time::timeout(most, turn).await {
                    Ok(Some(slot)) => each(stream, pass(slot)),
                    Ok(None) | Err(_) => refuse(stream),
                }
            });
        } else {
            refuse(stream);
        }
    }
    drop((listener, stopped));
    stop.send_replace(true);
    stop.closed().await;
}

/// A slot once one is free; none when the server stops. Until then `_chair` is taken.
async fn turn(
    slots: Arc<Semaphore>,
    _chair: OwnedSemaphorePermit,
    mut stopped: watch::Receiver<bool>,
) -> Option<OwnedSemaphorePermit> {
    tokio::select! {
        slot = slots.acquire_owned() => slot.ok(),
        _ = stopped.wait_for(|stop| *stop) => None,
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

/// Serves a connection to its end. When the server stops, the request in hand is its last.
pub(super) async fn hold<I, H>(io: I, bounds: Bounds, handler: H, pass: Pass)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Handler,
{
    let mut stopped = pass.stopped.clone();
    let handler = service_fn(move |request| {
        let (handler, pass) = (handler.clone(), pass.clone());
        async move { Ok::<_, Infallible>(handler.answer(request, pass).await) }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(bounds.header_timeout_s))
        .serve_connection(TokioIo::new(io), handler)
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
        tracing::debug!(%error, "a connection ended");
    }
}

/// How many connections there are from each address.
#[derive(Debug, Clone)]
struct Sources {
    most: usize,
    counts: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// One of the connections from an address.
#[derive(Debug)]
struct Share {
    sources: Sources,
    address: IpAddr,
}

impl Sources {
    fn new(most: usize) -> Self {
        Self { most: if most == 0 { usize::MAX } else { most }, counts: Arc::default() }
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// None when the address has as many as it may.
    fn enter(&self, address: IpAddr) -> Option<Share> {
        let address = source(address);
        let mut counts = self.counts();
        let count = counts.entry(address).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Share { sources: self.clone(), address })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut counts = self.sources.counts();
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

/// Whose an address is: a host with IPv6 has a network of addresses.
fn source(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = address.to_bits() & (u128::MAX << 64);
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
        address => address,
    }
}

#[cfg(test)]
mod tests;
