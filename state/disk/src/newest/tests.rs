//! What is answered from memory, and what must not be kept.

use super::*;

const KEY: KeyHash = [7; 32];

fn row(version: Version, value: &[u8]) -> Row {
    (row_key(&KEY, version), value.to_vec())
}

fn asked(rows: &NewestRows, version: Version) -> Asked {
    match rows.find(&KEY, version) {
        Found::Unknown(asked) => asked,
        Found::Row(row) => panic!("answered with {row:?}"),
    }
}

fn answer(rows: &NewestRows, version: Version) -> Option<Row> {
    match rows.find(&KEY, version) {
        Found::Row(row) => row,
        Found::Unknown(_) => panic!("not known"),
    }
}

fn write(rows: &NewestRows, version: Version, value: &[u8]) {
    let (key, value) = row(version, value);
    rows.wrote(version, std::iter::once((&key[..], &value[..])));
}

#[test]
fn a_written_row_answers_for_its_version_and_later_ones_only() {
    let rows = NewestRows::new(Some(3));
    write(&rows, 5, b"five");
    assert_eq!(answer(&rows, 5), Some(row(5, b"five")));
    assert_eq!(answer(&rows, 9), Some(row(5, b"five")));
    asked(&rows, 4);
}

#[test]
fn what_the_database_says_of_the_newest_version_is_kept() {
    let rows = NewestRows::new(Some(3));
    let question = asked(&rows, 3);
    rows.learn(&question, KEY, 3, Some(&row(2, b"two")));
    assert_eq!(answer(&rows, 2), Some(row(2, b"two")));
    asked(&rows, 1);
}

#[test]
fn that_a_key_has_no_row_is_kept_until_it_is_written() {
    let rows = NewestRows::new(None);
    let question = asked(&rows, 0);
    rows.learn(&question, KEY, 0, None);
    assert_eq!(answer(&rows, 0), None);
    write(&rows, 1, b"one");
    assert_eq!(answer(&rows, 1), Some(row(1, b"one")));
    asked(&rows, 0);
}

#[test]
fn an_answer_about_an_old_version_is_not_kept() {
    let rows = NewestRows::new(Some(3));
    let question = asked(&rows, 2);
    rows.learn(&question, KEY, 2, Some(&row(1, b"one")));
    asked(&rows, 3);
}

#[test]
fn an_answer_that_a_write_overtook_is_not_kept() {
    let rows = NewestRows::new(Some(3));
    let question = asked(&rows, 4);
    rows.wrote(4, std::iter::empty());
    rows.learn(&question, KEY, 4, Some(&row(1, b"one")));
    asked(&rows, 4);
}

#[test]
fn old_entries_make_room() {
    let rows = NewestRows::new(None);
    let value = vec![1; 1 << 18];
    for i in 0..200u8 {
        let key = row_key(&[i; 32], 1);
        rows.wrote(1, std::iter::once((&key[..], &value[..])));
    }
    let weights = rows.parts.iter().map(|part| lock(part).rows.weight());
    assert!((1..=KEPT_BYTES).contains(&weights.sum()));
}

/// CheckTx, the block and its commit read the accounts of a full mempool one after another.
#[test]
fn what_was_read_once_is_there_while_a_third_as_much_is_read() {
    let rows = NewestRows::new(Some(1));
    let value = vec![1; 4 << 10];
    let in_one_part = |i: u16| {
        let [high, low] = i.to_be_bytes();
        [0, 0, high, low].repeat(8).try_into().expect("32 bytes")
    };
    let read = |i: u16| {
        let key = in_one_part(i);
        if let Found::Unknown(question) = rows.find(&key, 1) {
            rows.learn(&question, key, 1, Some(&(row_key(&key, 1), value.clone())));
        }
    };
    let all = u16::try_from(KEPT_BYTES / PARTS as u64 / value.len() as u64).expect("few");
    // More than there is room for, and then a third of it.
    (0..=all).for_each(read);
    (1000..1000 + all / 3).for_each(read);
    assert!(matches!(rows.find(&in_one_part(1000), 1), Found::Row(Some(_))));
}
