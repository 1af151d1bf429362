//! A few seeds, the canaries, and that runs repeat.
use super::*;

#[test]
fn a_run_repeats_itself() {
    let options = Options { heights: 10, ..Options::default() };
    let (one, other) = (run(7, &options), run(7, &options));
    assert_eq!(one.digest, other.digest);
    assert_eq!(one.totals, other.totals);
}

#[test]
fn some_seeds_break_no_rule() {
    for seed in 1..=6 {
        let report = run(seed, &Options { heights: 12, ..Options::default() });
        assert_eq!(report.failure, None);
    }
}

fn is_caught(canary: Canary) -> bool {
    let options = Options { canary: Some(canary), ..Options::default() };
    (1..=12).any(|seed| run(seed, &options).failure.is_some())
}

#[test]
fn acting_before_records_are_durable_is_noticed() {
    assert!(is_caught(Canary::ActBeforePersist));
}

#[test]
fn forgetting_a_lock_is_noticed() {
    assert!(is_caught(Canary::ForgetLock));
}

#[test]
fn a_quorum_of_one_too_few_is_noticed() {
    assert!(is_caught(Canary::QuorumMinusOne));
}
