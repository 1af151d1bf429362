//! Timers: one setting each, earliest first.

use super::timers::Timers;
use guts_consensus::io::TimerId;
use guts_genesis::{Height, Round};
use std::time::Duration;

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[test]
fn a_timer_set_again_counts_once() {
    let mut timers = Timers::default();
    let propose = TimerId::Propose(Height(1), Round(0));
    timers.set(propose, ms(10));
    timers.set(TimerId::Heal, ms(20));
    timers.set(propose, ms(30));
    assert_eq!(timers.next(), Some(ms(20)));
    assert_eq!(timers.pop(ms(19)), None);
    assert_eq!(timers.pop(ms(40)), Some(TimerId::Heal));
    assert_eq!(timers.pop(ms(40)), Some(propose));
    assert_eq!(timers.pop(ms(40)), None);
    assert_eq!(timers.next(), None);
}
