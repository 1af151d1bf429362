//! A long query costs more, what is passed over costs too, and nobody searches for nobody.

use super::super::Store;
use super::super::tests::{event, open};
use super::*;
use guts_abci::proto::abci as pb;
use guts_genesis::Height;
use guts_rpc::search::Search;
use std::cell::Cell;

fn blocks(store: &Store, query: &str, top: u64, work: &mut Work<'_>) -> Result<usize, SearchError> {
    let search = Search::parse(query).unwrap();
    let plan = search.plan("block.height").unwrap();
    store.find_blocks(&plan, top, work).map(|found| found.len())
}

#[test]
fn many_conditions_are_more_work_for_each_height() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let all = blocks(&store, "block.height > 0", 900_000, &mut Work::wanted());
    assert_eq!(all.unwrap(), 900_000);
    let many = vec!["block.height > 0"; 60_000].join(" AND ");
    let refused = blocks(&store, &many, 1_000, &mut Work::wanted());
    assert!(matches!(refused, Err(SearchError::TooMuch)), "{refused:?}");
    let long = format!("block.height < {}", "9".repeat(900_000));
    let refused = blocks(&store, &long, 1_000, &mut Work::wanted());
    assert!(matches!(refused, Err(SearchError::TooMuch)), "{refused:?}");
}

#[test]
fn rows_that_are_passed_over_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for height in (1..=10).map(Height) {
        let events = vec![event("begin", &[("at", "x")])];
        let response = pb::ResponseFinalizeBlock { events, ..Default::default() };
        store.index(height, Some(&response)).unwrap();
    }
    let query = "begin.at EXISTS AND block.height > 100";
    let mut work = Work { left: SEEKING + 10, is_wanted: &|| true };
    assert_eq!(blocks(&store, query, 200, &mut work).unwrap(), 0);
    let mut work = Work { left: SEEKING + 9, is_wanted: &|| true };
    let refused = blocks(&store, query, 200, &mut work);
    assert!(matches!(refused, Err(SearchError::TooMuch)), "{refused:?}");
}

#[test]
fn a_search_ends_when_nobody_waits_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let asked = Cell::new(0);
    let is_wanted = || {
        asked.set(asked.get() + 1);
        asked.get() < 5
    };
    let ended = blocks(&store, "block.height > 0", 900_000, &mut Work::new(&is_wanted));
    assert!(matches!(ended, Err(SearchError::Abandoned)), "{ended:?}");
    assert_eq!(asked.get(), 5);
}
