//! Histograms as Prometheus reads them.

use super::*;

#[test]
fn a_call_is_in_its_bucket_and_in_every_larger_one() {
    let timing = Timing::default();
    for took_us in [1, 500, 501, 20_000, 2_000_001] {
        timing.count(Duration::from_micros(took_us));
    }
    let mut text = String::new();
    timing.print("t", "query", &mut text);
    let value = |line: &str| {
        let found = text.lines().find_map(|it| it.strip_prefix(line));
        found.unwrap_or_else(|| panic!("{line} in {text}")).trim().to_owned()
    };
    assert_eq!(value("t_bucket{call=\"query\",le=\"0.001\"}"), "3");
    assert_eq!(value("t_bucket{call=\"query\",le=\"0.01\"}"), "3");
    assert_eq!(value("t_bucket{call=\"query\",le=\"0.02\"}"), "4");
    assert_eq!(value("t_bucket{call=\"query\",le=\"2\"}"), "4");
    assert_eq!(value("t_bucket{call=\"query\",le=\"+Inf\"}"), "5");
    assert_eq!(value("t_count{call=\"query\"}"), "5");
    assert!(value("t_sum{call=\"query\"}").starts_with("2.02"), "{text}");
}

#[test]
fn bounds_rise_and_are_told_as_they_are() {
    assert!(BOUNDS.is_sorted_by(|a, b| a.0 < b.0));
    for (bound_us, seconds) in BOUNDS {
        let told = seconds.parse::<f64>().unwrap();
        assert_eq!(Duration::from_secs_f64(told), Duration::from_micros(bound_us), "{seconds}");
    }
}
