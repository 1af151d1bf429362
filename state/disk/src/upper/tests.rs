//! What is found in memory, and what is not.

use super::*;
use crate::tests::{commit, put};
use crate::{Column, Database};

/// The row of a node: version, nibbles packed, their number.
fn row(version: u64, packed: &[u8], steps: u8) -> Vec<u8> {
    [&version.to_be_bytes(), packed, &[steps]].concat()
}

fn wrote(nodes: &UpperNodes, row: &[u8], node: &[u8]) {
    nodes.wrote(std::iter::once((row, node)));
}

#[test]
fn the_newest_node_of_a_place_is_found() {
    let nodes = UpperNodes::new();
    let (old, new) = (row(5, &[0xab, 0xcd], 4), row(6, &[0xab, 0xcd], 4));
    wrote(&nodes, &old, b"old");
    assert_eq!(nodes.find(&old), Some(b"old".to_vec()));
    assert_eq!(nodes.find(&new), None);
    wrote(&nodes, &new, b"new");
    assert_eq!(nodes.find(&new), Some(b"new".to_vec()));
    assert_eq!(nodes.find(&old), None, "that one is in the database alone");
    nodes.taken_back();
    assert_eq!(nodes.find(&new), None);
}

#[test]
fn every_place_has_its_own_and_those_farther_down_have_none() {
    let nodes = UpperNodes::new();
    let mut places = vec![row(1, &[], 0)];
    places.extend((0..16).map(|n| row(1, &[n << 4], 1)));
    places.extend((0..=255).map(|n| row(1, &[n], 2)));
    places.extend((0..1 << 12).map(|n: u16| row(1, &(n << 4).to_be_bytes(), 3)));
    places.extend((0..=u16::MAX).map(|n| row(1, &n.to_be_bytes(), 4)));
    assert_eq!(places.len(), PLACES);
    places.iter().for_each(|row| wrote(&nodes, row, &row[8..]));
    assert!(places.iter().all(|row| nodes.find(row).as_deref() == Some(&row[8..])));
    let below = row(1, &[0xab, 0xcd, 0xe0], 5);
    wrote(&nodes, &below, b"below");
    assert_eq!(nodes.find(&below), None);
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
