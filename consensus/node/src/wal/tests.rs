//! Reopening, torn tails, damage, rotation.

use super::*;
use guts_genesis::Height;

fn end(height: u64) -> Entry {
    Entry::EndHeight(Height(height))
}

fn only_file(dir: &Path) -> PathBuf {
    let numbers = segments(dir).unwrap();
    assert_eq!(numbers.len(), 1, "one file: {numbers:?}");
    segment(dir, numbers[0])
}

#[test]
fn entries_come_back_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let (mut log, found) = Log::open(dir.path()).unwrap();
    assert!(found.entries.is_empty());
    for height in 1..=3 {
        log.append(&end(height));
        assert!(!log.is_synced());
        log.sync().unwrap();
        assert!(log.is_synced());
    }
    drop(log);
    let (_, found) = Log::open(dir.path()).unwrap();
    assert_eq!(found.entries, [end(1), end(2), end(3)]);
    assert_eq!(found.torn, 0);
}

#[test]
fn a_torn_tail_is_cut_and_said_and_appending_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let (mut log, _) = Log::open(dir.path()).unwrap();
    log.append(&end(1));
    log.sync().unwrap();
    log.append(&end(2));
    log.write().unwrap();
    drop(log);
    let path = only_file(dir.path());
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 3]).unwrap();
    let (mut log, found) = Log::open(dir.path()).unwrap();
    assert_eq!(found.entries, [end(1)]);
    assert!(found.torn > 0);
    log.append(&end(3));
    log.sync().unwrap();
    drop(log);
    let (_, found) = Log::open(dir.path()).unwrap();
    assert_eq!((found.entries, found.torn), (vec![end(1), end(3)], 0));
}

#[test]
fn damage_before_synced_data_is_refused_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let (mut log, _) = Log::open(dir.path()).unwrap();
    for height in 1..=3 {
        log.append(&end(height));
        log.sync().unwrap();
    }
    drop(log);
    let path = only_file(dir.path());
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[25] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let error = Log::open(dir.path()).unwrap_err();
    assert!(matches!(error, LogError::Damaged { .. }));
    assert!(error.to_string().contains("guts-engine reset --keep-keys"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), bytes, "a refused log is left as it is");
}

#[test]
fn rotation_leaves_one_file_and_its_entries() {
    let dir = tempfile::tempdir().unwrap();
    let (mut log, _) = Log::open(dir.path()).unwrap();
    log.append(&end(1));
    log.rotate().unwrap();
    assert!(log.is_empty());
    log.append(&end(2));
    log.sync().unwrap();
    drop(log);
    only_file(dir.path());
    let (log, found) = Log::open(dir.path()).unwrap();
    assert_eq!(found.entries, [end(2)]);
    assert!(!log.is_empty());
}
