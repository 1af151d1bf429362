//! What the end of a child says, and what it does not.
use std::os::unix::process::ExitStatusExt;

use super::*;

fn ended(code: i32, stderr: &str) -> Ended {
    Ended { status: ExitStatus::from_raw(code << 8), stdout: Vec::new(), stderr: stderr.into() }
}

#[test]
fn an_exit_code_that_is_expected_is_an_answer() {
    assert_eq!(ended(0, "").decided("x", &[0, 128]).ok(), Some(0));
    assert_eq!(ended(128, "fatal: bad object 12").decided("x", &[0, 128]).ok(), Some(128));
    assert!(ended(129, "usage").decided("x", &[0, 128]).is_err());
}

#[test]
fn a_machine_at_its_end_is_no_answer() {
    for words in [
        "fatal: Out of memory, malloc failed (tried to allocate 26800001 bytes)",
        "fatal: mmap failed, check sys.vm.max_map_count: Cannot allocate memory",
        "fatal: unable to create thread: Resource temporarily unavailable",
        "fatal: write error: No space left on device",
        "fatal: sha1 file '<stdout>' write error: File too large",
    ] {
        let said = ended(128, words).decided("rev-list", &[0, 128]);
        assert!(matches!(said, Err(GitError::Failed { .. })), "{words}");
    }
}

#[test]
fn a_killed_child_is_no_answer() {
    let killed = Ended { status: ExitStatus::from_raw(9), ..ended(0, "") };
    assert!(killed.decided("rev-list", &[0, 128]).is_err());
}

#[test]
fn the_version_of_git_is_read() {
    for (said, found) in [
        ("git version 2.39.5\n", Some((2, 39))),
        ("git version 2.37\n", Some((2, 37))),
        ("git version 2.34.1 (Apple Git-1)\n", Some((2, 34))),
        ("git version 3.0.rc1", Some((3, 0))),
        ("something else", None),
        ("git version x.y", None),
    ] {
        assert_eq!(version(said), found, "{said}");
    }
    assert!((2, 9) < (2, 37));
}
