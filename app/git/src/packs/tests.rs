//! Packs in and out of the store.

use super::*;

fn quarantine(home: &Path, content: &[u8]) -> PathBuf {
    let dir = home.join("incoming-x");
    fs::create_dir_all(dir.join("pack")).unwrap();
    fs::write(dir.join("pack/pack-1.pack"), content).unwrap();
    fs::write(dir.join("pack/pack-1.idx"), b"index").unwrap();
    dir
}

#[test]
fn a_pack_is_adopted_installed_and_dropped() {
    let home = tempfile::TempDir::new().unwrap();
    let store = PackStore::open(home.path()).unwrap();
    let quarantine = quarantine(home.path(), b"PACK...");
    let info = store.adopt(&quarantine).unwrap().unwrap();
    assert_eq!(info, PackInfo { hash: PackHash::of(b"PACK..."), size: 7 });
    // Again is no error: two pushes of the same objects.
    assert_eq!(store.adopt(&quarantine).unwrap(), Some(info));
    fs::remove_dir_all(&quarantine).unwrap();
    assert_eq!(store.all().unwrap(), [info.hash]);

    let repository = home.path().join("r.git");
    fs::create_dir_all(repository.join("objects/pack")).unwrap();
    store.install(&info.hash, &repository).unwrap();
    store.install(&info.hash, &repository).unwrap();
    store.drop_pack(&info.hash);
    assert!(!store.has(&info.hash) && store.open_pack(&info.hash).is_none());
    let installed = fs::read(repository.join("objects/pack/pack-1.pack")).unwrap();
    assert_eq!(installed, b"PACK...");
    assert!(store.install(&info.hash, &repository).is_err());
}

#[test]
fn a_quarantine_without_pack_is_no_pack() {
    let home = tempfile::TempDir::new().unwrap();
    let store = PackStore::open(home.path()).unwrap();
    assert_eq!(store.adopt(&home.path().join("nothing")).unwrap(), None);
}

#[test]
fn what_was_half_written_is_gone_after_a_restart() {
    let home = tempfile::TempDir::new().unwrap();
    let store = PackStore::open(home.path()).unwrap();
    let draft = store.draft().unwrap();
    fs::write(draft.incoming(), b"half").unwrap();
    std::mem::forget(draft);
    let store = PackStore::open(home.path()).unwrap();
    assert!(store.all().unwrap().is_empty());
    assert_eq!(fs::read_dir(home.path().join("packs")).unwrap().count(), 0);
}
