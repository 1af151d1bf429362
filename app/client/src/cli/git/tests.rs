//! Words for a shell.
use super::*;

#[test]
fn words_are_quoted_where_needed() {
    assert_eq!(quoted("/home/a/.guts/id_ed25519"), "/home/a/.guts/id_ed25519");
    assert_eq!(quoted("key::ssh-ed25519 AAAA"), "'key::ssh-ed25519 AAAA'");
    assert_eq!(quoted("it's"), r"'it'\''s'");
    assert_eq!(quoted(""), "''");
}

#[test]
fn outside_a_repository_there_is_none() {
    let dir = tempfile::tempdir().expect("a directory");
    assert!(Git::find(dir.path()).expect("git runs").is_none());
    Git { dir: dir.path().to_owned() }.run(&["init", "-q", "-b", "trunk"]).expect("made");
    let git = Git::find(dir.path()).expect("git runs").expect("one");
    assert_eq!(git.head().expect("git runs").as_deref(), Some("refs/heads/trunk"));
    assert_eq!(git.remote("origin").expect("git runs"), None);
    assert!(git.run(&["no-such-command"]).is_err());
}
