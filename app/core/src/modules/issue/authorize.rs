//! Who may act on issues.

use guts_schema::tx::IssueAction;
use guts_schema::{AccountId, RepoId, proto};

use super::state;
use crate::fault::Fault;
use crate::modules::{account, discussion, repo};
use crate::run::Run;

/// Refuses an actor that may not act; the repository.
pub(super) fn check(
    run: &Run<'_>,
    actor: &AccountId,
    id: RepoId,
    change: &IssueAction,
) -> Result<proto::Repo, Fault> {
    let value = discussion::check_open(run, id, actor)?;
    match change {
        // Any account may open an issue.
        IssueAction::Open { .. } => {}
        // The author of an issue, and whoever has a role in its repository, may retitle it, close
        // it and open it again.
        IssueAction::Retitle { number, .. }
        | IssueAction::Close { number, .. }
        | IssueAction::Reopen { number } => check_own(run, actor, (id, *number), &value)?,
        // Whoever has a role in a repository may sort its issues.
        IssueAction::Label { .. }
        | IssueAction::Assign { .. }
        | IssueAction::Plan { .. }
        | IssueAction::Pin { .. }
        | IssueAction::PutLabel { .. }
        | IssueAction::DropLabel { .. }
        | IssueAction::PutMilestone { .. } => check_role(run, actor, id, &value)?,
    }
    Ok(value)
}

fn check_own(
    run: &Run<'_>,
    actor: &AccountId,
    (id, number): (RepoId, u64),
    value: &proto::Repo,
) -> Result<(), Fault> {
    let path = repo::path(&run.state, value)?;
    if state::get(&run.state, id, number)?.is_none() {
        return Err(discussion::unknown(&path, number));
    }
    let thread = discussion::thread(&run.state, id, number)?.unwrap_or_default();
    if thread.author != actor.to_vec() {
        return check_role(run, actor, id, value);
    }
    // But not while it is locked.
    let role = discussion::has_role(run, id, value, actor)?;
    discussion::check_unlocked(&thread, number, &path, role)
}

fn check_role(
    run: &Run<'_>,
    actor: &AccountId,
    id: RepoId,
    value: &proto::Repo,
) -> Result<(), Fault> {
    if discussion::has_role(run, id, value, actor)? {
        return Ok(());
    }
    let path = repo::path(&run.state, value)?;
    Err(discussion::role_error(&account::name(&run.state, actor)?, &path))
}
