//! One connection: the two hellos, then a long-lived stream for each channel and direction.
//!
//! Runs in the connection's own task. Messages to send are taken from the outbox in the order of
//! their classes and gathered, so that many small ones cost one write and one flush. A full inbox
//! class is not read from, which holds the peer back through the stream's window. What is read of
//! messages that are not whole is counted over all connections (`half_read`).

#[cfg(test)]
mod tests;

use super::channels::Channel;
use super::half_read;
use super::hello::{HelloError, NodeInfo};
use super::meter::Meters;
use super::outbox::Outbox;
use super::shared::{Counters, Link, Member, Shared};
use super::upgrade::{Accept, Inbound, Open, Outbound};
use super::{Event, frame};
use bytes::{Buf, BytesMut};
use futures::{AsyncRead, AsyncWrite};
use guts_consensus::messages::{self, Message, MessageError};
use libp2p::PeerId;
use libp2p::swarm::handler::{
    ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound,
    ListenUpgradeError,
};
use libp2p::swarm::{
    ConnectionHandler, ConnectionHandlerEvent, Stream, StreamProtocol, StreamUpgradeError,
    SubstreamProtocol,
};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// Gathered bytes of one channel before they are written.
const GATHER_BYTES: usize = 64 * 1024;
/// Bytes read at once.
const READ_BYTES: usize = 32 * 1024;
/// Reads of one channel before the others have their turn.
const READS_IN_A_ROW: usize = 8;

/// Longest wait for both hellos.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks at messages that have begun.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Looks in a row that find no further byte of a message, after which it is given up. They are
/// counted, not the time: a pause of this process, however long, is one look, after which what the
/// peer has sent meanwhile is read.
const LOOKS_MAX: u32 = 10;

/// What a connection tells the swarm: it has to end.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) reason: String,
    /// The peer broke a rule (and is kept away for a while).
    pub(super) is_fault: bool,
}

#[derive(Debug)]
enum Writer {
    Closed,
    Opening,
    Open(Stream),
}

#[derive(Debug)]
struct Lane {
    channel: Channel,
    writer: Writer,
    out: BytesMut,
    is_dirty: bool,
    reader: Option<Stream>,
    buffered: BytesMut,
    /// Looks that found no further byte of the message that has begun; none when none has.
    partial: Option<u32>,
}

#[derive(Debug)]
pub(super) struct Handler {
    shared: Arc<Shared>,
    names: Arc<[StreamProtocol]>,
    peer: PeerId,
    link: Link,
    is_accepted: bool,
    heard: Option<NodeInfo>,
    is_up: bool,
    outbox: Arc<Outbox>,
    meters: Arc<Meters>,
    to_open: VecDeque<Open>,
    lanes: Vec<Lane>,
    scratch: Vec<u8>,
    /// What this connection was last counted with.
    half_read: usize,
    ended: Option<Ended>,
    is_ended: bool,
    /// Until when both hellos must be done; later, when to look at messages that have begun.
    deadline: Option<Deadline>,
}

type Deadline = Pin<Box<tokio::time::Sleep>>;

fn after(span: Duration) -> Deadline {
    Box::pin(tokio::time::sleep(span))
}

impl Handler {
    pub(super) fn new(
        shared: Arc<Shared>,
        names: Arc<[StreamProtocol]>,
        peer: PeerId,
        link: Link,
    ) -> Self {
        let lane = |channel: &Channel| Lane {
            channel: *channel,
            writer: Writer::Closed,
            out: BytesMut::new(),
            is_dirty: false,
            reader: None,
            buffered: BytesMut::new(),
            partial: None,
        };
        Handler {
            lanes: shared.channels.iter().map(lane).collect(),
            to_open: VecDeque::from([Open::Hello(shared.clone())]),
            meters: Arc::new(Meters::new(shared.channels.len())),
            shared,
            names,
            peer,
            link,
            is_accepted: false,
            heard: None,
            is_up: false,
            outbox: Arc::default(),
            scratch: Vec::new(),
            half_read: 0,
            ended: None,
            is_ended: false,
            deadline: Some(after(PATIENCE)),
        }
    }

    fn end(&mut self, reason: String, is_fault: bool) {
        if !self.is_ended {
            self.is_ended = true;
            if is_fault {
                Counters::add(&self.shared.counters.faults);
            }
            self.ended = Some(Ended { reason, is_fault });
            self.lanes.iter_mut().for_each(|lane| lane.buffered = BytesMut::new());
            self.count_half_read();
        }
    }

    fn join_if_ready(&mut self) {
        if self.is_up || self.is_ended || !self.is_accepted {
            return;
        }
        let Some(info) = self.heard.take() else { return };
        let member = Member {
            link: self.link.clone(),
            info: Arc::new(info),
            outbox: self.outbox.clone(),
            meters: self.meters.clone(),
        };
        if self.shared.join(self.peer, member) {
            self.is_up = true;
            self.deadline = None;
        } else {
            self.end("there is another connection to it".into(), false);
        }
    }

    fn on_inbound(&mut self, stream: Inbound) {
        match stream {
            Inbound::Hello(_) if self.is_up || self.heard.is_some() => {
                self.end("a second hello".into(), true);
            }
            Inbound::Hello(info) => {
                self.heard = Some(info);
                self.join_if_ready();
            }
            Inbound::Channel(index, stream) => {
                let lane = &mut self.lanes[index];
                if lane.reader.is_some() {
                    let id = lane.channel.id;
                    return self.end(format!("a second stream of channel {id:#04x}"), true);
                }
                lane.reader = Some(stream);
            }
        }
    }

    fn on_outbound(&mut self, stream: Outbound) {
        match stream {
            Outbound::Hello => {
                self.is_accepted = true;
                self.join_if_ready();
            }
            Outbound::Channel(index, stream) => self.lanes[index].writer = Writer::Open(stream),
        }
    }

    fn on_hello_error(&mut self, error: HelloError) {
        let is_fault = matches!(error, HelloError::Garbage(_));
        // Our own refusals were counted when they were said.
        if matches!(error, HelloError::RefusedUs(_)) {
            Counters::add(&self.shared.counters.refused);
        }
        self.end(error.to_string(), is_fault);
    }

    /// Ends a connection whose hellos take too long.
    fn watch_hello(&mut self, cx: &mut Context<'_>) {
        if let Some(deadline) = &mut self.deadline
            && deadline.as_mut().poll(cx).is_ready()
        {
            self.deadline = None;
            self.end("no hello in time".into(), false);
        }
    }

    /// Looks now and then, after reading, whether messages that have begun go on. One that does not
    /// ends the connection; whose fault it is cannot be told from here.
    fn watch_stalls(&mut self, cx: &mut Context<'_>) {
        if let Some(deadline) = &mut self.deadline {
            if deadline.as_mut().poll(cx).is_pending() {
                return;
            }
            self.deadline = None;
            for looks in self.lanes.iter_mut().filter_map(|lane| lane.partial.as_mut()) {
                *looks += 1;
            }
        }
        let is_stalled = |lane: &&Lane| lane.partial.is_some_and(|looks| looks >= LOOKS_MAX);
        if let Some(lane) = self.lanes.iter().find(is_stalled) {
            let id = lane.channel.id;
            let reason = format!("it stopped in the middle of a message of channel {id:#04x}");
            return self.end(reason, false);
        }
        if self.lanes.iter().all(|lane| lane.partial.is_none()) {
            return;
        }
        let mut next = after(LOOK_EVERY);
        if next.as_mut().poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
        self.deadline = Some(next);
    }

    /// Moves messages from the outbox into the lanes and the lanes' bytes into their streams.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Result<(), String> {
        loop {
            self.gather();
            let mut is_moving = false;
            for (index, lane) in self.lanes.iter_mut().enumerate() {
                if lane.out.is_empty() {
                    continue;
                }
                if matches!(lane.writer, Writer::Closed) {
                    lane.writer = Writer::Opening;
                    // The hello is name 0.
                    let name = self.names[index + 1].clone();
                    self.to_open.push_back(Open::Channel(index, name));
                }
                is_moving |= lane.poll_write(cx).map_err(|e| format!("writing failed: {e}"))?;
            }
            if !is_moving {
                break;
            }
        }
        for lane in &mut self.lanes {
            if let (true, Writer::Open(stream)) = (lane.is_dirty, &mut lane.writer) {
                match Pin::new(stream).poll_flush(cx) {
                    Poll::Ready(Ok(())) => lane.is_dirty = false,
                    Poll::Ready(Err(e)) => return Err(format!("writing failed: {e}")),
                    Poll::Pending => {}
                }
            }
        }
        Ok(())
    }

    fn gather(&mut self) {
        let lanes = &mut self.lanes;
        for class in 0..super::channels::OUTBOX_ROOMS.len() {
            while let Some((index, message)) =
                self.outbox.pop(class, |i| lanes[i].out.len() < GATHER_BYTES)
            {
                frame::put(&message, &mut lanes[index].out);
                self.meters.on_sent(index, message.len());
                Counters::add(&self.shared.counters.sent);
            }
        }
    }

    /// Counts what has been read of messages that are not whole.
    fn count_half_read(&mut self) {
        let bytes = half_read::counted(self.lanes.iter().map(|lane| lane.buffered.len()).sum());
        if bytes != self.half_read {
            self.half_read = bytes;
            self.shared.half_read.set(self.link.connection, bytes, &self.outbox);
        }
    }

    /// Reads every lane that has bytes and whose class has room in the inbox.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Result<(), (String, bool)> {
        for index in 0..self.lanes.len() {
            let lane = &mut self.lanes[index];
            let Some(stream) = &mut lane.reader else { continue };
            let class = lane.channel.class.index();
            for turn in 0..=READS_IN_A_ROW {
                let is_held =
                    take_messages(&self.shared, self.peer, lane.channel, &mut lane.buffered, cx)
                        .map_err(|e| (format!("channel {:#04x}: {e}", lane.channel.id), true))?;
                if is_held || self.shared.inbox.poll_room(class, cx).is_pending() {
                    // It is this node that does not read on.
                    lane.partial = None;
                    break;
                }
                if lane.buffered.is_empty() {
                    lane.partial = None;
                } else {
                    lane.partial.get_or_insert(0);
                }
                if turn == READS_IN_A_ROW {
                    cx.waker().wake_by_ref();
                    break;
                }
                self.scratch.resize(READ_BYTES, 0);
                match Pin::new(&mut *stream).poll_read(cx, &mut self.scratch) {
                    Poll::Pending => break,
                    Poll::Ready(Ok(0)) => {
                        return Err((format!("it closed channel {:#04x}", lane.channel.id), false));
                    }
                    Poll::Ready(Ok(n)) => {
                        self.meters.on_received(index, n);
                        lane.partial = None;
                        lane.buffered.extend_from_slice(&self.scratch[..n]);
                    }
                    Poll::Ready(Err(e)) => return Err((format!("reading failed: {e}"), false)),
                }
            }
        }
        Ok(())
    }
}

impl Lane {
    /// Writes what the stream takes; true when all gathered bytes went out.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> std::io::Result<bool> {
        let Writer::Open(stream) = &mut self.writer else { return Ok(false) };
        while !self.out.is_empty() {
            match Pin::new(&mut *stream).poll_write(cx, &self.out) {
                Poll::Pending => return Ok(false),
                Poll::Ready(Ok(0)) => return Err(std::io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(n)) => {
                    self.out.advance(n);
                    self.is_dirty = true;
                }
                Poll::Ready(Err(e)) => return Err(e),
            }
        }
        // A burst must not keep its memory for ever.
        if self.out.capacity() > 2 * GATHER_BYTES {
            self.out = BytesMut::new();
        }
        Ok(true)
    }
}

/// Why nothing more of a peer is read.
#[derive(Debug, thiserror::Error)]
enum ReadError {
    #[error(transparent)]
    Frame(#[from] frame::FrameError),
    #[error(transparent)]
    Message(#[from] MessageError),
    #[error("this node reads no such channel")]
    Channel,
}

/// Hands over the whole messages in `buffered`, decoded here so that the engine's thread need not;
/// true when the inbox has no room for the next.
fn take_messages(
    shared: &Shared,
    peer: PeerId,
    channel: Channel,
    buffered: &mut BytesMut,
    cx: &mut Context<'_>,
) -> Result<bool, ReadError> {
    let class = channel.class.index();
    while !buffered.is_empty() {
        if shared.inbox.poll_room(class, cx).is_pending() {
            return Ok(true);
        }
        let Some(bytes) = frame::take(buffered, channel.message_max)? else { break };
        Counters::add(&shared.counters.received);
        let len = bytes.len();
        let known = messages::Channel::from_id(channel.id).ok_or(ReadError::Channel)?;
        let message = Box::new(Message::decode(known, bytes)?);
        shared.inbox.push(class, len, Event::Message { peer, message });
    }
    if buffered.is_empty() && buffered.capacity() > 2 * READ_BYTES {
        *buffered = BytesMut::new();
    }
    Ok(false)
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Infallible;
    type ToBehaviour = Ended;
    type InboundProtocol = Accept;
    type OutboundProtocol = Open;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Accept> {
        SubstreamProtocol::new(Accept::new(self.shared.clone(), self.names.clone()), ())
    }

    fn connection_keep_alive(&self) -> bool {
        true
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ConnectionHandlerEvent<Open, (), Ended>> {
        self.outbox.register(cx.waker());
        if let (true, Some(reason)) = (self.is_up, self.outbox.closed()) {
            self.end(reason.into(), false);
        }
        if !self.is_up {
            self.watch_hello(cx);
        }
        if self.is_up && !self.is_ended {
            if let Err(reason) = self.poll_write(cx) {
                self.end(reason, false);
            } else if let Err((reason, is_fault)) = self.poll_read(cx) {
                self.end(reason, is_fault);
            }
            self.count_half_read();
            self.watch_stalls(cx);
        }
        if let Some(ended) = self.ended.take() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(ended));
        }
        match self.to_open.pop_front() {
            Some(open) => Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest {
                protocol: SubstreamProtocol::new(open, ()),
            }),
            None => Poll::Pending,
        }
    }

    fn on_behaviour_event(&mut self, event: Infallible) {
        match event {}
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<'_, Accept, Open>) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol, ..
            }) => self.on_inbound(protocol),
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol, ..
            }) => self.on_outbound(protocol),
            ConnectionEvent::DialUpgradeError(DialUpgradeError { error, .. }) => match error {
                StreamUpgradeError::Apply(e) => self.on_hello_error(e),
                other => self.end(format!("a stream could not be opened: {other}"), false),
            },
            ConnectionEvent::ListenUpgradeError(ListenUpgradeError { error, .. }) => {
                self.on_hello_error(error);
            }
            _ => {}
        }
    }
}

impl Drop for Handler {
    fn drop(&mut self) {
        self.shared.half_read.forget(self.link.connection);
        if self.is_up {
            self.shared.leave(self.peer, self.link.connection);
        }
    }
}
