//! Estimates, on machines of any speed.
use super::*;

/// A machine on which each of two threads makes a million attempts a second.
fn of(bits: u32) -> Effort {
    Effort::at(bits, 1000, Duration::from_millis(1), 2)
}

#[test]
fn an_estimate_doubles_with_each_bit() {
    let seconds = [20, 21, 22, 31, 32].map(|bits| of(bits).seconds());
    assert_eq!(seconds, [0, 1, 2, 1073, 2147]);
    let words = [22, 31, 34, 40, 63].map(|bits| of(bits).to_string());
    assert_eq!(words, ["2 s", "17 minutes", "2 hours", "6 days", "146235 years"]);
}

#[test]
fn no_number_is_too_large_for_an_estimate() {
    for bits in [127, 128, 256, u32::MAX] {
        assert_eq!(of(bits).seconds(), u64::MAX, "{bits}");
        assert_eq!(Effort::at(bits, 0, Duration::MAX, 0).seconds(), u64::MAX, "{bits}");
    }
    assert_eq!(Effort::of(64).bits(), 64);
    assert!(Effort::of(64).seconds() > 1_000_000, "no machine does that in a day");
    assert_eq!(Effort::of(16), Effort { bits: 16, seconds: 0 });
}
