//! The tree that the walk leaves: its hash against `jmt`'s, its nodes against a walk through all.

use std::collections::{BTreeMap, BTreeSet};

use jmt::Sha256Jmt;
use proptest::prelude::*;

use super::*;
use crate::store::stale_rows;
use crate::tree::Reader;
use crate::{Batch, MemoryStore};

type Writes = BTreeMap<KeyHash, Option<Vec<u8>>>;

/// A tree, and what it is to hold.
#[derive(Default)]
struct Grown {
    store: MemoryStore,
    root: Option<Root>,
    values: BTreeMap<KeyHash, Vec<u8>>,
}

impl Grown {
    fn write(&mut self, mut writes: Writes) {
        writes.retain(|key, value| self.values.get(key) != value.as_ref());
        let version = self.root.map_or(0, |root| root.version + 1);
        let change = |(key, value): (&KeyHash, &Option<Vec<u8>>)| {
            Change::new(*key, value.as_deref(), self.values.contains_key(key))
        };
        let changes: Vec<_> = writes.iter().map(change).collect();
        if changes.is_empty() {
            return;
        }
        let updated = update(&self.store, self.root, &changes, version).unwrap();
        let reader = Reader(&self.store);
        let expected = Sha256Jmt::new(&reader).put_value_set(writes.clone(), version).unwrap().0;
        assert_eq!(updated.hash, expected.0);

        assert!(updated.nodes.is_sorted(), "a walk through what is new");
        let before = self.nodes();
        let (written, stale) = (updated.nodes.clone(), updated.stale.into_bytes());
        let root = Root { version, hash: updated.hash };
        let mut batch = Batch::new(root);
        batch.put(Column::Nodes, updated.nodes);
        self.store.write(&batch);
        self.root = Some(root);
        for (key, value) in writes {
            match value {
                Some(value) => self.values.insert(key, value),
                None => self.values.remove(&key),
            };
        }
        let after = self.nodes();
        let stale = stale_rows(&stale).unwrap();
        assert_once(written.iter().map(|(row, _)| &row[..]), after.difference(&before));
        assert_once(stale.iter().map(|(_, row)| *row), before.difference(&after));
    }

    /// The rows of all nodes, each hashed again.
    fn nodes(&self) -> BTreeSet<Vec<u8>> {
        let mut rows = BTreeSet::new();
        let mut leaves = 0;
        let mut next: Vec<_> =
            self.root.iter().map(|root| (Path::ROOT, root.version, root.hash)).collect();
        while let Some((path, version, expected)) = next.pop() {
            let hash = match node_at(&self.store, path, version).unwrap() {
                Node::Null => NOTHING,
                Node::Leaf(leaf) => {
                    let value = &self.values[&leaf.key_hash()];
                    assert_eq!(
                        leaf,
                        LeafNode::new(leaf.key_hash(), ValueHash::with::<Sha256>(value))
                    );
                    leaves += 1;
                    leaf.hash::<Sha256>()
                }
                Node::Internal(node) => {
                    let children = (0..16).filter_map(|n| Some((path.child(n), node.child(n)?)));
                    next.extend(children.map(|(below, child)| (below, child.version, child.hash)));
                    node.hash()
                }
            };
            assert_eq!(hash, expected);
            assert!(rows.insert(path.row(version)));
        }
        assert_eq!(leaves, self.values.len());
        rows
    }
}

/// That these are just those, each once.
fn assert_once<'a>(
    rows: impl Iterator<Item = &'a [u8]>,
    expected: impl Iterator<Item = &'a Vec<u8>>,
) {
    let mut rows: Vec<_> = rows.collect();
    rows.sort_unstable();
    assert!(rows.into_iter().eq(expected));
}

/// Keys that part soon, late or at the very end.
fn key() -> impl Strategy<Value = KeyHash> {
    let nibbles = || prop::sample::select(vec![0x00, 0x01, 0x10, 0xf0]);
    (nibbles(), nibbles(), nibbles(), nibbles()).prop_map(|(first, second, middle, last)| {
        let mut key = [0; 32];
        (key[0], key[1], key[15], key[31]) = (first, second, middle, last);
        KeyHash(key)
    })
}

fn writes() -> impl Strategy<Value = Writes> {
    let value = prop::option::weighted(0.6, prop::collection::vec(0u8..3, 1..3));
    prop::collection::btree_map(key(), value, 0..24)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn has_the_hash_of_jmt_and_just_the_nodes_it_needs(
        versions in prop::collection::vec(writes(), 1..16),
    ) {
        let mut tree = Grown::default();
        for writes in versions {
            tree.write(writes);
        }
        // And back to nothing.
        let all = tree.values.keys().map(|key| (*key, None)).collect();
        tree.write(all);
    }
}

#[test]
fn leaves_that_are_replaced_are_not_read() {
    let keys: Vec<_> = (0..200u8).map(|n| KeyHash([n; 32])).collect();
    let mut tree = Grown::default();
    tree.write(keys.iter().map(|key| (*key, Some(vec![1]))).collect());
    // Without their rows: whoever reads one fails.
    let mut batch = Batch::new(tree.root.unwrap());
    let nodes = tree.store.rows().filter(|(column, ..)| *column == Column::Nodes);
    let inner = nodes.filter(|(_, _, node)| !matches!(Node::decode(node), Ok(Node::Leaf(_))));
    let inner = inner.map(|(_, row, node)| (row.to_vec(), node.to_vec()));
    batch.put(Column::Nodes, inner.collect());
    let mut bare = MemoryStore::new();
    bare.write(&batch);

    let mut beside = KeyHash([7; 32]);
    beside.0[31] = 8;
    let new = [Change::new(beside, Some(b"v"), false)];
    let failed = update(&bare, tree.root, &new, 1).err();
    assert_eq!(failed, Some(damaged("a node")), "a leaf that gets a neighbour is read");

    let changes: Vec<_> = keys.iter().map(|key| Change::new(*key, Some(b"2"), true)).collect();
    let hash = update(&bare, tree.root, &changes, 1).unwrap().hash;
    tree.write(keys.iter().map(|key| (*key, Some(b"2".to_vec()))).collect());
    assert_eq!(tree.root, Some(Root { version: 1, hash }));
}
