//! What feeds the engine thread: bounded queues in priority classes that ring one bell.
//!
//! The engine runs on one thread that sleeps until a queue rings or a timer is due. A full class
//! holds its producers back (they are woken when there is room), so a flood in one class neither
//! grows memory nor delays another class.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::Thread;
use std::time::Duration;

/// Wakes the one thread that listens to it. Cheap to clone and to ring.
#[derive(Clone, Debug, Default)]
pub struct Bell(Arc<OnceLock<Thread>>);

impl Bell {
    /// Makes the calling thread the listener. Only the first call counts.
    pub fn listen(&self) {
        let _ = self.0.set(std::thread::current());
    }

    /// Wakes the listener, or makes its next [`Bell::wait`] return at once.
    pub fn ring(&self) {
        if let Some(thread) = self.0.get() {
            thread.unpark();
        }
    }

    /// Sleeps until the bell rings or `limit` has passed; may return early.
    pub fn wait(&self, limit: Option<Duration>) {
        match limit {
            Some(limit) => std::thread::park_timeout(limit),
            None => std::thread::park(),
        }
    }
}

/// The most that waits in one class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Items.
    pub items_max: usize,
    /// Bytes over all items; one item always fits into an empty class.
    pub bytes_max: usize,
}

#[derive(Debug)]
struct Class<T> {
    room: Room,
    bytes: usize,
    items: VecDeque<(usize, T)>,
    waiting: Vec<Waker>,
}

impl<T> Class<T> {
    fn is_full(&self) -> bool {
        self.items.len() >= self.room.items_max || self.bytes >= self.room.bytes_max
    }
}

/// A bounded queue with classes; class 0 is served first.
#[derive(Debug)]
pub struct Queue<T> {
    bell: Bell,
    classes: Mutex<Vec<Class<T>>>,
}

impl<T> Queue<T> {
    /// A queue with one class for each `Room`, the most urgent first.
    pub fn new(bell: Bell, rooms: &[Room]) -> Self {
        let class = |room: &Room| Class {
            room: *room,
            bytes: 0,
            items: VecDeque::new(),
            waiting: Vec::new(),
        };
        Queue { bell, classes: Mutex::new(rooms.iter().map(class).collect()) }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Class<T>>> {
        // A panic elsewhere cannot leave the deque half changed: every update is one push or pop.
        self.classes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ready when `class` has room; otherwise the task is woken once it may have.
    pub fn poll_room(&self, class: usize, cx: &mut Context<'_>) -> Poll<()> {
        let mut classes = self.lock();
        let class = &mut classes[class];
        if !class.is_full() {
            return Poll::Ready(());
        }
        if !class.waiting.iter().any(|w| w.will_wake(cx.waker())) {
            class.waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Adds `item` of `bytes` whatever the room (producers ask [`Queue::poll_room`] first, so the
    /// bound can be passed by at most one item a producer; control events are few by nature).
    pub fn push(&self, class: usize, bytes: usize, item: T) {
        {
            let mut classes = self.lock();
            let class = &mut classes[class];
            class.bytes = class.bytes.saturating_add(bytes);
            class.items.push_back((bytes, item));
        }
        self.bell.ring();
    }

    /// Adds `item`, or gives it back when the class is full.
    ///
    /// # Errors
    /// The item itself, when there is no room.
    pub fn try_push(&self, class: usize, bytes: usize, item: T) -> Result<(), T> {
        {
            let mut classes = self.lock();
            let class = &mut classes[class];
            if class.is_full() {
                return Err(item);
            }
            class.bytes = class.bytes.saturating_add(bytes);
            class.items.push_back((bytes, item));
        }
        self.bell.ring();
        Ok(())
    }

    /// Takes up to `limit` items, the most urgent classes first, each class in its order.
    pub fn drain(&self, limit: usize, into: &mut Vec<T>) {
        let mut woken = Vec::new();
        {
            let mut classes = self.lock();
            let mut left = limit;
            for class in classes.iter_mut() {
                let take = left.min(class.items.len());
                for (bytes, item) in class.items.drain(..take) {
                    class.bytes = class.bytes.saturating_sub(bytes);
                    into.push(item);
                }
                left -= take;
                if !class.waiting.is_empty() && !class.is_full() {
                    woken.append(&mut class.waiting);
                }
                if left == 0 {
                    break;
                }
            }
        }
        woken.into_iter().for_each(Waker::wake);
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.lock().iter().all(|c| c.items.is_empty())
    }
}
