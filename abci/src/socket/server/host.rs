//! The application behind all connections: who may call it when, and what becomes of its panics.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, PoisonError};

use tokio::sync::watch;

use super::{Failure, lock};
use crate::proto::abci::{
    RequestCheckTx, ResponseEcho, ResponseException, ResponseFlush, request::Value as Request,
    response::Value as Response,
};
use crate::{Answer, Application, Exception, Kind, Reader, Served};

/// One application, called by the threads of all connections.
pub struct Host {
    app: Mutex<Box<dyn Application>>,
    reader: std::sync::Arc<dyn Reader>,
    permits: Permits,
    failure: watch::Sender<Option<(Kind, String)>>,
}

impl Host {
    /// Takes over an application.
    pub fn new(served: Served) -> Self {
        Self {
            app: Mutex::new(served.app),
            reader: served.reader,
            permits: Permits::new(),
            failure: watch::Sender::new(None),
        }
    }

    /// Resolves when the application panics.
    pub fn failure(&self) -> Failure {
        self.failure.subscribe()
    }

    /// Answers one request, with an exception if it must.
    pub fn answer(&self, request: Request) -> Response {
        match request {
            Request::Echo(echo) => return Response::Echo(ResponseEcho { message: echo.message }),
            Request::Flush(_) => return Response::Flush(ResponseFlush {}),
            _ => {}
        }
        let call = Kind::of_request(&request);
        let is_low = matches!(call, Kind::Query | Kind::ListSnapshots | Kind::LoadSnapshotChunk);
        let _permit = is_low.then(|| self.permits.acquire());
        match self.guarded(call, || self.call(request)) {
            Ok(answer) => respond(call, answer),
            Err(stopped) => *stopped,
        }
    }

    /// Answers CheckTx requests that arrived together, one response each.
    pub fn answer_checks(&self, requests: Vec<RequestCheckTx>) -> Vec<Response> {
        let count = requests.len();
        let answers = self.guarded(Kind::CheckTx, || self.reader.check_txs(requests));
        let mut responses = match answers {
            Ok(answers) => answers
                .into_iter()
                .map(|answer| respond(Kind::CheckTx, answer.map(Response::CheckTx)))
                .collect(),
            Err(stopped) => vec![*stopped; count],
        };
        // The peer counts: an application that answers too little must not shift the rest.
        responses.resize_with(count, || exception("the application gave no answer".to_owned()));
        responses
    }

    /// What the application says, or what is said for one that panicked, now or before.
    fn guarded<T>(&self, call: Kind, answer: impl FnOnce() -> T) -> Result<T, Box<Response>> {
        if self.failure.borrow().is_some() {
            return Err(Box::new(exception("the application stopped after a panic".to_owned())));
        }
        // Unwind safety: after a panic the application is not called again.
        catch_unwind(AssertUnwindSafe(answer)).map_err(|panic| {
            let message = panic_message(panic.as_ref());
            tracing::error!(%call, %message, "the application panicked");
            self.failure.send_replace(Some((call, message.clone())));
            Box::new(exception(format!("the application panicked in {call}: {message}")))
        })
    }

    fn call(&self, request: Request) -> Answer<Response> {
        let reader = &self.reader;
        Ok(match request {
            Request::Info(r) => Response::Info(reader.info(r)?),
            Request::Query(r) => Response::Query(reader.query(r)?),
            Request::CheckTx(r) => Response::CheckTx(reader.check_tx(r)?),
            Request::ListSnapshots(r) => Response::ListSnapshots(reader.list_snapshots(r)?),
            Request::LoadSnapshotChunk(r) => {
                Response::LoadSnapshotChunk(reader.load_snapshot_chunk(r)?)
            }
            other => self.call_application(other)?,
        })
    }

    fn call_application(&self, request: Request) -> Answer<Response> {
        // Poisoned by a panic of another thread's call, for which this one waited.
        let stopped = |_| Exception("the application stopped after a panic".to_owned());
        let mut app = self.app.lock().map_err(stopped)?;
        Ok(match request {
            Request::InitChain(r) => Response::InitChain(app.init_chain(r)?),
            Request::PrepareProposal(r) => Response::PrepareProposal(app.prepare_proposal(r)?),
            Request::ProcessProposal(r) => Response::ProcessProposal(app.process_proposal(r)?),
            Request::ExtendVote(r) => Response::ExtendVote(app.extend_vote(r)?),
            Request::VerifyVoteExtension(r) => {
                Response::VerifyVoteExtension(app.verify_vote_extension(r)?)
            }
            Request::FinalizeBlock(r) => Response::FinalizeBlock(app.finalize_block(r)?),
            Request::Commit(r) => Response::Commit(app.commit(r)?),
            Request::OfferSnapshot(r) => Response::OfferSnapshot(app.offer_snapshot(r)?),
            Request::ApplySnapshotChunk(r) => {
                Response::ApplySnapshotChunk(app.apply_snapshot_chunk(r)?)
            }
            Request::Echo(_)
            | Request::Flush(_)
            | Request::Info(_)
            | Request::Query(_)
            | Request::CheckTx(_)
            | Request::ListSnapshots(_)
            | Request::LoadSnapshotChunk(_) => unreachable!("answered without the lock"),
        })
    }
}

/// An answer as the peer gets it.
fn respond(call: Kind, answer: Answer<Response>) -> Response {
    answer.unwrap_or_else(|Exception(error)| {
        tracing::error!(%call, %error, "the application cannot answer");
        exception(error)
    })
}

fn exception(error: String) -> Response {
    Response::Exception(ResponseException { error })
}

/// What a panic says, where it says anything.
fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    if let Some(text) = panic.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = panic.downcast_ref::<String>() {
        text.clone()
    } else {
        "no message".to_owned()
    }
}

/// How many low-priority calls may run at once.
struct Permits {
    free: Mutex<usize>,
    freed: Condvar,
}

impl Permits {
    /// One for each processor but two, which are consensus' and the mempool's; at least one.
    fn new() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { free: Mutex::new(processors.saturating_sub(2).max(1)), freed: Condvar::new() }
    }

    /// Waits for a permit; dropping it gives it back.
    fn acquire(&self) -> Permit<'_> {
        let free = lock(&self.free);
        let waited = self.freed.wait_while(free, |free| *free == 0);
        *waited.unwrap_or_else(PoisonError::into_inner) -= 1;
        Permit(self)
    }
}

/// Leave to make one low-priority call.
struct Permit<'a>(&'a Permits);

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        *lock(&self.0.free) += 1;
        self.0.freed.notify_one();
    }
}
