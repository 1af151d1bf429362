//! Blocks for peers that ask for them: read and encoded beside the engine thread, a few at a time.
//!
//! Requests wait in a queue for each peer and are taken in turn, so that one that asks for all
//! there is holds up nobody else. What is asked of a peer that has not read what it was sent before
//! is not looked up: it asks again, or somebody else.

use crate::network::{Network, PeerId};
use crate::store::Store;
use bytes::Bytes;
use guts_consensus::messages::{Channel, Message, encode_block_response};
use guts_genesis::Height;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[cfg(test)]
mod tests;

/// Blocks looked up at a time.
const PLACES: usize = 2;
/// Requests of one peer that wait at most: as many as an engine has open with all its peers.
const WAITING_MAX: usize = 64;

/// What is asked for and not served yet.
#[derive(Debug, Default)]
struct Requests {
    of: BTreeMap<PeerId, VecDeque<Height>>,
    /// Peers with requests, the next one first.
    turns: VecDeque<PeerId>,
    /// Places that are taken.
    taken: usize,
}

impl Requests {
    /// Takes in a request. True if a place is to be taken for it.
    fn add(&mut self, peer: PeerId, height: Height) -> bool {
        let waiting = self.of.entry(peer).or_default();
        if waiting.len() >= WAITING_MAX || waiting.contains(&height) {
            return false;
        }
        if waiting.is_empty() {
            self.turns.push_back(peer);
        }
        waiting.push_back(height);
        let is_free = self.taken < PLACES;
        self.taken += usize::from(is_free);
        is_free
    }

    /// What to serve next; nothing: the place is free again.
    fn next(&mut self) -> Option<(PeerId, Height)> {
        while let Some(peer) = self.turns.pop_front() {
            let Some(waiting) = self.of.get_mut(&peer) else { continue };
            let height = waiting.pop_front();
            if waiting.is_empty() {
                self.of.remove(&peer);
            } else {
                self.turns.push_back(peer);
            }
            if let Some(height) = height {
                return Some((peer, height));
            }
        }
        self.taken = self.taken.saturating_sub(1);
        None
    }

    fn forget(&mut self, peer: &PeerId) {
        self.of.remove(peer);
        self.turns.retain(|other| other != peer);
    }
}

/// See the module. Cheap to clone.
#[derive(Clone)]
pub(super) struct Serving {
    store: Arc<Store>,
    network: Network,
    requests: Arc<Mutex<Requests>>,
}

impl Serving {
    pub(super) fn new(store: Arc<Store>, network: Network) -> Serving {
        Serving { store, network, requests: Arc::default() }
    }

    fn requests(&self) -> MutexGuard<'_, Requests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A peer asks for a block. True if [`Serving::work`] has to be run for it.
    pub(super) fn ask(&self, peer: PeerId, height: Height) -> bool {
        self.requests().add(peer, height)
    }

    /// A peer is gone.
    pub(super) fn forget(&self, peer: &PeerId) {
        self.requests().forget(peer);
    }

    /// Serves until nothing waits. `top` is the newest height, whose commit no next block carries:
    /// it goes along.
    pub(super) fn work(&self, top: impl Fn() -> Height) {
        let next = || self.requests().next();
        while let Some((peer, height)) = next() {
            let channel = Channel::BlockSync.id();
            if self.network.has_room(peer, channel) {
                self.network.send(peer, channel, || {
                    let none = || Message::NoBlockResponse(height).encode();
                    self.look_up(height, height == top()).unwrap_or_else(none)
                });
            }
        }
    }

    /// The message with the block, which is passed on as it is stored.
    fn look_up(&self, height: Height, is_newest: bool) -> Option<Bytes> {
        let store = &self.store;
        let found = store.block_bytes(height);
        match found.and_then(|block| Ok((block, store.seen_bytes(height)?))) {
            Ok((block, seen)) => {
                let (commit, extended) = seen?;
                let commit = (extended || is_newest).then_some(&commit[..]);
                Some(encode_block_response(&block?, commit))
            }
            Err(error) => {
                tracing::error!(%error, "reading a block for a peer");
                None
            }
        }
    }
}
