//! Editors that write, that fail, and that are given with options.
use super::*;

#[test]
fn what_an_editor_writes_is_the_text_and_stays() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("a draft");
    let text = edit("printf 'two\\nlines\\n\\n' >", &file, "").expect("written");
    assert_eq!(text, "two\nlines");
    assert!(std::fs::read_to_string(&file).expect("it is there").starts_with("two"));
    assert_eq!(edit("true", &file, "as it was").expect("left alone"), "as it was");
    assert_eq!(edit("sed -i -e s/was/is/", &file, "as it was").expect("changed"), "as it is");
}

#[test]
fn nothing_is_sent_when_the_editor_fails() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("draft");
    for editor in ["false", "no-such-editor-anywhere"] {
        let said = edit(editor, &file, "as it was").expect_err("it failed").to_string();
        assert!(said.contains(editor) && said.contains("nothing is sent"), "{said}");
    }
    assert!(edit("true", &dir.path().join("no/such"), "").is_err());
}

#[test]
fn what_is_piped_is_text_of_bounded_length() {
    assert_eq!(piped(&b"ada\n"[..]).expect("text"), "ada");
    assert_eq!(piped(&b""[..]).expect("nothing"), "");
    assert!(piped(&b"\xff"[..]).is_err());
    assert_eq!(piped(&vec![b'x'; COMMENT_BYTES_MAX][..]).expect("all of it").len(), 16 << 10);
    let said = piped(std::io::repeat(b'x')).expect_err("no end").to_string();
    assert!(said.contains("a comment has 1 to"), "{said}");
}
