//! Which issue was opened, where others open theirs.
use std::sync::Arc;

use guts_schema::values;

use super::*;
use crate::state::tests::{Node, state};

#[tokio::test]
async fn an_issue_of_somebody_else_with_the_same_title_is_not_ones_own() {
    let [ada, eve, bob] = [1, 2, 3].map(|byte| AccountId::new([byte; 20]));
    let repo = RepoId::new(1).expect("a number");
    let opened = [(ada, "a title"), (ada, "a title"), (ada, "another"), (eve, "a title")];
    let count = opened.len() as u64;
    let mut entries = vec![(keys::threads(repo), values::encode(&proto::Threads { count }))];
    for (number, (author, title)) in (1..).zip(opened) {
        let issue = proto::Issue { title: title.into(), ..Default::default() };
        let thread = proto::Thread { author: author.to_vec(), ..Default::default() };
        entries.push((keys::issue(repo, number), values::encode(&issue)));
        entries.push((keys::thread(repo, number), values::encode(&thread)));
    }
    let state = state(&Arc::new(Node::new(entries)));
    assert_eq!(newest(&state, repo, &ada, "a title").await.expect("it is there"), 2);
    assert_eq!(newest(&state, repo, &ada, "another").await.expect("it is there"), 3);
    assert_eq!(newest(&state, repo, &eve, "a title").await.expect("it is there"), 4);
    assert!(newest(&state, repo, &bob, "a title").await.is_err(), "he opened none");
}
