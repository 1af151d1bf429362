//! Who passes on what to whom, where not everybody is connected to everybody.
//!
//! Whoever makes a message sends it to all its peers. A node that hears it for the first time, and
//! has verified it, passes it on to those of its peers that the sender does not reach itself. So
//! that it knows them, every node tells its peers who its peers are ([`Neighbours`]), each time
//! that changes. In a full mesh nothing is ever passed on; in a line everything is, once.
//!
//! A peer speaks under the name that its connection has proved, so none can stand for another.
//! One that names neighbours it does not have keeps what it sends from some, as it could by not
//! sending it at all: healing (`peers`) finds what is missing.
use std::collections::BTreeSet;
use std::sync::Arc;

use guts_genesis::Address;

use super::{Action, Engine};
use crate::io::{Offence, PeerId, To};
use crate::messages::{Message, NEIGHBOURS_MAX, Neighbours};

/// What a peer says of its connections.
#[derive(Clone, Debug, Default)]
pub(super) struct Reach {
    /// Who it is, as its connection has proved.
    proven: Option<Address>,
    /// The same, once it has said so: it takes part in passing on.
    node: Option<Address>,
    neighbours: BTreeSet<Address>,
    /// Our peers that do not hear what this one sends.
    onward: Vec<PeerId>,
}

impl Reach {
    /// Of a peer whose connection has proved this name.
    pub(super) fn of(proven: Option<Address>) -> Reach {
        Reach { proven, ..Reach::default() }
    }
}

impl Engine {
    /// A peer is there: it learns whom we reach.
    pub(super) fn greet_with_neighbours(&mut self, peer: PeerId) {
        let neighbours = self.neighbours();
        if let Some(neighbours) = neighbours {
            self.send(peer, Message::Neighbours(neighbours));
        }
        self.find_onward();
    }

    fn neighbours(&self) -> Option<Neighbours> {
        let node = self.node?;
        let peers = self.peers.values().filter_map(|known| known.reach.node);
        Some(Neighbours { node, peers: peers.take(NEIGHBOURS_MAX).collect() })
    }

    pub(super) fn on_neighbours(&mut self, peer: PeerId, said: Neighbours) {
        let known = self.peers.get_mut(&peer).expect("only known peers are heard");
        let is_news = known.reach.node.is_none();
        // Under the name of another it would be heard of in that one's place, which others would
        // then not pass anything on to.
        if known.reach.proven != Some(said.node) {
            return self.report(peer, Offence::BadMessage("a name that is not its own"));
        }
        known.reach.node = Some(said.node);
        known.reach.neighbours = said.peers.into_iter().collect();
        self.find_onward();
        if is_news {
            self.tell_neighbours();
        }
    }

    /// Our own connections have changed.
    pub(super) fn tell_neighbours(&mut self) {
        if let Some(neighbours) = self.neighbours() {
            self.broadcast(Message::Neighbours(neighbours));
        }
    }

    /// Works out anew for each peer whom it does not reach.
    pub(super) fn find_onward(&mut self) {
        let names: Vec<(PeerId, Option<Address>)> =
            self.peers.iter().map(|(peer, known)| (*peer, known.reach.node)).collect();
        for (peer, known) in &mut self.peers {
            let reach = &mut known.reach;
            let hears =
                |node: &Option<Address>| node.is_some_and(|n| reach.neighbours.contains(&n));
            let others = names.iter().filter(|(other, node)| other != peer && !hears(node));
            reach.onward = others.map(|(other, _)| *other).collect();
        }
    }

    /// Peers that have something from none of `from`, who all sent it. A sender that has gone
    /// meanwhile is taken for one that reached nobody: somebody may hear it twice.
    pub(super) fn onward_of(&self, from: &[PeerId]) -> Vec<PeerId> {
        let onward = || from.iter().filter_map(|peer| Some(&self.peers.get(peer)?.reach.onward));
        if onward().any(Vec::is_empty) {
            return Vec::new();
        }
        let lacks =
            |peer: &PeerId| !from.contains(peer) && onward().all(|onward| onward.contains(peer));
        self.peers.keys().copied().filter(lacks).collect()
    }

    /// Passes on what came from `from` and is new and good.
    pub(super) fn pass_on(&mut self, from: PeerId, message: impl FnOnce() -> Message) {
        let onward = self.onward_of(&[from]);
        if !onward.is_empty() {
            self.counters.passed_on += 1;
            let message = Arc::new(message());
            self.act(Action::Send { to: To::Peers(onward), message });
        }
    }
}
