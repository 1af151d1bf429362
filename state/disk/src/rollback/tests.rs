//! What is taken back is as if it had never been.

use proptest::prelude::*;

use crate::tests::{Write, commit, put, rows, writes};
use crate::*;

/// A database of so many heights, each committed with the writes of one block.
fn grown(blocks: &[Vec<Write>]) -> (tempfile::TempDir, Database) {
    let dir = tempfile::tempdir().unwrap();
    let database = Database::open(dir.path()).unwrap();
    for (height, block) in (1..).zip(blocks) {
        commit(&database, height, block);
    }
    (dir, database)
}

#[test]
fn a_height_goes_with_everything_it_wrote_and_is_written_again() {
    let blocks = [
        vec![put("a", "1"), put("b", "1")],
        vec![],
        vec![put("a", "3"), (b"b".to_vec(), None), put("new", "3")],
        vec![],
    ];
    let (dir, database) = grown(&blocks);
    let all = rows(&database);
    let root = database.snapshot(4).unwrap().root();
    assert_eq!(database.rollback(2).unwrap(), Head { height: 2, memo: vec![2] });
    let (_, fresh) = grown(&blocks[..2]);
    assert_eq!(rows(&database), rows(&fresh));
    // What was in memory of the newer heights is forgotten.
    let state = database.snapshot(Version::MAX).unwrap();
    let value = |key: &str| state.get(key.as_bytes()).unwrap();
    assert_eq!(value("a"), Some(b"1".to_vec()));
    assert_eq!((value("b"), value("new")), (Some(b"1".to_vec()), None));
    drop((state, database));
    let database = Database::open(dir.path()).unwrap();
    assert_eq!(rows(&database), rows(&fresh));
    commit(&database, 3, &blocks[2]);
    commit(&database, 4, &blocks[3]);
    assert_eq!(rows(&database), all);
    assert_eq!(database.snapshot(4).unwrap().root(), root);
}

#[test]
fn what_cannot_be_gone_back_to_is_refused_and_nothing_is_changed() {
    let dir = tempfile::tempdir().unwrap();
    let database = Database::open(dir.path()).unwrap();
    assert!(matches!(database.rollback(0), Err(DiskError::Ahead { newest: 0, .. })));
    commit(&database, 7, &[put("a", "7")]);
    commit(&database, 8, &[put("a", "8")]);
    let before = rows(&database);
    let ahead = database.rollback(9).unwrap_err();
    assert!(matches!(ahead, DiskError::Ahead { height: 9, newest: 8 }), "{ahead}");
    let below = database.rollback(6).unwrap_err();
    assert!(matches!(below, DiskError::NotKept { height: 6, oldest: 7 }), "{below}");
    assert_eq!(database.rollback(8).unwrap().height, 8, "where it is already");
    assert_eq!(rows(&database), before);
}

/// Whoever dies after any of its writes has the whole state of a height on the way.
#[test]
fn an_interrupted_rollback_leaves_a_whole_height_and_goes_on() {
    let block = |i: u8| vec![put("a", &i.to_string()), put(&format!("k{i}"), "v")];
    let blocks: Vec<Vec<Write>> = (1..=6).map(block).collect();
    let (_dir, database) = grown(&blocks);
    for version in [6, 5] {
        database.inner.take_back(Some(version), version - 1).unwrap();
        let height = database.head().unwrap().unwrap().height;
        assert_eq!(height, version - 1);
        let (_, fresh) = grown(&blocks[..height as usize]);
        assert_eq!(rows(&database), rows(&fresh));
    }
    database.rollback(2).unwrap();
    let (_, fresh) = grown(&blocks[..2]);
    assert_eq!(rows(&database), rows(&fresh));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn every_height_can_be_gone_back_to(
        blocks in prop::collection::vec(writes(), 2..9),
        back in any::<prop::sample::Index>(),
    ) {
        let (_dir, database) = grown(&blocks);
        let all = rows(&database);
        let height = back.index(blocks.len()) + 1;
        database.rollback(height as u64).unwrap();
        let (_, fresh) = grown(&blocks[..height]);
        prop_assert_eq!(rows(&database), rows(&fresh));
        for (height, block) in (1..).zip(&blocks).skip(height) {
            commit(&database, height, block);
        }
        prop_assert_eq!(rows(&database), all);
    }
}
