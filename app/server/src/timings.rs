//! How long the engine's calls take: counted where they are answered, read by a scrape.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Upper bounds of the buckets: microseconds, and the seconds that Prometheus is told.
const BOUNDS: [(u64, &str); 10] = [
    (500, "0.0005"),
    (1_000, "0.001"),
    (2_500, "0.0025"),
    (5_000, "0.005"),
    (10_000, "0.01"),
    (20_000, "0.02"),
    (50_000, "0.05"),
    (100_000, "0.1"),
    (500_000, "0.5"),
    (2_000_000, "2"),
];

/// Of the calls that somebody waits for.
#[derive(Debug, Default)]
pub struct Timings {
    /// CheckTx: of all that arrived together.
    pub check_tx: Timing,
    /// FinalizeBlock.
    pub finalize_block: Timing,
    /// Query.
    pub query: Timing,
}

/// Of one call: a histogram.
#[derive(Debug, Default)]
pub struct Timing {
    /// How many took no longer than each bound, and longer than the one before.
    buckets: [AtomicU64; BOUNDS.len()],
    longer: AtomicU64,
    sum_us: AtomicU64,
}

/// A call under way; it is counted when this is dropped.
pub struct Running<'a> {
    timing: &'a Timing,
    since: Instant,
}

impl Timing {
    /// A call begins.
    pub fn start(&self) -> Running<'_> {
        Running { timing: self, since: Instant::now() }
    }

    fn count(&self, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let at = BOUNDS.iter().position(|(bound, _)| took <= *bound);
        let bucket = at.and_then(|at| self.buckets.get(at)).unwrap_or(&self.longer);
        bucket.fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(took, Ordering::Relaxed);
    }

    /// The lines of a scrape.
    fn print(&self, name: &str, call: &str, text: &mut String) {
        let mut total = 0_u64;
        let all = self.buckets.iter().chain([&self.longer]);
        let bounds = BOUNDS.iter().map(|(_, seconds)| *seconds).chain(["+Inf"]);
        for (bucket, bound) in all.zip(bounds) {
            total = total.saturating_add(bucket.load(Ordering::Relaxed));
            // Writing to a String does not fail.
            let _ = writeln!(text, "{name}_bucket{{call=\"{call}\",le=\"{bound}\"}} {total}");
        }
        let sum = Duration::from_micros(self.sum_us.load(Ordering::Relaxed)).as_secs_f64();
        let _ = writeln!(text, "{name}_sum{{call=\"{call}\"}} {sum}");
        let _ = writeln!(text, "{name}_count{{call=\"{call}\"}} {total}");
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.timing.count(self.since.elapsed());
    }
}

impl Timings {
    /// The histograms as a scrape reads them.
    pub fn print(&self, name: &str, text: &mut String) {
        self.check_tx.print(name, "check_tx", text);
        self.finalize_block.print(name, "finalize_block", text);
        self.query.print(name, "query", text);
    }
}

#[cfg(test)]
mod tests;
