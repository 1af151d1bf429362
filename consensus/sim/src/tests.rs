//! A few seeds, the canaries, and that runs repeat.
use super::*;

#[test]
fn a_run_repeats_itself() {
    let options = Options { heights: 10, ..Options::default() };
    let (one, other) = (run(7, &options), run(7, &options));
    assert_eq!(one.digest, other.digest);
    assert_eq!(one.totals, other.totals);
}
