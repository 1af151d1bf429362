//! Who finds what was read, and for how long.

use super::*;

fn read(keys: impl IntoIterator<Item = u32>) -> Seen {
    keys.into_iter().map(|key| (key.to_be_bytes().to_vec(), None)).collect()
}

#[test]
fn what_was_read_is_for_one_thread_at_a_time_and_one_height() {
    let glances = Glances::default();
    glances.keep(7, read([1]));
    glances.keep(7, read([2]));
    let both = [glances.take(7), glances.take(7)];
    assert!(both.contains(&read([1])) && both.contains(&read([2])), "{both:?}");
    assert_eq!(glances.take(7), Seen::new(), "two threads have them");
    glances.keep(7, read([3]));
    assert_eq!(glances.take(8), Seen::new(), "the state has changed");
    glances.keep(8, read([4]));
    assert_eq!(glances.take(7), Seen::new(), "nothing of an earlier block is kept");
    assert_eq!(glances.take(8), read([4]));
}

#[test]
fn who_has_read_much_reads_anew() {
    let glances = Glances::default();
    let most = u32::try_from(SEEN_MAX).unwrap();
    glances.keep(7, read(0..most));
    assert_eq!(glances.take(7).len(), SEEN_MAX);
    glances.keep(7, read(0..=most));
    assert_eq!(glances.take(7), Seen::new());
}

#[test]
fn every_account_has_its_part() {
    let kept = Kept::default();
    for byte in 0..=u8::MAX {
        assert!(kept.lend(&AccountId::new([byte; 20]), |waiting| waiting.is_empty()));
    }
    let mut parts = 0;
    kept.lend_each(|_| parts += 1);
    assert_eq!((parts, kept.count()), (PARTS, 0));
}
