//! What waits to be sent over one connection: bounded by class, shared between whoever sends and
//! the connection's task.

use super::channels::{Class, OUTBOX_ROOMS};
use bytes::Bytes;
use futures::task::AtomicWaker;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pushed {
    /// It will be sent, or the connection ends.
    Queued,
    /// No room: it is lost.
    Dropped,
    /// No room in a class that promises to lose nothing: the connection ends.
    Overflow,
    /// The connection is ending.
    Closed,
}

#[derive(Debug, Default)]
struct Inner {
    classes: [VecDeque<(usize, Bytes)>; OUTBOX_ROOMS.len()],
    bytes: [usize; OUTBOX_ROOMS.len()],
    closed: Option<&'static str>,
}

/// Messages by class; each is (index of the channel, bytes).
#[derive(Debug, Default)]
pub(super) struct Outbox {
    inner: Mutex<Inner>,
    waker: AtomicWaker,
}

impl Outbox {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push(&self, channel: usize, class: Class, message: Bytes) -> Pushed {
        let room = OUTBOX_ROOMS[class.index()];
        let pushed = {
            let mut inner = self.lock();
            if inner.closed.is_some() {
                return Pushed::Closed;
            }
            let i = class.index();
            if inner.classes[i].len() >= room.items_max || inner.bytes[i] >= room.bytes_max {
                if class == Class::Txs {
                    return Pushed::Dropped;
                }
                inner.closed = Some("it reads too slowly");
                Pushed::Overflow
            } else {
                inner.bytes[i] = inner.bytes[i].saturating_add(message.len());
                inner.classes[i].push_back((channel, message));
                Pushed::Queued
            }
        };
        self.waker.wake();
        pushed
    }

    /// Whether a quarter of the room of `class` is free.
    pub(super) fn has_room(&self, class: Class) -> bool {
        let (i, room, inner) = (class.index(), OUTBOX_ROOMS[class.index()], self.lock());
        inner.classes[i].len() < room.items_max / 4 * 3 && inner.bytes[i] < room.bytes_max / 4 * 3
    }

    /// Takes the next message of `class` if `fits` says that its channel has room.
    pub(super) fn pop(&self, class: usize, fits: impl Fn(usize) -> bool) -> Option<(usize, Bytes)> {
        let mut inner = self.lock();
        let channel = inner.classes[class].front()?.0;
        if !fits(channel) {
            return None;
        }
        let (channel, message) = inner.classes[class].pop_front()?;
        inner.bytes[class] = inner.bytes[class].saturating_sub(message.len());
        Some((channel, message))
    }

    /// Ends the connection, for `reason`.
    pub(super) fn close(&self, reason: &'static str) {
        self.lock().closed.get_or_insert(reason);
        self.waker.wake();
    }

    /// Why the connection has to end, if it has to.
    pub(super) fn closed(&self) -> Option<&'static str> {
        self.lock().closed
    }

    pub(super) fn register(&self, waker: &Waker) {
        self.waker.register(waker);
    }

    /// Bytes waiting.
    pub(super) fn bytes(&self) -> u64 {
        self.lock().bytes.iter().sum::<usize>() as u64
    }

    /// Messages waiting of the channel with this index.
    pub(super) fn waiting_in(&self, channel: usize) -> usize {
        self.lock().classes.iter().flatten().filter(|(of, _)| *of == channel).count()
    }
}
