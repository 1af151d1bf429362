//! One client: the call in hand, and its subscriptions.

use std::sync::Arc;

use futures::future::BoxFuture;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::Client;
use crate::RpcError;
use crate::events::{Batch, NodeEvent};
use crate::search::{QUERY_BYTES_MAX, Search};
use crate::server::args::Args;
use crate::server::envelope::{self, Body, Id};
use crate::server::http::Service;

/// The code of a subscription that the server ends.
const CANCELLED: i32 = -32000;

/// What a session wants done.
#[derive(Debug)]
pub(super) enum Next {
    Ping,
    Nothing,
    /// To be sent in this order.
    Texts(Vec<Vec<u8>>),
}

/// What came of a message.
enum Handled {
    /// A notification.
    Nothing,
    Answer(Vec<u8>),
    Subscriptions {
        head: Vec<u8>,
        call: Subscribing,
    },
}

/// A call about subscriptions.
enum Subscribing {
    Subscribe(String),
    Unsubscribe(String),
    UnsubscribeAll,
}

#[derive(Debug)]
struct Subscription {
    /// The first of a connection is 0, the next 1: they stand in this order.
    number: u64,
    search: Search,
    /// The query as it was sent.
    text: String,
    /// The beginning of each message: the request's id.
    head: Vec<u8>,
}

/// What a subscriber is told of an event.
#[derive(Serialize)]
struct Message<'a> {
    query: &'a str,
    data: &'a RawValue,
    events: &'a RawValue,
}

impl Subscription {
    fn message(&self, event: &NodeEvent) -> Vec<u8> {
        let (data, events) = (event.data(), event.values_json());
        whole(&self.head, "result", &Message { query: &self.text, data, events })
    }
}

/// Events that are being told. They stay the feed's, which may take them back: no message is made
/// before the one before it was written.
struct Telling {
    batch: Arc<Batch>,
    /// The event in hand.
    event: usize,
    /// Subscriptions below this number have been told of it.
    number: u64,
}

/// What comes next of the events that are being told.
enum Told {
    Text(Vec<u8>),
    /// Nothing found so far: others shall have a turn.
    Nothing,
    Done,
    TakenBack,
}

/// Events looked at in one turn.
const TURN: usize = 256;

impl Telling {
    fn next(&mut self, subscriptions: &[Subscription]) -> Told {
        let Some(events) = self.batch.events() else { return Told::TakenBack };
        for _ in 0..TURN {
            let Some(event) = events.get(self.event) else { return Told::Done };
            let is_due = |one: &&Subscription| {
                one.number >= self.number && one.search.admits(event.values())
            };
            match subscriptions.iter().find(is_due) {
                Some(one) => {
                    self.number = one.number.saturating_add(1);
                    return Told::Text(one.message(event));
                }
                None => (self.event, self.number) = (self.event.saturating_add(1), 0),
            }
        }
        Told::Nothing
    }
}

pub(super) struct Session {
    service: Service,
    call: Option<BoxFuture<'static, Handled>>,
    subscriptions: Vec<Subscription>,
    /// The number of the next one.
    number: u64,
    telling: Option<Telling>,
    /// Present with the first subscription.
    client: Option<Client>,
    events: Option<Receiver<Arc<Batch>>>,
}

/// The methods that are here alone.
pub(in crate::server) const METHODS: [(&str, &[&str]); 3] =
    [("subscribe", &["query"]), ("unsubscribe", &["query"]), ("unsubscribe_all", &[])];

impl Session {
    pub(super) fn new(service: Service) -> Session {
        Session {
            service,
            call: None,
            subscriptions: Vec::new(),
            number: 0,
            telling: None,
            client: None,
            events: None,
        }
    }

    /// Whether a call is being answered.
    pub(super) fn is_busy(&self) -> bool {
        self.call.is_some()
    }

    /// Begins to answer a message.
    pub(super) fn begin(&mut self, text: String) {
        let service = self.service.clone();
        self.call = Some(Box::pin(handle(service, text)));
    }

    /// What is to be sent next. Loses nothing when it is dropped before it is done.
    pub(super) async fn next(&mut self) -> Next {
        let call = async {
            match &mut self.call {
                Some(call) => call.await,
                None => std::future::pending().await,
            }
        };
        let (telling, subscriptions) = (&mut self.telling, &self.subscriptions);
        let news = async {
            let Some(events) = &mut self.events else { return std::future::pending().await };
            loop {
                let Some(told) = telling else {
                    let batch = events.recv().await?;
                    *telling = Some(Telling { batch, event: 0, number: 0 });
                    continue;
                };
                match told.next(subscriptions) {
                    Told::Text(text) => return Ok(text),
                    Told::Nothing => tokio::task::yield_now().await,
                    Told::Done => *telling = None,
                    Told::TakenBack => return Err(RecvError::Lagged(1)),
                }
            }
        };
        tokio::select! {
            biased;
            handled = call => {
                self.call = None;
                match handled {
                    Handled::Nothing => Next::Nothing,
                    Handled::Answer(text) => Next::Texts(vec![text]),
                    Handled::Subscriptions { head, call } => {
                        Next::Texts(vec![self.apply(head, call)])
                    }
                }
            }
            news = news => match news {
                Ok(text) => Next::Texts(vec![text]),
                Err(RecvError::Lagged(_)) => {
                    Next::Texts(self.cancel_all("client is not pulling messages fast enough"))
                }
                Err(RecvError::Closed) => Next::Texts(self.cancel_all("CometBFT exited")),
            },
        }
    }

    /// Ends every subscription; the messages say so.
    pub(super) fn cancel_all(&mut self, why: &str) -> Vec<Vec<u8>> {
        let error = RpcError {
            code: CANCELLED,
            message: "Server error".into(),
            data: Some(format!("subscription was canceled (reason: {why})")),
        };
        (self.client, self.events, self.telling) = (None, None, None);
        let ended = self.subscriptions.drain(..);
        ended.map(|one| whole(&one.head, "error", &error)).collect()
    }

    fn apply(&mut self, head: Vec<u8>, call: Subscribing) -> Vec<u8> {
        let done = match call {
            Subscribing::Subscribe(text) => self.subscribe(&head, text),
            Subscribing::Unsubscribe(text) => self.unsubscribe(&text),
            Subscribing::UnsubscribeAll if self.subscriptions.is_empty() => Err(not_found()),
            Subscribing::UnsubscribeAll => {
                self.subscriptions.clear();
                Ok(())
            }
        };
        if self.subscriptions.is_empty() {
            (self.client, self.events, self.telling) = (None, None, None);
        }
        match done {
            Ok(()) => whole(&head, "result", &serde_json::json!({})),
            Err(error) => whole(&head, "error", &error),
        }
    }

    fn subscribe(&mut self, head: &[u8], text: String) -> Result<(), RpcError> {
        let limits = self.service.limits();
        let (clients_max, each_max) = (limits.ws_clients_max, limits.ws_subscriptions_max);
        let refuse = |why: String| Err(RpcError::internal(why));
        // As at CometBFT, who has subscriptions already is refused as well.
        self.service.clients.check(clients_max)?;
        if self.subscriptions.len() >= each_max {
            return refuse(format!("max_subscriptions_per_client {each_max} reached"));
        }
        if text.len() > QUERY_BYTES_MAX {
            return refuse("maximum query length exceeded".into());
        }
        let search = parse(&text)?;
        if self.subscriptions.iter().any(|one| one.search == search) {
            return refuse("already subscribed".into());
        }
        if self.events.is_none() {
            let client = self.service.clients.enter(clients_max)?;
            let events = self.service.backend.events();
            self.events = Some(events.ok_or_else(|| RpcError::not_supported("subscribe"))?);
            self.client = Some(client);
        }
        let (number, head) = (self.number, head.to_vec());
        self.number = number.saturating_add(1);
        self.subscriptions.push(Subscription { number, search, text, head });
        Ok(())
    }

    fn unsubscribe(&mut self, text: &str) -> Result<(), RpcError> {
        let search = parse(text)?;
        let before = self.subscriptions.len();
        self.subscriptions.retain(|one| one.search != search);
        if self.subscriptions.len() < before { Ok(()) } else { Err(not_found()) }
    }
}

fn parse(text: &str) -> Result<Search, RpcError> {
    let parsed = Search::parse(text);
    parsed.map_err(|error| RpcError::internal(format!("failed to parse query: {error}")))
}

fn not_found() -> RpcError {
    RpcError::internal("subscription not found")
}

/// A whole message with this member.
fn whole<T: serde::Serialize>(head: &[u8], member: &str, value: &T) -> Vec<u8> {
    let mut out = head.to_vec();
    out.extend_from_slice(format!(",\"{member}\":").as_bytes());
    crate::json::append(value, &mut out).expect("our types print as JSON");
    out.push(b'}');
    out
}

async fn handle(service: Service, text: String) -> Handled {
    let call = match Body::read(&text) {
        Ok(Body::One(call)) => call,
        Ok(Body::Batch(_)) => {
            let error = RpcError::parse("error unmarshaling request: batches are for POST");
            return Handled::Answer(envelope::error_answer(&Id::None, &error));
        }
        Err(error) => return Handled::Answer(envelope::error_answer(&Id::None, &error)),
    };
    let Some((name, params)) = METHODS.iter().find(|(name, _)| *name == call.method) else {
        return match service.answer_ws(&call).await {
            Some(json) => Handled::Answer(json),
            None => Handled::Nothing,
        };
    };
    if call.id == Id::None {
        return Handled::Nothing;
    }
    let mut head = Vec::new();
    envelope::begin(&call.id, &mut head);
    let args = Args::from_json(params, call.params);
    let query =
        args.and_then(|args| if params.is_empty() { Ok(String::new()) } else { args.string(0) });
    match query {
        Ok(query) => {
            let call = match *name {
                "subscribe" => Subscribing::Subscribe(query),
                "unsubscribe" => Subscribing::Unsubscribe(query),
                _ => Subscribing::UnsubscribeAll,
            };
            Handled::Subscriptions { head, call }
        }
        Err(error) => Handled::Answer(whole(&head, "error", &error.over_websocket())),
    }
}

#[cfg(test)]
mod tests;
