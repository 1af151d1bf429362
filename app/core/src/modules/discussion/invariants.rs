//! Audits of all threads.

use std::collections::BTreeMap;

use guts_schema::{RepoId, keys, proto};

use crate::fault::Broken;
use crate::whole::{Whole, wrong};

pub(super) fn audit(whole: &Whole) -> Result<(), Broken> {
    let (mut threads, mut comments, mut edits) = (0usize, 0usize, 0usize);
    let repos = whole.get::<proto::Repos>(&keys::repos())?.unwrap_or_default().count;
    for repo in (1..=repos).filter_map(RepoId::new) {
        let count = whole.get::<proto::Threads>(&keys::threads(repo))?.unwrap_or_default().count;
        for number in 1..=count {
            let Some(thread) = whole.get::<proto::Thread>(&keys::thread(repo, number))? else {
                return wrong(format!("thread {number} of repository {repo} is missing"));
            };
            threads += 1;
            if thread.comments == 0 {
                return wrong(format!("thread {number} of repository {repo} is empty"));
            }
            for index in 0..thread.comments {
                let key = keys::comment(repo, number, index);
                let Some(comment) = whole.get::<proto::CommentValue>(&key)? else {
                    return wrong(format!("comment {index} of thread {number} is missing"));
                };
                comments += 1;
                for edit in 0..comment.edits {
                    let key = keys::comment_edit(repo, number, index, edit);
                    edits += usize::from(whole.get::<proto::CommentEdit>(&key)?.is_some());
                }
                audit_reactions(whole, (repo, number, index), &comment)?;
            }
        }
    }
    let found = (
        whole.below::<proto::Thread>("thread/")?.len(),
        whole.below::<proto::CommentValue>("comment/")?.len(),
        whole.below::<proto::CommentEdit>("comment_edit/")?.len(),
    );
    if found == (threads, comments, edits) {
        return Ok(());
    }
    wrong(format!("threads, comments and edits are {found:?}, not as counted"))
}

fn audit_reactions(
    whole: &Whole,
    (repo, number, index): (RepoId, u64, u64),
    comment: &proto::CommentValue,
) -> Result<(), Broken> {
    let parts = [repo.number(), number, index].map(u64::to_be_bytes).concat();
    let mut counts: BTreeMap<i32, u64> = BTreeMap::new();
    for (_, given) in whole.under::<proto::Reactions>(&[b"reactions/", &parts[..]].concat())? {
        given.reactions.iter().for_each(|kind| *counts.entry(*kind).or_default() += 1);
    }
    let counted = comment.reactions.iter().map(|entry| (entry.reaction, entry.count));
    if counted.eq(counts) {
        return Ok(());
    }
    wrong(format!("reactions to comment {index} of thread {number} are counted wrong"))
}
