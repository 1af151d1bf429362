//! Messages on their way, and what may become of them.
use std::sync::Arc;

use guts_consensus::io::To;
use guts_consensus::messages::Message;
use guts_consensus::types::VoteKind;

use crate::world::{Event, World};

impl World {
    pub(crate) fn send(&mut self, from: usize, to: &To, message: &Arc<Message>) {
        let peers: Vec<usize> = match to {
            To::All => self.nodes[from].links.keys().copied().collect(),
            To::Peer(peer) => self.nodes[from].peers.get(peer).copied().into_iter().collect(),
            To::Peers(peers) => {
                peers.iter().filter_map(|peer| self.nodes[from].peers.get(peer).copied()).collect()
            }
        };
        for peer in peers {
            let Some(villain) = &self.nodes[from].villain else {
                self.carry(from, peer, Arc::clone(message));
                continue;
            };
            let sent = villain.send(message, peer, &mut self.rng);
            if sent.is_empty() {
                self.totals.count("withheld message");
            }
            for one in sent {
                one.trick.into_iter().for_each(|trick| self.totals.count(trick));
                self.note_prevote(&one.message);
                self.carry(from, peer, one.message);
            }
        }
    }

    /// What a villain says may help others to a polka, which the lock checker must know.
    fn note_prevote(&mut self, message: &Message) {
        if let Message::Vote(vote) = message
            && vote.kind == VoteKind::Prevote
            && !vote.block_id.is_nil()
        {
            let at = (vote.height, vote.round);
            self.checkers.on_prevote(vote.validator_address, at, vote.block_id.hash);
        }
    }

    /// One message on its way, or not.
    fn carry(&mut self, from: usize, to: usize, message: Arc<Message>) {
        let Some((_, link)) = self.nodes[from].links.get(&to).copied() else { return };
        if self.faults.is_cut(from, to) {
            return self.totals.count("message stopped by a partition");
        }
        let calm = self.faults.is_over();
        if !calm && self.rng.chance(self.plan.loss) {
            return self.totals.count("message lost");
        }
        // A changed transaction is another one, which nobody can tell.
        let may = !calm && !matches!(*message, Message::Txs(_));
        if may && self.rng.chance(self.plan.corruption) {
            return self.corrupt(from, to, link, &message);
        }
        let mut copies = 1;
        if !calm && self.rng.chance(self.plan.doubling) {
            self.totals.count("message doubled");
            copies = 2;
        }
        for _ in 0..copies {
            let mut delay = self.rng.between(self.plan.delay_min_us, self.plan.delay_max_us);
            if !calm && self.rng.chance(self.plan.stragglers) {
                self.totals.count("message held up");
                delay += self.rng.between(100_000, 2_000_000);
            }
            let message = Arc::clone(&message);
            self.schedule(delay, Event::Deliver { from, to, link, message });
        }
    }

    /// Some bits change on the way. What is no message any more ends the connection; what still is
    /// one is taken for what the peer said.
    fn corrupt(&mut self, from: usize, to: usize, link: u64, message: &Arc<Message>) {
        self.totals.count("corrupt bytes");
        self.faults.note_corruption(link);
        let mut bytes = message.encode().to_vec();
        for _ in 0..self.rng.between(1, 3) {
            if !bytes.is_empty() {
                let at = self.rng.index(bytes.len());
                bytes[at] ^= 1 << self.rng.below(8);
            }
        }
        match Message::decode(message.channel(), bytes.into()) {
            Ok(message) => {
                let delay = self.rng.between(self.plan.delay_min_us, self.plan.delay_max_us);
                let message = Arc::new(message);
                self.schedule(delay, Event::Deliver { from, to, link, message });
            }
            Err(_) => {
                self.totals.count("corrupt message refused");
                self.part_for_a_while(from, to);
            }
        }
    }

    /// A connection is dropped and made again.
    pub(crate) fn part_for_a_while(&mut self, a: usize, b: usize) {
        self.disconnect(a, b);
        let after = self.rng.between(50_000, 500_000);
        self.schedule(after, Event::Connect(a, b));
    }
}
