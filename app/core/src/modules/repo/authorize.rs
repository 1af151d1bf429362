//! Who may act on repositories.

use guts_schema::proto::{self, RepoRole};
use guts_schema::tx::RepoAction;
use guts_schema::{AccountId, Action, RepoId};

use super::{error, state};
use crate::fault::Fault;
use crate::modules::{account, org};
use crate::run::Run;

/// Refuses an actor that may not act.
pub(super) fn check(run: &Run<'_>, action: &Action) -> Result<(), Fault> {
    match action {
        // An account with a handle may make repositories of its own: the handle is in their name.
        Action::CreateRepo { actor, .. } => match account::get(&run.state, actor)? {
            Some(account) if !account.handle.is_empty() => Ok(()),
            _ => Err(error::handle_missing(actor)),
        },
        // Whoever administers a repository may edit it.
        Action::EditRepo { actor, repo, .. } => check_admin(run, *repo, actor),
        Action::Repo { actor, repo, change } => check_change(run, *repo, actor, change),
        // Other modules' actions are theirs to authorise.
        Action::CreateAccount { .. }
        | Action::CommitHandle { .. }
        | Action::ClaimHandle { .. }
        | Action::Transfer { .. }
        | Action::Account { .. }
        | Action::Staking { .. }
        | Action::Org { .. }
        | Action::Governance { .. }
        | Action::DrawFaucet { .. }
        | Action::Thread { .. }
        | Action::Issue { .. }
        | Action::PushRefs(_) => Ok(()),
    }
}

fn check_change(
    run: &Run<'_>,
    repo: RepoId,
    actor: &AccountId,
    change: &RepoAction,
) -> Result<(), Fault> {
    let value = state::get(&run.state, repo)?.ok_or_else(|| error::unknown(&repo))?;
    match change {
        // Anybody may fork, where it may make repositories: its own account, an organisation of
        // which it is an owner.
        RepoAction::Fork { owner, .. } => check_controls(run, owner, actor),
        // The owner of a repository may rename it and give it away, and nobody else.
        RepoAction::Rename { .. } | RepoAction::Transfer { .. } => {
            let owner = state::owner(&value)?;
            if state::controls(&run.state, &owner, actor)? {
                return Ok(());
            }
            not_yours(run, &value, "owns", actor)
        }
        // Whoever a repository is offered to, or an owner of that organisation, may accept it.
        RepoAction::Accept => {
            let to = AccountId::from_slice(&value.offered_to).ok();
            let accepts = to.map(|to| state::controls(&run.state, &to, actor)).transpose()?;
            if accepts == Some(true) {
                return Ok(());
            }
            let path = state::path(&run.state, &value)?;
            Err(error::offer(&path, &account::name(&run.state, actor)?))
        }
        // A collaborator may leave.
        RepoAction::SetCollaborator { account, role: RepoRole::None } if account == actor => Ok(()),
        // Whoever administers a repository may say who may do what in it, what it is about, and
        // which refs are protected.
        RepoAction::SetCollaborator { .. }
        | RepoAction::SetTeamRole { .. }
        | RepoAction::SetTopics { .. }
        | RepoAction::SetProtection { .. } => check_admin(run, repo, actor),
        // Any account may star a repository.
        RepoAction::Star { .. } => match account::get(&run.state, actor)? {
            Some(_) => Ok(()),
            None => Err(account::error::unknown(actor)),
        },
    }
}

fn check_admin(run: &Run<'_>, repo: RepoId, actor: &AccountId) -> Result<(), Fault> {
    let value = state::get(&run.state, repo)?.ok_or_else(|| error::unknown(&repo))?;
    if state::role(&run.state, repo, &value, actor)? == RepoRole::Admin {
        return Ok(());
    }
    not_yours(run, &value, "administers", actor)
}

fn check_controls(run: &Run<'_>, owner: &AccountId, actor: &AccountId) -> Result<(), Fault> {
    if !state::controls(&run.state, owner, actor)? {
        let name = |id| account::name(&run.state, id);
        let (owned, who) = (name(owner)?, name(actor)?);
        return Err(match org::get(&run.state, owner)? {
            Some(_) => org::error::not_owner(&owned, &who),
            None => error::not_yours("controls", &owned, &who),
        });
    }
    match account::get(&run.state, owner)? {
        Some(account) if !account.handle.is_empty() => Ok(()),
        _ => Err(error::handle_missing(owner)),
    }
}

fn not_yours(
    run: &Run<'_>,
    value: &proto::Repo,
    does: &str,
    actor: &AccountId,
) -> Result<(), Fault> {
    let path = state::path(&run.state, value)?;
    Err(error::not_yours(does, &path, &account::name(&run.state, actor)?))
}
