//! The database against a memory store, across reopening, and its refusals.

use std::sync::Arc;

use guts_state::{Changes, MemoryStore, Overlay, Read, Snapshot};
use proptest::prelude::*;
use rocksdb::WaitForCompactOptions;

use super::*;

/// A key, and its new value unless it is deleted.
pub(crate) type Write = (Vec<u8>, Option<Vec<u8>>);

fn changes(on: &Snapshot, writes: &[Write]) -> Changes {
    let mut overlay = Overlay::new(on);
    for (key, value) in writes {
        match value {
            Some(value) => overlay.put(key.clone(), value.clone()).unwrap(),
            None => overlay.delete(key.clone()),
        }
    }
    overlay.into_changes()
}

pub(crate) fn put(key: &str, value: &str) -> Write {
    (key.into(), Some(value.into()))
}

/// Commits a block that writes this.
pub(crate) fn commit(database: &Database, height: Version, writes: &[Write]) -> Option<Arc<Batch>> {
    let snapshot = database.snapshot(height - 1).unwrap();
    let batch = snapshot.commit(&changes(&snapshot, writes), height).unwrap();
    let batch = batch.map(Arc::new);
    let batches: Vec<_> = batch.iter().cloned().collect();
    let head = Head { height, memo: vec![height as u8] };
    database.write(&head, &batches).unwrap();
    batch
}

/// Every row of every column family.
pub(crate) fn rows(database: &Database) -> BTreeMap<(&'static str, Vec<u8>), Vec<u8>> {
    let mut rows = BTreeMap::new();
    for name in Column::ALL.map(Column::name).into_iter().chain([HEADS, META]) {
        let family = database.inner.family(name).unwrap();
        for row in database.inner.db.iterator_cf(family, IteratorMode::Start) {
            let (key, value) = row.unwrap();
            rows.insert((name, key.into_vec()), value.into_vec());
        }
    }
    rows
}

#[test]
fn heights_and_state_survive_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let database = Database::open(dir.path()).unwrap();
    assert_eq!(database.head().unwrap(), None);
    commit(&database, 1, &[put("a", "1")]);
    commit(&database, 2, &[]);
    commit(&database, 3, &[put("a", "3"), put("b", "3")]);
    let root = database.snapshot(3).unwrap().root();
    drop(database);
    let database = Database::open(dir.path()).unwrap();
    assert_eq!(database.head().unwrap(), Some(Head { height: 3, memo: vec![3] }));
    let newest = database.snapshot(3).unwrap();
    assert_eq!(newest.root(), root);
    assert_eq!(newest.get(b"a").unwrap().unwrap(), b"3");
    let old = database.snapshot(2).unwrap();
    assert_eq!(old.get(b"a").unwrap().unwrap(), b"1");
    assert_eq!(old.get(b"b").unwrap(), None);
    let proof = newest.prove(b"b").unwrap();
    assert!(guts_state::verify_present(&proof.bytes, &root.unwrap().hash, b"b", b"3"));
}

#[test]
fn a_second_opener_is_told_so() {
    let dir = tempfile::tempdir().unwrap();
    let _open = Database::open(dir.path()).unwrap();
    assert!(matches!(Database::open(dir.path()), Err(DiskError::Locked(_))));
}

#[test]
fn another_format_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let database = Database::open(dir.path()).unwrap();
    let meta = database.inner.family(META).unwrap();
    database.inner.db.put_cf(meta, META_FORMAT, b"guts-state 1").unwrap();
    drop(database);
    assert!(matches!(Database::open(dir.path()), Err(DiskError::Format(_))));
}

#[test]
fn memory_is_capped() {
    let dir = tempfile::tempdir().unwrap();
    let database = Database::open(dir.path()).unwrap();
    for height in 1..=40 {
        let writes: Vec<_> = (0..500u32)
            .map(|i| put(&format!("{}", (height as u32 * 7919 + i) % 9001), &"v".repeat(200)))
            .collect();
        commit(&database, height, &writes);
    }
    let bytes = database.memory_bytes().unwrap();
    assert!(bytes > 0 && bytes < (CACHE_BYTES + 2 * MEMTABLES_BYTES) as u64, "{bytes}");
}

/// What a block writes: few keys, so that they meet.
pub(crate) fn writes() -> impl Strategy<Value = Vec<Write>> {
    let key = prop::collection::vec(0u8..4, 1..3);
    let value = prop::option::weighted(0.8, prop::collection::vec(any::<u8>(), 1..40));
    prop::collection::vec((key, value), 0..10)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn holds_the_same_rows_as_memory(blocks in prop::collection::vec(writes(), 1..8)) {
        let dir = tempfile::tempdir().unwrap();
        let database = Database::open(dir.path()).unwrap();
        let mut memory = MemoryStore::new();
        for (height, block) in (1..).zip(&blocks) {
            let before = Snapshot::at(Arc::new(memory.clone()), height - 1).unwrap();
            if let Some(batch) = before.commit(&changes(&before, block), height).unwrap() {
                memory.write(&batch);
            }
            commit(&database, height, block);
            // Reads between the writes, of old versions too: what they leave in memory must not
            // be told to others.
            for read in [height, height / 2] {
                let (ours, theirs) = (database.snapshot(read).unwrap(), memory.clone());
                let theirs = Snapshot::at(Arc::new(theirs), read).unwrap();
                for key in (0..4u8).map(|a| vec![a]) {
                    prop_assert_eq!(ours.get(&key).unwrap(), theirs.get(&key).unwrap());
                }
            }
        }
        for height in 0..=blocks.len() as u64 {
            prop_assert_eq!(database.entries(height).unwrap(), memory.entries(height).unwrap());
            let ours = database.snapshot(height).unwrap();
            let theirs = Snapshot::at(Arc::new(memory.clone()), height).unwrap();
            prop_assert_eq!(ours.root(), theirs.root());
            for key in (0..4u8).flat_map(|a| [vec![a], vec![a, 0], vec![a, 3]]) {
                prop_assert_eq!(ours.get(&key).unwrap(), theirs.get(&key).unwrap());
                if ours.root().is_some_and(|r| r.hash != *b"SPARSE_MERKLE_PLACEHOLDER_HASH__") {
                    prop_assert_eq!(ours.prove(&key).unwrap(), theirs.prove(&key).unwrap());
                }
            }
        }
    }
}

/// Waits for what is under way; nothing is asked for that was not before.
fn wait_for_files(database: &Database) {
    database.inner.db.wait_for_compact(&WaitForCompactOptions::default()).unwrap();
}

/// Names and sizes of a family's table files, largest first.
fn files(database: &Database, family: &str) -> Vec<(usize, String)> {
    let files = database.inner.db.live_files().unwrap().into_iter();
    let of_family = files.filter(|file| file.column_family_name == family);
    let mut files: Vec<_> = of_family.map(|file| (file.size, file.name)).collect();
    files.sort_unstable_by(|one, next| next.cmp(one));
    files
}

#[test]
fn what_fills_memtables_at_once_is_written_to_files_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let database = Database::open(dir.path()).unwrap();
    commit(&database, 1, &[put("small", "1")]);
    assert!(files(&database, "values").is_empty());
    // Many rows, each far smaller than a memtable: by and by they fill it.
    let value = "v".repeat(4096);
    let rows = MEMTABLES_BYTES / value.len() + 1;
    let large: Vec<Write> = (0..rows).map(|number| put(&format!("{number}"), &value)).collect();
    commit(&database, 2, &large);
    wait_for_files(&database);
    assert_eq!(files(&database, "values").len(), 1);
    assert!(files(&database, "stale").is_empty(), "nothing of it is as large");
    let snapshot = database.snapshot(2).unwrap();
    assert_eq!(snapshot.get(b"16").unwrap().unwrap(), value.as_bytes());
}

#[test]
fn small_files_are_not_merged_with_a_large_one_each_time() {
    let dir = tempfile::tempdir().unwrap();
    let database = Database::open(dir.path()).unwrap();
    let mut height = 0;
    let mut file_of = |count: usize| {
        height += 1;
        let writes: Vec<_> = (0..count).map(|n| put(&format!("{height}/{n}"), "value")).collect();
        commit(&database, height, &writes);
        for family in ["values", "preimages"] {
            database.inner.db.flush_cf(database.inner.family(family).unwrap()).unwrap();
        }
        wait_for_files(&database);
        ["values", "preimages"].map(|family| files(&database, family)[0].clone())
    };
    let largest = file_of(5000);
    for _ in 0..12 {
        assert_eq!(file_of(10), largest, "still the one of height 1");
    }
    let count = files(&database, "values").len();
    assert!(count < 6, "small ones are merged with each other: {count} files");
}
