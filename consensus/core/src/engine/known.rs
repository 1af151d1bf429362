//! What peers are known to have of the height in progress: what they sent, and what they say they
//! have. What was sent to them is not known to have arrived.
//!
//! It is shown to operators and has no effect on anything: healing (`peers`) goes by what a peer
//! says at that moment.
use std::collections::BTreeMap;

use guts_genesis::{Height, Round};

use super::Engine;
use super::peers::Peer;
use crate::io::PeerId;
use crate::messages::NewValidBlock;
use crate::types::{BitArray, PartSetHeader, Proposal, Vote, VoteKind};
use crate::watch::PeerState;

/// Rounds that are kept of a peer, the highest of those it spoke of.
const ROUNDS_MAX: usize = 8;

/// What one peer is known to have.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    rounds: BTreeMap<(Height, Round), OfRound>,
    /// Votes and parts of it that were new.
    votes: u64,
    parts: u64,
}

/// Of one round. Bits of which nothing is known have no length yet.
#[derive(Clone, Debug, Default)]
struct OfRound {
    prevotes: BitArray,
    precommits: BitArray,
    has_proposal: bool,
    pol_round: Option<Round>,
    parts: Option<(PartSetHeader, BitArray)>,
}

impl OfRound {
    fn votes(&mut self, kind: VoteKind) -> &mut BitArray {
        match kind {
            VoteKind::Prevote => &mut self.prevotes,
            VoteKind::Precommit => &mut self.precommits,
        }
    }

    /// Which parts it has of the block with this header.
    fn parts_of(&mut self, header: PartSetHeader) -> &mut BitArray {
        let none = || (header, BitArray::new(header.total as usize));
        let parts = self.parts.get_or_insert_with(none);
        if parts.0 != header {
            *parts = none();
        }
        &mut parts.1
    }
}

impl Known {
    /// The entry of a round; none if it is too far back among those that the peer speaks of.
    fn round(&mut self, at: (Height, Round)) -> Option<&mut OfRound> {
        if !self.rounds.contains_key(&at) {
            // The commit of the last block is spoken of, nothing older.
            self.rounds.retain(|(height, _), _| height.next() >= at.0);
            if self.rounds.len() >= ROUNDS_MAX {
                if self.rounds.first_key_value().is_some_and(|(lowest, _)| *lowest > at) {
                    return None;
                }
                self.rounds.pop_first();
            }
        }
        Some(self.rounds.entry(at).or_default())
    }
}

impl Engine {
    /// How many validators vote in a height: the one in progress, or the last, whose precommits are
    /// still collected.
    fn voters_of(&self, height: Height, kind: VoteKind) -> Option<usize> {
        if height == self.cur.height {
            return Some(self.cur.validators.len());
        }
        let last = self.last.as_ref().filter(|last| last.decided.commit.height == height);
        last.filter(|_| kind == VoteKind::Precommit).map(|last| last.tally.validators().len())
    }

    fn known(&mut self, peer: PeerId, at: (Height, Round)) -> Option<&mut OfRound> {
        self.peers.get_mut(&peer)?.known.round(at)
    }

    /// A peer has the votes of these validators.
    pub(super) fn know_votes(
        &mut self,
        peer: PeerId,
        (at, kind): ((Height, Round), VoteKind),
        voters: impl IntoIterator<Item = usize>,
    ) {
        let Some(count) = self.voters_of(at.0, kind) else { return };
        let Some(round) = self.known(peer, at) else { return };
        let bits = round.votes(kind);
        if bits.len() != count {
            *bits = BitArray::new(count);
        }
        for index in voters {
            bits.set(index, true);
        }
    }

    /// A peer has sent a vote, whose place is right.
    pub(super) fn know_vote(&mut self, peer: PeerId, vote: &Vote) {
        let of = ((vote.height, vote.round), vote.kind);
        self.know_votes(peer, of, [vote.validator_index as usize]);
    }

    /// A peer has sent the proposal of a round; one that is not the round's counts for nothing.
    pub(super) fn know_proposal(&mut self, peer: PeerId, proposal: &Proposal) {
        let of_round = self.cur.round(proposal.round).and_then(|votes| votes.proposal.as_ref());
        if of_round == Some(proposal)
            && let Some(round) = self.known(peer, (proposal.height, proposal.round))
        {
            round.has_proposal = true;
            round.pol_round = proposal.pol_round;
            round.parts_of(proposal.block_id.parts);
        }
    }

    /// A peer has sent a part of this block.
    pub(super) fn know_part(&mut self, peer: PeerId, round: Round, of: (PartSetHeader, u32)) {
        let at = (self.cur.height, round);
        if let Some(round) = self.known(peer, at) {
            round.parts_of(of.0).set(of.1 as usize, true);
        }
    }

    /// A peer lists the parts it has.
    pub(super) fn know_parts(&mut self, peer: PeerId, said: &NewValidBlock) {
        if said.height == self.cur.height
            && said.parts.len() == said.parts_header.total as usize
            && let Some(round) = self.known(peer, (said.height, said.round))
        {
            let bits = round.parts_of(said.parts_header);
            *bits = bits.or(&said.parts);
        }
    }

    /// A vote that a peer sent was new.
    pub(super) fn credit_vote(&mut self, peer: PeerId) {
        if let Some(known) = self.peers.get_mut(&peer) {
            known.known.votes += 1;
        }
    }

    /// A part that a peer sent was new.
    pub(super) fn credit_part(&mut self, peer: PeerId) {
        if let Some(known) = self.peers.get_mut(&peer) {
            known.known.parts += 1;
        }
    }

    /// What is known of each peer.
    pub fn peer_states(&self) -> Vec<PeerState> {
        self.peers.iter().map(|(peer, said)| self.peer_state(*peer, said)).collect()
    }

    fn peer_state(&self, peer: PeerId, said: &Peer) -> PeerState {
        let is_here = said.height == self.cur.height && said.height > Height::ZERO;
        let find = |at: (Height, Round)| said.known.rounds.get(&at).filter(|_| is_here);
        let here = find((said.height, said.round));
        let votes = |bits: Option<&BitArray>, count: usize| match bits {
            Some(bits) if bits.len() == count => bits.clone(),
            _ => BitArray::new(count),
        };
        let count = self.cur.validators.len();
        let of_here = |bits: Option<&BitArray>| is_here.then(|| votes(bits, count));
        let pol_round = here.and_then(|round| round.pol_round);
        let pol = pol_round.and_then(|round| find((said.height, round)));
        let last = self.last.as_ref().filter(|_| is_here);
        let last_commit = said.last_commit_round.zip(last).map(|(round, last)| {
            let of_last = find((said.height.prev(), round)).map(|of| &of.precommits);
            votes(of_last, last.tally.validators().len())
        });
        let parts = here.and_then(|round| round.parts.clone());
        PeerState {
            peer,
            height: said.height,
            round: said.round,
            step: said.step,
            has_proposal: here.is_some_and(|round| round.has_proposal),
            parts,
            pol_round,
            pol: of_here(pol.map(|round| &round.prevotes)),
            prevotes: of_here(here.map(|round| &round.prevotes)),
            precommits: of_here(here.map(|round| &round.precommits)),
            last_commit_round: said.last_commit_round,
            last_commit,
            votes: said.known.votes,
            block_parts: said.known.parts,
        }
    }
}
