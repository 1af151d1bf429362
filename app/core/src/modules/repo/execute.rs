//! The actions on repositories: all checks, then all writes.

use guts_schema::{AccountId, Action, RepoId, events, proto};

use super::{authorize, error, state};
use crate::fault::Fault;
use crate::modules::{account, params};
use crate::run::Run;

/// Executes one action of this module.
pub fn execute(run: &mut Run<'_>, action: &Action) -> Result<(), Fault> {
    authorize::check(run, action)?;
    match action {
        Action::CreateRepo { actor, name, description, default_branch, object_format } => {
            let repo = proto::Repo {
                owner: actor.to_vec(),
                name: name.clone(),
                description: description.clone(),
                default_branch: default_branch.clone(),
                object_format: (*object_format).into(),
                ..Default::default()
            };
            create(run, actor, repo)
        }
        Action::EditRepo { repo, description, default_branch, archived, .. } => {
            let edit = proto::EditRepo {
                repo: repo.number(),
                description: description.clone(),
                default_branch: default_branch.clone(),
                archived: *archived,
            };
            edit_repo(run, *repo, edit)
        }
        Action::CreateAccount { .. }
        | Action::CommitHandle { .. }
        | Action::ClaimHandle { .. }
        | Action::Transfer { .. }
        | Action::Account { .. }
        | Action::Staking { .. }
        | Action::PushRefs(_) => Ok(()),
    }
}

/// Makes a repository of `owner`'s.
pub(super) fn create(
    run: &mut Run<'_>,
    owner: &AccountId,
    mut repo: proto::Repo,
) -> Result<(), Fault> {
    let account = account::get(&run.state, owner)?;
    let mut account = account.ok_or_else(|| error::handle_missing(owner))?;
    let handle = account.handle.clone();
    if state::by_name(&run.state, owner, &repo.name)?.is_some() {
        return Err(error::exists(&format!("{handle}/{}", repo.name)));
    }
    if account.repos >= params::get(&run.state)?.repos_per_account_max {
        return Err(error::many(owner, account.repos));
    }
    repo.created_height = run.block.height;
    repo.created_time_s = run.block.time_s;
    let name = repo.name.clone();
    let id = state::add(run, owner, account.repos, repo)?;
    // Below the maximum just checked, so it cannot overflow.
    account.repos += 1;
    account::put(run, owner, &account)?;
    run.emit(
        events::REPO_CREATED,
        &[("repo", &id), ("owner", &handle), ("name", &name), ("account", owner)],
    );
    Ok(())
}

fn edit_repo(run: &mut Run<'_>, id: RepoId, edit: proto::EditRepo) -> Result<(), Fault> {
    let mut repo = state::get(&run.state, id)?.ok_or_else(|| error::unknown(&id))?;
    let proto::EditRepo { description, default_branch, archived, .. } = edit;
    repo.description = description.clone().unwrap_or(repo.description);
    repo.default_branch = default_branch.clone().unwrap_or(repo.default_branch);
    repo.archived = archived.unwrap_or(repo.archived);
    state::put(run, id, &repo)?;
    let mut attributes: Vec<(&str, &dyn std::fmt::Display)> = vec![("repo", &id)];
    if let Some(description) = &description {
        attributes.push(("description", description));
    }
    if let Some(branch) = &default_branch {
        attributes.push(("default_branch", branch));
    }
    if let Some(archived) = &archived {
        attributes.push(("archived", archived));
    }
    run.emit(events::REPO_EDITED, &attributes);
    Ok(())
}
