//! What peers say, and how messages that were lost are found again.
//!
//! Between our own nodes everything is pushed once, by whoever made it, to all peers, over ordered
//! streams, and passed on where that does not reach (`relay`). Nothing is acknowledged. What is
//! lost is healed from behind: once a second every node says where it is (`NewRoundStep`); one that
//! has not moved since the second before also says to a few peers, in turn, what it has
//! (`VoteSetBits`, `NewValidBlock`), and they send what it lacks. A node that is a height or more
//! behind fetches blocks (`sync`).
use std::ops::Range;
use std::sync::Arc;

use guts_genesis::{Address, Height, Round};

use super::favour::{Favour, Had};
use super::known::Known;
use super::relay::Reach;
use super::{Action, Engine, TimerId};
use crate::height::PartAdded;
use crate::io::{Offence, PeerId};
use crate::messages::{
    BlockResponse, Message, NewRoundStep, NewValidBlock, VoteSetBits, VoteSetMaj23,
};
use crate::step::StepName;
use crate::types::{BlockId, Invalid, Part, Proposal, Vote, VoteKind};
use crate::wal::Entry;

/// Heights beyond the present one whose messages are kept until they begin. Others may decide a
/// few while the application here is slow with one, and say each thing once.
const EARLY_HEIGHTS_MAX: u64 = 8;
/// Peers that a node that does not move asks in one go.
const ASKED_AT_ONCE: usize = 3;

/// What is known of a peer.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    /// The height it works on, as it says.
    pub(super) height: Height,
    pub(super) round: Round,
    pub(super) step: StepName,
    /// In which round the height before was decided, as it says.
    pub(super) last_commit_round: Option<Round>,
    /// What it has.
    pub(super) known: Known,
    /// Blocks it says it has.
    pub(super) base: Height,
    pub(super) top: Height,
    /// What was done for it lately.
    had: Had,
    /// Whom it reaches.
    pub(super) reach: Reach,
    /// What of the mempool, by number, it has not been told since it came.
    pub(super) greeting: Option<Range<u64>>,
}

impl Peer {
    fn new(node: Option<Address>, mempool: Range<u64>) -> Peer {
        Peer {
            height: Height::ZERO,
            round: Round::ZERO,
            step: StepName::NewHeight,
            last_commit_round: None,
            known: Known::default(),
            base: Height::ZERO,
            top: Height::ZERO,
            had: Had::default(),
            reach: Reach::of(node),
            greeting: Some(mempool),
        }
    }
}

impl Engine {
    pub(super) fn on_peer_up(&mut self, peer: PeerId, node: Option<Address>) {
        self.peers.insert(peer, Peer::new(node, self.mempool.numbers()));
        let step = self.new_round_step();
        self.send(peer, Message::NewRoundStep(step));
        self.send(peer, Message::StatusRequest);
        self.greet_with_neighbours(peer);
        self.greet_with_pool(peer);
        self.greet_with_evidence(peer);
        if self.is_running() {
            self.ask_what_is_missing(peer);
        }
        if self.peers.len() == 1 {
            self.start_heal_timer();
        }
    }

    pub(super) fn on_peer_down(&mut self, peer: PeerId) {
        self.peers.remove(&peer);
        self.early.take(peer);
        self.find_onward();
        self.tell_neighbours();
        self.on_sync_peer_lost(peer);
    }

    fn new_round_step(&self) -> NewRoundStep {
        let last = self.last.as_ref().map(|last| last.decided.commit.round);
        NewRoundStep {
            height: self.cur.height,
            round: self.cur.machine.round,
            step: self.step_name(),
            seconds_since_start: 0,
            last_commit_round: last,
        }
    }

    /// Says where we are, outside the usual rhythm: a new round.
    pub(super) fn announce(&mut self) {
        let step = self.new_round_step();
        self.broadcast(Message::NewRoundStep(step));
    }

    pub(super) fn on_message(&mut self, peer: PeerId, message: Message) {
        if !self.peers.contains_key(&peer) {
            return; // it is gone
        }
        match message {
            Message::NewRoundStep(step) => self.on_new_round_step(peer, &step),
            Message::Proposal(_) | Message::BlockPart { .. } | Message::Vote(_) => {
                self.on_consensus_message(peer, message);
            }
            Message::VoteSetBits(bits) => self.on_vote_set_bits(peer, &bits),
            Message::NewValidBlock(valid) => self.on_new_valid_block(peer, &valid),
            Message::VoteSetMaj23(asked) => self.on_maj23(peer, &asked),
            // Said by CometBFT's nodes; ours push and heal instead.
            Message::HasVote(has) => {
                let of = ((has.height, has.round), has.kind);
                self.know_votes(peer, of, [has.index as usize]);
            }
            Message::ProposalPol(pol) => {
                let of = ((pol.height, pol.pol_round), VoteKind::Prevote);
                self.know_votes(peer, of, pol.votes.ones());
            }
            Message::Txs(txs) => self.on_txs(peer, txs),
            Message::Evidence(list) => self.on_evidence(peer, list),
            Message::Neighbours(said) => self.on_neighbours(peer, said),
            Message::BlockRequest(height) => self.on_block_request(peer, height),
            Message::NoBlockResponse(height) => self.on_no_block(peer, height),
            Message::BlockResponse(response) => self.on_block(peer, response),
            Message::StatusRequest => {
                let (base, height) = (self.base, self.store_height);
                self.send(peer, Message::StatusResponse { base, height });
            }
            Message::StatusResponse { base, height } => self.on_sync_status(peer, base, height),
        }
    }

    /// A proposal, a part or a vote: for now, for the next height, or for the last.
    fn on_consensus_message(&mut self, peer: PeerId, message: Message) {
        let height = match &message {
            Message::Proposal(proposal) => proposal.height,
            Message::BlockPart { height, .. } => *height,
            Message::Vote(vote) => vote.height,
            _ => return,
        };
        let ready = self.is_running() && !self.cur.machine.decided;
        let current = self.cur.height;
        if height > current || (height == current && !self.is_running()) {
            self.keep_early(peer, height, message);
        } else if height == current {
            match message {
                Message::Proposal(proposal) if ready => self.on_proposal(peer, &proposal),
                Message::BlockPart { part, round, .. } if ready => {
                    self.on_part(peer, round, &part);
                }
                Message::Vote(vote) => self.on_vote(peer, vote),
                _ => {}
            }
        } else if height.next() == current
            && let Message::Vote(vote) = message
        {
            self.on_late_vote(peer, vote);
        }
    }

    fn keep_early(&mut self, peer: PeerId, height: Height, message: Message) {
        let last = self.cur.height.plus(EARLY_HEIGHTS_MAX);
        let known = self.peers.get_mut(&peer).expect("only known peers are heard");
        known.height = known.height.max(height);
        if let Message::Vote(vote) = &message
            && self.check_early_place(vote).is_err()
        {
            return self.report(peer, Offence::BadSignature("early vote"));
        }
        let dropped = if height <= last { self.early.keep(peer, message) } else { 1 };
        self.counters.overflows += dropped;
    }

    /// Whose place a vote of the next height stands in can be said already.
    fn check_early_place(&self, vote: &Vote) -> Result<(), Invalid> {
        if self.is_running() && vote.height == self.cur.height.next() {
            self.common.check_place(&self.state.next_validators, vote)?;
        }
        Ok(())
    }

    /// A height has begun: what peers said of it before is heard now, and what they said of later
    /// ones is kept again, in order. Messages are only counted here: whether they decide the height
    /// is seen when the whole input is taken in (`settle`), and the next one begins with an answer
    /// of the application. So the height stays the same throughout.
    pub(super) fn replay_early(&mut self) {
        if !self.is_running() {
            return;
        }
        let height = self.cur.height;
        let peers: Vec<PeerId> = self.peers.keys().copied().collect();
        for peer in peers {
            for message in self.early.take(peer) {
                self.on_consensus_message(peer, message);
                assert_eq!(height, self.cur.height, "[S-5] no message moves the height on");
            }
        }
    }

    fn on_proposal(&mut self, peer: PeerId, proposal: &Proposal) {
        match self.cur.add_proposal(proposal) {
            Ok(true) => {
                self.pacing.others_began = true;
                self.record(Entry::Proposal(proposal.clone()));
                self.pass_on(peer, || Message::Proposal(proposal.clone()));
                self.adopt_orphans();
            }
            Ok(false) => {}
            Err(_) => return self.report(peer, Offence::BadSignature("proposal")),
        }
        self.know_proposal(peer, proposal);
    }

    /// Parts may overtake their proposal on the way.
    pub(super) fn adopt_orphans(&mut self) {
        for (peer, round, part) in self.cur.take_orphans() {
            self.take_part(peer, round, &part);
        }
    }

    fn on_part(&mut self, peer: PeerId, round: Round, part: &Arc<Part>) {
        if !self.take_part(peer, round, part) {
            self.report(peer, Offence::BadMessage("block part"));
        }
    }

    /// False if the part is not what its proof says.
    fn take_part(&mut self, peer: PeerId, round: Round, part: &Arc<Part>) -> bool {
        match self.cur.add_part(peer, round, part) {
            Ok(PartAdded::New { header }) => {
                let (height, part) = (self.cur.height, part.clone());
                self.pass_on(peer, || Message::BlockPart { height, round, part: part.clone() });
                self.credit_part(peer);
                self.know_part(peer, round, (header, part.index));
                self.record(Entry::Part { height, header, part });
                true
            }
            Ok(PartAdded::Ignored) => true,
            Err(_) => false,
        }
    }

    /// A precommit for the last block that comes late still goes into the next block.
    fn on_late_vote(&mut self, peer: PeerId, vote: Vote) {
        let Some(last) = &self.last else { return };
        let round = last.decided.commit.round;
        if vote.kind != VoteKind::Precommit || vote.round != round {
            return;
        }
        if last.tally.has(vote.validator_index, &vote.block_id) {
            return self.know_vote(peer, &vote);
        }
        let (validators, extended) = (last.tally.validators(), last.decided.extended);
        if self.common.verify_vote(validators, extended, &vote).is_err() {
            return self.report(peer, Offence::BadSignature("late precommit"));
        }
        let earlier = last.tally.vote(vote.validator_index).cloned();
        self.know_vote(peer, &vote);
        match earlier {
            Some(earlier) => self.on_equivocation(earlier, vote),
            None => {
                self.credit_vote(peer);
                self.pass_on(peer, || Message::Vote(vote.clone()));
                self.add_late_precommit(vote);
            }
        }
    }

    /// The last block is served from here, with the commit that no next block carries yet: a peer
    /// that is one block behind a chain at rest must get it too. One that asks again and again has
    /// to wait its turn like for older ones.
    fn on_block_request(&mut self, peer: PeerId, height: Height) {
        let known = self.peers.get_mut(&peer).expect("only known peers are heard");
        match &self.last {
            Some(last)
                if last.decided.commit.height == height && known.had.take(Favour::LastBlock) =>
            {
                let block = last.decided.block.clone();
                let extended_commit = Some(self.extended_last_commit());
                let response = BlockResponse { block, extended_commit };
                self.send(peer, Message::BlockResponse(response));
            }
            _ => self.act(Action::ServeBlock { peer, height }),
        }
    }

    // Healing.

    pub(super) fn start_heal_timer(&mut self) {
        let after = self.config.heal_interval;
        self.act(Action::SetTimer { id: TimerId::Heal, after });
    }

    pub(super) fn on_heal(&mut self) {
        if self.peers.is_empty() {
            return; // started again with the first peer
        }
        self.start_heal_timer();
        self.announce();
        self.peers.values_mut().for_each(|known| known.had = Had::default());
        let peers: Vec<PeerId> = self.peers.keys().copied().collect();
        peers.into_iter().for_each(|peer| self.greet_with_pool(peer));
        let here = (self.cur.height, self.cur.machine.round, self.cur.machine.step);
        let stuck = self.cur.started && self.pacing.healed_at == Some(here);
        self.pacing.healed_at = Some(here);
        self.sync_tick();
        if stuck && self.is_running() && !self.cur.machine.decided {
            self.ask_refused();
            let asked = self.next_asked();
            asked.into_iter().for_each(|peer| self.ask_what_is_missing(peer));
        }
    }

    /// We can use what peers say from now on: they may have said it while we could not.
    pub(super) fn ask_everybody(&mut self) {
        let peers: Vec<PeerId> = self.peers.keys().copied().collect();
        peers.into_iter().for_each(|peer| self.ask_what_is_missing(peer));
    }

    /// A few peers, in turn.
    fn next_asked(&mut self) -> Vec<PeerId> {
        let peers: Vec<PeerId> = self.peers.keys().copied().collect();
        let from = self.pacing.asked;
        self.pacing.asked = self.pacing.asked.wrapping_add(ASKED_AT_ONCE);
        let count = ASKED_AT_ONCE.min(peers.len());
        (0..count).map(|i| peers[from.wrapping_add(i) % peers.len()]).collect()
    }

    /// Says what we have of the round, so that the peer sees what we lack.
    fn ask_what_is_missing(&mut self, peer: PeerId) {
        let Some(known) = self.peers.get_mut(&peer) else { return };
        if !known.had.take(Favour::Ask) {
            return;
        }
        let (height, round) = (self.cur.height, self.cur.machine.round);
        for kind in [VoteKind::Prevote, VoteKind::Precommit] {
            let votes = self.cur.round_mut(round).tally(kind).voters().clone();
            let of = VoteSetMaj23 { height, round, kind, block_id: BlockId::NIL };
            self.send(peer, Message::VoteSetBits(VoteSetBits { of, votes }));
        }
        let incomplete = self.cur.candidates().iter().filter(|c| !c.parts.is_complete());
        let asked: Vec<NewValidBlock> = incomplete
            .map(|candidate| NewValidBlock {
                height,
                round,
                parts_header: candidate.parts.header(),
                parts: candidate.parts.bits().clone(),
                is_commit: false,
            })
            .collect();
        asked.into_iter().for_each(|valid| self.send(peer, Message::NewValidBlock(valid)));
    }

    fn on_new_round_step(&mut self, peer: PeerId, said: &NewRoundStep) {
        let known = self.peers.get_mut(&peer).expect("only known peers are heard");
        (known.height, known.round, known.step) = (said.height, said.round, said.step);
        known.last_commit_round = said.last_commit_round;
        known.top = known.top.max(said.height.prev());
    }

    /// A peer lists the votes it has of a round: it gets the others, and, if it waits for a
    /// proposal that we have, that too.
    fn on_vote_set_bits(&mut self, peer: PeerId, said: &VoteSetBits) {
        let of = ((said.of.height, said.of.round), said.of.kind);
        self.know_votes(peer, of, said.votes.ones());
        if said.of.height.next() == self.cur.height && said.of.kind == VoteKind::Precommit {
            return self.send_last_precommits(peer, said);
        }
        if said.of.height != self.cur.height {
            return;
        }
        self.send_missing(peer, Favour::Votes, |engine| engine.votes_missing(peer, said));
        let votes = self.cur.round_votes_len(said.of.round, said.of.kind);
        if said.votes.count_ones() > votes {
            self.ask_what_is_missing(peer);
        }
    }

    /// Sends what a peer asked for, if that is anything, and not too often: then it is not even
    /// put together.
    fn send_missing(
        &mut self,
        peer: PeerId,
        favour: Favour,
        missing: impl FnOnce(&Engine) -> Vec<Message>,
    ) {
        let known = self.peers.get(&peer).expect("only known peers are heard");
        if known.had.is_spent(favour) {
            self.counters.overflows += 1;
            return;
        }
        let missing = missing(self);
        if let Some(known) = self.peers.get_mut(&peer).filter(|_| !missing.is_empty()) {
            known.had.take(favour);
        }
        missing.into_iter().for_each(|message| self.send(peer, message));
    }

    /// The votes of a round, and of ours if it is rounds behind, that a peer does not list.
    fn votes_missing(&self, peer: PeerId, said: &VoteSetBits) -> Vec<Message> {
        let (round, ours) = (said.of.round, self.cur.machine.round);
        let mut missing: Vec<Message> = Vec::new();
        if let Some(votes) = self.cur.round(round) {
            let tally = votes.tally(said.of.kind);
            let lacks = |vote: &&Vote| !said.votes.get(vote.validator_index as usize);
            missing.extend(tally.votes().filter(lacks).cloned().map(Message::Vote));
            if said.of.kind == VoteKind::Prevote {
                missing.extend(self.proposal_messages(peer, round));
            }
        }
        if ours > round
            && let Some(votes) = self.cur.round(ours)
        {
            // Our round's votes let it skip.
            let tally = votes.tally(said.of.kind);
            missing.extend(tally.votes().cloned().map(Message::Vote));
        }
        missing
    }

    /// A peer is still at the height that is decided here: the precommits let it decide, too.
    fn send_last_precommits(&mut self, peer: PeerId, said: &VoteSetBits) {
        self.send_missing(peer, Favour::Votes, |engine| {
            let Some(last) = &engine.last else { return Vec::new() };
            let same_round = last.decided.commit.round == said.of.round;
            let has = |vote: &&Vote| same_round && said.votes.get(vote.validator_index as usize);
            let votes = last.tally.votes().filter(|vote| !has(vote)).cloned();
            votes.map(Message::Vote).collect()
        });
    }

    /// The proposal of a round, with the polka it names and its first part, for a peer that waits.
    fn proposal_messages(&self, peer: PeerId, round: Round) -> Vec<Message> {
        let waits = self.peers.get(&peer).is_some_and(|p| p.step <= StepName::Propose);
        let proposal = self.cur.round(round).and_then(|votes| votes.proposal.clone());
        let Some(proposal) = proposal.filter(|_| waits) else { return Vec::new() };
        let mut messages = Vec::new();
        let polka = proposal.pol_round.and_then(|pol| self.cur.round(pol));
        messages
            .extend(polka.into_iter().flat_map(|r| r.prevotes.votes().cloned()).map(Message::Vote));
        let candidate = self.cur.candidate_of(&proposal.block_id.parts);
        let first = candidate.and_then(|candidate| candidate.parts.part(0)).cloned();
        messages.push(Message::Proposal(proposal));
        messages.extend(first.map(|part| Message::BlockPart {
            height: self.cur.height,
            round,
            part: Arc::new(part),
        }));
        messages
    }

    /// A peer lists the parts it has of a block: it gets the others.
    fn on_new_valid_block(&mut self, peer: PeerId, said: &NewValidBlock) {
        self.know_parts(peer, said);
        self.send_missing(peer, Favour::Parts, |engine| engine.parts_missing(said));
    }

    /// The parts that a peer does not list of a block of this height, or of the last.
    fn parts_missing(&self, said: &NewValidBlock) -> Vec<Message> {
        let lacks = |part: &Part| !said.parts.get(part.index as usize);
        let last = self.last.as_ref().map(|last| &last.decided);
        let parts: Vec<Arc<Part>> = if said.height == self.cur.height {
            let candidate = self.cur.candidate_of(&said.parts_header);
            let parts = candidate.into_iter().flat_map(|candidate| candidate.parts.parts());
            parts.filter(|part| lacks(part)).cloned().map(Arc::new).collect()
        } else if let Some(last) = last.filter(|last| last.commit.height == said.height)
            && last.id.parts == said.parts_header
        {
            last.parts.iter().filter(|part| lacks(part)).cloned().collect()
        } else {
            Vec::new()
        };
        let (height, round) = (said.height, said.round);
        let message = |part| Message::BlockPart { height, round, part };
        parts.into_iter().map(message).collect()
    }

    /// A peer claims a majority and asks which of its votes we have.
    fn on_maj23(&mut self, peer: PeerId, asked: &VoteSetMaj23) {
        if asked.height != self.cur.height {
            return;
        }
        self.send_missing(peer, Favour::Bits, |engine| {
            let votes = engine.cur.round(asked.round);
            let votes = votes.map(|votes| votes.tally(asked.kind).voters_for(&asked.block_id));
            let bits = votes.map(|votes| VoteSetBits { of: *asked, votes });
            bits.map(Message::VoteSetBits).into_iter().collect()
        });
    }
}
