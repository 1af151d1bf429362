//! Evidence of misbehaviour: found, verified, passed on, put into a block, and done with.
//!
//! Two votes that contradict each other become evidence when the block of their height is
//! decided, because evidence states that block's time. It is kept until it is in a block or both
//! age limits have passed, across restarts.
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use guts_genesis::{Height, Time};

use super::attack::Source;
use super::{Action, Engine};
use crate::height::Progress;
use crate::io::{ClientReply, Offence, PeerId, Record, Ticket, TxRefused};
use crate::messages::Message;
use crate::types::{
    Block, BlockId, DuplicateVote, Evidence, Hash, State, ValidatorSet, Vote, encode_evidence_list,
    is_evidence_expired,
};

#[cfg(test)]
mod tests;

/// Heights whose validators and time are remembered.
const CONTEXTS_MAX: usize = 2_000;
/// Pieces of evidence that wait at most; there is no more than one for each fault.
const PENDING_MAX: usize = 1_000;
/// Bytes of evidence that a new peer is told of at most, well within a message.
const GREETING_BYTES_MAX: u64 = 512 << 10;
/// Pairs of votes of the height in progress kept at most.
const UNFINISHED_MAX: usize = 200;

/// Evidence that waits for a block.
#[derive(Clone, Debug)]
struct Waiting {
    evidence: Arc<Evidence>,
    /// Bytes it takes in a block.
    len: u64,
}

impl Waiting {
    fn new(evidence: Arc<Evidence>) -> Waiting {
        let len = evidence.encoded_len();
        Waiting { evidence, len }
    }
}

/// The evidence pool.
#[derive(Clone, Debug, Default)]
pub(super) struct Evidences {
    pending: BTreeMap<Hash, Waiting>,
    /// Looked up for a block of the height in progress and found good, to the byte ([`exact`]).
    good: BTreeSet<Hash>,
    /// In a block already, by hash: when the misbehaviour was, or later.
    done: BTreeMap<Hash, (Height, Time)>,
    /// Pairs of votes of the height in progress.
    unfinished: Vec<(Vote, Vote)>,
    contexts: BTreeMap<Height, (Time, Arc<ValidatorSet>)>,
    validators: Option<Arc<ValidatorSet>>,
}

/// What is thought of a piece of evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opinion {
    Good,
    Bad(&'static str),
    Known,
    /// Both age limits have passed: nobody is blamed for it, or for bringing it.
    Expired,
    /// The chain is not there yet.
    Early,
    /// What it is judged by has to be loaded.
    Unknown,
}

impl Evidences {
    pub(super) fn new(pending: Vec<Evidence>) -> Evidences {
        let waiting = |e: Evidence| (e.hash(), Waiting::new(Arc::new(e)));
        Evidences { pending: pending.into_iter().map(waiting).collect(), ..Evidences::default() }
    }

    /// Evidence of an earlier life that is in a block, none of it younger than `time`.
    pub(super) fn know_done(&mut self, done: Vec<([u8; 32], Height)>, time: Time) {
        let done = done.into_iter().map(|(hash, height)| (Hash::new(hash), (height, time)));
        self.done.extend(done);
        self.pending.retain(|hash, _| !self.done.contains_key(hash));
    }

    pub(super) fn len(&self) -> usize {
        self.pending.len()
    }

    /// Whether this very piece was judged and found good. The hash of an attack says nothing of
    /// whom it blames: another piece with the hash of a good one is judged like any other.
    fn is_known_good(&self, evidence: &Evidence) -> bool {
        let same = |waiting: &Waiting| *waiting.evidence == *evidence;
        self.pending.get(&evidence.hash()).is_some_and(same) || self.good.contains(&exact(evidence))
    }

    /// What waits and is of age.
    fn current<'a>(&'a self, state: &'a State) -> impl Iterator<Item = &'a Waiting> {
        self.pending.values().filter(|waiting| !is_expired(state, &waiting.evidence))
    }

    /// What goes into the next block: the oldest first, as much as fits. What alone is larger than
    /// a block may carry keeps nothing else from it.
    pub(super) fn for_block(&self, state: &State) -> Vec<Evidence> {
        self.oldest(state, evidence_room(state))
    }

    /// The oldest that fit into so many bytes.
    fn oldest(&self, state: &State, mut room: u64) -> Vec<Evidence> {
        let mut list: Vec<&Waiting> = self.current(state).collect();
        list.sort_by_key(|waiting| waiting.evidence.height());
        let fits = list.into_iter().filter(|waiting| {
            let fits = waiting.len <= room;
            room -= if fits { waiting.len } else { 0 };
            fits
        });
        fits.map(|waiting| Evidence::clone(&waiting.evidence)).collect()
    }

    /// Whether the next block would carry evidence.
    pub(super) fn has_pending(&self, state: &State) -> bool {
        let room = evidence_room(state);
        self.current(state).any(|waiting| waiting.len <= room)
    }

    /// A height begins: its validators are what its evidence is judged by.
    pub(super) fn on_height(&mut self, cur: &Progress) {
        self.validators = Some(cur.validators.clone());
        self.good.clear();
    }

    /// A block is committed. Gives back what to record.
    pub(super) fn on_block(&mut self, block: &Block, state: &State) -> Vec<Record> {
        let (height, time) = (state.last_block_height, state.last_block_time);
        let mut records = Vec::new();
        if let Some(validators) = &self.validators {
            self.contexts.insert(height, (time, validators.clone()));
        }
        while self.contexts.len() > CONTEXTS_MAX {
            self.contexts.pop_first();
        }
        for evidence in block.evidence() {
            let hash = evidence.hash();
            self.pending.remove(&hash);
            self.done.insert(hash, (evidence.height(), evidence.time()));
            records.push(done(&hash, evidence.height(), true));
        }
        records.extend(self.forget_old(state));
        records
    }

    /// What waits, and what is in a block, is forgotten when both limits have passed: from then on
    /// it is refused for its age. Gives back what to record.
    fn forget_old(&mut self, state: &State) -> Vec<Record> {
        let waiting = |(hash, waiting): (&Hash, &Waiting)| {
            (*hash, (waiting.evidence.height(), waiting.evidence.time()))
        };
        let known = self.pending.iter().map(waiting);
        let known = known.chain(self.done.iter().map(|(hash, of)| (*hash, *of)));
        let old: Vec<_> = known.filter(|(_, of)| is_past(state, *of)).collect();
        let forget = |(hash, (height, _)): (Hash, (Height, Time))| {
            self.pending.remove(&hash);
            self.done.remove(&hash);
            done(&hash, height, false)
        };
        old.into_iter().map(forget).collect()
    }
}

fn done(hash: &Hash, height: Height, committed: bool) -> Record {
    let hash = hash.as_bytes().try_into().expect("evidence has a hash");
    Record::EvidenceDone { hash, height, committed }
}

/// A hash of all that a piece of evidence says.
fn exact(evidence: &Evidence) -> Hash {
    Hash::of(&encode_evidence_list(std::slice::from_ref(evidence)))
}

/// Bytes of evidence that a block may carry.
fn evidence_room(state: &State) -> u64 {
    u64::try_from(state.consensus_params.evidence_max_bytes).unwrap_or(0)
}

fn is_expired(state: &State, evidence: &Evidence) -> bool {
    is_past(state, (evidence.height(), evidence.time()))
}

/// Whether both age limits have passed for what happened then.
fn is_past(state: &State, (height, time): (Height, Time)) -> bool {
    let params = &state.consensus_params;
    is_evidence_expired(
        (state.last_block_height.wire(), state.last_block_time),
        (height.wire(), time),
        (params.evidence_max_age_num_blocks, params.evidence_max_age_duration_ns),
    )
}

impl Engine {
    /// Two verified votes of one validator contradict each other.
    pub(super) fn on_equivocation(&mut self, earlier: Vote, later: Vote) {
        self.counters.equivocations += 1;
        if earlier.height < self.cur.height {
            let time = self.state.last_block_time;
            let validators = Arc::new(self.state.last_validators.clone());
            self.make_evidence(earlier, later, time, &validators);
        } else if self.evidences.unfinished.len() < UNFINISHED_MAX {
            self.evidences.unfinished.push((earlier, later));
        }
    }

    /// The block of the height is decided: its contradictions become evidence.
    pub(super) fn finish_evidence(&mut self, time: Time, validators: &Arc<ValidatorSet>) {
        for (earlier, later) in std::mem::take(&mut self.evidences.unfinished) {
            self.make_evidence(earlier, later, time, validators);
        }
    }

    fn make_evidence(
        &mut self,
        earlier: Vote,
        later: Vote,
        time: Time,
        validators: &Arc<ValidatorSet>,
    ) {
        if let Ok(evidence) = DuplicateVote::new(earlier, later, time, validators) {
            self.take_evidence(Evidence::DuplicateVote(Box::new(evidence)));
        }
    }

    /// Keeps verified evidence and passes it on.
    fn take_evidence(&mut self, evidence: Evidence) {
        let hash = evidence.hash();
        let known = self.evidences.pending.contains_key(&hash)
            || self.evidences.done.contains_key(&hash)
            || self.evidences.pending.len() >= PENDING_MAX;
        if known {
            return;
        }
        let evidence = Arc::new(evidence);
        self.evidences.pending.insert(hash, Waiting::new(evidence.clone()));
        self.out.records.push(Record::EvidencePending(evidence.clone()));
        self.broadcast(Message::Evidence(vec![Evidence::clone(&evidence)]));
    }

    /// A new peer learns what waits here: it may be the one that was missing when it was found.
    pub(super) fn greet_with_evidence(&mut self, peer: PeerId) {
        let room = evidence_room(&self.state).min(GREETING_BYTES_MAX);
        let list = self.evidences.oldest(&self.state, room);
        if !list.is_empty() {
            self.send(peer, Message::Evidence(list));
        }
    }

    pub(super) fn on_evidence(&mut self, peer: PeerId, list: Vec<Evidence>) {
        for evidence in list {
            match self.judge_evidence(&evidence) {
                Opinion::Good => self.take_evidence(evidence),
                Opinion::Bad(why) => return self.report(peer, Offence::BadEvidence(why)),
                Opinion::Known | Opinion::Expired | Opinion::Early => {}
                Opinion::Unknown => self.look_up(evidence, Source::Peer(peer)),
            }
        }
    }

    pub(super) fn on_submitted_evidence(&mut self, ticket: Ticket, evidence: Evidence) {
        match self.judge_evidence(&evidence) {
            Opinion::Unknown if self.is_halted() => self.give_up(Source::Client(ticket)),
            Opinion::Unknown => self.look_up(evidence, Source::Client(ticket)),
            opinion => self.conclude(evidence, Source::Client(ticket), opinion),
        }
    }

    /// Evidence will not be judged any more: the engine has stopped.
    pub(super) fn give_up(&mut self, source: Source) {
        if let Source::Client(ticket) = source {
            let reply = ClientReply::Evidence(Err(TxRefused::Halted.to_string()));
            self.act(Action::Reply { ticket, reply });
        }
    }

    /// What becomes of evidence that was judged.
    pub(super) fn conclude(&mut self, evidence: Evidence, source: Source, opinion: Opinion) {
        if let Source::Block(id) = source {
            return self.conclude_for_block(evidence, &id, opinion);
        }
        let hash: [u8; 32] = evidence.hash().as_bytes().try_into().unwrap_or_default();
        let answer = match opinion {
            Opinion::Good => {
                self.take_evidence(evidence);
                Ok(hash)
            }
            Opinion::Known => Ok(hash),
            Opinion::Bad(why) => Err(why),
            Opinion::Expired => Err("it is too old: both age limits of evidence have passed"),
            Opinion::Early => Err("the chain is not far enough to judge it"),
            Opinion::Unknown => Err("what it is judged by is not stored here"),
        };
        match (source, answer) {
            (Source::Client(ticket), answer) => {
                let answer = answer.map_err(str::to_owned);
                self.act(Action::Reply { ticket, reply: ClientReply::Evidence(answer) });
            }
            (Source::Peer(peer), Err(why)) if matches!(opinion, Opinion::Bad(_)) => {
                self.report(peer, Offence::BadEvidence(why));
            }
            (Source::Peer(_) | Source::Block(_), _) => {}
        }
    }

    /// The block goes on to be judged, or is not valid. What was found is remembered, whether or
    /// not the pool has room for it: nothing is looked up twice for a block.
    fn conclude_for_block(&mut self, evidence: Evidence, id: &BlockId, opinion: Opinion) {
        if opinion == Opinion::Good {
            self.evidences.good.insert(exact(&evidence));
            self.take_evidence(evidence);
            self.cur.ask_again(id);
        } else {
            self.cur.set_verdict(id, false);
        }
    }

    /// What is thought of evidence that somebody brings: one of a hash is enough.
    pub(super) fn judge_evidence(&self, evidence: &Evidence) -> Opinion {
        let hash = evidence.hash();
        let pool = &self.evidences;
        if pool.pending.contains_key(&hash) || pool.done.contains_key(&hash) {
            return Opinion::Known;
        }
        self.judge_anew(evidence)
    }

    /// Judges evidence for itself, whatever else is known of its hash.
    pub(super) fn judge_anew(&self, evidence: &Evidence) -> Opinion {
        let pool = &self.evidences;
        let height = evidence.height();
        if height > self.state.last_block_height {
            return Opinion::Early;
        }
        if is_expired(&self.state, evidence) {
            return Opinion::Expired;
        }
        let Some((time, validators)) = pool.contexts.get(&height) else { return Opinion::Unknown };
        if evidence.time() != *time {
            return Opinion::Bad("states another time than its block's");
        }
        let votes = match evidence {
            Evidence::DuplicateVote(votes) => votes,
            // Judged by our own block of its height: `attack`.
            Evidence::LightClientAttack(attack) => return self.attack_opinion(attack, validators),
        };
        let (scheme, chain_id) = (self.common.scheme.as_ref(), &self.common.chain_id);
        match votes.verify(scheme, chain_id, validators) {
            Ok(()) => Opinion::Good,
            Err(_) => Opinion::Bad("does not prove anything"),
        }
    }

    /// Validators and time of a height were loaded.
    pub(super) fn remember_context(
        &mut self,
        height: Height,
        time: Time,
        validators: Arc<ValidatorSet>,
    ) {
        self.evidences.contexts.insert(height, (time, validators));
    }

    /// Validators and time of a height, if they are at hand.
    pub(super) fn context(&self, height: Height) -> Option<(Time, Arc<ValidatorSet>)> {
        self.evidences.contexts.get(&height).cloned()
    }

    /// Whether a proposed block's evidence is all good, new and of age; none as long as some of it
    /// has to be looked up: then the block is judged again.
    pub(super) fn evidence_is_fine(&mut self, id: BlockId, block: &Block) -> Option<bool> {
        let mut seen = Vec::new();
        for evidence in block.evidence() {
            let hash = evidence.hash();
            let twice = seen.contains(&hash) || self.evidences.done.contains_key(&hash);
            if twice || is_expired(&self.state, evidence) {
                return Some(false);
            }
            seen.push(hash);
            if self.evidences.is_known_good(evidence) {
                continue;
            }
            match self.judge_anew(evidence) {
                Opinion::Good => self.take_evidence(evidence.clone()),
                Opinion::Unknown => {
                    self.look_up(evidence.clone(), Source::Block(id));
                    return None;
                }
                Opinion::Bad(_) | Opinion::Known | Opinion::Expired | Opinion::Early => {
                    return Some(false);
                }
            }
        }
        Some(true)
    }
}
