//! Blocks that others decided without us.
//!
//! There is no mode to switch: a node that sees that it is behind asks peers for the blocks of the
//! heights to come, and a block that verifies is a decision like one of its own rounds. So falling
//! behind and catching up need no restart.
//!
//! While blocks are coming, no round is begun. A claim alone is no block: a peer that claims
//! heights it does not have costs unanswered requests, and rounds go on beside them. Only the first
//! claim after the start holds them back, for as long as a request may take: a node that was
//! restored from a copy shall hear of the heights it has lost before it votes in them.
//!
//! Many blocks are asked for at a time, as many as peers can have on their way, and the signatures
//! of all that wait are verified in one batch. A block is taken only if it is a next block of the
//! state and its commit, every signature of it, verifies against the validators of its height in
//! their places; where precommits are extended, so must be those of the commit, and every
//! extension's signature counts.
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use guts_genesis::{Height, PublicKey, Signature, SignatureScheme, SignedBytes, Time};
use sha2::{Digest, Sha256};

use super::rounds::KnownSignatures;
use super::{Action, Engine, LastCommit, TimerId};
use crate::height::Tally;
use crate::io::{Decided, Offence, PeerId};
use crate::messages::{BlockResponse, Message};
use crate::types::{BLOCK_SIZE_MAX, CommitCheck, Evidence, ExtendedCommit, Invalid, PartSet};

/// Blocks asked for ahead, at most.
const WINDOW_MAX: u64 = 64;
/// Blocks asked for ahead at first, before their size is known.
const WINDOW_FIRST: u64 = 4;
/// Blocks asked for ahead at least: one, and the next one, which carries its commit.
const WINDOW_MIN: u64 = 2;
/// Bytes that blocks asked for may have together, if they are like those that came last: what
/// peers have on their way to us must fit into their queues.
const WINDOW_BYTES: u64 = 8 << 20;
/// Bytes of blocks that wait, beyond the next two.
const WAITING_BYTES_MAX: u64 = 32 << 20;
const TOO_LARGE: Offence = Offence::BadBlock("larger than blocks may be");
/// How long a peer that did not serve a block is not asked again.
const DISTRUST: Duration = Duration::from_secs(10);

/// The state of catching up.
#[derive(Clone, Debug)]
pub(super) struct Sync {
    /// Blocks are asked for.
    active: bool,
    hold: Hold,
    asked: BTreeMap<Height, (PeerId, Duration)>,
    blocks: BTreeMap<Height, (PeerId, BlockResponse)>,
    /// How many blocks to ask for ahead: one more with each that comes, as long as so many of its
    /// size fit.
    window: u64,
    distrusted: BTreeMap<PeerId, Duration>,
    /// Signatures of commits ahead that were found good, all in one batch.
    good: BTreeSet<SignatureKey>,
    /// The highest block of that batch.
    good_until: Height,
    timer: bool,
    /// The height at the last heal tick.
    seen_at: Height,
    turn: usize,
}

/// Until when no round is begun.
#[derive(Clone, Copy, Debug, Default)]
struct Hold {
    /// After a block that came.
    until: Duration,
    /// After the first claim.
    claim_until: Option<Duration>,
    /// Blocks came since there were blocks to ask for.
    caught: bool,
}

/// What a signature is remembered by: a hash over key, signature and message.
type SignatureKey = [u8; 32];

fn signature_key(item: &SignedBytes<'_>) -> SignatureKey {
    let hash = Sha256::new().chain_update(item.key.as_bytes());
    hash.chain_update(item.signature.as_bytes()).chain_update(item.message).finalize().into()
}

impl Sync {
    /// Bytes of blocks that wait at `from` or above.
    fn waiting_bytes(&self, from: Height) -> u64 {
        self.blocks.range(from..).map(|(_, (_, response))| memory_of(response)).sum()
    }

    /// A block of this size has come.
    fn resize(&mut self, bytes: u64) {
        let fit = WINDOW_BYTES / bytes.max(1);
        self.window = self.window.saturating_add(1).min(fit).clamp(WINDOW_MIN, WINDOW_MAX);
    }
}

impl Default for Sync {
    fn default() -> Sync {
        Sync {
            active: false,
            hold: Hold::default(),
            asked: BTreeMap::new(),
            blocks: BTreeMap::new(),
            window: WINDOW_FIRST,
            distrusted: BTreeMap::new(),
            good: BTreeSet::new(),
            good_until: Height::ZERO,
            timer: false,
            seen_at: Height::ZERO,
            turn: 0,
        }
    }
}

/// About how many bytes a fetched block takes, by whatever in it can be long.
fn memory_of(response: &BlockResponse) -> u64 {
    const SIGNATURE_BYTES: u64 = 128;
    let block = &response.block;
    let evidence: u64 = block.evidence().iter().map(Evidence::encoded_len).sum();
    let places = response.extended_commit.iter().flat_map(|commit| &commit.signatures);
    let extensions: u64 = places.map(|p| SIGNATURE_BYTES + p.extension.len() as u64).sum();
    let commit = SIGNATURE_BYTES * block.last_commit().signatures.len() as u64;
    let header = block.header().app_hash.len() as u64;
    block.txs().encoded_len() + evidence + extensions + commit + header
}

/// Signatures of commits that were verified ahead, or that came as votes, are not verified again.
struct Ahead<'a> {
    good: &'a BTreeSet<SignatureKey>,
    known: KnownSignatures<'a>,
}

impl SignatureScheme for Ahead<'_> {
    fn verify(&self, key: &PublicKey, message: &[u8], signature: &Signature) -> bool {
        self.good.contains(&signature_key(&SignedBytes { key, message, signature }))
            || self.known.verify(key, message, signature)
    }

    fn verify_batch(&self, items: &[SignedBytes<'_>]) -> bool {
        let is_new = |item: &&SignedBytes<'_>| !self.good.contains(&signature_key(item));
        let unknown: Vec<SignedBytes<'_>> = items.iter().filter(is_new).copied().collect();
        !items.is_empty() && (unknown.is_empty() || self.known.verify_batch(&unknown))
    }
}

impl Engine {
    pub(super) fn on_sync_status(&mut self, peer: PeerId, base: Height, height: Height) {
        if let Some(known) = self.peers.get_mut(&peer) {
            known.base = base;
            known.top = height;
        }
    }

    pub(super) fn on_sync_peer_lost(&mut self, peer: PeerId) {
        let before = self.sync.asked.len();
        self.sync.asked.retain(|_, (asked, _)| *asked != peer);
        if self.sync.asked.len() < before {
            // Perhaps because of all that it was asked for.
            self.sync.window = (self.sync.window / 2).max(WINDOW_MIN);
        }
        self.sync.distrusted.remove(&peer);
    }

    /// Peers that say they have the block and have not disappointed lately.
    fn sources(&self, height: Height) -> Vec<PeerId> {
        let trusted = |peer: &PeerId| {
            self.sync.distrusted.get(peer).is_none_or(|until| *until <= self.now.mono)
        };
        let has = self.peers.iter().filter(|(_, p)| p.base <= height && height <= p.top);
        has.map(|(peer, _)| *peer).filter(trusted).collect()
    }

    /// Once a heal interval: a block that others have and that did not come by itself meanwhile
    /// is fetched.
    pub(super) fn sync_tick(&mut self) {
        let height = self.cur.height;
        let waiting = !self.cur.machine.decided && self.sync.seen_at == height;
        self.sync.seen_at = height;
        if waiting && !self.sync.active && !self.sources(height).is_empty() {
            self.begin_sync();
        }
    }

    fn begin_sync(&mut self) {
        self.sync.active = true;
        let until = self.now.mono.saturating_add(self.config.sync_timeout);
        self.sync.hold.claim_until.get_or_insert(until);
    }

    fn end_sync(&mut self) {
        let hold = Hold { claim_until: self.sync.hold.claim_until, ..Hold::default() };
        let distrusted = std::mem::take(&mut self.sync.distrusted);
        self.sync = Sync { hold, distrusted, ..Sync::default() };
    }

    /// Whether rounds wait for blocks that come. Not for long after the last one that proved good,
    /// and not if others have begun the height.
    pub(super) fn is_fetching(&self) -> bool {
        let (hold, now) = (&self.sync.hold, self.now.mono);
        let is_claimed = hold.claim_until.is_some_and(|until| now < until);
        self.sync.active && (is_claimed || (now < hold.until && !self.pacing.others_began))
    }

    /// A fetched block is what the chain decided. One that was made just now may only have
    /// overtaken the votes for it: then there is nothing to wait for.
    fn on_caught(&mut self, time: Time) {
        let pause = self.config.heal_interval;
        if self.now.wall.saturating_since(time) > pause {
            self.sync.hold.until = self.now.mono.saturating_add(pause);
        }
        if !std::mem::replace(&mut self.sync.hold.caught, true) {
            self.counters.catch_ups += 1;
        }
    }

    /// Asks for what is missing and executes what has come.
    pub(super) fn drive_sync(&mut self) {
        let height = self.cur.height;
        if self.deciding.is_some() || self.cur.machine.decided {
            return;
        }
        if !self.sync.active && !self.sources(height.next()).is_empty() {
            self.begin_sync();
        }
        if !self.sync.active {
            return;
        }
        self.sync.blocks.retain(|of, _| *of >= height);
        self.sync.asked.retain(|of, _| *of >= height);
        if self.sources(height).is_empty() && !self.sync.blocks.contains_key(&height) {
            self.end_sync();
            self.maybe_start();
            return;
        }
        self.take_synced();
        if self.sync.active {
            self.ask_for_blocks();
        }
    }

    fn ask_for_blocks(&mut self) {
        let from = self.cur.height;
        for ahead in 0..self.sync.window {
            let height = from.plus(ahead);
            if self.sync.asked.contains_key(&height) || self.sync.blocks.contains_key(&height) {
                continue;
            }
            let sources = self.sources(height);
            if sources.is_empty() {
                break;
            }
            let peer = sources[self.sync.turn % sources.len()];
            self.sync.turn = self.sync.turn.wrapping_add(1);
            self.sync.asked.insert(height, (peer, self.now.mono));
            self.send(peer, Message::BlockRequest(height));
        }
        if !self.sync.asked.is_empty() && !self.sync.timer {
            self.sync.timer = true;
            let after = self.config.sync_timeout;
            self.act(Action::SetTimer { id: TimerId::Sync, after });
        }
    }

    pub(super) fn on_sync_timer(&mut self) {
        self.sync.timer = false;
        let (now, timeout) = (self.now.mono, self.config.sync_timeout);
        let late: Vec<PeerId> = self
            .sync
            .asked
            .values()
            .filter(|(_, asked)| now.saturating_sub(*asked) >= timeout)
            .map(|(peer, _)| *peer)
            .collect();
        for peer in late {
            self.distrust(peer, Offence::Slow);
        }
        if !self.sync.asked.is_empty() {
            self.sync.timer = true;
            self.act(Action::SetTimer { id: TimerId::Sync, after: timeout });
        }
    }

    fn distrust(&mut self, peer: PeerId, offence: Offence) {
        self.sync.asked.retain(|_, (asked, _)| *asked != peer);
        self.sync.blocks.retain(|_, (from, _)| *from != peer);
        self.sync.distrusted.insert(peer, self.now.mono.saturating_add(DISTRUST));
        self.report(peer, offence);
    }

    pub(super) fn on_no_block(&mut self, peer: PeerId, height: Height) {
        if self.sync.asked.get(&height).is_some_and(|(asked, _)| *asked == peer) {
            // It may have pruned it, or claimed too much: no offence, but it is not asked again.
            self.sync.asked.remove(&height);
            self.sync.distrusted.insert(peer, self.now.mono.saturating_add(DISTRUST));
        }
    }

    pub(super) fn on_block(&mut self, peer: PeerId, response: BlockResponse) {
        let height = response.block.header().height;
        if self.sync.asked.get(&height).is_none_or(|(asked, _)| *asked != peer) {
            self.counters.overflows += 1; // nobody asked, or it comes too late
            return;
        }
        self.sync.asked.remove(&height);
        let bytes = memory_of(&response);
        self.sync.resize(bytes);
        // The next two are needed to go on at all. What has no room is asked for again when the
        // window has come to it once more.
        let beyond = self.cur.height.plus(WINDOW_MIN);
        let waiting = self.sync.waiting_bytes(beyond);
        if height >= beyond && waiting.saturating_add(bytes) > WAITING_BYTES_MAX {
            self.counters.overflows += 1;
            let ahead = height.0.saturating_sub(self.cur.height.0);
            self.sync.window = self.sync.window.min(ahead);
            return;
        }
        self.sync.blocks.insert(height, (peer, response));
    }

    /// Executes the next block, if it is here with a commit.
    fn take_synced(&mut self) {
        let height = self.cur.height;
        let Some((peer, response)) = self.sync.blocks.get(&height) else { return };
        let (peer, block) = (*peer, response.block.clone());
        // Its own height's limit, which is not known before its turn.
        let bytes_max = self.block_bytes_max();
        if block.txs().encoded_len() > bytes_max {
            return self.distrust(peer, TOO_LARGE);
        }
        let commit = response.extended_commit.clone().filter(|commit| commit.height == height);
        let next = self.sync.blocks.get(&height.next());
        let (witness, commit) = match (commit, next) {
            (Some(commit), _) => (peer, commit),
            (None, Some((other, next))) if !self.cur.extended => {
                (*other, ExtendedCommit::without_extensions(next.block.last_commit()))
            }
            (None, _) if self.cur.extended => {
                return self.distrust(peer, Offence::BadBlock("no extended commit"));
            }
            (None, _) => return,
        };
        self.verify_ahead();
        let encoded = block.encode();
        if encoded.len() as u64 > bytes_max {
            return self.distrust(peer, TOO_LARGE);
        }
        let parts = PartSet::of_bytes(encoded);
        let id = block.id(&parts);
        match self.check_synced(&block, id, &commit) {
            Ok(tally) => {
                self.sync.blocks.remove(&height);
                self.on_caught(block.header().time);
                let parts = parts.parts().cloned().map(Arc::new).collect();
                let extended = self.cur.extended;
                let decided = Arc::new(Decided { id, block, parts, commit, extended });
                self.finalize(LastCommit { decided, tally }, true);
            }
            Err(_) => {
                self.distrust(peer, Offence::BadBlock("does not verify"));
                if witness != peer {
                    self.distrust(witness, Offence::BadBlock("its commit does not verify"));
                }
            }
        }
    }

    fn block_bytes_max(&self) -> u64 {
        let max = self.state.consensus_params.block_max_bytes;
        u64::try_from(if max < 0 { BLOCK_SIZE_MAX } else { max }).unwrap_or(0)
    }

    /// Verifies the commits of all blocks that wait and have the validators of this height, in one
    /// batch, which costs a fraction of one by one. Of no consequence if one of them is bad: then
    /// each is verified when its turn comes.
    fn verify_ahead(&mut self) {
        if self.cur.height < self.sync.good_until {
            return;
        }
        let mut signed: Vec<(PublicKey, Vec<u8>, Signature)> = Vec::new();
        let mut next = self.cur.height;
        for (of, (_, response)) in self.sync.blocks.range(self.cur.height..) {
            let is_same_set =
                response.block.header().validators_hash == self.state.validators.hash();
            if *of != next || !is_same_set {
                break;
            }
            if *of > self.cur.height && !self.cur.extended {
                let plain = response.block.last_commit();
                self.add_signed(&ExtendedCommit::without_extensions(plain), &mut signed);
            }
            response.extended_commit.iter().for_each(|own| self.add_signed(own, &mut signed));
            next = next.next();
        }
        self.sync.good_until = next.prev();
        self.sync.good.clear();
        let item = |(key, message, signature): &'_ (PublicKey, Vec<u8>, Signature)| {
            signature_key(&SignedBytes { key, message, signature })
        };
        let batch: Vec<SignedBytes<'_>> = signed
            .iter()
            .map(|(key, message, signature)| SignedBytes { key, message, signature })
            .collect();
        if !batch.is_empty() && self.common.scheme.verify_batch(&batch) {
            self.sync.good = signed.iter().map(item).collect();
        }
    }

    /// The signatures of a commit and of its extensions, with whose they must be.
    fn add_signed(
        &self,
        commit: &ExtendedCommit,
        signed: &mut Vec<(PublicKey, Vec<u8>, Signature)>,
    ) {
        let chain_id = self.common.chain_id.as_str();
        for (index, validator) in self.state.validators.validators().iter().enumerate() {
            let Some(vote) = commit.vote(index) else { continue };
            signed.push((validator.key, vote.sign_bytes(chain_id), vote.signature));
            if !vote.extension_signature.is_empty() {
                let bytes = vote.extension_sign_bytes(chain_id);
                signed.push((validator.key, bytes, vote.extension_signature));
            }
        }
    }

    /// [S-1] Full verification, as if every vote had come by itself.
    fn check_synced(
        &self,
        block: &crate::types::Block,
        id: crate::types::BlockId,
        commit: &ExtendedCommit,
    ) -> Result<Tally, Invalid> {
        let ahead = Ahead { good: &self.sync.good, known: KnownSignatures::of(self) };
        let (scheme, chain_id) = (&ahead, self.common.chain_id.as_str());
        let validators = &self.state.validators;
        self.state.check_block(block, scheme)?;
        let plain = commit.to_commit();
        let check = CommitCheck { scheme, chain_id, validators, commit: &plain };
        check.full(&id, self.cur.height)?;
        commit.check_extensions(self.cur.extended)?;
        let set = Arc::new(validators.clone());
        let mut tally = Tally::new(set, self.common.quorum_minus_one);
        for index in 0..commit.signatures.len() {
            let Some(vote) = commit.vote(index) else { continue };
            let validator = validators.at(vote.validator_index).ok_or(Invalid::NotAValidator)?;
            if validator.address != vote.validator_address {
                return Err(Invalid::AddressMismatch);
            }
            if self.cur.extended {
                vote.verify_extension(scheme, chain_id, &validator.key)?;
            }
            tally.add(vote);
        }
        Ok(tally)
    }
}
