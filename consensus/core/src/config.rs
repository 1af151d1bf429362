//! Node settings of the engine: pacing, mempool, sync. Nobody else validates them.
use std::time::Duration;

/// A rule broken on purpose, so that the simulator can show that it would notice. Two others are
/// its own: a shell that acts before records are durable, and a protocol that forgets its lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Canary {
    /// Take one validator less than a quorum for a quorum (breaks [S-1]).
    QuorumMinusOne,
}

/// Settings of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// How rounds are timed and when blocks are made.
    pub pacing: Pacing,
    /// What the mempool takes.
    pub mempool: MempoolLimits,
    /// How often lost messages are looked for (`NewRoundStep` is repeated): 1 s.
    pub heal_interval: Duration,
    /// After how long a request for a block goes to another peer: 5 s.
    pub sync_timeout: Duration,
    /// Audit the whole state after each step: for simulators.
    pub audit: bool,
    /// For simulators.
    pub canary: Option<Canary>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            pacing: Pacing::default(),
            mempool: MempoolLimits::default(),
            heal_interval: Duration::from_secs(1),
            sync_timeout: Duration::from_secs(5),
            audit: false,
            canary: None,
        }
    }
}

/// Timeouts under CometBFT's names, and when to make blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pacing {
    /// How long to wait for a proposal in round 0.
    pub timeout_propose: Duration,
    /// How much longer in each further round.
    pub timeout_propose_delta: Duration,
    /// How long to wait for more prevotes when two thirds are there but split.
    pub timeout_prevote: Duration,
    /// How much longer in each further round.
    pub timeout_prevote_delta: Duration,
    /// How long to wait for more precommits when two thirds are there but split.
    pub timeout_precommit: Duration,
    /// How much longer in each further round.
    pub timeout_precommit_delta: Duration,
    /// The pause after a block; zero: none. Late precommits are collected until the next
    /// proposal in any case.
    pub timeout_commit: Duration,
    /// Make blocks although there is nothing to put in them.
    pub create_empty_blocks: bool,
    /// Make one after this time in any case; zero: never.
    pub create_empty_blocks_interval: Duration,
}

impl Default for Pacing {
    fn default() -> Pacing {
        Pacing {
            timeout_propose: Duration::from_secs(3),
            timeout_propose_delta: Duration::from_millis(500),
            timeout_prevote: Duration::from_secs(1),
            timeout_prevote_delta: Duration::from_millis(500),
            timeout_precommit: Duration::from_secs(1),
            timeout_precommit_delta: Duration::from_millis(500),
            timeout_commit: Duration::ZERO,
            create_empty_blocks: false,
            create_empty_blocks_interval: Duration::from_secs(30),
        }
    }
}

/// Bounds of the mempool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MempoolLimits {
    /// Transactions at which it is full for clients: 20,000. For peers it is at twice as many.
    pub txs_max: u64,
    /// The same of the bytes of all of them: 32 MiB.
    pub bytes_max: u64,
    /// Bytes of one at most: 1 MiB.
    pub tx_bytes_max: u64,
    /// Hashes of transactions seen, remembered so as not to check them again: 80,000.
    pub cache_max: u64,
}

impl Default for MempoolLimits {
    fn default() -> MempoolLimits {
        MempoolLimits {
            txs_max: 20_000,
            bytes_max: 32 << 20,
            tx_bytes_max: 1 << 20,
            cache_max: 80_000,
        }
    }
}
