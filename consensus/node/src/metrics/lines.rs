//! The text of a scrape, and the histograms in it.

use super::{Kind, TABLE};
use std::collections::BTreeMap;
use std::fmt::{Display, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

#[cfg(test)]
mod tests;

/// Spans of time, counted by how long they are. Counting one takes no lock.
#[derive(Debug)]
pub(super) struct Histogram {
    /// Upper bounds of the buckets, rising.
    bounds: &'static [f64],
    /// Of the bounds, in a second.
    units: f64,
    /// By bucket; the last is for what is above all bounds.
    counts: Vec<AtomicU64>,
    sum_ns: AtomicU64,
}

impl Histogram {
    /// One whose bounds are in seconds.
    pub(super) fn new(bounds: &'static [f64]) -> Histogram {
        Histogram::in_units(bounds, 1.0)
    }

    /// One whose bounds are in milliseconds.
    pub(super) fn of_ms(bounds: &'static [f64]) -> Histogram {
        Histogram::in_units(bounds, 1_000.0)
    }

    fn in_units(bounds: &'static [f64], units: f64) -> Histogram {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Histogram { bounds, units, counts, sum_ns: AtomicU64::new(0) }
    }

    pub(super) fn observe(&self, span: Duration) {
        let value = span.as_secs_f64() * self.units;
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        let nanos = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        self.sum_ns.fetch_add(nanos, Ordering::Relaxed);
    }

    fn is_empty(&self) -> bool {
        self.counts.iter().all(|count| count.load(Ordering::Relaxed) == 0)
    }
}

/// The lines of a scrape, by metric.
#[derive(Debug)]
pub(super) struct Lines {
    lines: BTreeMap<String, String>,
    /// The label that every metric of CometBFT's has.
    chain: String,
}

impl Lines {
    /// None yet, of the chain with this id.
    pub(super) fn of_chain(id: &str) -> Lines {
        let id = id.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        Lines { lines: BTreeMap::new(), chain: format!("chain_id=\"{id}\"") }
    }

    /// All labels of a metric that has these of its own.
    fn labels(&self, name: &str, own: &str) -> String {
        match (name.starts_with("cometbft_"), own) {
            (true, "") => self.chain.clone(),
            (true, own) => format!("{},{own}", self.chain),
            (false, own) => own.to_owned(),
        }
    }

    /// A value without labels.
    pub(super) fn put(&mut self, name: &str, value: impl Display) {
        self.put_of(name, "", value);
    }

    /// A value; `labels` are `name="value"`, separated by commas.
    pub(super) fn put_of(&mut self, name: &str, labels: &str, value: impl Display) {
        let labels = self.labels(name, labels);
        let lines = self.lines.entry(name.to_owned()).or_default();
        write_line(lines, name, &labels, value);
    }

    /// A histogram without labels.
    pub(super) fn put_histogram(&mut self, name: &str, histogram: &Histogram) {
        self.write_histogram(name, "", histogram);
    }

    /// A histogram with labels, once anything is counted in it.
    pub(super) fn put_histogram_of(&mut self, name: &str, labels: &str, histogram: &Histogram) {
        if !histogram.is_empty() {
            self.write_histogram(name, labels, histogram);
        }
    }

    fn write_histogram(&mut self, name: &str, labels: &str, histogram: &Histogram) {
        let labels = self.labels(name, labels);
        let lines = self.lines.entry(name.to_owned()).or_default();
        let comma = if labels.is_empty() { "" } else { "," };
        let buckets = format!("{name}_bucket");
        let mut count = 0_u64;
        for (index, of_bucket) in histogram.counts.iter().enumerate() {
            count = count.saturating_add(of_bucket.load(Ordering::Relaxed));
            let bound = histogram.bounds.get(index).map_or("+Inf".to_owned(), f64::to_string);
            write_line(lines, &buckets, &format!("{labels}{comma}le=\"{bound}\""), count);
        }
        let nanos = histogram.sum_ns.load(Ordering::Relaxed);
        let sum = Duration::from_nanos(nanos).as_secs_f64() * histogram.units;
        write_line(lines, &format!("{name}_sum"), &labels, sum);
        write_line(lines, &format!("{name}_count"), &labels, count);
    }

    /// All of them in the order of the table.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for (name, kind, help) in TABLE {
            if let Some(lines) = self.lines.get(name) {
                let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {}", kind.word());
                text.push_str(lines);
            }
        }
        text
    }
}

fn write_line(lines: &mut String, name: &str, labels: &str, value: impl Display) {
    let _ = match labels {
        "" => writeln!(lines, "{name} {value}"),
        labels => writeln!(lines, "{name}{{{labels}}} {value}"),
    };
}

/// The table as Markdown.
pub fn documentation() -> String {
    let mut text = String::from("| metric | kind | meaning |\n|---|---|---|\n");
    for (name, kind, help) in TABLE {
        let _ = writeln!(text, "| `{name}` | {} | {help} |", Kind::word(kind));
    }
    text
}
