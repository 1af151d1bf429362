//! Which ranges are made anew, what of the index that changes, and what a kill leaves of it.

use super::*;
use crate::store::tests::{Row, indexed, is_of, killed, open, rows, spoil};
use std::cell::RefCell;

#[test]
fn a_range_made_anew_is_as_the_whole_made_anew_and_the_rest_stays() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = indexed(dir.path());
    let good = rows(&store);
    let split = |heights: &RangeInclusive<u64>| {
        let is_in = |row: &Row| is_of(&row.0, heights.clone());
        rows(&store).into_iter().partition::<Vec<_>, _>(is_in)
    };
    for heights in [2..=4, 1..=3, 4..=6, 5..=5] {
        spoil(&store);
        let (_, rest) = split(&heights);
        let range = Height(*heights.start())..=Height(*heights.end());
        rebuild(&store, &range, |_| ()).unwrap();
        let (made, left) = split(&heights);
        assert_eq!(left, rest, "{heights:?}: the others, and how far the index goes");
        let wanted: Vec<_> =
            good.iter().filter(|row| is_of(&row.0, heights.clone())).cloned().collect();
        assert_eq!(made, wanted, "{heights:?}");
        rebuild(&store, &(Height(1)..=Height(6)), |_| ()).unwrap();
        assert_eq!(rows(&store), good, "the whole");
    }
    // An index that a kill has left behind is made longer by a range that goes beyond it.
    store.end_index_at(Height(3)).unwrap();
    rebuild(&store, &(Height(3)..=Height(5)), |_| ()).unwrap();
    assert_eq!(store.indexed().unwrap(), Height(5));
}

#[test]
fn an_index_that_a_kill_has_left_half_made_says_where_it_ends() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = indexed(dir.path());
    let good = rows(&store);
    for (range, at) in [(2..=5, 2), (2..=5, 4), (1..=6, 3)] {
        spoil(&store);
        let kept = RefCell::new(None);
        let kill = |done| {
            if done == Rebuilt::Indexed(Height(at)) {
                store.save_index().unwrap();
                *kept.borrow_mut() = Some(killed(dir.path()));
            }
        };
        rebuild(&store, &(Height(*range.start())..=Height(*range.end())), kill).unwrap();
        let left = kept.take().expect("it was killed");
        let left = open(left.path());
        assert_eq!(left.indexed().unwrap(), Height(at), "{range:?}");
        // As the node does it at its start: nothing of the range is as it was.
        catch_up(&left, || Height(6), |_| true).unwrap();
        let of_range = |rows: &[Row]| {
            let is_in = |row: &&Row| is_of(&row.0, range.clone());
            rows.iter().filter(is_in).cloned().collect::<Vec<_>>()
        };
        assert_eq!(of_range(&rows(&left)), of_range(&good), "{range:?} at {at}");
        assert_eq!(left.indexed().unwrap(), Height(6));
    }
}

#[test]
fn ranges_that_cannot_be_indexed_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = indexed(dir.path());
    let top = Height(6);
    let ask = |start: u64, end: u64| {
        let height = |given: u64| (given > 0).then_some(Height(given));
        let found = range(&store, top, (height(start), height(end)));
        found.map(|range| (range.start().0, range.end().0)).map_err(|why| why.to_string())
    };
    let refused = |start, end, words: &str| {
        let why = ask(start, end).unwrap_err();
        assert!(why.contains(words), "{start} to {end}: {why}");
    };
    assert_eq!(ask(0, 0), Ok((1, 6)));
    assert_eq!(ask(3, 0), Ok((3, 6)));
    assert_eq!(ask(0, 3), Ok((1, 3)));
    assert_eq!(ask(6, 6), Ok((6, 6)));
    refused(4, 3, "--end-height 3 is below --start-height 4");
    refused(9, 8, "--end-height 8 is below --start-height 9");
    refused(7, 0, "above the last that was committed: end at --end-height 6");
    refused(2, 7, "above the last that was committed: end at --end-height 6");
    store.prune(Height(4), 100).unwrap();
    assert_eq!(ask(0, 0), Ok((4, 6)));
    refused(3, 5, "below the first block that is kept: begin at --start-height 4");
    refused(0, 3, "below the first block that is kept: begin at --start-height 4");
    store.end_index_at(Height(4)).unwrap();
    assert_eq!(ask(5, 6), Ok((5, 6)));
    refused(6, 6, "the index ends at height 4");
    refused(6, 6, "begin at --start-height 5 or below");
    let none = tempfile::tempdir().unwrap();
    let why = range(&open(none.path()), Height::ZERO, (None, None)).unwrap_err();
    assert!(why.to_string().contains("no block was committed here"), "{why}");
}
