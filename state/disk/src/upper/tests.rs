//! What is found in memory, and what is not.

use super::*;
use crate::tests::{commit, put};
use crate::{Column, Database};

/// How the form of an inner node begins.
const TAG_INTERNAL: u8 = 1;

/// The row of a node so many steps from the root: version, nibbles, which are two in a byte here.
fn row(version: u64, packed: &[u8], steps: usize) -> Vec<u8> {
    let nibbles: Vec<u8> = packed.iter().flat_map(|byte| [byte >> 4, byte & 0xf]).collect();
    [&version.to_be_bytes(), &nibbles[..steps]].concat()
}

/// What is like an inner node, as far as it is looked at here.
fn node(content: &[u8]) -> Vec<u8> {
    let node = [&[TAG_INTERNAL], content].concat();
    assert!(is_inner_node(&node));
    node
}

fn wrote(nodes: &UpperNodes, row: &[u8], node: &[u8]) {
    nodes.wrote(std::iter::once((row, node)));
}

#[test]
fn the_newest_node_of_a_place_is_found() {
    let nodes = UpperNodes::new();
    let (old, new) = (row(5, &[0xab, 0xcd], 4), row(6, &[0xab, 0xcd], 4));
    wrote(&nodes, &old, &node(b"old"));
    assert_eq!(nodes.find(&old), Some(node(b"old")));
    assert_eq!(nodes.find(&new), None);
    wrote(&nodes, &new, &node(b"new"));
    assert_eq!(nodes.find(&new), Some(node(b"new")));
    assert_eq!(nodes.find(&old), None, "that one is in the database alone");
    nodes.taken_back();
    assert_eq!((nodes.find(&new), nodes.bytes()), (None, 0));
}

#[test]
fn a_leaf_has_no_place_and_takes_that_of_the_node_before_it() {
    let nodes = UpperNodes::new();
    for path in [row(1, &[0xab, 0xcd], 4), row(1, &[0xab, 0xcd, 0xe0], 5)] {
        wrote(&nodes, &path, &node(b"inner"));
        assert_eq!(nodes.bytes(), 8 + 6);
        let later = [&2u64.to_be_bytes(), &path[8..]].concat();
        wrote(&nodes, &later, b"\x02a leaf");
        assert_eq!((nodes.find(&later), nodes.find(&path), nodes.bytes()), (None, None, 0));
    }
}

#[test]
fn every_place_has_its_own_and_those_farther_down_have_none() {
    let nodes = UpperNodes::new();
    let mut places = vec![row(1, &[], 0)];
    places.extend((0..16).map(|n| row(1, &[n << 4], 1)));
    places.extend((0..=255).map(|n| row(1, &[n], 2)));
    places.extend((0..1 << 12).map(|n: u16| row(1, &(n << 4).to_be_bytes(), 3)));
    places.extend((0..=u16::MAX).map(|n| row(1, &n.to_be_bytes(), 4)));
    assert_eq!(places.len(), LAST_LEVEL);
    places.extend((0..1 << 20).map(|n: u32| row(1, &(n << 12).to_be_bytes()[..3], 5)));
    assert_eq!(places.len(), PLACES);
    places.iter().for_each(|row| wrote(&nodes, row, &node(&row[8..])));
    assert!(places.iter().all(|row| nodes.find(row) == Some(node(&row[8..]))));
    let below = row(1, &[0xab, 0xcd, 0xef], 6);
    wrote(&nodes, &below, &node(b"below"));
    assert_eq!(nodes.find(&below), None);
}

#[test]
fn the_last_level_takes_no_more_than_its_bytes() {
    let nodes = UpperNodes::new();
    let large = node(&vec![7; LAST_LEVEL_BYTES_MAX / 4 - 9]);
    let rows: Vec<_> = (0..5).map(|n: u8| row(1, &[n, 0, 0], 5)).collect();
    rows.iter().for_each(|row| wrote(&nodes, row, &large));
    let found = |row: &Vec<u8>| nodes.find(row).is_some();
    assert_eq!(rows.iter().map(found).collect::<Vec<_>>(), [true, true, true, true, false]);
    // What replaces a node takes its room; what is too large for that leaves it.
    let (smaller, larger) = (row(2, &[0, 0, 0], 5), row(3, &[0, 0, 0], 5));
    wrote(&nodes, &smaller, &node(b"small"));
    assert!(found(&smaller) && !found(&rows[0]));
    wrote(&nodes, &larger, &[&large[..], &[7]].concat());
    assert!(!found(&larger) && !found(&smaller));
    wrote(&nodes, &rows[4], &large);
    assert!(found(&rows[4]), "there is room for it now");
    wrote(&nodes, &row(4, &[0, 0], 4), &large);
    assert!(found(&row(4, &[0, 0], 4)), "other levels have their own");
}

/// A row deleted behind its back shows where the answer came from.
#[test]
fn the_database_answers_from_here_until_its_versions_are_taken_back() {
    let dir = tempfile::tempdir().unwrap();
    let database = Database::open(dir.path()).unwrap();
    commit(&database, 1, &[put("a", "1"), put("b", "2")]);
    commit(&database, 2, &[put("a", "3")]);
    let store = database.store();
    let root = row(2, &[], 0);
    let node = store.get(Column::Nodes, &root).unwrap();
    let family = database.inner.family(Column::Nodes.name()).unwrap();
    database.inner.db.delete_cf(family, &root).unwrap();
    assert!(node.is_some());
    assert_eq!(store.get(Column::Nodes, &root).unwrap(), node);
    database.rollback(1).unwrap();
    assert_eq!(store.get(Column::Nodes, &root).unwrap(), None);
    assert!(store.get(Column::Nodes, &row(1, &[], 0)).unwrap().is_some());
}
