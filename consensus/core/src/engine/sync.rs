//! Blocks that others decided without us.
//!
//! There is no mode to switch: a node that sees that it is behind asks peers for the blocks of the
//! heights to come, and a block that verifies is a decision like one of its own rounds. So falling
//! behind and catching up need no restart, and a peer that claims a height it does not have costs
//! one unanswered request. While blocks are coming, no round is begun.
//!
//! A block is taken only if it is a next block of the state and its commit, every signature of it,
//! verifies against the validators of its height in their places; where precommits are extended,
//! so must be those of the commit, and every extension's signature counts.
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use guts_genesis::Height;

use super::{Action, Engine, LastCommit, TimerId};
use crate::height::Tally;
use crate::io::{Decided, Offence, PeerId};
use crate::messages::{BlockResponse, Message};
use crate::types::{CommitCheck, ExtendedCommit, Invalid};

/// Blocks asked for ahead.
const WINDOW: u64 = 16;
/// How long a peer that did not serve a block is not asked again.
const DISTRUST: Duration = Duration::from_secs(10);

/// The state of catching up.
#[derive(Clone, Debug, Default)]
pub(super) struct Sync {
    active: bool,
    asked: BTreeMap<Height, (PeerId, Duration)>,
    blocks: BTreeMap<Height, (PeerId, BlockResponse)>,
    distrusted: BTreeMap<PeerId, Duration>,
    timer: bool,
    /// The height at the last heal tick.
    seen_at: Height,
    turn: usize,
}

impl Sync {
    pub(super) fn is_active(&self) -> bool {
        self.active
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
        self.sync.asked.retain(|_, (asked, _)| *asked != peer);
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
        self.counters.catch_ups += 1;
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
            self.sync =
                Sync { distrusted: std::mem::take(&mut self.sync.distrusted), ..Sync::default() };
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
        for ahead in 0..WINDOW {
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
        self.sync.blocks.insert(height, (peer, response));
    }

    /// Executes the next block, if it is here with a commit.
    fn take_synced(&mut self) {
        let height = self.cur.height;
        let Some((peer, response)) = self.sync.blocks.get(&height) else { return };
        let (peer, block) = (*peer, response.block.clone());
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
        let parts = block.part_set();
        let id = block.id(&parts);
        match self.check_synced(&block, id, &commit) {
            Ok(tally) => {
                self.sync.blocks.remove(&height);
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

    /// [S-1] Full verification, as if every vote had come by itself.
    fn check_synced(
        &self,
        block: &crate::types::Block,
        id: crate::types::BlockId,
        commit: &ExtendedCommit,
    ) -> Result<Tally, Invalid> {
        let (scheme, chain_id) = (self.common.scheme.as_ref(), self.common.chain_id.as_str());
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
