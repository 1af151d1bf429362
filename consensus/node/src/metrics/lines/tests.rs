//! What Prometheus reads.

use super::*;

#[test]
fn a_histogram_counts_what_is_at_most_so_much() {
    let histogram = Histogram::new(&[0.1, 2.5]);
    for ms in [100, 101, 2_500, 2_501, 60_000] {
        histogram.observe(Duration::from_millis(ms));
    }
    let name = "cometbft_consensus_step_duration_seconds";
    let mut lines = Lines::of_chain("a\"b");
    lines.put_histogram_of(name, "step=\"Propose\"", &histogram);
    lines.put_histogram_of(name, "step=\"Prevote\"", &Histogram::new(&[1.0]));
    let text = lines.text();
    let mut said = text.lines();
    assert!(said.next().unwrap().starts_with("# HELP cometbft_consensus_step_duration_seconds "));
    assert_eq!(said.next().unwrap(), format!("# TYPE {name} histogram"));
    let said: Vec<_> = said.map(|line| line.strip_prefix(name).unwrap()).collect();
    let expected = [
        "_bucket{chain_id=\"a\\\"b\",step=\"Propose\",le=\"0.1\"} 1",
        "_bucket{chain_id=\"a\\\"b\",step=\"Propose\",le=\"2.5\"} 3",
        "_bucket{chain_id=\"a\\\"b\",step=\"Propose\",le=\"+Inf\"} 5",
        "_sum{chain_id=\"a\\\"b\",step=\"Propose\"} 65.202",
        "_count{chain_id=\"a\\\"b\",step=\"Propose\"} 5",
    ];
    assert_eq!(said, expected, "and nothing of a step that has not been");
}

#[test]
fn milliseconds_are_told_as_such() {
    let histogram = Histogram::of_ms(&[1.0, 11.0]);
    histogram.observe(Duration::from_micros(10_500));
    let mut lines = Lines::of_chain("x");
    lines.put_histogram("cometbft_state_block_processing_time", &histogram);
    let text = lines.text();
    let of_chain = "{chain_id=\"x\"";
    assert!(text.contains(&format!("_bucket{of_chain},le=\"1\"}} 0\n")), "{text}");
    assert!(text.contains(&format!("_bucket{of_chain},le=\"11\"}} 1\n")), "{text}");
    assert!(text.contains(&format!("_sum{of_chain}}} 10.5\n")), "{text}");
    assert!(text.ends_with(&format!("_count{of_chain}}} 1\n")), "{text}");
}
