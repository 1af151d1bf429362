//! Rounds ahead of the next one that validators have opened with their votes.
//!
//! What a validator says of a round that nobody else speaks of is kept, written down, passed on
//! and, extended, shown to the application. So of such rounds each validator keeps a few at a time
//! and opens so many while this node is in one round. Those of an honest majority are in the same
//! rounds, and make this node skip to them.
use std::collections::BTreeMap;

use guts_genesis::Round;

/// Rounds that one validator may keep open.
const KEPT_MAX: usize = 2;
/// Rounds that one validator may open while this node is in one round.
const OPENINGS_MAX: u32 = 64;

#[derive(Clone, Debug, Default)]
struct Opened {
    kept: Vec<Round>,
    /// Those that gave way, or that the application refused, included.
    count: u32,
}

/// See the module. By the places of the validators.
#[derive(Clone, Debug, Default)]
pub struct Ahead(BTreeMap<u32, Opened>);

impl Ahead {
    /// Whether a validator may keep this round besides, or instead of, those that it keeps.
    pub fn has_room(&self, index: u32, round: Round) -> bool {
        self.0.get(&index).is_none_or(|opened| {
            opened.kept.len() < KEPT_MAX || opened.kept.iter().any(|kept| *kept < round)
        })
    }

    /// Whether a validator has opened as many rounds as it may. Not asked of votes that were
    /// counted before a restart.
    pub fn is_spent(&self, index: u32) -> bool {
        self.0.get(&index).is_some_and(|opened| opened.count >= OPENINGS_MAX)
    }

    /// A validator opens a round for which there is room. Gives back the one that gives way, its
    /// lowest: the others of an honest majority will be in the highest.
    pub fn open(&mut self, index: u32, round: Round) -> Option<Round> {
        let opened = self.0.entry(index).or_default();
        let is_full = opened.kept.len() >= KEPT_MAX;
        let lowest = opened.kept.iter().min().copied().filter(|_| is_full);
        opened.kept.retain(|kept| Some(*kept) != lowest);
        opened.kept.push(round);
        assert!(opened.kept.len() <= KEPT_MAX, "what is kept of rounds ahead is bounded");
        opened.count = opened.count.saturating_add(1);
        lowest
    }

    /// A validator would have opened a round, had the application not refused its vote.
    pub fn on_refused(&mut self, index: u32) {
        let opened = self.0.entry(index).or_default();
        opened.count = opened.count.saturating_add(1);
    }

    /// This node enters a round.
    pub fn on_round(&mut self, round: Round) {
        for opened in self.0.values_mut() {
            opened.kept.retain(|kept| *kept > round);
            opened.count = 0;
        }
    }
}
