//! One connection of the client: requests queued for writing, and who waits for which response.
//!
//! Queueing a request encodes it at once, under a lock that is never held across a wait, so a call
//! costs an encoding and a queue entry. The writer takes all that is queued in one write and ends
//! it with one Flush, because a server may hold its answers back until it sees one.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use tokio::sync::{Notify, oneshot};

use super::client::{CallError, Loss, LossCause};
use crate::codec::{encode, give_back};
use crate::proto::abci::{Request, RequestFlush, Response, request, response};
use crate::{Connection, Kind};

/// The most requests of one connection that may wait for an answer. More than any mempool has:
/// a bound on memory, not a pace.
pub const IN_FLIGHT_MAX: usize = 1 << 17;

/// Where an answer goes.
pub type Answers = oneshot::Sender<Result<response::Value, CallError>>;

/// One connection's queues.
pub struct Lane {
    /// Which of the four it is.
    pub connection: Connection,
    state: Mutex<State>,
    queued: Notify,
}

#[derive(Default)]
struct State {
    /// Frames not yet taken by the writer.
    out: BytesMut,
    /// Responses outstanding, in the order of their requests. A Flush of the writer's own has
    /// nobody who waits for it.
    waiting: VecDeque<(Kind, Option<Answers>)>,
    lost: Option<Arc<Loss>>,
}

impl Lane {
    /// A connection with nothing queued.
    pub fn new(connection: Connection) -> Self {
        Self { connection, state: Mutex::default(), queued: Notify::new() }
    }

    /// Queues a request; its place in the order is the order of these calls.
    pub fn send(&self, value: request::Value, answers: Answers) {
        let kind = Kind::of_request(&value);
        let mut state = self.lock();
        let refusal = match &state.lost {
            Some(loss) => Some(CallError::Lost(Arc::clone(loss))),
            None if state.waiting.len() >= IN_FLIGHT_MAX => Some(CallError::Busy(self.connection)),
            None => None,
        };
        if let Some(error) = refusal {
            drop(state);
            let _nobody_waits = answers.send(Err(error));
            return;
        }
        encode(&Request { value: Some(value) }, &mut state.out);
        state.waiting.push_back((kind, Some(answers)));
        drop(state);
        self.queued.notify_one();
    }

    /// Everything queued, with a Flush behind it. Waits until there is something; `None` once the
    /// connection is lost.
    pub async fn take_queued(&self) -> Option<Bytes> {
        loop {
            {
                let mut state = self.lock();
                if state.lost.is_some() {
                    return None;
                }
                if !state.out.is_empty() {
                    let flush = request::Value::Flush(RequestFlush {});
                    encode(&Request { value: Some(flush) }, &mut state.out);
                    state.waiting.push_back((Kind::Flush, None));
                    let queued = state.out.split().freeze();
                    give_back(&mut state.out, &mut queued.len());
                    return Some(queued);
                }
            }
            self.queued.notified().await;
        }
    }

    /// Hands each response to whoever waits for it; an error when it is not the one expected next.
    pub fn on_responses(&self, responses: Vec<Response>) -> Result<(), LossCause> {
        let mut matched = Vec::with_capacity(responses.len());
        let mut result = Ok(());
        {
            let mut state = self.lock();
            for response in responses {
                let expected = state.waiting.front().map(|(kind, _)| *kind);
                let got = response.value.as_ref().map(Kind::of_response);
                match (expected, got, response.value) {
                    // The inner `None` is an exception, which answers any kind.
                    (Some(expected), Some(got), Some(value))
                        if got.is_none_or(|got| got == expected) =>
                    {
                        let waiter = state.waiting.pop_front().and_then(|(_, waiter)| waiter);
                        matched.push((waiter, value));
                    }
                    (expected, got, _) => {
                        result = Err(LossCause::Unexpected { expected, got: got.flatten() });
                        break;
                    }
                }
            }
        }
        for (waiter, value) in matched {
            let Some(waiter) = waiter else { continue };
            let answer = match value {
                response::Value::Exception(exception) => Err(CallError::Exception(exception.error)),
                value => Ok(value),
            };
            let _nobody_waits = waiter.send(answer);
        }
        result
    }

    /// Ends the connection: whoever waits, and whoever calls later, is told why.
    pub fn lose(&self, loss: &Arc<Loss>) {
        let mut state = self.lock();
        state.lost.get_or_insert_with(|| Arc::clone(loss));
        let waiting = std::mem::take(&mut state.waiting);
        state.out = BytesMut::new();
        drop(state);
        for (_, waiter) in waiting {
            if let Some(waiter) = waiter {
                let _nobody_waits = waiter.send(Err(CallError::Lost(Arc::clone(loss))));
            }
        }
        self.queued.notify_one();
    }

    /// A panic while the lock was held can only be one of the allocator's: what it guards is whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
