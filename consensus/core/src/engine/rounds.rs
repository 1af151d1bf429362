//! What the round machine wants becomes calls of the application, signatures and messages.
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use guts_abci::proto::abci as pb;
use guts_genesis::{Height, Round, Signature, SignatureScheme, SignedBytes, Time};

use super::{Action, AppCall, Engine, Pending, Phase};
use crate::guard::Permit;
use crate::height::Added;
use crate::io::{Offence, PeerId, SignRefused, Signed};
use crate::messages::Message;
use crate::round::{Effect, Event, Machine};
use crate::types::{
    Block, BlockId, EXTENSION_BYTES_MAX, Evidence, Part, PartSet, Proposal, Txs, Vote, VoteKind,
    abci,
};
use crate::wal::{Entry, Intent, MachineEntry};
use crate::watch::Happened;

/// Answers of ProcessProposal and VerifyVoteExtension that say yes.
const ACCEPT: i32 = 1;
/// Longest extension of our own: a vote with it, signatures and all, must fit into a message.
const OWN_EXTENSION_BYTES_MAX: usize = EXTENSION_BYTES_MAX - 1024;

impl Engine {
    pub(super) fn is_running(&self) -> bool {
        matches!(self.phase, Phase::Running)
    }

    pub(super) fn is_halted(&self) -> bool {
        matches!(self.phase, Phase::Halted(_))
    }

    /// Runs the machine as far as it goes and does what it wants.
    pub(super) fn advance(&mut self, outside: Option<Event>) {
        let mut outside = outside;
        loop {
            self.notice_news();
            let (started, before) = (self.cur.started, self.cur.machine);
            let effects = self.cur.advance(outside.take());
            self.notice_moves(started, &before);
            if !same_for_log(&before, &self.cur.machine) {
                self.record_machine();
            }
            if effects.is_empty() && !self.judge() {
                return;
            }
            for effect in effects {
                self.perform(effect);
            }
        }
    }

    fn record_machine(&mut self) {
        let machine = self.cur.machine;
        self.record(Entry::Machine(MachineEntry {
            height: self.cur.height,
            round: machine.round,
            step: machine.step.name(),
            locked: machine.locked,
            valid: machine.valid,
        }));
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Timer(step) => self.set_round_timer(step),
            Effect::Start(round) => {
                self.counters.extra_rounds += u64::from(round > Round::ZERO);
                self.announce();
            }
            Effect::Propose(value) => {
                self.set_round_timer(crate::round::Step::Propose);
                match value {
                    Some((pol_round, id)) => self.sign_proposal(id, Some(pol_round)),
                    None => self.prepare(),
                }
            }
            Effect::Prevote(id) => self.vote(VoteKind::Prevote, id, Bytes::new()),
            Effect::Precommit(Some(id)) if self.cur.extended => self.extend(id),
            Effect::Precommit(id) => self.vote(VoteKind::Precommit, id, Bytes::new()),
            Effect::Decide(round, id) => self.decide(round, &id),
        }
    }

    // Proposing.

    /// Asks the application for a block made of what waits.
    fn prepare(&mut self) {
        let (height, round) = (self.cur.height, self.cur.machine.round);
        let position = self.intent_at(height, round, crate::io::SignStep::Proposal);
        if let Some(intent) = position {
            // We proposed here in an earlier life: the same again, from the log.
            self.ask_signature(intent);
            return;
        }
        let Some(draft) = self.draft() else { return };
        let evidence_bytes: u64 = draft.evidence().iter().map(Evidence::encoded_len).sum();
        let evidence_bytes = i64::try_from(evidence_bytes).unwrap_or(i64::MAX);
        let max = self.state.tx_bytes_max(evidence_bytes).unwrap_or(0);
        let txs = self.mempool.reap(max, self.state.consensus_params.block_max_gas);
        let last = self.extended_last_commit();
        let request = abci::prepare_proposal(&draft, &self.state, &last, max);
        match request {
            Ok(mut request) => {
                request.txs = txs;
                let call = AppCall::PrepareProposal(Box::new(request));
                self.call(Pending::Prepare(height, round, draft), call);
            }
            Err(error) => self.halt(format!("cannot make a proposal: {error}")),
        }
    }

    pub(super) fn propose_again(&mut self) {
        self.perform(Effect::Propose(self.cur.machine.valid));
    }

    pub(super) fn precommit_again(&mut self, id: Option<BlockId>) {
        self.perform(Effect::Precommit(id));
    }

    /// A block on top of the last, without transactions.
    fn draft(&mut self) -> Option<Block> {
        let me = self.common.me?;
        let commit = self.extended_last_commit().to_commit();
        let evidence = self.evidences.for_block(&self.state);
        match self.state.make_block(Txs::new(Vec::new()), commit, evidence, me) {
            Ok(block) => Some(block),
            Err(error) => {
                self.halt(format!("cannot make a block: {error}"));
                None
            }
        }
    }

    pub(super) fn on_prepared(
        &mut self,
        (height, round): (Height, Round),
        draft: &Block,
        answer: pb::ResponsePrepareProposal,
    ) {
        if (height, round) != (self.cur.height, self.cur.machine.round)
            || self.cur.machine.decided
            || self.cur.machine.step != crate::round::Step::Propose
        {
            return;
        }
        let (evidence, commit) = (draft.evidence().to_vec(), draft.last_commit().clone());
        let block = Block::new(draft.header().clone(), Txs::new(answer.txs), evidence, commit);
        let evidence_bytes: u64 = block.evidence().iter().map(Evidence::encoded_len).sum();
        let evidence_bytes = i64::try_from(evidence_bytes).unwrap_or(i64::MAX);
        let max = self.state.tx_bytes_max(evidence_bytes).unwrap_or(0);
        if let Err(error) = block.txs().check_size(max) {
            self.halt(format!("PrepareProposal gave more than max_tx_bytes: {error}"));
            return;
        }
        let parts = block.part_set();
        let id = block.id(&parts);
        self.record_parts(&parts);
        self.cur.add_own_block(block, parts);
        self.sign_proposal(id, None);
    }

    fn record_parts(&mut self, parts: &PartSet) {
        let (height, header) = (self.cur.height, parts.header());
        let parts: Vec<_> = parts.parts().cloned().map(Arc::new).collect();
        for part in parts {
            self.record(Entry::Part { height, header, part });
        }
    }

    fn sign_proposal(&mut self, block_id: BlockId, pol_round: Option<Round>) {
        let intent = Intent::Proposal(Proposal {
            height: self.cur.height,
            round: self.cur.machine.round,
            pol_round,
            block_id,
            time: self.now.wall,
            signature: Signature::NONE,
        });
        self.intend(intent);
    }

    // Judging blocks.

    /// Begins to judge a complete block, if there is one. True if that changed anything.
    fn judge(&mut self) -> bool {
        if self.cur.machine.decided || !self.is_running() {
            return false;
        }
        let Some((id, block)) = self.cur.to_judge() else { return false };
        let known = KnownSignatures::of(self);
        let checked = self.state.check_block(&block, &known).is_ok();
        match if checked { self.evidence_is_fine(id, &block) } else { Some(false) } {
            Some(true) => {}
            Some(false) => {
                self.cur.set_verdict(&id, false);
                return true;
            }
            None => return true,
        }
        match abci::process_proposal(&block, &self.state) {
            Ok(request) => {
                let call = AppCall::ProcessProposal(Box::new(request));
                self.call(Pending::Process(self.cur.height, id), call);
            }
            Err(_) => self.cur.set_verdict(&id, false),
        }
        true
    }

    pub(super) fn on_processed(
        &mut self,
        height: Height,
        id: &BlockId,
        answer: &pb::ResponseProcessProposal,
    ) {
        if height == self.cur.height {
            self.cur.set_verdict(id, answer.status == ACCEPT);
        }
    }

    // Voting.

    /// Asks the application what to add to a precommit, unless that was settled in an earlier life.
    fn extend(&mut self, id: BlockId) {
        let (height, round) = (self.cur.height, self.cur.machine.round);
        if self.cur.my_index().is_none()
            || self.intent_at(height, round, crate::io::SignStep::Precommit).is_some()
        {
            self.vote(VoteKind::Precommit, Some(id), Bytes::new());
            return;
        }
        let Some(candidate) = self.cur.candidate(&id) else { return };
        let block = candidate.block.clone().expect("a candidate with an id has its block");
        let Ok(request) = abci::process_proposal(&block, &self.state) else { return };
        let request = pb::RequestExtendVote {
            hash: request.hash,
            height: request.height,
            time: request.time,
            txs: request.txs,
            proposed_last_commit: request.proposed_last_commit,
            misbehavior: request.misbehavior,
            next_validators_hash: request.next_validators_hash,
            proposer_address: request.proposer_address,
        };
        let call = AppCall::ExtendVote(Box::new(request));
        self.call(Pending::Extend(height, round, id), call);
    }

    pub(super) fn on_extended(
        &mut self,
        height: Height,
        round: Round,
        id: BlockId,
        extension: Bytes,
    ) {
        // Still at the very precommit it was asked for, and not decided meanwhile.
        let machine = &self.cur.machine;
        let here = (height, round) == (self.cur.height, machine.round);
        if extension.len() > OWN_EXTENSION_BYTES_MAX {
            let len = extension.len();
            let max = OWN_EXTENSION_BYTES_MAX;
            return self.halt(format!("ExtendVote gave {len} bytes, at most {max} travel"));
        }
        if here && machine.step == crate::round::Step::Precommit {
            self.vote(VoteKind::Precommit, Some(id), extension);
        }
    }

    fn vote(&mut self, kind: VoteKind, id: Option<BlockId>, extension: Bytes) {
        let (Some(index), Some(address)) = (self.cur.my_index(), self.common.me) else { return };
        let block_id = id.unwrap_or(BlockId::NIL);
        self.intend(Intent::Vote(Vote {
            kind,
            height: self.cur.height,
            round: self.cur.machine.round,
            block_id,
            time: self.vote_time(&block_id),
            validator_address: address,
            validator_index: index,
            signature: Signature::NONE,
            extension,
            extension_signature: Signature::NONE,
        }));
    }

    /// BFT time: a vote is never earlier than the block it is about, plus 1 ms.
    fn vote_time(&self, id: &BlockId) -> Time {
        let locked = self.cur.machine.locked.map(|(_, id)| id);
        let round = self.cur.round(self.cur.machine.round);
        let proposed = round.and_then(|r| r.proposal.as_ref()).map(|p| p.block_id);
        let about = [Some(*id), locked, proposed].into_iter().flatten();
        let about = about.filter_map(|id| self.cur.candidate(&id)?.block.as_ref());
        let earliest = about.map(|block| block.header().time).max();
        let earliest = earliest.unwrap_or(self.state.last_block_time);
        let earliest = earliest.checked_add(Duration::from_millis(1)).unwrap_or(Time::MAX);
        self.now.wall.max(earliest)
    }

    /// [S-2] The only way to the signer: an intent that is new becomes durable first, one that is
    /// known is repeated to the byte, one that contradicts another is dropped.
    fn intend(&mut self, intent: Intent) {
        let at = intent.position();
        if let Some(known) = self.intents.get(&at) {
            let known = known.clone();
            self.ask_signature(known);
            return;
        }
        match self.guard.ask(&intent) {
            Permit::Refused => {}
            Permit::Again => self.ask_signature(intent),
            Permit::New => {
                self.intents.insert(at, intent.clone());
                self.record(Entry::Intent(intent.clone()));
                self.out.sync = true;
                self.ask_signature(intent);
            }
        }
    }

    fn intent_at(&self, height: Height, round: Round, step: crate::io::SignStep) -> Option<Intent> {
        self.intents.get(&crate::io::SignPosition { height, round, step }).cloned()
    }

    pub(super) fn on_signed(&mut self, intent: Intent, outcome: Result<Signed, SignRefused>) {
        let Ok(signed) = outcome else { return };
        match intent {
            Intent::Proposal(mut proposal) => {
                proposal.signature = signed.signature;
                self.on_own_proposal(proposal);
            }
            Intent::Vote(mut vote) => {
                vote.signature = signed.signature;
                vote.extension_signature = signed.extension.unwrap_or_default();
                self.on_own_vote(vote);
            }
        }
    }

    fn on_own_proposal(&mut self, proposal: Proposal) {
        if proposal.height != self.cur.height {
            return;
        }
        let round = proposal.round;
        self.record(Entry::Proposal(proposal.clone()));
        self.cur.round_mut(round).proposal = Some(proposal.clone());
        let header = proposal.block_id.parts;
        // Who has not seen the polka that a proposal names cannot vote for it: it comes along.
        let polka = proposal.pol_round.and_then(|pol| self.cur.round(pol));
        let votes = polka.into_iter().flat_map(|votes| votes.prevotes.votes());
        let votes: Vec<Vote> =
            votes.filter(|vote| vote.block_id == proposal.block_id).cloned().collect();
        votes.into_iter().for_each(|vote| self.broadcast(Message::Vote(vote)));
        self.broadcast(Message::Proposal(proposal));
        let height = self.cur.height;
        let candidate = self.cur.candidate_of(&header).into_iter();
        let parts = candidate.flat_map(|candidate| candidate.parts.parts());
        let parts: Vec<Arc<Part>> = parts.cloned().map(Arc::new).collect();
        for part in parts {
            self.broadcast(Message::BlockPart { height, round, part });
        }
    }

    fn on_own_vote(&mut self, vote: Vote) {
        if vote.height == self.cur.height {
            self.record(Entry::Vote(vote.clone()));
            if self.cur.add_verified_vote(vote.clone()).is_counted() {
                self.notice(|| Happened::Vote(Box::new(vote.clone())));
            }
        } else if vote.height.next() == self.cur.height {
            self.add_late_precommit(vote.clone());
        }
        self.broadcast(Message::Vote(vote));
    }

    /// A vote for the height in progress from a peer.
    pub(super) fn on_vote(&mut self, peer: PeerId, vote: Vote) {
        match self.cur.check_vote(&vote) {
            Ok(true) => self.pacing.others_began = true,
            Ok(false) => {
                self.counters.duplicate_votes += 1;
                return self.know_vote(peer, &vote);
            }
            Err(_) => return self.report(peer, Offence::BadSignature("vote")),
        }
        self.know_vote(peer, &vote);
        let mine = Some(vote.validator_address) == self.common.me;
        // Once a block is decided the application is finalizing it and must not be asked any more:
        // later votes only make its commit more complete.
        let decided = self.cur.machine.decided;
        if self.cur.extended && vote.is_extendable() && !mine && !decided {
            let request = pb::RequestVerifyVoteExtension {
                hash: Bytes::copy_from_slice(vote.block_id.hash.as_bytes()),
                validator_address: Bytes::copy_from_slice(vote.validator_address.as_bytes()),
                height: vote.height.wire(),
                vote_extension: vote.extension.clone(),
            };
            self.cur.extensions.ask(&vote);
            let pending = Pending::VerifyExtension(Box::new(vote), peer);
            self.call(pending, AppCall::VerifyVoteExtension(Box::new(request)));
            return;
        }
        self.count_vote(peer, vote);
    }

    pub(super) fn on_extension_verified(
        &mut self,
        vote: Vote,
        peer: PeerId,
        answer: &pb::ResponseVerifyVoteExtension,
    ) {
        let accepted = answer.status == ACCEPT;
        if vote.height == self.cur.height {
            self.cur.on_extension_judged(&vote, accepted);
        }
        // A validator whose extension the application rejects loses its precommit, no more.
        if !accepted {
            return;
        }
        if vote.height == self.cur.height {
            self.count_vote(peer, vote);
        } else if vote.height.next() == self.cur.height {
            self.credit_vote(peer);
            self.pass_on(peer, || Message::Vote(vote.clone()));
            self.add_late_precommit(vote);
        }
    }

    fn count_vote(&mut self, peer: PeerId, vote: Vote) {
        self.count(peer, vote);
        self.adopt_orphans();
    }

    fn count(&mut self, peer: PeerId, vote: Vote) {
        match self.cur.add_verified_vote(vote.clone()) {
            Added::New => {
                self.credit_vote(peer);
                self.notice(|| Happened::Vote(Box::new(vote.clone())));
                self.pass_on(peer, || Message::Vote(vote.clone()));
                self.record(Entry::Vote(vote));
            }
            Added::Known => {}
            Added::Conflict { earlier, counted } => {
                if counted {
                    self.notice(|| Happened::Vote(Box::new(vote.clone())));
                    self.pass_on(peer, || Message::Vote(vote.clone()));
                    self.record(Entry::Vote(vote.clone()));
                }
                self.on_equivocation(*earlier, vote);
            }
        }
    }
}

fn same_for_log(a: &Machine, b: &Machine) -> bool {
    (a.round, a.step, a.locked, a.valid) == (b.round, b.step, b.locked, b.valid)
}

/// Signatures of precommits that this node verified when they came as votes are good; only what
/// it has not seen is verified when it comes in a block's last commit.
pub(super) struct KnownSignatures<'a> {
    engine: &'a Engine,
}

impl<'a> KnownSignatures<'a> {
    pub(super) fn of(engine: &'a Engine) -> KnownSignatures<'a> {
        KnownSignatures { engine }
    }

    fn is_known(&self, item: &SignedBytes<'_>) -> bool {
        let Some(last) = &self.engine.last else { return false };
        let found = last.tally.validators().by_key(item.key);
        let vote = found.and_then(|(index, _)| last.tally.vote(index));
        vote.is_some_and(|vote| {
            vote.signature == *item.signature
                && vote.sign_bytes(&self.engine.common.chain_id) == item.message
        })
    }
}

impl SignatureScheme for KnownSignatures<'_> {
    fn verify(&self, key: &guts_genesis::PublicKey, message: &[u8], signature: &Signature) -> bool {
        self.is_known(&SignedBytes { key, message, signature })
            || self.engine.common.scheme.verify(key, message, signature)
    }

    fn verify_batch(&self, items: &[SignedBytes<'_>]) -> bool {
        let unknown: Vec<SignedBytes<'_>> =
            items.iter().copied().filter(|item| !self.is_known(item)).collect();
        !items.is_empty()
            && (unknown.is_empty() || self.engine.common.scheme.verify_batch(&unknown))
    }
}

impl Engine {
    pub(super) fn report(&mut self, peer: PeerId, offence: Offence) {
        self.counters.bad_messages += 1;
        self.act(Action::Report { peer, offence });
    }
}
