//! Shares of power, for people.
use super::*;

#[test]
fn shares_are_in_percent_with_a_digit() {
    assert_eq!(share(1, 3), "33.3 %");
    assert_eq!(share(u64::MAX, u64::MAX), "100.0 %");
    assert_eq!(share(0, 0), "0.0 %");
}
