//! A second's worth at once, then so many a second.

use super::*;

#[test]
fn so_many_a_second_and_no_more() {
    let (trials, start) = (Trials::default(), Instant::now());
    let taken = |now: Instant| (0..1000).filter(|_| trials.take(now)).count();
    assert_eq!(taken(start), TRIALS_PER_SECOND as usize);
    assert_eq!(taken(start + EACH / 2), 0);
    assert_eq!(taken(start + EACH), 1);
    assert_eq!(taken(start + EACH * 11), 10);
    // A long pause saves no more than a second's worth.
    assert_eq!(taken(start + EACH * 100_000), TRIALS_PER_SECOND as usize);
}
