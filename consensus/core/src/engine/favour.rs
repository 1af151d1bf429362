//! What one peer gets of us between two heal ticks, at most.
//!
//! Some small messages ask for large answers. A correct node asks when it comes, when it can use
//! what it hears and when it waits, so a few answers in an interval do for it; what it misses
//! beyond them it asks for in the next. One that asks again and again costs no more than that.

/// Something done for a peer because of what it said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Favour {
    /// Telling it what we have, so that it sends what we lack.
    Ask,
    /// The last block, whole. Beyond the limit it waits its turn, as for older blocks.
    LastBlock,
    /// The votes of a round that it does not have.
    Votes,
    /// The parts of a block that it does not have.
    Parts,
    /// Which votes we have.
    Bits,
}

impl Favour {
    const COUNT: usize = 5;

    /// The table. Two intervals of the peer's overlap with one of ours.
    const fn per_interval_max(self) -> u8 {
        match self {
            Favour::Ask | Favour::LastBlock => 3,
            // For each time it asks: one block, as a rule.
            Favour::Parts => 2 * Favour::Ask.per_interval_max(),
            // Prevotes and precommits.
            Favour::Votes | Favour::Bits => 4 * Favour::Ask.per_interval_max(),
        }
    }
}

/// What a peer has had since the last heal tick.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Had([u8; Favour::COUNT]);

impl Had {
    /// Whether there are no more in this interval.
    pub(super) fn is_spent(&self, favour: Favour) -> bool {
        self.0[favour as usize] >= favour.per_interval_max()
    }

    /// Counts one more; false if there are no more in this interval.
    pub(super) fn take(&mut self, favour: Favour) -> bool {
        let may = !self.is_spent(favour);
        let had = &mut self.0[favour as usize];
        *had += u8::from(may);
        assert!(*had <= favour.per_interval_max(), "{favour:?} is bounded");
        may
    }
}
