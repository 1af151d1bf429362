//! CPU time and memory of processes, from `/proc`.

use serde::Serialize;

/// A process to account for.
#[derive(Clone, Debug)]
pub struct Process {
    /// Its name in the report.
    pub name: String,
    /// Its id.
    pub pid: u32,
}

/// What a process used.
#[derive(Clone, Debug, Serialize)]
pub struct Usage {
    /// Its name.
    pub name: String,
    /// Seconds of CPU, user and system.
    pub cpu_s: f64,
    /// Resident memory in megabytes (10^6 bytes).
    pub rss_mb: f64,
}

/// Clock ticks a second of `/proc`: fixed on Linux.
const TICKS_PER_S: f64 = 100.0;

/// Totals since each process started, this one last.
pub fn sample(processes: &[Process]) -> Vec<Usage> {
    let own = Process { name: "bench".to_string(), pid: std::process::id() };
    processes.iter().chain([&own]).map(usage).collect()
}

fn usage(process: &Process) -> Usage {
    let read = |file: &str| {
        std::fs::read_to_string(format!("/proc/{}/{file}", process.pid)).unwrap_or_default()
    };
    let stat = read("stat");
    let fields: Vec<&str> = stat
        .rsplit_once(')')
        .map(|(_, rest)| rest.split_whitespace().collect())
        .unwrap_or_default();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    let status = read("status");
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok())
        .unwrap_or(0.0);
    Usage {
        name: process.name.clone(),
        cpu_s: (ticks(11) + ticks(12)) / TICKS_PER_S,
        rss_mb: kib * 1024.0 / 1e6,
    }
}

/// CPU between two samples; memory of the later one.
pub fn difference(before: &[Usage], after: &[Usage]) -> Vec<Usage> {
    let pair = |(before, after): (&Usage, &Usage)| Usage {
        cpu_s: after.cpu_s - before.cpu_s,
        ..after.clone()
    };
    before.iter().zip(after).map(pair).collect()
}
