//! What is read from the file is what the whole document would give.

use super::*;

/// A home whose document has an `app_state` of about so many bytes, and the document.
fn home(bytes: usize) -> (tempfile::TempDir, Home, GenesisDoc) {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::new(dir.path());
    let items: Vec<String> = (0..=bytes / 40)
        .map(|i| format!("  {{ \"n\" : {i}, \"s\" : \"<\u{2028}\u{20ac}>\" }}"))
        .collect();
    let state = match bytes {
        0 => String::new(),
        _ => format!(" , \"app_state\" : [\n{}\n]", items.join(",\n")),
    };
    let rest = "\"genesis_time\": \"2024-01-02T03:04:05Z\", \"chain_id\": \"c\"";
    let text = format!("{{ {rest}{state} }}");
    std::fs::create_dir(dir.path().join("config")).unwrap();
    std::fs::write(home.config("genesis.json"), &text).unwrap();
    (dir, home, GenesisDoc::parse(&text).unwrap())
}

#[test]
fn every_piece_is_that_of_the_whole() {
    for bytes in [0, 10, 3 * PIECE_BYTES] {
        let (_dir, home, doc) = home(bytes);
        let genesis = Genesis::open(&home).unwrap();
        let whole = doc.to_compact_json();
        assert_eq!(genesis.hash(), doc.hash());
        assert_eq!(genesis.app_state().unwrap(), doc.app_state.as_bytes());
        assert!(genesis.doc().app_state.is_empty(), "it is not in memory");
        assert_eq!(genesis.compact_len(), whole.len() as u64);
        for size in [7, 1_000, 65_536, u64::MAX] {
            let count = genesis.compact_len().div_ceil(size).min(200);
            let pieces = (0..count).map(|at| genesis.compact(at * size, size).unwrap());
            let pieces: Vec<u8> = pieces.flatten().collect();
            let expected = usize::try_from(count.saturating_mul(size)).unwrap_or(usize::MAX);
            assert_eq!(pieces, whole.as_bytes()[..expected.min(whole.len())], "{bytes} {size}");
        }
        let end = genesis.compact_len();
        assert_eq!(genesis.compact(end - 1, 5).unwrap(), b"}");
        assert!(genesis.compact(end, 5).unwrap().is_empty());
        assert!(genesis.compact(u64::MAX, u64::MAX).unwrap().is_empty());
    }
}

#[test]
fn it_can_be_read_on_from_between() {
    let (_dir, home, doc) = home(2 * MARK_BYTES as usize);
    let genesis = Genesis::open(&home).unwrap();
    assert!(genesis.marks.len() > 1, "of so much there are several places to begin from");
    let whole = doc.to_compact_json();
    let last = genesis.marks[genesis.marks.len() - 1].written;
    for from in [last - 3, last, last + 1, last + 100_000] {
        let from_at = usize::try_from(from).unwrap() + genesis.around.0.len();
        let piece = genesis.compact(from_at as u64, 50_000).unwrap();
        assert_eq!(piece, whole.as_bytes()[from_at..from_at + 50_000]);
    }
}

#[test]
fn a_file_that_is_another_by_now_is_not_read() {
    let (_dir, home, doc) = home(1_000);
    let genesis = Genesis::open(&home).unwrap();
    let path = home.config("genesis.json");
    // One that takes its place is another file.
    std::fs::write(path.with_extension("new"), "{}").unwrap();
    std::fs::rename(path.with_extension("new"), &path).unwrap();
    assert_eq!(genesis.compact(0, u64::MAX).unwrap(), doc.to_compact_json().as_bytes());
    assert!(matches!(Genesis::open(&home), Err(ReadError::Genesis { .. })));

    let (_dir, home, _) = self::home(1_000);
    let genesis = Genesis::open(&home).unwrap();
    let path = home.config("genesis.json");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("\"n\" : 1,", "\"n\" : 2,") + "\n").unwrap();
    assert!(matches!(genesis.app_state(), Err(ReadError::Changed { .. })));
    let refused = genesis.compact(0, u64::MAX).unwrap_err();
    assert!(refused.to_string().contains("start it again"), "{refused}");
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(Genesis::open(&home), Err(ReadError::File(FileError::Missing { .. }))));
}
