//! What counts as a difference.
use super::*;

fn refs(list: &[(&str, u8)]) -> BTreeMap<String, Oid> {
    list.iter().map(|(name, byte)| ((*name).to_owned(), Oid::Sha1([*byte; 20]))).collect()
}

#[test]
fn a_moved_an_added_and_a_missing_ref_are_found() {
    let proved = refs(&[("refs/heads/main", 1), ("refs/tags/v1", 2), ("refs/notes/commits", 3)]);
    let same = refs(&[("refs/heads/main", 1), ("refs/tags/v1", 2)]);
    assert!(differences(&proved, &same, false).is_empty());
    assert_eq!(differences(&proved, &same, true).len(), 1, "a mirror has every ref");
    let other = refs(&[("refs/heads/main", 9), ("refs/heads/evil", 1)]);
    let lines = differences(&proved, &other, false);
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines.iter().any(|line| line.contains("refs/tags/v1 is missing")), "{lines:?}");
}

#[test]
fn the_repository_is_at_the_end_of_the_url() {
    for url in ["http://127.0.0.1:8080/alice/hello.git", "https://x/y/alice/hello", "alice/hello/"]
    {
        assert_eq!(path_of_url(url).as_deref(), Some("alice/hello"), "{url}");
    }
    assert_eq!(path_of_url("hello"), None);
    assert_eq!(path_of_url("/srv/Git/Hello.git"), None);
}
