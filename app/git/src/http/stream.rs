//! A child's output as the body of an answer, while its input is being fed.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures::Stream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::input::Input;
use super::pace::{Pace, TooSlow};
use super::report::Report;
use super::{Held, Service};
use crate::child::Running;
use crate::desk::Ticket;
use crate::error::GitError;

/// Bytes read from a child at once.
const PART_BYTES: usize = 1 << 16;

/// Parts read ahead of the client.
const PARTS_AHEAD: usize = 4;

/// Answers with the child's output. When the client goes away the child is killed. The answer ends
/// when the whole request was read: a client that is still sending then would not see its end.
pub(super) fn respond(service: Service, mut child: Running, input: Input, held: Held) -> Response {
    let stdin = child.stdin.take();
    let (parts, received) = mpsc::channel(PARTS_AHEAD);
    let serving = tokio::spawn(async move {
        let (wall, pace) = (child.wall(), Pace::new(input.limits()));
        let Held { turn, ticket } = held;
        let fed = async {
            if let Some(stdin) = stdin {
                input.feed(stdin).await;
            }
            Ok(())
        };
        let pumped = async { tokio::try_join!(pump(&mut child, &parts, pace, ticket), fed) };
        let pumped = tokio::time::timeout(wall, pumped).await;
        let late = || GitError::Limit { what: service.command().into(), limit: "time" };
        if let Err(error) = pumped.unwrap_or_else(|_| Err(late())) {
            tracing::debug!(%error, service = service.name(), "a git request broke off");
            // Whoever does not take this holds nothing any more.
            drop((child, turn));
            // A body that ends with an error is seen as broken off, not as complete.
            let _ = parts.send(Err(error)).await;
        }
    });
    let body = Output { received, serving };
    let kind = format!("application/x-{}-result", service.name());
    let headers = [(header::CONTENT_TYPE, kind.as_str()), (header::CACHE_CONTROL, "no-cache")];
    (headers, Body::from_stream(body)).into_response()
}

type Part = Result<Bytes, GitError>;

async fn pump(
    child: &mut Running,
    parts: &mpsc::Sender<Part>,
    mut pace: Pace,
    ticket: Option<Ticket>,
) -> Result<(), GitError> {
    use tokio::io::AsyncReadExt;
    let Some(mut stdout) = child.stdout.take() else { return Ok(()) };
    let mut report = ticket.map(|ticket| Report::new(move || ticket.session.reason()));
    let mut buffer = bytes::BytesMut::new();
    let mut sent = false;
    loop {
        buffer.reserve(PART_BYTES);
        let read = stdout.read_buf(&mut buffer).await;
        let n = read.map_err(|source| GitError::Spawn { what: "output".into(), source })?;
        let part = match &mut report {
            None => buffer.split().freeze(),
            Some(report) if n == 0 => report.end(),
            Some(report) => report.pass(&buffer.split())?,
        };
        if !part.is_empty() {
            sent = true;
            let length = part.len();
            let taken = pace.wait(parts.send(Ok(part))).await;
            if taken.map_err(|TooSlow| GitError::Slow)?.is_err() {
                return Ok(());
            }
            pace.count(length);
        }
        if n == 0 {
            break;
        }
    }
    let (status, stderr) = child.ended().await?;
    // git says its fatal errors within the protocol when it can; else this is all there is.
    if !status.success() && !sent {
        return Err(GitError::Failed {
            what: "service".into(),
            status: status.to_string(),
            stderr,
        });
    }
    Ok(())
}

/// The body: parts as they come; dropping it ends the task, and with it the child.
struct Output {
    received: mpsc::Receiver<Part>,
    serving: JoinHandle<()>,
}

impl Drop for Output {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Stream for Output {
    type Item = Part;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Part>> {
        self.received.poll_recv(context)
    }
}
