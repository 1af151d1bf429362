//! CPU time and memory of processes, from `/proc`; bytes on disk of their directories.

use std::path::{Path, PathBuf};

use guts_localnet::process::cpu_time;
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

/// What is on disk.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Disk {
    /// Of which process.
    pub name: String,
    /// Megabytes (10^6 bytes) that its directory takes.
    pub mb: f64,
    /// By how much it grew.
    pub grown_mb: f64,
}

/// Bytes on disk of each directory: blocks that are taken, not lengths of files.
pub fn on_disk(dirs: &[(String, PathBuf)]) -> Vec<u64> {
    dirs.iter().map(|(_, dir)| taken(dir)).collect()
}

fn taken(path: &Path) -> u64 {
    /// Bytes of a block, as files count them.
    const BLOCK: u64 = 512;
    // A database drops files while they are looked at.
    let Ok(found) = std::fs::symlink_metadata(path) else { return 0 };
    let own = std::os::unix::fs::MetadataExt::blocks(&found).saturating_mul(BLOCK);
    let entries = if found.is_dir() { std::fs::read_dir(path).ok() } else { None };
    let below = entries.into_iter().flatten().flatten().map(|entry| taken(&entry.path()));
    below.fold(own, u64::saturating_add)
}

/// What the directories take after a run, and by how much they grew in it.
pub fn grown(dirs: &[(String, PathBuf)], before: &[u64]) -> Vec<Disk> {
    let mb = |bytes: f64| (bytes / 1e5).round() / 10.0;
    let after = on_disk(dirs);
    let both = before.iter().zip(after);
    let disk = |((name, _), (before, after)): (&(String, _), (&u64, u64))| Disk {
        name: name.clone(),
        mb: mb(after as f64),
        grown_mb: mb(after as f64 - *before as f64),
    };
    dirs.iter().zip(both).map(disk).collect()
}

/// Totals since each process started, this one last.
pub fn sample(processes: &[Process]) -> Vec<Usage> {
    let own = Process { name: "bench".to_string(), pid: std::process::id() };
    processes.iter().chain([&own]).map(usage).collect()
}

fn usage(process: &Process) -> Usage {
    let status =
        std::fs::read_to_string(format!("/proc/{}/status", process.pid)).unwrap_or_default();
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok())
        .unwrap_or(0.0);
    Usage {
        name: process.name.clone(),
        cpu_s: cpu_time(process.pid).as_secs_f64(),
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
