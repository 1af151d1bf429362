//! Clients that are silent, that trickle, and that are merely slow.

use super::*;

fn pace() -> Pace {
    Pace::new(&Limits { silence_s: 30, pace_s: 60, pace_bytes_per_s: 10, ..Limits::default() })
}

/// How many times such a client is waited for that sends so much every so many seconds, of `most`.
fn times(pace: &mut Pace, bytes: usize, seconds: u64, most: usize) -> usize {
    for time in 0..most {
        pace.silent = Duration::ZERO;
        if (0..seconds).any(|_| pace.look(LOOK).is_err()) {
            return time;
        }
        pace.count(bytes);
    }
    most
}

#[test]
fn silence_ends_the_patience() {
    assert_eq!(times(&mut pace(), 1 << 20, 30, 9), 0);
    assert_eq!(times(&mut pace(), 1 << 20, 29, 99), 99);
}

#[test]
fn a_trickle_ends_it_within_a_window() {
    assert_eq!(times(&mut pace(), 1, 25, 99), 2);
    // Just enough, for as long as one likes; and a little less.
    assert_eq!(times(&mut pace(), 120, 10, 999), 999);
    assert_eq!(times(&mut pace(), 90, 10, 999), 5);
    // Whether or not the next byte is there when one looks.
    let mut often = pace();
    let moment = Duration::from_millis(10);
    let moments = (0..9999).take_while(|_| often.wait_is(moment).is_ok()).count();
    assert_eq!(moments, 5999);
    // What came fast long ago is no excuse.
    let mut pace = pace();
    pace.count(1 << 30);
    assert!(times(&mut pace, 1, 20, 999) <= 6);
}

#[tokio::test]
async fn what_comes_at_once_is_not_waited_for() {
    let limits = Limits { silence_s: 0, pace_s: 60, ..Limits::default() };
    let mut pace = Pace::new(&limits);
    assert_eq!(pace.wait(std::future::ready(7)).await, Ok(7));
    assert_eq!(pace.wait(std::future::pending::<()>()).await, Err(TooSlow));
}
