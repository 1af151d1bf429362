//! Who may speak, and who may keep others from it.

use guts_schema::proto::{self, RepoRole};
use guts_schema::tx::ThreadAction;
use guts_schema::{AccountId, RepoId};

use super::{error, state};
use crate::fault::{Broken, Fault};
use crate::modules::{account, repo};
use crate::run::Run;

/// Refuses an actor that may not act.
pub(super) fn check(
    run: &Run<'_>,
    actor: &AccountId,
    (id, number): (RepoId, u64),
    change: &ThreadAction,
) -> Result<(), Fault> {
    let value = check_open(run, id, actor)?;
    let path = repo::path(&run.state, &value)?;
    let thread = state::thread(&run.state, id, number)?;
    let thread = thread.ok_or_else(|| error::unknown(&path, number))?;
    let role = has_role(run, id, &value, actor)?;
    check_unlocked(&thread, number, &path, role)?;
    match change {
        // Any account may comment and react.
        ThreadAction::Comment { .. } | ThreadAction::React { .. } => Ok(()),
        // The author of a comment may edit it.
        ThreadAction::Edit { comment, .. } => {
            let said = state::comment(&run.state, id, number, *comment)?;
            let said = said.ok_or_else(|| error::comment_unknown(number, *comment))?;
            if said.author == actor.to_vec() {
                return Ok(());
            }
            Err(error::not_yours(&account::name(&run.state, actor)?))
        }
        // Whoever has a role in the repository may lock its threads.
        ThreadAction::Lock { .. } if role => Ok(()),
        ThreadAction::Lock { .. } => Err(error::role(&account::name(&run.state, actor)?, &path)),
    }
}

/// In a locked thread, only those who have a role in the repository do anything.
pub(crate) fn check_unlocked(
    thread: &proto::Thread,
    number: u64,
    path: &str,
    role: bool,
) -> Result<(), Fault> {
    if thread.locked && !role { Err(error::locked(number, path)) } else { Ok(()) }
}

/// Whether what an account writes elsewhere is listed in a thread: not where nothing changes any
/// more, nor where the account may not speak.
pub(super) fn takes_references(
    run: &Run<'_>,
    actor: &AccountId,
    id: RepoId,
    thread: &proto::Thread,
) -> Result<bool, Broken> {
    let Some(value) = repo::get(&run.state, id)? else { return Ok(false) };
    Ok(!value.archived && (!thread.locked || has_role(run, id, &value, actor)?))
}

/// The repository, when it is there and takes words at all, and the actor is an account.
pub(crate) fn check_open(
    run: &Run<'_>,
    id: RepoId,
    actor: &AccountId,
) -> Result<proto::Repo, Fault> {
    account::check_exists(run, actor)?;
    let value = repo::get(&run.state, id)?.ok_or_else(|| repo::error::unknown(&id))?;
    // An archived repository stays as it is.
    if value.archived {
        return Err(repo::error::archived(&repo::path(&run.state, &value)?));
    }
    Ok(value)
}

/// Whether an account looks after a repository: it has any role there.
pub(crate) fn has_role(
    run: &Run<'_>,
    id: RepoId,
    value: &proto::Repo,
    actor: &AccountId,
) -> Result<bool, Broken> {
    Ok(repo::role(&run.state, id, value, actor)? >= RepoRole::Triage)
}
