//! What a run saw, and what a batch of runs must have seen.
use std::collections::BTreeMap;
use std::fmt;

/// A rule that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The seed that shows it.
    pub seed: u64,
    /// Virtual milliseconds since the start.
    pub at_ms: u64,
    /// What happened.
    pub what: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}: at {} ms: {}", self.seed, self.at_ms, self.what)
    }
}

/// How often each thing happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals(BTreeMap<&'static str, u64>);

/// What a batch of a hundred seeds or more must have seen at least once.
pub const EXPECTED: [&str; 43] = [
    "message lost",
    "message doubled",
    "message held up",
    "partition",
    "one-way partition",
    "connection dropped",
    "crash before a record",
    "crash before an action",
    "crash of all",
    "crash of all before a record",
    "crash of all before an action",
    "frozen node",
    "power cut (engine and application)",
    "unsynced record lost",
    "torn log tail",
    "application restarted",
    "application rolled back",
    "equivocating vote",
    "equivocating proposal",
    "withheld message",
    "message passed on",
    "group commit",
    "crash inside a group commit",
    "two villains",
    "bit rot noticed",
    "corrupt bytes",
    "fsync error",
    "clock step",
    "signer refused",
    "application slow",
    "proposal declined",
    "amnesiac validator",
    "withheld part",
    "invalid part",
    "flooding vote",
    "vote of the last round",
    "garbage extension",
    "forged evidence",
    "claimed height",
    "validator change",
    "round above 0",
    "evidence in a block",
    "catch-up",
];

impl Totals {
    /// Counts one.
    pub fn count(&mut self, what: &'static str) {
        self.add(what, 1);
    }

    /// Counts many.
    pub fn add(&mut self, what: &'static str, n: u64) {
        *self.0.entry(what).or_default() += n;
    }

    /// How often something happened.
    pub fn of(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or(0)
    }

    /// Adds another run's.
    pub fn merge(&mut self, other: &Totals) {
        other.0.iter().for_each(|(what, n)| self.add(what, *n));
    }

    /// What was to be seen and was not.
    pub fn missing(&self) -> Vec<&'static str> {
        EXPECTED.into_iter().filter(|what| self.of(what) == 0).collect()
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(what, n)| writeln!(f, "{n:>12}  {what}"))
    }
}

/// The end of a run.
#[derive(Clone, Debug)]
pub struct Report {
    /// How often each thing happened.
    pub totals: Totals,
    /// What broke, if anything did.
    pub failure: Option<Failure>,
    /// A digest of everything that was decided and when: equal runs have equal ones.
    pub digest: [u8; 32],
}
