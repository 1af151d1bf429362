//! From what was seen to the figures.

use std::time::Duration;

use serde::Serialize;

use crate::calls::Answered;
use crate::load::Sent;
use crate::machine::Machine;
use crate::options::Options;
use crate::push::Comparison;
use crate::usage::{Disk, Usage};

/// What became readable, and when.
pub struct Seen {
    latencies_us: Vec<u64>,
    failed: u64,
    last: Duration,
    blocks: Vec<Duration>,
}

impl Seen {
    /// Nothing yet; room for `total` transactions.
    pub fn new(total: u64) -> Seen {
        let latencies_us = Vec::with_capacity(total as usize);
        Seen { latencies_us, failed: 0, last: Duration::ZERO, blocks: vec![] }
    }

    /// A block became readable.
    pub fn block(&mut self, at: Duration) {
        self.blocks.push(at);
    }

    /// A transaction is in a block, and its result is a refusal.
    pub fn fail(&mut self) {
        self.failed += 1;
    }

    /// A transaction became readable, this long after it was due.
    pub fn commit(&mut self, at: Duration, latency: Duration) {
        self.latencies_us.push(latency.as_micros() as u64);
        self.last = self.last.max(at);
    }

    /// Transactions that did what they say, seen so far.
    pub fn committed(&self) -> u64 {
        self.latencies_us.len() as u64
    }

    /// Transactions in blocks, whatever their result.
    pub fn found(&self) -> u64 {
        self.committed() + self.failed
    }

    /// Time from the start to the last block with a transaction of ours or to the end of the run.
    fn span(&self, seconds: u64) -> f64 {
        self.last.as_secs_f64().max(seconds as f64)
    }
}

#[derive(Serialize)]
struct Latency {
    p50: f64,
    p90: f64,
    p99: f64,
    max: f64,
}

/// The figures of a run.
#[derive(Serialize)]
pub struct Report<'a> {
    kind: String,
    rate: u64,
    batch: u64,
    size: usize,
    seconds: u64,
    /// `accepted` and `refused`; with `unsent` all that was to be sent.
    sent: u64,
    unsent: u64,
    refused: u64,
    /// `committed`, `failed` and `unseen`.
    accepted: u64,
    committed: u64,
    /// In a block with a result other than 0.
    failed: u64,
    /// In no block when the run was over.
    unseen: u64,
    tx_per_s: f64,
    tx_per_cpu_s: f64,
    cpu_us_per_tx: f64,
    engine_cpu_us_per_tx: f64,
    latency_ms: Latency,
    block_interval_ms: f64,
    /// This program's part of the CPU that it and `processes` took; missing when it knows of no
    /// process but its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    bench_cpu_percent: Option<f64>,
    /// How long calls took meanwhile.
    #[serde(rename = "calls_ms", skip_serializing_if = "Option::is_none")]
    pub calls: Option<Answered>,
    #[serde(skip_serializing_if = "Option::is_none")]
    push: Option<Comparison>,
    processes: &'a [Usage],
    /// What each process has on disk.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub disk: Vec<Disk>,
    #[serde(skip_serializing_if = "Option::is_none")]
    machine: Option<&'a Machine>,
}

impl<'a> Report<'a> {
    /// What was sent, what was seen of it, and what it cost.
    pub fn new(options: &Options, sent: &Sent, seen: &Seen, usage: &'a [Usage]) -> Self {
        let mut sorted = seen.latencies_us.clone();
        sorted.sort_unstable();
        let committed = seen.committed() as f64;
        let cpu = |wanted: &dyn Fn(&str) -> bool| -> f64 {
            usage.iter().filter(|process| wanted(&process.name)).map(|process| process.cpu_s).sum()
        };
        let nodes = cpu(&|name| name != "bench");
        let own = cpu(&|name| name == "bench");
        let engines = cpu(&|name| name.starts_with("engine"));
        Report {
            kind: options.kind_name(),
            rate: options.rate(),
            batch: options.batch,
            size: 0,
            seconds: options.seconds(),
            sent: sent.sent,
            unsent: sent.unsent,
            refused: sent.refused,
            accepted: sent.accepted,
            committed: seen.committed(),
            failed: seen.failed,
            unseen: sent.accepted.saturating_sub(seen.found()),
            tx_per_s: round(committed / seen.span(options.seconds())),
            tx_per_cpu_s: round(ratio(committed, nodes)),
            cpu_us_per_tx: round(ratio(nodes * 1e6, committed)),
            engine_cpu_us_per_tx: round(ratio(engines * 1e6, committed)),
            latency_ms: Latency {
                p50: percentile(&sorted, 50),
                p90: percentile(&sorted, 90),
                p99: percentile(&sorted, 99),
                max: percentile(&sorted, 100),
            },
            block_interval_ms: block_interval_ms(&seen.blocks),
            bench_cpu_percent: (nodes > 0.0).then(|| round(own * 100.0 / (own + nodes))),
            calls: None,
            push: None,
            processes: usage,
            disk: Vec::new(),
            machine: None,
        }
    }

    /// The bytes of a transaction, the scale of the machine, and pushes beside plain ones.
    pub fn with(mut self, size: usize, machine: &'a Machine, push: Option<Comparison>) -> Self {
        self.size = size;
        self.machine = Some(machine);
        self.push = push;
        self
    }

    /// What the figures suffer from, if they do.
    pub fn warning(&self) -> Option<String> {
        let percent = self.bench_cpu_percent.filter(|percent| *percent >= BENCH_CPU_PERCENT_MAX)?;
        Some(format!("the load itself took {percent} % of the CPU, which the network did not have"))
    }
}

/// What a process takes at rest.
#[derive(Debug, Serialize)]
struct Resting {
    name: String,
    /// CPU in percent of one core.
    core_percent: f64,
    /// Resident memory in megabytes (10^6 bytes).
    rss_mb: f64,
}

/// What all processes take at rest.
#[derive(Debug, Serialize)]
pub struct Idle {
    seconds: f64,
    processes: Vec<Resting>,
}

impl Idle {
    /// From what each used in `span`.
    pub fn new(span: Duration, usage: &[Usage]) -> Idle {
        let seconds = span.as_secs_f64();
        let resting = |usage: &Usage| Resting {
            name: usage.name.clone(),
            core_percent: (usage.cpu_s / seconds * 1e4).round() / 1e2,
            rss_mb: usage.rss_mb,
        };
        Idle { seconds: round(seconds), processes: usage.iter().map(resting).collect() }
    }
}

/// Figures that are not of a load, with the scale of the machine.
#[derive(Serialize)]
pub struct Scaled<'a, T> {
    kind: String,
    #[serde(flatten)]
    figures: T,
    machine: &'a Machine,
}

impl<'a, T> Scaled<'a, T> {
    /// As they were measured on `machine`.
    pub fn new(options: &Options, machine: &'a Machine, figures: T) -> Self {
        Scaled { kind: options.kind_name(), figures, machine }
    }
}

/// A load that takes more of the CPU measures itself.
const BENCH_CPU_PERCENT_MAX: f64 = 10.0;

fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

/// To one decimal.
pub fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// In milliseconds; 0 when nothing was seen.
pub fn percentile(sorted_us: &[u64], percent: usize) -> f64 {
    if sorted_us.is_empty() {
        return 0.0;
    }
    let rank = (sorted_us.len() * percent).div_ceil(100).max(1) - 1;
    round(sorted_us[rank] as f64 / 1e3)
}

/// Mean time between blocks in milliseconds.
fn block_interval_ms(blocks: &[Duration]) -> f64 {
    match (blocks.first(), blocks.last()) {
        (Some(first), Some(last)) if blocks.len() > 1 => {
            round((*last - *first).as_secs_f64() * 1e3 / (blocks.len() - 1) as f64)
        }
        _ => 0.0,
    }
}
