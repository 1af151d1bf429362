//! Small faults of the machine under a node: its signer, its application, its disk, its clock.
use crate::world::World;

impl World {
    /// How long the signer takes, and whether it refuses.
    pub(crate) fn signer_mood(&mut self) -> (u64, bool) {
        let mut after = self.rng.below(300);
        if self.faults.is_over() {
            return (after, false);
        }
        if self.rng.chance(10) {
            self.totals.count("signer slow");
            after += self.rng.between(50_000, 600_000);
        }
        let refuses = self.rng.chance(10);
        self.totals.add("signer refused", u64::from(refuses));
        (after, refuses)
    }

    /// How long the application takes for a call.
    pub(crate) fn answer_delay(&mut self) -> u64 {
        let after = self.rng.between(20, 2_000);
        if self.faults.is_over() || !self.rng.chance(5) {
            return after;
        }
        self.totals.count("application slow");
        after + self.rng.between(100_000, 1_500_000)
    }

    /// Whether a sync fails: then the node stops, and nobody knows what is on its disk.
    pub(crate) fn fsync_fails(&mut self) -> bool {
        let may = !self.faults.is_over() && self.plan.crashes > 0;
        let fails = may && self.rng.below(10_000) < 10;
        self.totals.add("fsync error", u64::from(fails));
        fails
    }

    /// The wall clock of a node is set, forward or back.
    pub(crate) fn step_clock(&mut self, node: usize) {
        let most = self.plan.skew_ms * 3_000;
        if most > 0 {
            self.totals.count("clock step");
            self.nodes[node].skew_us = self.rng.below(most);
        }
    }
}
