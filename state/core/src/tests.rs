//! The store against a plain map, and its proofs against the ics23 crate.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;

/// A memory store that grows version by version, as an application uses it.
struct World {
    store: MemoryStore,
    height: Version,
}

impl World {
    fn new() -> Self {
        Self { store: MemoryStore::new(), height: 0 }
    }

    fn snapshot(&self, height: Version) -> Snapshot {
        Snapshot::at(Arc::new(self.store.clone()), height).unwrap()
    }

    /// One height with these writes; returns whether anything was written.
    fn block(&mut self, writes: &[(Vec<u8>, Option<Vec<u8>>)]) -> bool {
        let snapshot = self.snapshot(self.height);
        let mut overlay = Overlay::new(&snapshot);
        for (key, value) in writes {
            match value {
                Some(value) => overlay.put(key.clone(), value.clone()).unwrap(),
                None => overlay.delete(key.clone()),
            }
        }
        let changes = overlay.into_changes();
        self.height += 1;
        let batch = snapshot.commit(&changes, self.height).unwrap();
        if let Some(batch) = &batch {
            self.store.write(batch);
        }
        batch.is_some()
    }
}

fn put(key: &str, value: &str) -> (Vec<u8>, Option<Vec<u8>>) {
    (key.into(), Some(value.into()))
}

#[test]
fn a_height_without_changes_writes_nothing_and_keeps_the_root() {
    let mut world = World::new();
    assert!(world.block(&[put("a", "1"), put("b", "2")]));
    let (rows, root) = (world.store.len(), world.snapshot(1).root());
    assert!(!world.block(&[]));
    assert!(!world.block(&[put("a", "1"), (b"absent".to_vec(), None)]));
    assert_eq!((world.store.len(), world.snapshot(3).root()), (rows, root));
    // And the next height that changes something builds on it.
    assert!(world.block(&[put("a", "3")]));
    assert_eq!(world.snapshot(4).get(b"a").unwrap().unwrap(), b"3");
    assert_eq!(world.snapshot(3).get(b"a").unwrap().unwrap(), b"1");
    assert_ne!(world.snapshot(4).root(), root);
}

#[test]
fn empty_keys_and_values_are_refused() {
    let snapshot = World::new().snapshot(0);
    let mut overlay = Overlay::new(&snapshot);
    assert_eq!(overlay.put(vec![], vec![1]), Err(StateError::Empty));
    assert_eq!(overlay.put(vec![1], vec![]), Err(StateError::Empty));
    assert_eq!(snapshot.prove(b""), Err(StateError::Empty));
    assert_eq!(snapshot.prove(b"a"), Err(StateError::NoVersion(0)));
}

#[test]
fn overlays_stack_and_drop() {
    let mut world = World::new();
    world.block(&[put("a", "1"), put("b", "1")]);
    let snapshot = world.snapshot(1);
    let cached = Cached::new(&snapshot);
    let mut block = Overlay::new(&cached);
    block.put(b"a".to_vec(), b"2".to_vec()).unwrap();
    let mut dropped = Overlay::new(&block);
    dropped.put(b"a".to_vec(), b"9".to_vec()).unwrap();
    dropped.delete(b"b".to_vec());
    assert_eq!(dropped.get(b"a").unwrap().unwrap(), b"9");
    assert_eq!(dropped.get(b"b").unwrap(), None);
    drop(dropped);
    assert_eq!(block.get(b"a").unwrap().unwrap(), b"2");
    let mut kept = Overlay::new(&block);
    kept.delete(b"b".to_vec());
    let kept = kept.into_changes();
    block.absorb(kept);
    assert_eq!(block.get(b"b").unwrap(), None);
    assert_eq!(cached.get(b"b").unwrap().unwrap(), b"1");
}

#[test]
fn a_batch_does_not_depend_on_the_order_of_the_writes() {
    let mut world = World::new();
    world.block(&["a", "b", "d", "f"].map(|key| put(key, "before")));
    let snapshot = world.snapshot(1);
    let batch = |keys: &[&str]| {
        let mut block = Overlay::new(&snapshot);
        block.put(b"c".to_vec(), b"old".to_vec()).unwrap();
        let mut over = Overlay::new(&block);
        for key in keys {
            over.put(key.as_bytes().to_vec(), key.as_bytes().to_vec()).unwrap();
        }
        over.delete(b"a".to_vec());
        let changes = over.into_changes();
        block.absorb(changes);
        assert_eq!(block.changes().len(), 5);
        let order: Vec<_> = block.changes().iter().map(|(key, _)| key).collect();
        let mut met = vec![&b"c"[..]];
        met.extend(keys.iter().map(|key| key.as_bytes()).filter(|key| *key != b"c"));
        assert_eq!(order, met);
        snapshot.commit(block.changes(), 2).unwrap().expect("it changes something")
    };
    let first = batch(&["a", "b", "c", "d", "e"]);
    assert_eq!(batch(&["e", "c", "b", "a", "d"]), first);
    assert_eq!(batch(&["b", "a", "e", "d", "c"]), first);
}

#[test]
fn a_version_is_written_once() {
    let mut world = World::new();
    world.block(&[put("a", "1")]);
    let snapshot = world.snapshot(1);
    let mut overlay = Overlay::new(&snapshot);
    overlay.put(b"a".to_vec(), b"2".to_vec()).unwrap();
    assert!(matches!(snapshot.commit(overlay.changes(), 1), Err(StateError::Damaged(_))));
}

#[test]
fn a_batch_can_be_read_before_it_is_written() {
    let mut world = World::new();
    let empty = world.snapshot(0);
    let mut overlay = Overlay::new(&empty);
    overlay.put(b"a".to_vec(), b"1".to_vec()).unwrap();
    // Genesis of a chain that starts at height 1000.
    let first = empty.commit(overlay.changes(), 999).unwrap().unwrap();
    let layered = Arc::new(Layered::new(empty.store().clone(), Arc::new(first.clone())));
    let genesis = Snapshot::at(layered, 999).unwrap();
    assert_eq!(genesis.root(), Some(first.root));
    let mut overlay = Overlay::new(&genesis);
    overlay.put(b"b".to_vec(), b"2".to_vec()).unwrap();
    let second = genesis.commit(overlay.changes(), 1000).unwrap().unwrap();
    world.store.write(&first);
    world.store.write(&second);
    let both = world.snapshot(1000);
    assert_eq!(both.root(), Some(second.root));
    assert_eq!(both.get(b"a").unwrap().unwrap(), b"1");
    assert_eq!(both.get(b"b").unwrap().unwrap(), b"2");
}

#[test]
fn stale_rows_are_those_that_newer_versions_do_not_need() {
    let mut world = World::new();
    for i in 0..20u8 {
        world.block(&[put(&format!("k{}", i % 7), &format!("v{i}")), put("same", "v")]);
        world.block(&[]);
    }
    world.block(&[(b"k3".to_vec(), None)]);
    // Delete everything the index names, then read and extend the newest version.
    let mut pruned = world.store.clone();
    pruned.prune(world.height).unwrap();
    assert!(pruned.len() < world.store.len());
    let old = world.snapshot(world.height);
    world.store = pruned;
    let new = world.snapshot(world.height);
    for i in 0..7 {
        let key = format!("k{i}");
        let key = key.as_bytes();
        assert_eq!(new.prove(key).unwrap(), old.prove(key).unwrap());
        assert_eq!(new.get(key).unwrap().is_some(), i != 3);
    }
    assert!(world.block(&[put("k3", "again"), put("k4", "again")]));
}

/// Keys from a small space, so that they meet; values of any bytes but none.
fn writes() -> impl Strategy<Value = Vec<(Vec<u8>, Option<Vec<u8>>)>> {
    let key = prop::collection::vec(0u8..4, 1..3);
    let value = prop::option::weighted(0.8, prop::collection::vec(any::<u8>(), 1..40));
    prop::collection::vec((key, value), 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn behaves_like_a_map_at_every_height(blocks in prop::collection::vec(writes(), 1..10)) {
        let mut world = World::new();
        // As genesis does: the tree is never empty.
        world.block(&[put("genesis", "g")]);
        let mut model = BTreeMap::from([(b"genesis".to_vec(), b"g".to_vec())]);
        let mut history = vec![model.clone()];
        for block in &blocks {
            let before = model.clone();
            for (key, value) in block {
                match value {
                    Some(value) => model.insert(key.clone(), value.clone()),
                    None => model.remove(key),
                };
            }
            let wrote = world.block(block);
            prop_assert_eq!(wrote, before != model);
            history.push(model.clone());
        }
        for (height, model) in (1..).zip(&history) {
            prop_assert_eq!(&world.store.entries(height).unwrap(), model);
            let snapshot = world.snapshot(height);
            let root = snapshot.root().unwrap().hash;
            for key in (0..4u8).flat_map(|a| [vec![a], vec![a, 0], vec![a, 1], vec![a, 3]]) {
                let expected = model.get(&key);
                prop_assert_eq!(snapshot.get(&key).unwrap(), expected.cloned());
                let proof = snapshot.prove(&key).unwrap();
                prop_assert_eq!(proof.value.as_ref(), expected);
                let other = [9; 32];
                match expected {
                    Some(value) => {
                        prop_assert!(verify_present(&proof.bytes, &root, &key, value));
                        prop_assert!(!verify_present(&proof.bytes, &root, &key, b"other"));
                        prop_assert!(!verify_present(&proof.bytes, &other, &key, value));
                        prop_assert!(!verify_absent(&proof.bytes, &root, &key));
                    }
                    None => {
                        prop_assert!(verify_absent(&proof.bytes, &root, &key));
                        prop_assert!(!verify_absent(&proof.bytes, &other, &key));
                        prop_assert!(!verify_absent(&proof.bytes, &root, b"genesis"));
                    }
                }
            }
        }
    }

    #[test]
    fn the_root_depends_on_the_content_only(block in writes()) {
        let (mut once, mut twice) = (World::new(), World::new());
        once.block(&[put("genesis", "g")]);
        once.block(&block);
        // The same content, written one key a height.
        twice.block(&[put("genesis", "g")]);
        for write in &block {
            twice.block(std::slice::from_ref(write));
        }
        prop_assert_eq!(
            once.snapshot(once.height).root().unwrap().hash,
            twice.snapshot(twice.height).root().unwrap().hash
        );
    }
}

#[test]
fn nodes_of_a_version_that_lie_below_one_another_lie_beside_one_another() {
    let mut world = World::new();
    let writes: Vec<_> = (0..2000).map(|i| put(&format!("key{i}"), "v")).collect();
    assert!(world.block(&writes));
    let nodes = world.store.rows().filter(|(column, ..)| *column == Column::Nodes);
    // Behind the version: the first two steps of each way that has as many.
    let mut met: Vec<_> = nodes.filter_map(|(_, row, _)| row[8..].first_chunk::<2>()).collect();
    met.dedup();
    assert_eq!(met.len(), 256, "each way is met once, as one run of rows");
}
