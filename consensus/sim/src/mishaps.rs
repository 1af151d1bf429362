//! Small faults of the machine under a node: its signer, its application, its disk, its clock.
use guts_consensus::io::Output;

use crate::world::{Event, World};

impl World {
    /// An output is written and acted upon, with those before it that were held; or it is held
    /// until more inputs have come, as a shell does that takes several inputs in one go.
    pub(crate) fn take_output(&mut self, node: usize, output: Output) {
        self.nodes[node].grouped += 1;
        let held = &mut self.nodes[node].held;
        held.records.extend(output.records);
        held.sync |= output.sync;
        held.actions.extend(output.actions);
        if !self.faults.is_over() && self.rng.chance(60) {
            self.totals.count("group commit");
            let (life, after) = (self.nodes[node].life, self.rng.below(2_000));
            return self.schedule(after, Event::Flush { node, life });
        }
        self.end_group(node);
    }

    /// What was held is written, synced once and acted upon.
    pub(crate) fn end_group(&mut self, node: usize) {
        let group = std::mem::take(&mut self.nodes[node].held);
        self.perform(node, group);
        self.nodes[node].grouped = 0;
    }

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

    /// Whether a flipped bit in the node's log would be noticed.
    pub(crate) fn check_bit_rot(&mut self, node: usize) -> bool {
        let noticed = self.nodes[node].disk.try_bit_rot(&mut self.rng);
        self.totals.add("bit rot noticed", u64::from(noticed == Some(true)));
        noticed != Some(false)
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
