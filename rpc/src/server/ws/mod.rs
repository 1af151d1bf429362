//! WebSocket: any call, and subscriptions to what happens.
//!
//! One task a connection. It reads the next message when the one before is answered, and hands
//! out events between; so a client that does not read holds up itself alone. Events that it is
//! behind on are dropped with its subscriptions, as CometBFT does it with slow clients; a message
//! that it does not take in time ends the connection.

mod session;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use http_body_util::Full;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::upgrade::OnUpgrade;
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::MissedTickBehavior;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message, Role, WebSocketConfig};

use super::Limits;
use super::door::Pass;
use super::http::{Answer, Service};
use super::patient::Patient;
use super::quotes::Quotes;
use crate::RpcError;
pub(super) use session::METHODS;
use session::{Next, Session};

/// How many clients have subscriptions, or wait for a transaction to be in a block, which at
/// CometBFT is one.
#[derive(Debug, Clone, Default)]
pub(super) struct Clients(Arc<AtomicUsize>);

impl Clients {
    /// One more of at most `max`.
    pub(super) fn enter(&self, max: usize) -> Result<Client, RpcError> {
        let one_more = |count: usize| (count < max).then_some(count.saturating_add(1));
        match self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more) {
            Ok(_) => Ok(Client(self.clone())),
            Err(_) => Err(RpcError::internal(format!("max_subscription_clients {max} reached"))),
        }
    }

    /// Refuses when there are `max` already.
    fn check(&self, max: usize) -> Result<(), RpcError> {
        self.enter(max).map(drop)
    }
}

/// One of the clients.
#[derive(Debug)]
pub(super) struct Client(Clients);

impl Drop for Client {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn has_word(headers: &HeaderMap, name: header::HeaderName, wanted: &str) -> bool {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|word| word.trim().eq_ignore_ascii_case(wanted))
}

/// The answer to a handshake's key; none if the handshake is not one.
fn accept(headers: &HeaderMap) -> Option<HeaderValue> {
    let key = headers.get(header::SEC_WEBSOCKET_KEY)?;
    let is_good = has_word(headers, header::CONNECTION, "upgrade")
        && has_word(headers, header::UPGRADE, "websocket")
        && headers.get(header::SEC_WEBSOCKET_VERSION).is_some_and(|version| version == "13")
        && STANDARD.decode(key.as_bytes()).is_ok_and(|nonce| nonce.len() == 16);
    if !is_good {
        return None;
    }
    HeaderValue::from_str(&derive_accept_key(key.as_bytes())).ok()
}

/// Answers a handshake, and serves the connection once it is a WebSocket.
pub(super) fn answer(
    service: &Service,
    headers: &HeaderMap,
    upgrade: Option<OnUpgrade>,
    connection: Option<&Pass>,
) -> Answer {
    let (Some(accepted), Some(upgrade), Some(connection)) =
        (accept(headers), upgrade, connection.cloned())
    else {
        let mut refusal = Response::new(Full::from("Bad Request\n"));
        *refusal.status_mut() = StatusCode::BAD_REQUEST;
        let headers = refusal.headers_mut();
        let plain = HeaderValue::from_static("text/plain; charset=utf-8");
        headers.insert(header::CONTENT_TYPE, plain);
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        return refusal;
    };
    let service = service.clone();
    tokio::spawn(async move {
        let Ok(upgraded) = upgrade.await else { return };
        // What a server of ours gave to hyper comes back.
        let Ok(parts) = upgraded.downcast::<TokioIo<Quotes<Stream>>>() else { return };
        let (stream, held) = parts.io.into_inner().into_inner();
        let read = [&parts.read_buf[..], &held].concat();
        serve(service, (stream, read), connection).await;
    });
    let mut answer = Response::new(Full::new(Bytes::new()));
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = answer.headers_mut();
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accepted);
    answer
}

/// What HTTP ran on.
type Stream = Patient<TcpStream>;
type Socket = WebSocketStream<Stream>;

fn config(limits: &Limits) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(4 * 1024)
        .write_buffer_size(0)
        .max_message_size(Some(limits.body_bytes_max))
        .max_frame_size(Some(limits.body_bytes_max))
}

async fn serve(service: Service, (stream, read): (Stream, Vec<u8>), connection: Pass) {
    let limits = service.limits().clone();
    let config = Some(config(&limits));
    let socket = WebSocketStream::from_partially_read(stream, read, Role::Server, config).await;
    let mut wire = Wire { socket, write: Duration::from_secs(limits.ws_write_s) };
    let Pass { place, mut stopped } = connection;
    let mut session = Session::new(service);
    let mut ping = tokio::time::interval(Duration::from_secs(limits.ws_ping_s.max(1)));
    ping.reset();
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Counted, not measured: a pause of this process is one look, and not the client's silence.
    let mut look = tokio::time::interval(Duration::from_secs(1));
    look.reset();
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut silent_s = 0;
    loop {
        let was_busy = session.is_busy();
        // What has arrived is read before anything is held against the client.
        let next = tokio::select! {
            biased;
            () = async { drop(stopped.wait_for(|stop| *stop).await) } => {
                for message in session.cancel_all("CometBFT exited") {
                    if !wire.text(message).await {
                        break;
                    }
                }
                break;
            }
            frame = wire.socket.next(), if !session.is_busy() => {
                silent_s = 0;
                match frame {
                    Some(Ok(Message::Text(text))) => session.begin(text.as_str().to_owned()),
                    Some(Ok(Message::Binary(bytes))) => {
                        session.begin(String::from_utf8_lossy(&bytes).into_owned());
                    }
                    // Pings and closes are answered when the socket is polled again.
                    Some(Ok(_)) => {}
                    Some(Err(error)) => {
                        wire.refuse(&error).await;
                        break;
                    }
                    None => break,
                }
                continue;
            }
            next = session.next() => next,
            _ = ping.tick() => Next::Ping,
            _ = look.tick(), if !session.is_busy() => {
                silent_s += 1;
                if silent_s > limits.ws_idle_s {
                    break;
                }
                continue;
            }
        };
        let is_sent = match next {
            Next::Ping => wire.send(Message::Ping(Bytes::new())).await,
            Next::Nothing => true,
            Next::Texts(texts) => wire.texts(texts).await,
        };
        // Nothing was read while the call was in hand.
        if was_busy && !session.is_busy() {
            silent_s = 0;
        }
        if !is_sent {
            break;
        }
    }
    drop(place);
}

/// The sending side, with its patience.
struct Wire {
    socket: Socket,
    write: Duration,
}

impl Wire {
    /// Sends one message; false when the connection is of no more use.
    async fn send(&mut self, message: Message) -> bool {
        matches!(tokio::time::timeout(self.write, self.socket.send(message)).await, Ok(Ok(())))
    }

    async fn text(&mut self, bytes: Vec<u8>) -> bool {
        match String::from_utf8(bytes) {
            Ok(text) => self.send(Message::text(text)).await,
            Err(_) => false,
        }
    }

    async fn texts(&mut self, texts: Vec<Vec<u8>>) -> bool {
        for text in texts {
            if !self.text(text).await {
                return false;
            }
        }
        true
    }

    /// Says why the connection ends, where the client broke a rule.
    async fn refuse(&mut self, error: &Error) {
        let (code, reason) = match error {
            Error::Capacity(_) => (CloseCode::Size, ""),
            Error::Protocol(_) => (CloseCode::Protocol, "bad frame"),
            Error::Utf8(_) => (CloseCode::Invalid, "not UTF-8"),
            _ => return,
        };
        self.send(Message::Close(Some(CloseFrame { code, reason: reason.into() }))).await;
    }
}
