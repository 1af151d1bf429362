//! The journal of examples/kvstore: commits outlive the process, torn ones are cut off, and a file
//! that is mostly overwritten is rewritten.

use std::fs::OpenOptions;

use bytes::Bytes;
use guts_abci::kvstore::{Batch, State, Store};
use guts_abci::proto::abci::ValidatorUpdate;
use guts_abci::proto::crypto::{PublicKey, public_key::Sum};

use crate::journal::Journal;

fn batch(height: i64, pairs: &[(&str, &str)]) -> Batch {
    let owned = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    Batch {
        state: State { height, size: height.unsigned_abs() * 10 },
        pairs: pairs.iter().map(|(key, value)| (owned(key), owned(value))).collect(),
        validators: Vec::new(),
    }
}

#[test]
fn commits_outlive_the_process() {
    let home = tempfile::tempdir().unwrap();
    let key = vec![3; 32];
    {
        let journal = Journal::open(home.path()).unwrap();
        assert_eq!(journal.state(), State::default());
        let mut first = batch(1, &[("a", "1"), ("b", "2")]);
        let pub_key = Some(PublicKey { sum: Some(Sum::Ed25519(key.clone())) });
        first.validators = vec![ValidatorUpdate { pub_key, power: 7 }];
        journal.commit(first).unwrap();
        journal.commit(batch(2, &[("a", "3")])).unwrap();
    }
    let journal = Journal::open(home.path()).unwrap();
    assert_eq!(journal.state(), State { height: 2, size: 20 });
    assert_eq!(journal.get(b"a").unwrap(), Some(Bytes::from_static(b"3")));
    assert_eq!(journal.get(b"b").unwrap(), Some(Bytes::from_static(b"2")));
    assert_eq!(journal.get(b"c").unwrap(), None);
    assert_eq!(journal.validator_by_key(&key).unwrap().power, 7);
}

#[test]
fn a_commit_torn_anywhere_is_as_if_it_had_not_been() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("kvstore.journal");
    {
        let journal = Journal::open(home.path()).unwrap();
        journal.commit(batch(1, &[("a", "1")])).unwrap();
    }
    let whole = std::fs::read(&file).unwrap();
    {
        let journal = Journal::open(home.path()).unwrap();
        journal.commit(batch(2, &[("a", "2"), ("b", "2")])).unwrap();
    }
    let longer = std::fs::read(&file).unwrap();
    for cut in whole.len()..longer.len() {
        let options = OpenOptions::new().write(true).clone();
        std::fs::write(&file, &longer).unwrap();
        options.open(&file).unwrap().set_len(cut as u64).unwrap();
        let journal = Journal::open(home.path()).unwrap();
        assert_eq!(journal.state().height, 1, "cut at {cut}");
        assert_eq!(journal.get(b"a").unwrap(), Some(Bytes::from_static(b"1")));
        assert_eq!(journal.get(b"b").unwrap(), None);
        // It goes on from there.
        journal.commit(batch(2, &[("c", "3")])).unwrap();
        drop(journal);
        let again = Journal::open(home.path()).unwrap();
        assert_eq!(again.get(b"c").unwrap(), Some(Bytes::from_static(b"3")));
    }
}

#[test]
fn a_flipped_bit_is_not_believed() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("kvstore.journal");
    {
        let journal = Journal::open(home.path()).unwrap();
        journal.commit(batch(1, &[("a", "1")])).unwrap();
    }
    let whole = std::fs::read(&file).unwrap();
    for index in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[index] ^= 0x10;
        std::fs::write(&file, &flipped).unwrap();
        let journal = Journal::open(home.path()).unwrap();
        assert_eq!(journal.state().height, 0, "byte {index}");
    }
}

#[test]
fn a_file_that_is_mostly_overwritten_is_rewritten() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("kvstore.journal");
    let long = "x".repeat(1 << 20);
    {
        let journal = Journal::open(home.path()).unwrap();
        for height in 1..=40 {
            journal.commit(batch(height, &[("a", &long), ("b", "2")])).unwrap();
        }
    }
    let before = std::fs::metadata(&file).unwrap().len();
    let journal = Journal::open(home.path()).unwrap();
    let after = std::fs::metadata(&file).unwrap().len();
    assert!(before > 40 << 20 && after < 2 << 20, "{before} -> {after}");
    assert_eq!(journal.state(), State { height: 40, size: 400 });
    assert_eq!(journal.get(b"a").unwrap(), Some(Bytes::from(long)));
    assert_eq!(journal.get(b"b").unwrap(), Some(Bytes::from_static(b"2")));
}
