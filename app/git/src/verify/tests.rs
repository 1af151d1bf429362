//! Which of git's words are a verdict.
use super::*;

#[test]
fn what_git_says_of_objects_that_are_not_there_is_a_verdict() {
    for words in [
        "fatal: missing blob object '45b983be36b73c0788dc9cbcb76cbb80fc7bb057'",
        "fatal: bad tree object ba5f1e9923495e19953b3fbe44c91881adaf0659",
        "fatal: bad object deadbeefdeadbeefdeadbeefdeadbeefdeadbeef",
        "error: Could not read 12\nfatal: Failed to traverse parents of commit 34",
    ] {
        assert!(says_unreachable(words), "{words}");
    }
    assert!(!says_unreachable("fatal: not a git repository"));
    assert!(!says_unreachable(""));
}
