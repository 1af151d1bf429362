//! What Prometheus reads.

use super::*;

#[test]
fn a_histogram_counts_what_is_at_most_so_much() {
    let histogram = Histogram::new(&[0.1, 2.5]);
    for ms in [100, 101, 2_500, 2_501, 60_000] {
        histogram.observe(Duration::from_millis(ms));
    }
    let name = "cometbft_consensus_step_duration_seconds";
    let mut lines = Lines::default();
    lines.put_histogram_of(name, "step=\"Propose\"", &histogram);
    lines.put_histogram_of(name, "step=\"Prevote\"", &Histogram::new(&[1.0]));
    let text = lines.text();
    let mut said = text.lines();
    assert!(said.next().unwrap().starts_with("# HELP cometbft_consensus_step_duration_seconds "));
    assert_eq!(said.next().unwrap(), format!("# TYPE {name} histogram"));
    let said: Vec<_> = said.map(|line| line.strip_prefix(name).unwrap()).collect();
    let expected = [
        "_bucket{step=\"Propose\",le=\"0.1\"} 1",
        "_bucket{step=\"Propose\",le=\"2.5\"} 3",
        "_bucket{step=\"Propose\",le=\"+Inf\"} 5",
        "_sum{step=\"Propose\"} 65.202",
        "_count{step=\"Propose\"} 5",
    ];
    assert_eq!(said, expected, "and nothing of a step that has not been");
}

#[test]
fn milliseconds_are_told_as_such() {
    let histogram = Histogram::of_ms(&[1.0, 11.0]);
    histogram.observe(Duration::from_micros(10_500));
    let mut lines = Lines::default();
    lines.put_histogram("cometbft_state_block_processing_time", &histogram);
    let text = lines.text();
    assert!(text.contains("_bucket{le=\"1\"} 0\n"), "{text}");
    assert!(text.contains("_bucket{le=\"11\"} 1\n"), "{text}");
    assert!(text.ends_with("_sum 10.5\ncometbft_state_block_processing_time_count 1\n"), "{text}");
}
