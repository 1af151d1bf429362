//! Faults, clients and changes of the validator set: what happens to the world from outside.
use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use bytes::Bytes;
use guts_consensus::io::{ClientRequest, Input, Ticket};

use crate::node::Node;
use crate::plan::{Options, Topology};
use crate::world::{Event, POWER, World};

/// What is broken now, and what changes were asked for.
pub(crate) struct Faults {
    /// Directed pairs between which nothing gets through, by partition.
    cuts: BTreeMap<u64, BTreeSet<(usize, usize)>>,
    partitions: u64,
    /// Connections on which bits were changed.
    corrupted: BTreeSet<u64>,
    over: bool,
    txs: u64,
    tickets: u64,
    /// Power of each node as asked for; zero: no validator.
    powers: Vec<u64>,
}

/// What of an output a node dies before.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Boundary {
    Record,
    Action,
}

impl Faults {
    /// Nothing broken yet.
    pub(crate) fn new(options: &Options, nodes: usize) -> Faults {
        let power = |index| if index < options.nodes { POWER } else { 0 };
        Faults {
            cuts: BTreeMap::new(),
            partitions: 0,
            corrupted: BTreeSet::new(),
            over: false,
            txs: 0,
            tickets: 0,
            powers: (0..nodes).map(power).collect(),
        }
    }

    /// Whether the liveness phase has begun.
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    /// Whether a partition stops messages on this way.
    pub(crate) fn is_cut(&self, from: usize, to: usize) -> bool {
        self.cuts.values().any(|cut| cut.contains(&(from, to)))
    }

    /// Bits were changed on a connection: what is reported on it is nobody's fault.
    pub(crate) fn note_corruption(&mut self, link: u64) {
        self.corrupted.insert(link);
    }

    /// Whether bits were changed on a connection.
    pub(crate) fn is_corrupted(&self, link: u64) -> bool {
        self.corrupted.contains(&link)
    }

    /// A partition ends.
    pub(crate) fn end_partition(&mut self, number: u64) {
        self.cuts.remove(&number);
    }
}

impl World {
    /// Where a crash comes in an output with so many boundaries.
    pub(crate) fn crash_point(&mut self, boundaries: usize) -> Option<usize> {
        let may = !self.faults.is_over() && boundaries > 0 && self.plan.crashes > 0;
        (may && self.rng.below(10_000) < self.plan.crashes).then(|| self.rng.index(boundaries))
    }

    /// A node dies at a boundary of its output; sometimes all do, the others wherever they are.
    pub(crate) fn crash_at(&mut self, node: usize, boundary: Boundary) {
        let (one, all) = match boundary {
            Boundary::Record => ("crash before a record", "crash of all before a record"),
            Boundary::Action => ("crash before an action", "crash of all before an action"),
        };
        if !self.rng.chance(150) {
            self.totals.count(one);
            return self.crash(node);
        }
        self.totals.count(all);
        self.crash_all();
    }

    fn crash_all(&mut self) {
        let power_cut = self.rng.chance(500);
        (0..self.nodes.len()).for_each(|node| self.crash_as(node, power_cut));
    }

    /// The engine of a node dies; sometimes the machine, with the application.
    pub(crate) fn crash(&mut self, node: usize) {
        let power_cut = self.rng.chance(400);
        self.crash_as(node, power_cut);
    }

    fn crash_as(&mut self, node: usize, power_cut: bool) {
        if !self.nodes[node].is_up() {
            return;
        }
        let in_group = self.nodes[node].grouped > 1;
        self.totals.add("crash inside a group commit", u64::from(in_group));
        self.nodes[node].stop();
        if power_cut {
            self.totals.count("power cut (engine and application)");
            self.nodes[node].app = None;
            self.nodes[node].calls.clear();
            self.maybe_roll_back(node);
        } else {
            // The application still runs what is in its socket, up to some point.
            let run = self.rng.index(self.nodes[node].calls.len() + 1);
            (0..run).for_each(|_| self.call(node));
            self.nodes[node].calls.clear();
        }
        let loss = self.nodes[node].disk.crash(&mut self.rng);
        self.totals.add("unsynced record lost", loss.records);
        self.totals.add("torn log tail", u64::from(loss.torn));
        let others: Vec<usize> = self.nodes[node].links.keys().copied().collect();
        others.into_iter().for_each(|other| self.disconnect(node, other));
        let after = self.rng.between(10_000, 4_000_000);
        self.schedule(after, Event::Start(node));
    }

    /// An application's disk may lag behind what it answered to Commit.
    fn maybe_roll_back(&mut self, node: usize) {
        let count = match self.rng.below(10) {
            0..=5 => return,
            6..=8 => self.rng.between(1, 3) as usize,
            _ => usize::MAX,
        };
        let lost = self.nodes[node].store.roll_back(count);
        self.totals.add("application rolled back", u64::from(lost > 0));
    }

    /// One of the larger faults.
    pub(crate) fn on_fault_due(&mut self) {
        if self.faults.is_over() {
            return;
        }
        let mean = self.plan.fault_interval_ms * 1000;
        let after = self.rng.between(mean / 4, mean * 2);
        self.schedule(after, Event::Fault);
        let node = self.rng.index(self.nodes.len());
        match self.rng.below(13) {
            12 => self.step_clock(node),
            0..=2 => self.partition(false),
            3..=4 => self.partition(true),
            5..=6 => {
                let other = self.rng.index(self.nodes.len());
                if self.nodes[node].links.contains_key(&other) {
                    self.totals.count("connection dropped");
                    self.disconnect(node, other);
                    let after = self.rng.between(20_000, 1_000_000);
                    self.schedule(after, Event::Connect(node, other));
                }
            }
            7 => self.restart_app(node),
            8..=9 if self.plan.crashes > 0 => self.crash(node),
            10 if self.plan.crashes > 0 && self.rng.chance(400) => {
                self.totals.count("crash of all");
                self.crash_all();
            }
            _ => {}
        }
    }

    fn partition(&mut self, one_way: bool) {
        let count = self.nodes.len();
        let mut inside = BTreeSet::from([self.rng.index(count)]);
        while inside.len() < count / 2 && self.rng.chance(500) {
            inside.insert(self.rng.index(count));
        }
        let mut cut = BTreeSet::new();
        for &a in &inside {
            for b in (0..count).filter(|b| !inside.contains(b)) {
                cut.insert((a, b));
                if !one_way {
                    cut.insert((b, a));
                }
            }
        }
        self.totals.count(if one_way { "one-way partition" } else { "partition" });
        self.faults.partitions += 1;
        let number = self.faults.partitions;
        self.faults.cuts.insert(number, cut);
        let after = self.rng.between(200_000, 8_000_000);
        self.schedule(after, Event::EndPartition(number));
    }

    fn restart_app(&mut self, node: usize) {
        if !self.nodes[node].is_up() || self.nodes[node].app.is_none() {
            return;
        }
        self.totals.count("application restarted");
        self.nodes[node].app = None;
        self.nodes[node].calls.clear();
        self.maybe_roll_back(node);
        let (life, after) = (self.nodes[node].life, self.rng.between(10_000, 1_500_000));
        self.schedule(after, Event::AppStart { node, life });
        self.step(node, Input::AppDown);
    }

    /// A client hands a transaction to a node.
    pub(crate) fn on_client_due(&mut self) {
        let after = self.rng.between(20_000, 400_000);
        self.schedule(after, Event::Client);
        self.faults.txs += 1;
        let (number, node) = (self.faults.txs, self.rng.index(self.nodes.len()));
        let tx = Bytes::from(format!("key{number}={}", self.rng.below(1_000)));
        self.submit(node, tx);
    }

    fn submit(&mut self, node: usize, tx: Bytes) {
        self.checkers.on_submitted(&tx);
        self.faults.tickets += 1;
        let ticket = Ticket(self.faults.tickets);
        self.step(node, Input::Client { ticket, request: ClientRequest::SubmitTx(tx) });
    }

    /// Somebody joins, leaves, or changes in power. A villain keeps its power, and stays below a
    /// third: of what was asked for, and of what may still be in force.
    pub(crate) fn on_validator_change_due(&mut self) {
        let after = self.rng.between(3_000_000, 8_000_000);
        self.schedule(after, Event::ValidatorChange);
        if self.faults.is_over() {
            return;
        }
        let node = self.rng.index(self.nodes.len());
        if self.nodes[node].villain.is_some() {
            return;
        }
        let choices = [0, POWER / 2, POWER, POWER * 2];
        let power = choices[self.rng.index(choices.len())];
        let mut powers = self.faults.powers.clone();
        powers[node] = power;
        let total: u64 = powers.iter().sum();
        let evil: u64 = (0..powers.len())
            .filter(|index| self.nodes[*index].villain.is_some())
            .map(|index| powers[index])
            .sum();
        // No single node may be a third, lest its absence be enough to stop the chain.
        let largest = powers.iter().max().copied().unwrap_or(0);
        if evil * 3 >= total || largest * 3 >= total {
            return;
        }
        self.faults.powers = powers;
        let key = base64::engine::general_purpose::STANDARD.encode(self.nodes[node].key.as_bytes());
        let tx = Bytes::from(format!("val=ed25519!{key}!{power}"));
        for to in 0..self.nodes.len() {
            self.submit(to, tx.clone());
        }
    }

    /// The faults are over: everybody is up and reachable, but for one at most, whom the others
    /// can do without. With a villain of a quarter of the power there is no such one.
    pub(crate) fn heal(&mut self) {
        self.faults.over = true;
        self.faults.cuts.clear();
        let frozen = self.freezable();
        for node in 0..self.nodes.len() {
            if Some(node) == frozen {
                self.totals.count("frozen node");
                self.nodes[node].frozen = true;
                self.crash_as(node, false);
                continue;
            }
            if self.nodes[node].is_up() && self.nodes[node].app.is_none() {
                let life = self.nodes[node].life;
                self.schedule(0, Event::AppStart { node, life });
            }
            self.schedule(0, Event::Start(node));
        }
        for a in 0..self.nodes.len() {
            (0..a).for_each(|b| self.schedule(200_000, Event::Connect(a, b)));
        }
    }

    /// A validator that the others can do without, in a mesh.
    fn freezable(&mut self) -> Option<usize> {
        // In a ring or a line the others would be without their connections.
        if self.plan.topology != Topology::Mesh || self.rng.chance(250) {
            return None;
        }
        let next = self.checkers.validators(self.checkers.height().next())?;
        let votes = |node: &Node| next.by_address(&node.address).is_some();
        let may = |index: &usize| {
            let node = &self.nodes[*index];
            node.villain.is_none() && votes(node) && self.can_do_without(*index)
        };
        let choices: Vec<usize> = (0..self.nodes.len()).filter(may).collect();
        (!choices.is_empty()).then(|| choices[self.rng.index(choices.len())])
    }

    /// Whether more than two thirds of the power is left without a node and without the villains,
    /// in the heights whose validators are decided.
    fn can_do_without(&self, node: usize) -> bool {
        let height = self.checkers.height();
        let sets = [height.next(), height.plus(2)].map(|at| self.checkers.validators(at));
        sets.into_iter().all(|set| {
            set.is_some_and(|set| {
                let missing =
                    |index: &usize| *index == node || self.nodes[*index].villain.is_some();
                let missing: u64 = (0..self.nodes.len())
                    .filter(missing)
                    .filter_map(|index| set.by_address(&self.nodes[index].address))
                    .map(|(_, validator)| validator.power.0)
                    .sum();
                let total = set.total_power().0;
                (total - missing) * 3 > total * 2
            })
        })
    }

    /// A change that was still on its way makes the frozen node needed from the height after the
    /// next: it starts, as the others could not go on without it.
    pub(crate) fn thaw_if_needed(&mut self) {
        let Some(node) = self.nodes.iter().position(|node| node.frozen) else { return };
        if !self.can_do_without(node) {
            self.totals.count("frozen node needed again");
            self.nodes[node].frozen = false;
            self.schedule(0, Event::Start(node));
        }
    }
}
