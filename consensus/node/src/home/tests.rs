//! The lock and whole-file writing.

use super::*;

#[test]
fn a_home_has_one_user_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::new(dir.path());
    let lock = home.lock().unwrap();
    let error = home.lock().unwrap_err();
    assert!(error.to_string().contains("in use by another guts-engine"), "{error}");
    drop(lock);
    home.lock().unwrap();
}

#[test]
fn files_are_replaced_as_a_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a/b.json");
    assert_eq!(read_if_exists(&path).unwrap(), None);
    write_durably(&path, "one").unwrap();
    write_durably(&path, "two").unwrap();
    assert_eq!(read_if_exists(&path).unwrap().as_deref(), Some("two"));
    assert_eq!(std::fs::read_dir(dir.path().join("a")).unwrap().count(), 1);
}
