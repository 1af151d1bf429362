//! The application's end: any number of engines' connections, each answered in order.
//!
//! A connection has a thread of its own, because applications block: it reads what has arrived,
//! answers every whole request, and writes once. CheckTx and the like run right there, without a
//! hand-over; the calls that make blocks take a lock, so they are one at a time, and nothing else
//! ever waits for that lock. Priority is by admission: consensus and mempool calls start at once,
//! queries and the reading of snapshots share permits that leave the first two a processor each,
//! where there are as many.
//!
//! An application that panics is not silent and not half alive: the engine gets an exception, the
//! log an error, and [`serve`] ends with [`ServeError::Panicked`].

use std::future::Future;
use std::io;
use std::net::Shutdown;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::stream::{Listener, Stream};
use crate::codec::Decoder;
use crate::{Address, Kind, Served};

mod conversation;
mod host;

use host::Host;

/// The most connections at once: four for each engine or tool. One more is closed at once.
pub const CONNECTIONS_MAX: u32 = 256;

/// How long calls under way may take after the shutdown signal, before their connections are cut.
/// An engine makes a call that was cut again; what the application has said before is durable.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(1);

/// How long to wait after a failed accept (too many open files), before the next.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why serving ended otherwise than by its shutdown signal.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// What was asked for.
        address: Address,
        /// What the system says.
        source: io::Error,
    },
    /// The application panicked: its state cannot be trusted any further.
    #[error("the application panicked in {call}: {message}")]
    Panicked {
        /// The call it was answering.
        call: Kind,
        /// The message of the panic.
        message: String,
    },
}

/// A bound socket that does not answer yet: whoever needs the real port can ask for it first.
pub struct Server {
    listener: Listener,
    address: Address,
    decoder: Decoder,
    stop_timeout: Duration,
}

/// Binds `address` and answers until `shutdown` resolves, or the application panics. Calls under
/// way are answered first.
pub async fn serve(
    address: &Address,
    served: Served,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    Server::bind(address).await?.run(served, shutdown).await
}

impl Server {
    /// Listens. The socket file of a killed process is replaced, one in use is not.
    pub async fn bind(address: &Address) -> Result<Self, ServeError> {
        let failed = |source| ServeError::Listen { address: address.clone(), source };
        let listener = Listener::bind(address).await.map_err(failed)?;
        let address = listener.address().map_err(failed)?;
        let (decoder, stop_timeout) = (Decoder::default(), STOP_TIMEOUT);
        Ok(Self { listener, address, decoder, stop_timeout })
    }

    /// Sets the limit on the length of requests.
    pub fn with_decoder(mut self, decoder: Decoder) -> Self {
        self.decoder = decoder;
        self
    }

    /// Sets how long calls under way may take after the shutdown signal: else [`STOP_TIMEOUT`].
    pub fn with_stop_timeout(mut self, stop_timeout: Duration) -> Self {
        self.stop_timeout = stop_timeout;
        self
    }

    /// Where it listens, with the real port.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Answers, as [`serve`] does.
    pub async fn run(
        self,
        served: Served,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), ServeError> {
        let host = Arc::new(Host::new(served));
        let open = Connections::default();
        let mut failure = host.failure();
        tokio::pin!(shutdown);
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok(stream) => open.start(stream, &host, self.decoder),
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
                () = &mut shutdown => break,
                () = panicked(&mut failure) => break,
            }
        }
        drop(self.listener);
        open.stop(self.stop_timeout).await;
        let failed = host.failure().borrow().clone();
        match failed {
            Some((call, message)) => Err(ServeError::Panicked { call, message }),
            None => Ok(()),
        }
    }
}

/// What a panic left: the call it was in, and its message.
type Failure = watch::Receiver<Option<(Kind, String)>>;

/// Waits until the application panics.
async fn panicked(failure: &mut Failure) {
    if failure.wait_for(Option::is_some).await.is_err() {
        // The host is gone, and with it whoever could panic.
        std::future::pending::<()>().await;
    }
}

/// The connections that are open.
struct Connections {
    /// A permit for each connection there may be.
    permits: Arc<Semaphore>,
    streams: Arc<Mutex<Vec<(u64, Stream)>>>,
    next: std::sync::atomic::AtomicU64,
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            permits: Arc::new(Semaphore::new(CONNECTIONS_MAX as usize)),
            streams: Arc::default(),
            next: std::sync::atomic::AtomicU64::new(0),
        }
    }
}

impl Connections {
    /// Starts the thread of a connection.
    fn start(&self, stream: Stream, host: &Arc<Host>, decoder: Decoder) {
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            tracing::warn!("refused a connection: {CONNECTIONS_MAX} are open");
            return;
        };
        let handle = match stream.try_clone() {
            Ok(handle) => handle,
            Err(error) => {
                tracing::warn!(%error, "cannot keep a connection");
                return;
            }
        };
        let number = self.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        lock(&self.streams).push((number, handle));
        let host = Arc::clone(host);
        let streams = Arc::clone(&self.streams);
        let thread = std::thread::Builder::new().name(format!("abci-{number}"));
        let spawned = thread.spawn(move || {
            if let Err(end) = conversation::hold(stream, &host, decoder) {
                tracing::warn!(connection = number, %end, "closed an engine's connection");
            }
            lock(&streams).retain(|(other, _)| *other != number);
            drop::<OwnedSemaphorePermit>(permit);
        });
        if let Err(error) = spawned {
            tracing::error!(%error, "cannot start a thread for a connection");
            lock(&self.streams).retain(|(other, _)| *other != number);
        }
    }

    /// Lets every connection answer what it has read, then ends it; cuts off what takes longer.
    async fn stop(&self, most: Duration) {
        lock(&self.streams).iter().for_each(|(_, stream)| stream.shutdown(Shutdown::Read));
        let all_ended = self.permits.acquire_many(CONNECTIONS_MAX);
        if tokio::time::timeout(most, all_ended).await.is_err() {
            tracing::warn!("a call still runs, or a peer does not read: cutting its connection");
            lock(&self.streams).iter().for_each(|(_, stream)| stream.shutdown(Shutdown::Both));
        }
    }
}

/// What these locks guard is whole at every step: a panic elsewhere does not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
