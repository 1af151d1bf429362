//! Audits of all threads.

use std::collections::BTreeMap;

use guts_schema::{RepoId, keys, proto};

use crate::fault::Broken;
use crate::whole::{Whole, wrong};

pub(super) fn audit(whole: &Whole) -> Result<(), Broken> {
    let (mut threads, mut comments, mut edits, mut references) = (0usize, 0usize, 0usize, 0u64);
    let repos = whole.get::<proto::Repos>(&keys::repos())?.unwrap_or_default().count;
    for repo in (1..=repos).filter_map(RepoId::new) {
        let count = whole.get::<proto::Threads>(&keys::threads(repo))?.unwrap_or_default().count;
        for number in 1..=count {
            let Some(thread) = whole.get::<proto::Thread>(&keys::thread(repo, number))? else {
                return wrong(format!("thread {number} of repository {repo} is missing"));
            };
            threads += 1;
            audit_references(whole, (repo, number), thread.references)?;
            references += thread.references;
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
    if found != (threads, comments, edits) {
        return wrong(format!("threads, comments and edits are {found:?}, not as counted"));
    }
    let listed = whole.below::<proto::Reference>("reference/")?.len() as u64;
    let places = whole.below::<proto::ReferenceOf>("reference_of/")?.len() as u64;
    if (listed, places) == (references, references) {
        return Ok(());
    }
    wrong(format!("{listed} references have {places} places, and {references} are counted"))
}

/// Each is from a comment of another thread, and has its place; so none is there twice.
fn audit_references(
    whole: &Whole,
    (repo, number): (RepoId, u64),
    count: u64,
) -> Result<(), Broken> {
    for index in 0..count {
        let bad = || wrong(format!("reference {index} to thread {number} is not right"));
        let found = whole.get::<proto::Reference>(&keys::reference(repo, number, index))?;
        let Some((from, value)) = found.and_then(|one| Some((RepoId::new(one.repo)?, one))) else {
            return bad();
        };
        let said: Option<proto::CommentValue> =
            whole.get(&keys::comment(from, value.number, value.comment))?;
        let place: Option<proto::ReferenceOf> =
            whole.get(&keys::reference_of(repo, number, from, value.number))?;
        if (from, value.number) == (repo, number)
            || said.is_none_or(|said| said.author != value.account)
            || place.is_none_or(|place| place.index != index)
        {
            return bad();
        }
    }
    Ok(())
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
