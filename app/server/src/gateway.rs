//! The HTTP server of the gateway: the routes behind a door with bounds.
//!
//! Clones and pushes are long and legal: what a client has begun ends by silence, its own or, as
//! the limits of git children say, git's. Silence before a request is a matter of the door, within
//! one of who reads it.

use std::convert::Infallible;
use std::future::Future;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use guts_git::http::Asker;
use guts_rpc::server::door::{self, Bounds, Handler, Pass};
use guts_rpc::server::files;
use hyper::Request;
use hyper::body::Incoming;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tower_service::Service as _;

use crate::config::Config;

/// Connections that wait for another to end.
const WAITING_MAX: usize = 100;

/// Seconds that each of them waits at most.
const WAITING_TIMEOUT_S: u64 = 10;

/// Seconds in which a client must send its headers, so the longest that a connection is idle.
const HEADER_TIMEOUT_S: u64 = 10;

/// Seconds that a client may keep an answer waiting before it has taken 1 KiB for each: a clone may
/// come to a disk that is busy with other things.
const WRITE_TIMEOUT_S: u64 = 30;

/// Files that a connection may need, with those of the git process behind it: of these there are
/// fewer than connections. The database and the engine need some, too.
const FILES_PER_CONNECTION: u64 = 4;

/// What the door of a gateway with these settings lets in: fewer connections where the system
/// allows few files.
pub fn bounds(config: &Config) -> Bounds {
    let files = files::limit().unwrap_or(u64::MAX) / FILES_PER_CONNECTION;
    let files = usize::try_from(files).unwrap_or(usize::MAX);
    Bounds {
        connections_max: config.connections_max.min(files),
        per_address_max: config.connections_per_address_max,
        waiting_max: WAITING_MAX,
        waiting_timeout_s: WAITING_TIMEOUT_S,
        header_timeout_s: HEADER_TIMEOUT_S,
        write_timeout_s: WRITE_TIMEOUT_S,
    }
}

/// How long an ending waits for what is in hand: a push that has come far enough may end as well,
/// and the rest is tried again.
pub const STOP_TIMEOUT: Duration = Duration::from_millis(300);

/// Serves `routes` until `shutdown` is done, and then what is in hand, for as long as
/// [`STOP_TIMEOUT`] says: clients that are stuck are cut off.
pub async fn serve_until(
    listener: TcpListener,
    bounds: Bounds,
    routes: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) {
    let (stop, mut stopped) = watch::channel(false);
    let until = async move { drop(stopped.wait_for(|stop| *stop).await) };
    let mut serving = tokio::spawn(serve(listener, bounds, routes, until));
    shutdown.await;
    stop.send_replace(true);
    let _ = tokio::time::timeout(STOP_TIMEOUT, &mut serving).await;
    serving.abort();
}

/// Serves `routes` until `shutdown` is done, and then what is in hand.
pub async fn serve(
    listener: TcpListener,
    bounds: Bounds,
    routes: Router,
    shutdown: impl Future<Output = ()> + Send,
) {
    door::serve_handler(listener, bounds, Routes(routes), shutdown).await;
}

#[derive(Clone)]
struct Routes(Router);

impl Handler for Routes {
    type Body = Body;

    async fn answer(&self, mut request: Request<Incoming>, pass: Pass) -> Response {
        request.extensions_mut().insert(Asker(pass.address()));
        // A router is always ready, and never fails.
        let answer: Result<_, Infallible> = self.0.clone().call(request).await;
        match answer {
            Ok(answer) => answer,
            Err(never) => match never {},
        }
    }
}
