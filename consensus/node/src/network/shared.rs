//! What every connection of a node shares: who we are, who is connected, where messages go.

use super::Event;
use super::channels::{Channel, Class};
use super::half_read::{self, HalfRead};
use super::hello::NodeInfo;
use super::meter::Meters;
use super::outbox::{Outbox, Pushed};
use super::transport::Transport;
use crate::queue::Queue;
use bytes::Bytes;
use libp2p::PeerId;
use libp2p::swarm::ConnectionId;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[cfg(test)]
mod tests;

/// Sums since the start.
#[derive(Debug, Default)]
pub struct Counters {
    /// Whole messages received.
    pub received: AtomicU64,
    /// Messages written.
    pub sent: AtomicU64,
    /// Messages lost because a peer's queue was full or the peer gone.
    pub dropped: AtomicU64,
    /// Connections ended because the peer broke a rule of the streams or sent a message that is
    /// none.
    pub faults: AtomicU64,
    /// Peers refused at hello, by us or by them.
    pub refused: AtomicU64,
    /// Connections ended because the peer read too slowly.
    pub overflowed: AtomicU64,
}

impl Counters {
    pub(super) fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// One connection, as the swarm tells of it.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) connection: ConnectionId,
    pub(super) is_outbound: bool,
    /// `host:port` at the other end.
    pub(super) remote: String,
    pub(super) transport: Transport,
}

/// A connected peer that has been accepted.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) link: Link,
    pub(super) info: Arc<NodeInfo>,
    pub(super) outbox: Arc<Outbox>,
    pub(super) meters: Arc<Meters>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) local: PeerId,
    pub(super) ours: NodeInfo,
    pub(super) channels: Vec<Channel>,
    pub(super) inbox: Arc<Queue<Event>>,
    pub(super) counters: Counters,
    pub(super) half_read: HalfRead,
    members: Mutex<BTreeMap<PeerId, Arc<Member>>>,
}

impl Shared {
    pub(super) fn new(
        local: PeerId,
        ours: NodeInfo,
        channels: Vec<Channel>,
        inbox: Arc<Queue<Event>>,
    ) -> Self {
        Shared {
            local,
            ours,
            channels,
            inbox,
            counters: Counters::default(),
            half_read: HalfRead::new(half_read::BYTES_MAX),
            members: Mutex::new(BTreeMap::new()),
        }
    }

    pub(super) fn members(&self) -> MutexGuard<'_, BTreeMap<PeerId, Arc<Member>>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn emit(&self, event: Event) {
        self.inbox.push(Class::Control.index(), 0, event);
    }

    /// Takes in a peer that both sides have accepted; false when another connection to it stays.
    ///
    /// Of two connections between the same two processes, whatever they run over, both sides keep
    /// the one dialled by the smaller peer id, the newer of two dialled by the same side. A
    /// restarted peer's connection always replaces the old one.
    pub(super) fn join(&self, peer: PeerId, member: Member) -> bool {
        let mut members = self.members();
        if let Some(old) = members.get(&peer) {
            let is_restarted = old.info.session != member.info.session;
            let keep = self.local.min(peer);
            let dialler = if member.link.is_outbound { self.local } else { peer };
            let is_same_side = old.link.is_outbound == member.link.is_outbound;
            if !(is_restarted || is_same_side || dialler == keep) {
                return false;
            }
            old.outbox.close("another connection to it took its place");
            self.emit(Event::PeerDown { peer });
        }
        self.emit(Event::PeerUp {
            peer,
            info: member.info.clone(),
            is_outbound: member.link.is_outbound,
        });
        members.insert(peer, Arc::new(member));
        true
    }

    /// The connection has ended: its peer is gone unless another connection took its place.
    pub(super) fn leave(&self, peer: PeerId, connection: ConnectionId) {
        let mut members = self.members();
        if members.get(&peer).is_some_and(|m| m.link.connection == connection) {
            members.remove(&peer);
            self.emit(Event::PeerDown { peer });
        }
    }

    /// Queues one message for one peer, if there is any use in it.
    pub(super) fn send(&self, peer: PeerId, channel: u8, message: impl FnOnce() -> Bytes) -> bool {
        let member = self.members().get(&peer).cloned();
        let member = member.filter(|member| member.outbox.closed().is_none());
        match (member, self.channel(channel)) {
            (Some(member), Some((index, class))) => self.push(&member, index, class, message),
            _ => {
                Counters::add(&self.counters.dropped);
                false
            }
        }
    }

    /// Queues one message for every peer; the bytes are shared.
    pub(super) fn send_all(&self, channel: u8, message: &Bytes) {
        if let Some((index, class)) = self.channel(channel) {
            for member in self.members().values() {
                self.push(member, index, class, || message.clone());
            }
        }
    }

    /// Whether a quarter of the room that `peer` has in the channel's class is free.
    pub(super) fn has_room(&self, peer: PeerId, channel: u8) -> bool {
        let members = self.members();
        let class = self.channel(channel).map(|(_, class)| class);
        let found = members.get(&peer).zip(class);
        found.is_some_and(|(member, class)| member.outbox.has_room(class))
    }

    fn channel(&self, id: u8) -> Option<(usize, Class)> {
        let index = self.channels.iter().position(|c| c.id == id)?;
        Some((index, self.channels[index].class))
    }

    fn push(
        &self,
        member: &Member,
        index: usize,
        class: Class,
        message: impl FnOnce() -> Bytes,
    ) -> bool {
        if !member.info.channels.contains(&self.channels[index].id) {
            return false;
        }
        match member.outbox.push(index, class, message()) {
            Pushed::Queued => true,
            Pushed::Overflow => {
                Counters::add(&self.counters.overflowed);
                false
            }
            Pushed::Dropped | Pushed::Closed => {
                Counters::add(&self.counters.dropped);
                false
            }
        }
    }
}
