//! A height in progress: its rounds, votes, proposals and blocks, and the round machine on them.
//!
//! This layer knows the data and none of the outside: it verifies and counts what comes in
//! ([`Progress::check_vote`], [`Progress::add_proposal`], [`Progress::add_part`],
//! [`Progress::set_verdict`]) and [`Progress::advance`] asks the protocol, as long as anything
//! changes, which of its conditions hold now (`conditions`) and has it handle them.
//! Because conditions are looked up in the data rather than noticed in passing, the order in which
//! messages came, and a restart in between, make no difference.
use std::collections::BTreeMap;
use std::sync::Arc;

use guts_genesis::{Address, Height, Round, SignatureScheme};

use crate::io::PeerId;
use crate::protocol::Protocol;
use crate::round::{Effect, Event, Machine};
use crate::types::{
    Block, BlockId, Invalid, Part, PartSet, PartSetHeader, Proposal, Validator, ValidatorSet, Vote,
    VoteKind,
};

mod ahead;
mod conditions;
mod extensions;
mod orphans;
mod tally;

use ahead::Ahead;
pub use extensions::Extensions;
use orphans::Orphans;
pub use tally::{Added, Tally};

/// Blocks that may be under construction in one height: proposals and polkas of its rounds.
const CANDIDATES_MAX: usize = 16;

/// What every height of an engine has in common.
#[derive(Clone)]
pub struct Common {
    /// The chain's id, part of all sign bytes.
    pub chain_id: String,
    /// How signatures are checked.
    pub scheme: Arc<dyn SignatureScheme>,
    /// This node's validator address.
    pub me: Option<Address>,
    /// Who proposes, how long is waited, which votes follow.
    pub protocol: Arc<dyn Protocol>,
    /// A canary, off but in the simulator.
    pub quorum_minus_one: bool,
}

impl Common {
    /// The validator in whose place a vote stands, and whose it must be.
    pub(crate) fn check_place<'a>(
        &self,
        validators: &'a ValidatorSet,
        vote: &Vote,
    ) -> Result<&'a Validator, Invalid> {
        let validator = validators.at(vote.validator_index).ok_or(Invalid::NotAValidator)?;
        if validator.address != vote.validator_address {
            return Err(Invalid::AddressMismatch);
        }
        Ok(validator)
    }

    /// Verifies a vote of a height: place, signature, and that it is extended if and only if the
    /// height's precommits are. The same for votes in time and late ones, or nodes would blame
    /// each other for passing them on.
    pub fn verify_vote(
        &self,
        validators: &ValidatorSet,
        extended: bool,
        vote: &Vote,
    ) -> Result<(), Invalid> {
        let validator = self.check_place(validators, vote)?;
        let (scheme, chain_id) = (self.scheme.as_ref(), self.chain_id.as_str());
        vote.verify(scheme, chain_id, &validator.key)?;
        if extended {
            vote.check_extension_required()?;
            return vote.verify_extension(scheme, chain_id, &validator.key);
        }
        if !vote.extension.is_empty() || !vote.extension_signature.is_empty() {
            return Err(Invalid::ExtensionPresent);
        }
        Ok(())
    }
}

/// Votes and proposal of a round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoundVotes {
    /// The verified proposal.
    pub proposal: Option<Proposal>,
    /// Prevotes.
    pub prevotes: Tally,
    /// Precommits.
    pub precommits: Tally,
}

impl RoundVotes {
    fn none(validators: &Arc<ValidatorSet>, common: &Common) -> RoundVotes {
        let none = || Tally::new(validators.clone(), common.quorum_minus_one);
        RoundVotes { proposal: None, prevotes: none(), precommits: none() }
    }

    /// The votes of one kind.
    pub fn tally(&self, kind: VoteKind) -> &Tally {
        match kind {
            VoteKind::Prevote => &self.prevotes,
            VoteKind::Precommit => &self.precommits,
        }
    }
}

/// A block under construction, by its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its parts so far.
    pub parts: PartSet,
    /// The block, once complete; absent also if the bytes are not a block.
    pub block: Option<Block>,
    /// Whether it is valid, once known. Permanent.
    pub verdict: Option<bool>,
    /// Whether judging it has begun.
    pub asked: bool,
}

impl Candidate {
    /// Its id, once complete.
    pub fn id(&self) -> Option<BlockId> {
        let block = self.block.as_ref()?;
        Some(BlockId { hash: block.hash(), parts: self.parts.header() })
    }
}

/// What became of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartAdded {
    /// Taken.
    New {
        /// Of which block.
        header: PartSetHeader,
    },
    /// Known, or not awaited.
    Ignored,
}

/// A height in progress.
#[derive(Clone)]
pub struct Progress {
    /// The height.
    pub height: Height,
    /// Its validators, turned to round 0.
    pub validators: Arc<ValidatorSet>,
    /// The round machine.
    pub machine: Machine,
    /// Whether round 0 has begun.
    pub started: bool,
    /// Whether precommits are extended at this height.
    pub extended: bool,
    /// Precommits that the application judges or has refused.
    pub extensions: Extensions,
    block_max_bytes: i64,
    common: Common,
    rounds: BTreeMap<Round, RoundVotes>,
    candidates: Vec<Candidate>,
    ahead: Ahead,
    orphans: Orphans,
    /// Whether a block is awaited whose parts may be among the orphans.
    awaits_more: bool,
}

impl Progress {
    /// A height of which nothing is known yet.
    pub fn new(
        height: Height,
        validators: Arc<ValidatorSet>,
        (extended, block_max_bytes): (bool, i64),
        common: Common,
    ) -> Progress {
        let machine = Machine::new();
        Progress {
            height,
            validators,
            machine,
            started: false,
            extended,
            extensions: Extensions::default(),
            block_max_bytes,
            common,
            rounds: BTreeMap::new(),
            candidates: Vec::new(),
            ahead: Ahead::default(),
            orphans: Orphans::default(),
            awaits_more: false,
        }
    }

    /// The round's data, made if it is not there.
    pub fn round_mut(&mut self, round: Round) -> &mut RoundVotes {
        let (validators, common) = (&self.validators, &self.common);
        self.rounds.entry(round).or_insert_with(|| RoundVotes::none(validators, common))
    }

    /// The round's data, empty if it is not there.
    pub fn round_votes(&self, round: Round) -> RoundVotes {
        let none = || RoundVotes::none(&self.validators, &self.common);
        self.round(round).cloned().unwrap_or_else(none)
    }

    /// The round's data.
    pub fn round(&self, round: Round) -> Option<&RoundVotes> {
        self.rounds.get(&round)
    }

    /// How many voted in a round.
    pub fn round_votes_len(&self, round: Round, kind: VoteKind) -> usize {
        self.round(round).map_or(0, |votes| votes.tally(kind).voters().count_ones())
    }

    /// All rounds of which something is known.
    pub fn rounds(&self) -> impl Iterator<Item = (&Round, &RoundVotes)> {
        self.rounds.iter()
    }

    /// Blocks under construction.
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    /// The block with this id.
    pub fn candidate(&self, id: &BlockId) -> Option<&Candidate> {
        self.candidates.iter().find(|c| c.id().is_some_and(|own| own == *id))
    }

    /// The block with these parts.
    pub fn candidate_of(&self, header: &PartSetHeader) -> Option<&Candidate> {
        self.candidates.iter().find(|c| c.parts.header() == *header)
    }

    /// Who proposes in the round. The schedule may take as many steps as there were rounds, so ask
    /// it only of rounds that this node enters, has entered or comes to next: a vote may name any.
    pub fn proposer(&self, round: Round) -> Address {
        self.common.protocol.proposer(&self.validators, round)
    }

    /// Whether `me` proposes in the round; of which rounds to ask, see [`Progress::proposer`].
    pub fn is_proposer(&self, round: Round) -> bool {
        self.common.me.is_some_and(|me| me == self.proposer(round))
    }

    /// This node's place among the validators of the height.
    pub fn my_index(&self) -> Option<u32> {
        let (index, _) = self.validators.by_address(&self.common.me?)?;
        Some(index)
    }

    /// Verifies a vote of this height. False if it is known already, or no matter.
    pub fn check_vote(&self, vote: &Vote) -> Result<bool, Invalid> {
        self.common.check_place(&self.validators, vote)?;
        let known = self.rounds.get(&vote.round).map(|round| round.tally(vote.kind));
        if known.is_some_and(|tally| tally.has(vote.validator_index, &vote.block_id)) {
            return Ok(false);
        }
        let (index, is_open) = (vote.validator_index, self.is_open(vote.round));
        if !is_open && (self.ahead.is_spent(index) || !self.ahead.has_room(index, vote.round)) {
            return Ok(false);
        }
        if self.extended && vote.is_extendable() && self.extensions.is_settled(vote) {
            return Ok(false);
        }
        self.common.verify_vote(&self.validators, self.extended, vote)?;
        Ok(true)
    }

    /// The application has said whether it accepts what a precommit is extended with.
    pub fn on_extension_judged(&mut self, vote: &Vote, accepted: bool) {
        self.extensions.answer(vote, accepted);
        if !accepted && !self.is_open(vote.round) {
            self.ahead.on_refused(vote.validator_index);
        }
    }

    /// Counts a vote whose signatures are known to be good: our own, or one from our log.
    pub fn add_verified_vote(&mut self, vote: Vote) -> Added {
        if !self.is_open(vote.round) {
            if !self.ahead.has_room(vote.validator_index, vote.round) {
                return Added::Known;
            }
            let gives_way = self.ahead.open(vote.validator_index, vote.round);
            gives_way.into_iter().for_each(|round| self.forget_round(round));
        }
        let (kind, id) = (vote.kind, vote.block_id);
        let round = self.round_mut(vote.round);
        let tally = match kind {
            VoteKind::Prevote => &mut round.prevotes,
            VoteKind::Precommit => &mut round.precommits,
        };
        let added = tally.add(vote);
        if tally.maj23() == Some(id) && !id.is_nil() {
            self.await_parts(id.parts);
        }
        added
    }

    /// Whether anybody may vote in a round: up to the next, and where somebody has.
    fn is_open(&self, round: Round) -> bool {
        round <= self.machine.round.next() || self.rounds.contains_key(&round)
    }

    /// A round ahead gives way, unless others speak of it, too.
    fn forget_round(&mut self, round: Round) {
        let alone = self.rounds.get(&round).is_some_and(|r| {
            let voters = r.prevotes.voters().or(r.precommits.voters());
            r.proposal.is_none() && voters.count_ones() <= 1
        });
        if alone {
            self.rounds.remove(&round);
        }
    }

    /// Verifies and keeps a proposal. False if one is known for its round, or it is too far ahead,
    /// whoever votes there: what makes this node skip to a round makes it the present one first.
    pub fn add_proposal(&mut self, proposal: &Proposal) -> Result<bool, Invalid> {
        let round = proposal.round;
        if round > self.machine.round.next() {
            return Ok(false);
        }
        if self.round(round).is_some_and(|known| known.proposal.is_some()) {
            return Ok(false);
        }
        let proposer = self.proposer(round);
        let (_, validator) = self.validators.by_address(&proposer).ok_or(Invalid::NotAValidator)?;
        proposal.verify(self.common.scheme.as_ref(), &self.common.chain_id, &validator.key)?;
        proposal.check_parts(self.block_max_bytes)?;
        self.await_parts(proposal.block_id.parts);
        self.round_mut(round).proposal = Some(proposal.clone());
        Ok(true)
    }

    /// Makes room for a block's parts.
    fn await_parts(&mut self, header: PartSetHeader) {
        if self.candidate_of(&header).is_some() {
            return;
        }
        let Ok(parts) = PartSet::awaiting(header) else { return };
        if self.candidates.len() >= CANDIDATES_MAX {
            let needed = self.needed_headers();
            let spare = |c: &Candidate| !needed.contains(&c.parts.header());
            let Some(at) = self.candidates.iter().position(spare) else { return };
            self.candidates.remove(at);
        }
        self.candidates.push(Candidate { parts, block: None, verdict: None, asked: false });
        self.awaits_more = true;
    }

    /// Blocks that rounds, locks or polkas still speak of.
    fn needed_headers(&self) -> Vec<PartSetHeader> {
        let ids = [self.machine.locked, self.machine.valid].into_iter().flatten().map(|(_, id)| id);
        let polkas = self.rounds.values().flat_map(|r| [r.prevotes.maj23(), r.precommits.maj23()]);
        let recent = self.rounds.range(self.machine.round..);
        let proposals = recent.filter_map(|(_, r)| r.proposal.as_ref().map(|p| p.block_id));
        ids.chain(polkas.flatten()).chain(proposals).map(|id| id.parts).collect()
    }

    /// Takes a part of an awaited block; which one, the proof tells.
    pub fn add_part(
        &mut self,
        peer: PeerId,
        round: Round,
        part: &Arc<Part>,
    ) -> Result<PartAdded, Invalid> {
        let Some(header) = header_among(&self.candidates, part) else {
            // Nobody awaits it: of another block that a proposer who proposes two told the sender
            // of, or ahead of its proposal. No offence of the sender's.
            self.orphans.keep((peer, round, part.clone()));
            return Ok(PartAdded::Ignored);
        };
        self.add_part_of(&header, part)
    }

    /// Parts that came too early and are awaited now.
    pub fn take_orphans(&mut self) -> Vec<(PeerId, Round, Arc<Part>)> {
        if !std::mem::take(&mut self.awaits_more) {
            return Vec::new();
        }
        let candidates = &self.candidates;
        let is_awaited = |part: &Part| header_among(candidates, part).is_some();
        self.orphans.take(is_awaited)
    }

    /// Takes a part of the block with this header.
    pub fn add_part_of(
        &mut self,
        header: &PartSetHeader,
        part: &Part,
    ) -> Result<PartAdded, Invalid> {
        let max = u64::try_from(self.block_max_bytes).unwrap_or(u64::MAX);
        let found = self.candidates.iter_mut().find(|c| c.parts.header() == *header);
        let Some(candidate) = found else { return Ok(PartAdded::Ignored) };
        if candidate.parts.is_complete() || !candidate.parts.add(part.clone())? {
            return Ok(PartAdded::Ignored);
        }
        if candidate.parts.is_complete() {
            let fits = candidate.parts.byte_size() <= max;
            let whole = candidate.parts.assemble().filter(|_| fits);
            candidate.block = whole.and_then(|bytes| Block::decode(bytes).ok());
            if candidate.block.is_none() {
                candidate.verdict = Some(false);
            }
        }
        Ok(PartAdded::New { header: *header })
    }

    /// A part from our own log, whose proposal may come after it.
    pub fn restore_part(&mut self, header: PartSetHeader, part: &Part) {
        self.await_parts(header);
        // A log with a bad part would have failed its checksum; such a part is left out.
        let _ = self.add_part_of(&header, part);
    }

    /// Puts in a whole block of our own making.
    pub fn add_own_block(&mut self, block: Block, parts: PartSet) {
        self.candidates.retain(|c| c.parts.header() != parts.header());
        let candidate = Candidate { parts, block: Some(block), verdict: None, asked: false };
        self.candidates.push(candidate);
        self.awaits_more = true;
    }

    /// A complete block that somebody proposed or voted for and whose validity is not known.
    /// Marks it as asked.
    pub fn to_judge(&mut self) -> Option<(BlockId, Block)> {
        let found = self.candidates.iter_mut().find(|c| c.block.is_some() && !c.asked)?;
        found.asked = true;
        let id = found.id()?;
        (found.verdict.is_none()).then(|| (id, found.block.clone().expect("it was looked for")))
    }

    /// The answer to [`Progress::to_judge`].
    pub fn set_verdict(&mut self, id: &BlockId, valid: bool) {
        let found = self.candidates.iter_mut().find(|c| c.id().is_some_and(|own| own == *id));
        if let Some(candidate) = found {
            candidate.verdict.get_or_insert(valid);
        }
    }

    /// The block can be judged now, though it could not when it was asked for.
    pub fn ask_again(&mut self, id: &BlockId) {
        let found = self.candidates.iter_mut().find(|c| c.id().is_some_and(|own| own == *id));
        if let Some(candidate) = found {
            candidate.asked = candidate.verdict.is_some();
        }
    }

    /// Blocks whose judging was lost (with the application's connection) are asked for again.
    pub fn forget_asked(&mut self) {
        for candidate in &mut self.candidates {
            candidate.asked = candidate.verdict.is_some();
        }
    }

    /// Feeds an outside event (a start, a timeout), then the conditions that hold, to the machine,
    /// until it wants something done. That must be done before the machine goes on: votes and
    /// proposals are for the round the machine is in. Call it again until nothing comes.
    pub fn advance(&mut self, outside: Option<Event>) -> Vec<Effect> {
        let mut effects = Vec::new();
        let mut event = outside;
        while self.started || matches!(event, Some(Event::StartRound { .. })) {
            let Some(now) = event.take().or_else(|| self.next_condition()) else { break };
            self.started = true;
            let followed = self.common.protocol.step(&mut self.machine, now);
            let Some(effect) = followed else { continue };
            effects.push(effect);
            self.check_lock();
            let Effect::Start(round) = effect else { break };
            self.ahead.on_round(round);
            let proposer = self.is_proposer(round);
            event = Some(Event::StartRound { round, proposer });
        }
        effects
    }

    fn next_condition(&self) -> Option<Event> {
        self.common.protocol.next_event(self)
    }

    /// What must hold between any two steps, as far as it can be seen cheaply.
    pub fn check_invariants(&self) {
        self.common.protocol.check_invariants(&self.machine);
    }

    /// What a restart must bring back of this height, as text: votes, proposals, parts, the lock.
    pub fn digest(&self) -> String {
        let mut lines = vec![format!(
            "height {} round {} locked {:?} valid {:?}",
            self.height, self.machine.round, self.machine.locked, self.machine.valid
        )];
        for (round, votes) in &self.rounds {
            let of = |tally: &Tally| {
                let mut votes: Vec<String> = tally
                    .votes()
                    .map(|v| format!("{}:{}", v.validator_index, v.block_id.hash))
                    .collect();
                votes.sort();
                votes.join(" ")
            };
            let proposal = votes.proposal.as_ref().map(|p| p.block_id.hash);
            let (prevotes, precommits) = (of(&votes.prevotes), of(&votes.precommits));
            if proposal.is_some() || !prevotes.is_empty() || !precommits.is_empty() {
                lines.push(format!("{round} {proposal:?} [{prevotes}] [{precommits}]"));
            }
        }
        let mut parts: Vec<String> = self
            .candidates
            .iter()
            .filter(|c| c.parts.count() > 0)
            .map(|c| format!("{:?} {:?}", c.parts.header(), c.parts.bits()))
            .collect();
        parts.sort();
        lines.append(&mut parts);
        lines.join("\n")
    }

    /// Whole audit, for the simulator.
    pub fn audit(&self) {
        self.check_invariants();
        for votes in self.rounds.values() {
            votes.prevotes.audit();
            votes.precommits.audit();
        }
        self.check_lock();
    }

    /// Nobody's bytes lead here: a polka is acted upon only once its block is here and valid.
    fn check_lock(&self) {
        let Some((_, id)) = self.machine.locked else { return };
        assert!(self.candidate(&id).is_some(), "[S-4] a locked block is here");
    }
}

/// The header of the block, of these, that a part is of.
fn header_among(candidates: &[Candidate], part: &Part) -> Option<PartSetHeader> {
    candidates.iter().map(|c| c.parts.header()).find(|header| proves(header, part))
}

fn proves(header: &PartSetHeader, part: &Part) -> bool {
    u64::from(header.total) == part.proof.total && part.proof.root() == Some(header.hash)
}
