//! `GET /metrics` of the gateway, for Prometheus.
//!
//! But for [`CALLS`] nothing is counted for it: each scrape reads what is there anyway. [`TABLE`]
//! is the documentation, with that; `guts-app metrics` prints it.

use std::fmt::Write;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use guts_git::PackStore;
use guts_rpc::server::files;
use guts_state_disk::Database;

use crate::application::Shared;
use crate::chain::Committed;
use crate::follower::Served;

/// What a scrape reads.
pub struct Meters {
    /// The newest state, and what CheckTx let in.
    pub shared: Arc<Shared>,
    /// What the repositories show.
    pub served: Served,
    /// Packs of pending pushes.
    pub packs: PackStore,
    /// The database.
    pub database: Database,
}

/// Everything a scrape reads, once.
struct Reading<'a> {
    meters: &'a Meters,
    state: Arc<Committed>,
}

type Failure = Box<dyn std::error::Error>;

/// A gauge.
struct Metric {
    name: &'static str,
    help: &'static str,
    read: fn(&Reading<'_>) -> Result<u64, Failure>,
}

const fn metric(
    name: &'static str,
    help: &'static str,
    read: fn(&Reading<'_>) -> Result<u64, Failure>,
) -> Metric {
    Metric { name, help, read }
}

/// The histogram of [`crate::timings`]: its name, and what it tells.
const CALLS: (&str, &str) = (
    "guts_app_call_seconds",
    "Time of the engine's calls, by call: check_tx (of all that arrived together), \
     finalize_block, query",
);

/// Every gauge.
static TABLE: [Metric; 12] = [
    metric("guts_app_height", "Last committed height", |r| Ok(r.state.height)),
    metric("guts_app_oldest_height", "Oldest height whose state is kept", |r| {
        let first = r.state.head.as_ref().map_or(0, |head| head.initial_height.saturating_sub(1));
        Ok(r.meters.database.oldest().max(first))
    }),
    metric("guts_app_header_time_seconds", "Its header time, Unix seconds", |r| Ok(r.state.time_s)),
    metric("guts_app_repositories", "Repositories there are", |r| Ok(r.state.repos()?)),
    metric("guts_app_pushes_pending", "Pushes that wait for attestations", |r| {
        Ok(r.state.pending()?.len() as u64)
    }),
    metric("guts_app_shown_height", "Height that the bare repositories show", |r| {
        Ok(r.meters.served.watch().borrow().state.height)
    }),
    metric("guts_app_repositories_behind", "Repositories that lack objects", |r| {
        Ok(r.meters.served.watch().borrow().behind() as u64)
    }),
    metric("guts_app_waiting_transactions", "Let in by CheckTx and in no block yet", |r| {
        Ok(r.meters.shared.waiting.count() as u64)
    }),
    metric("guts_app_packs", "Packs kept for pushes", |r| Ok(r.meters.packs.all()?.len() as u64)),
    metric("guts_app_database_memory_bytes", "Memory of the database", |r| {
        Ok(r.meters.database.memory_bytes()?)
    }),
    metric("guts_app_open_files", "Files and connections that are open", |_| {
        files::open().ok_or_else(|| "the system does not tell".into())
    }),
    metric("guts_app_open_files_max", "How many there may be", |_| {
        Ok(files::limit().unwrap_or(u64::MAX))
    }),
];

/// The table as Markdown.
pub fn documentation() -> String {
    let gauges = TABLE.iter().map(|metric| (metric.name, "gauge", metric.help));
    let all = gauges.chain([(CALLS.0, "histogram", CALLS.1)]);
    let rows = all.map(|(name, kind, help)| format!("| `{name}` | {kind} | {help} |\n"));
    format!("| metric | kind | meaning |\n|---|---|---|\n{}", rows.collect::<String>())
}

/// The route.
pub fn router(meters: Meters) -> Router {
    Router::new().route("/metrics", get(scrape)).with_state(Arc::new(meters))
}

async fn scrape(State(meters): State<Arc<Meters>>) -> Response {
    // The disk may be asked.
    let text = tokio::task::spawn_blocking(move || print(&meters)).await;
    match text {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the metrics cannot be read");
            (StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be read\n").into_response()
        }
    }
}

/// The text of a scrape; a metric that cannot be read is left out and logged.
fn print(meters: &Meters) -> String {
    let reading = Reading { meters, state: meters.shared.chain.newest() };
    let mut text = String::new();
    for Metric { name, help, read } in &TABLE {
        match read(&reading) {
            Ok(value) => {
                // Writing to a String does not fail.
                let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}");
            }
            Err(error) => tracing::warn!(name, %error, "a metric cannot be read"),
        }
    }
    let (name, help) = CALLS;
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} histogram");
    meters.shared.timings.print(name, &mut text);
    text
}
