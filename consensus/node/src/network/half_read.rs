//! Messages that have begun and are not whole: what all peers hold of them together is bounded.
//!
//! A block is one message, so a channel takes messages of a hundred megabytes, and a peer need not
//! have been asked for one to begin it. When the room of all is used up, the connection that holds
//! most of it is ended. No fault: its peer may just be slow with what we asked of it.

use super::outbox::Outbox;
use libp2p::swarm::ConnectionId;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[cfg(test)]
mod tests;

/// Bytes that all connections may hold: the largest message, and some.
pub(super) const BYTES_MAX: usize = 128 << 20;
/// What a connection may hold without being counted: most messages come whole, and need not ask
/// for what all connections share.
const UNCOUNTED_BYTES: usize = 64 << 10;

const _: () = assert!(guts_consensus::messages::MESSAGE_BYTES_MAX < BYTES_MAX);

#[derive(Debug)]
struct Held {
    bytes: usize,
    outbox: Arc<Outbox>,
}

/// What counts of the bytes that a connection holds.
pub(super) fn counted(bytes: usize) -> usize {
    if bytes <= UNCOUNTED_BYTES { 0 } else { bytes }
}

/// See the module.
#[derive(Debug)]
pub(super) struct HalfRead {
    bytes_max: usize,
    held: Mutex<BTreeMap<ConnectionId, Held>>,
}

impl HalfRead {
    pub(super) fn new(bytes_max: usize) -> Self {
        HalfRead { bytes_max, held: Mutex::default() }
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<ConnectionId, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.held().is_empty()
    }

    /// A connection holds so many bytes that count now. If they are too many for all together, the
    /// largest is ended through its outbox.
    pub(super) fn set(&self, connection: ConnectionId, bytes: usize, outbox: &Arc<Outbox>) {
        if bytes == 0 {
            return self.forget(connection);
        }
        let mut held = self.held();
        held.insert(connection, Held { bytes, outbox: outbox.clone() });
        let all = held.values().fold(0, |sum: usize, one| sum.saturating_add(one.bytes));
        if all <= self.bytes_max {
            return;
        }
        let largest = held.iter().max_by_key(|(_, one)| one.bytes).map(|(largest, _)| *largest);
        if let Some(one) = largest.and_then(|largest| held.remove(&largest)) {
            one.outbox.close("it holds most of the room for messages that are not whole yet");
        }
    }

    /// A connection holds nothing that counts, or is gone.
    pub(super) fn forget(&self, connection: ConnectionId) {
        self.held().remove(&connection);
    }
}
