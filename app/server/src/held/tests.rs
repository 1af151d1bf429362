//! Who may drop a pack, and when.

use tempfile::TempDir;

use super::*;

fn is_dropped(held: &Held, pack: &PackHash) -> bool {
    let mut is_dropped = false;
    held.unless_held(pack, || is_dropped = true);
    is_dropped
}

/// A store with that pack, as far as anybody can see.
fn store(pack: &PackHash) -> (TempDir, PackStore) {
    let dir = TempDir::new().unwrap();
    let packs = PackStore::open(dir.path()).unwrap();
    std::fs::create_dir(packs.objects(pack)).unwrap();
    (dir, packs)
}

#[test]
fn a_pack_is_dropped_once_no_push_holds_it() {
    let held = Held::default();
    let (pack, other) = (PackHash::new([1; 32]), PackHash::new([2; 32]));
    let (_dir, packs) = store(&pack);
    let (first, second) = (held.hold(pack, &packs).unwrap(), held.hold(pack, &packs).unwrap());
    assert!(is_dropped(&held, &other));
    drop(first);
    assert!(!is_dropped(&held, &pack), "the second push has it still");
    drop(second);
    assert!(is_dropped(&held, &pack));
}

#[test]
fn a_pack_that_went_before_it_was_held_is_not_taken_for_one_that_is_here() {
    let held = Held::default();
    let pack = PackHash::new([1; 32]);
    let (_dir, packs) = store(&pack);
    held.unless_held(&pack, || packs.drop_pack(&pack));
    assert!(held.hold(pack, &packs).is_none());
    assert!(is_dropped(&held, &pack), "nobody holds what is not here");
}
