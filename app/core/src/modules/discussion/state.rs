//! Where threads lie.

use guts_schema::{AccountId, RepoId, keys, proto};
use guts_state::Read;

use crate::fault::Broken;
use crate::run::{Run, load};

/// How many threads a repository has.
pub fn count(view: &dyn Read, repo: RepoId) -> Result<u64, Broken> {
    let threads: Option<proto::Threads> = load(view, &keys::threads(repo))?;
    Ok(threads.unwrap_or_default().count)
}

/// A thread.
pub fn thread(view: &dyn Read, repo: RepoId, number: u64) -> Result<Option<proto::Thread>, Broken> {
    load(view, &keys::thread(repo, number))
}

pub(super) fn put_thread(
    run: &mut Run<'_>,
    (repo, number): (RepoId, u64),
    thread: &proto::Thread,
) -> Result<(), Broken> {
    run.save(keys::thread(repo, number), thread)
}

/// Counts a thread in; its number.
pub(super) fn next(run: &mut Run<'_>, repo: RepoId) -> Result<u64, Broken> {
    let out = || Broken::Contradiction("threads are counted out".into());
    let count = count(&run.state, repo)?.checked_add(1).ok_or_else(out)?;
    run.save(keys::threads(repo), &proto::Threads { count })?;
    Ok(count)
}

/// A comment.
pub fn comment(
    view: &dyn Read,
    repo: RepoId,
    number: u64,
    comment: u64,
) -> Result<Option<proto::CommentValue>, Broken> {
    load(view, &keys::comment(repo, number, comment))
}

pub(super) fn put_comment(
    run: &mut Run<'_>,
    (repo, number, comment): (RepoId, u64, u64),
    value: &proto::CommentValue,
) -> Result<(), Broken> {
    run.save(keys::comment(repo, number, comment), value)
}

pub(super) fn put_edit(
    run: &mut Run<'_>,
    (repo, number, comment): (RepoId, u64, u64),
    edit: u64,
    value: &proto::CommentEdit,
) -> Result<(), Broken> {
    run.save(keys::comment_edit(repo, number, comment, edit), value)
}

/// Whether a thread is referred to by another already.
pub(super) fn is_referred(
    view: &dyn Read,
    (repo, number): (RepoId, u64),
    (from_repo, from_number): (RepoId, u64),
) -> Result<bool, Broken> {
    Ok(view.get(&keys::reference_of(repo, number, from_repo, from_number))?.is_some())
}

/// Adds a reference from a thread that has none yet.
pub(super) fn add_reference(
    run: &mut Run<'_>,
    (repo, number): (RepoId, u64),
    mut thread: proto::Thread,
    (from, reference): ((RepoId, u64), &proto::Reference),
) -> Result<(), Broken> {
    let index = thread.references;
    let out = || Broken::Contradiction("references are counted out".into());
    thread.references = index.checked_add(1).ok_or_else(out)?;
    put_thread(run, (repo, number), &thread)?;
    run.save(keys::reference(repo, number, index), reference)?;
    run.save(keys::reference_of(repo, number, from.0, from.1), &proto::ReferenceOf { index })
}

/// What an account gave a comment, rising.
pub(super) fn reactions(
    view: &dyn Read,
    (repo, number, comment): (RepoId, u64, u64),
    id: &AccountId,
) -> Result<Vec<i32>, Broken> {
    let given: Option<proto::Reactions> = load(view, &keys::reactions(repo, number, comment, id))?;
    Ok(given.unwrap_or_default().reactions)
}

pub(super) fn put_reactions(
    run: &mut Run<'_>,
    (repo, number, comment): (RepoId, u64, u64),
    id: &AccountId,
    reactions: Vec<i32>,
) -> Result<(), Broken> {
    let key = keys::reactions(repo, number, comment, id);
    if reactions.is_empty() {
        run.state.delete(key);
        return Ok(());
    }
    run.save(key, &proto::Reactions { reactions })
}
