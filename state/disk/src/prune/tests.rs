//! What is kept reads and proves as before; of the rest no row remains, whenever the work stopped.

use std::collections::BTreeSet;

use guts_state::{MemoryStore, Read, Snapshot, leaf_key};
use proptest::prelude::*;

use crate::tests::{Write, commit, put, rows, writes};
use crate::*;

/// A database and a store in memory with the same heights, from 1.
fn grown(dir: &Path, blocks: &[Vec<Write>]) -> (Database, MemoryStore) {
    let database = Database::open(dir).unwrap();
    let mut memory = MemoryStore::new();
    for (height, block) in (1..).zip(blocks) {
        if let Some(batch) = commit(&database, height, block) {
            memory.write(&batch);
        }
    }
    (database, memory)
}

fn prune(database: &Database, oldest: Version) {
    let mut pruner = database.pruner();
    pruner.keep_from(oldest).unwrap();
    while pruner.step(5).unwrap() {}
}

/// The rows of a store in memory, with the heads of these heights.
fn expected(
    memory: &MemoryStore,
    heads: std::ops::RangeInclusive<Version>,
) -> BTreeMap<(&'static str, Vec<u8>), Vec<u8>> {
    let tree = memory.rows().map(|(c, k, v)| ((c.name(), k.to_vec()), v.to_vec()));
    let heads = heads.map(|h| ((HEADS, h.to_be_bytes().to_vec()), vec![h as u8]));
    tree.chain(heads).collect()
}

/// Those of the database, what is one for all of it left out.
fn found(database: &Database) -> BTreeMap<(&'static str, Vec<u8>), Vec<u8>> {
    rows(database).into_iter().filter(|((family, _), _)| *family != META).collect()
}

fn keys() -> impl Iterator<Item = Vec<u8>> {
    let few = (0..4u8).flat_map(|a| [vec![a], vec![a, 0], vec![a, 1], vec![a, 2], vec![a, 3]]);
    few.chain([b"genesis".to_vec()])
}

#[test]
fn a_state_that_is_given_up_is_read_by_nobody_before_a_row_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let blocks = [vec![put("a", "1")], vec![put("a", "2")], vec![], vec![put("a", "4")]];
    let (database, _) = grown(dir.path(), &blocks);
    let old = database.snapshot(2).unwrap();
    let kept = database.snapshot(3).unwrap();
    let mut pruner = database.pruner();
    pruner.keep_from(3).unwrap();
    let pruned = StateError::Pruned { height: 2, oldest: 3 };
    assert_eq!(old.get(b"a"), Err(pruned.clone()));
    assert_eq!(old.prove(b"a"), Err(pruned));
    assert!(database.snapshot(2).is_err());
    while pruner.step(1).unwrap() {}
    assert_eq!(kept.get(b"a").unwrap().unwrap(), b"2");
    assert_eq!(database.oldest(), 3);
    // Neither back nor beyond the newest.
    pruner.keep_from(1).unwrap();
    assert_eq!(database.oldest(), 3);
    pruner.keep_from(9).unwrap();
    assert_eq!(database.oldest(), 4);
}

#[test]
fn a_rollback_does_not_go_below_what_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let blocks: Vec<_> = (1..=5).map(|i: u8| vec![put("a", &i.to_string())]).collect();
    let (database, _) = grown(dir.path(), &blocks);
    // Given up and not deleted yet is not kept either.
    database.pruner().keep_from(3).unwrap();
    let refused = database.rollback(2).unwrap_err();
    assert!(matches!(refused, DiskError::NotKept { height: 2, oldest: 3 }), "{refused}");
    prune(&database, 3);
    assert!(database.rollback(2).is_err());
    assert_eq!(database.rollback(3).unwrap().height, 3);
    assert_eq!(database.entries(3).unwrap()[&b"a".to_vec()], b"3");
}

#[test]
fn what_names_a_key_goes_with_the_last_state_that_has_it() {
    let dir = tempfile::tempdir().unwrap();
    let gone = || vec![(b"a".to_vec(), None)];
    let blocks = [
        vec![put("a", "1"), put("genesis", "g")],
        gone(),
        vec![put("a", "3")],
        vec![put("a", "4")],
        gone(),
    ];
    let (database, _) = grown(dir.path(), &blocks);
    let names = || {
        let all = found(&database).into_iter();
        all.filter(|((family, _), key)| *family == "preimages" && key == b"a").count()
    };
    assert_eq!(names(), 2, "it was made twice");
    prune(&database, 2);
    assert_eq!(names(), 1, "of the state that has it again");
    let kept = database.snapshot(4).unwrap().prove(b"b").unwrap();
    prune(&database, 4);
    // One of the neighbours that show that b is absent.
    assert_eq!(database.snapshot(4).unwrap().prove(b"b").unwrap(), kept);
    assert_eq!((names(), database.entries(4).unwrap().len()), (1, 2));
    prune(&database, 5);
    assert_eq!((names(), database.entries(5).unwrap().len()), (0, 1));
    // Set again, taken back, and set once more.
    for value in ["6", "7"] {
        commit(&database, 6, &[put("a", value)]);
        assert_eq!(
            (names(), database.entries(6).unwrap()[&b"a"[..]].as_slice()),
            (1, value.as_bytes())
        );
        assert_eq!(database.rollback(5).unwrap().height, 5);
        assert_eq!(names(), 0);
    }
}

/// No row of the tree is left that the newest state does not need: one node a path, each on the way
/// to a key, and one row a value.
fn assert_minimal(database: &Database, state: &Snapshot) {
    let live = keys().filter(|key| state.get(key).unwrap().is_some()).count();
    let all = found(database);
    let of = |family| all.keys().filter(move |(name, _)| *name == family).map(|(_, key)| key);
    let paths: BTreeSet<&[u8]> = of("nodes").map(|key| &key[8..]).collect();
    assert_eq!(paths.len(), of("nodes").count());
    let nodes = all.iter().filter(|((name, _), _)| *name == "nodes");
    let leaves = nodes.filter(|(_, node)| leaf_key(node).unwrap().is_some()).count();
    assert_eq!((leaves, of("values").count(), of("preimages").count()), (live, live, live));
    assert_eq!((of("stale").count(), of("roots").count(), of("heads").count()), (0, 1, 1));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn what_is_kept_is_as_before_and_the_rest_is_gone(
        mut blocks in prop::collection::vec(writes(), 2..10),
        at in any::<prop::sample::Index>(),
        steps in 0usize..4,
        room in 1usize..7,
    ) {
        // An empty tree proves nothing.
        blocks[0].push(put("genesis", "g"));
        let dir = tempfile::tempdir().unwrap();
        let (database, mut memory) = grown(dir.path(), &blocks);
        let unpruned = Arc::new(memory.clone());
        let newest = blocks.len() as Version;
        let oldest = at.index(blocks.len()) as Version + 1;
        let mut pruner = database.pruner();
        pruner.keep_from(oldest).unwrap();
        for _ in 0..steps {
            pruner.step(room).unwrap();
        }
        drop((pruner, database));
        // Whoever comes after goes on.
        let database = Database::open(dir.path()).unwrap();
        prop_assert_eq!(database.oldest(), oldest);
        let mut pruner = database.pruner();
        while pruner.step(room).unwrap() {}
        memory.prune(oldest).unwrap();
        prop_assert_eq!(found(&database), expected(&memory, oldest..=newest));
        for height in oldest..=newest {
            let ours = database.snapshot(height).unwrap();
            let theirs = Snapshot::at(unpruned.clone(), height).unwrap();
            prop_assert_eq!(ours.root(), theirs.root());
            for key in keys() {
                prop_assert_eq!(ours.get(&key).unwrap(), theirs.get(&key).unwrap());
                prop_assert_eq!(ours.prove(&key), theirs.prove(&key));
            }
        }
        prop_assert!(oldest == 1 || database.snapshot(oldest - 1).is_err());
        // Back, and up again, on what is left.
        database.rollback(oldest).unwrap();
        for (height, block) in (1..).zip(&blocks).skip(oldest as usize) {
            commit(&database, height, block);
        }
        let theirs = Snapshot::at(unpruned, newest).unwrap();
        let ours = database.snapshot(newest).unwrap();
        prop_assert_eq!(ours.root(), theirs.root());
        for key in keys() {
            prop_assert_eq!(ours.prove(&key), theirs.prove(&key));
        }
        prune(&database, newest);
        assert_minimal(&database, &ours);
    }
}
