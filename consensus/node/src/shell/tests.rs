//! Timers: one setting each, earliest first. Records: in order, and log files that end.

use super::disk::Disk;
use super::timers::Timers;
use crate::store::{Memory, Store};
use crate::wal::Log;
use guts_consensus::io::{Record, TimerId};
use guts_consensus::types::{BlockId, State, Vote, VoteKind};
use guts_consensus::wal::{Entry, Intent};
use guts_genesis::{Address, ChainId, Height, Manifest, Round, Signature, Time};
use std::path::Path;
use std::sync::Arc;
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

const MEMORY: Memory = Memory { cache_bytes: 1 << 20, memtable_bytes: 4 << 20 };

fn disk(dir: &Path, segment_bytes: u64) -> (Disk, Arc<Store>) {
    let store = Arc::new(Store::open(&dir.join("store"), MEMORY).unwrap());
    let (log, _) = Log::open(&dir.join("wal")).unwrap();
    (Disk::new(log, store.clone(), segment_bytes), store)
}

fn end(height: u64) -> Record {
    Record::Wal(Entry::EndHeight(Height(height)))
}

fn state() -> State {
    let time = Time::new(1_700_000_000, 0).unwrap();
    let manifest = Manifest::local(ChainId::new("x").unwrap(), time, b"disk", 1);
    State::from_genesis(&manifest.genesis().unwrap()).unwrap()
}

#[test]
fn both_files_have_what_was_taken_after_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    for sync in [false, true] {
        let (mut disk, store) = disk(dir.path(), u64::MAX);
        let records = [end(1), Record::State(Arc::new(state())), end(2)];
        records.iter().for_each(|record| disk.take(record).unwrap());
        disk.commit(sync).unwrap();
        assert_eq!(store.state().unwrap(), Some(state()));
        drop((disk, store));
        let (_, found) = Log::open(&dir.path().join("wal")).unwrap();
        let ends = [Entry::EndHeight(Height(1)), Entry::EndHeight(Height(2))];
        assert!(found.entries.ends_with(&ends));
    }
}

fn intent() -> Record {
    let height = Height(1);
    Record::Wal(Entry::Intent(Intent::Vote(Vote {
        kind: VoteKind::Prevote,
        height,
        round: Round(0),
        block_id: BlockId::NIL,
        time: Time::EPOCH,
        validator_address: Address([1; 20]),
        validator_index: 0,
        signature: Signature::NONE,
        extension: bytes::Bytes::new(),
        extension_signature: Signature::NONE,
    })))
}

#[test]
fn s2_an_intent_is_durable_and_what_nobody_waits_for_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let (mut disk, _store) = disk(dir.path(), u64::MAX);
    disk.take(&intent()).unwrap();
    disk.commit(false).unwrap();
    assert!(!disk.is_log_durable());
    disk.take(&Record::State(Arc::new(state()))).unwrap();
    disk.commit(true).unwrap();
    assert!(disk.is_log_durable(), "an intent is, whatever else there is");
    disk.take(&end(1)).unwrap();
    disk.take(&Record::State(Arc::new(state()))).unwrap();
    disk.commit(true).unwrap();
    assert!(!disk.is_log_durable(), "the store is enough");
    disk.sync_all().unwrap();
    assert!(disk.is_log_durable());
}

#[test]
fn a_log_file_ends_only_after_a_height() {
    let dir = tempfile::tempdir().unwrap();
    let (mut disk, _store) = disk(dir.path(), 1);
    assert!(!disk.wants_rotation());
    disk.take(&end(1)).unwrap();
    disk.commit(true).unwrap();
    assert!(disk.wants_rotation(), "the next record begins a file");
    disk.rotate().unwrap();
    assert!(!disk.wants_rotation());
    drop(disk);
    let (_, found) = Log::open(&dir.path().join("wal")).unwrap();
    assert!(found.entries.is_empty());
}
