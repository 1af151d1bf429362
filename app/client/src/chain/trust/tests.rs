//! How long is said in words.
use super::*;

#[test]
fn seconds_are_said_in_the_largest_unit_that_fits() {
    let said = [1, 60, 61, 120, 3600, 12 * 3600, 24 * 3600, 14 * 24 * 3600].map(span);
    let words = ["1 seconds", "60 seconds", "61 seconds", "2 minutes", "60 minutes", "12 hours"];
    assert_eq!(said[..6], words);
    assert_eq!(said[6..], ["24 hours", "14 days"]);
}
