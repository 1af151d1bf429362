//! Where repositories lie.

use guts_schema::{AccountId, RepoId, keys, proto};
use guts_state::Read;

use crate::fault::Broken;
use crate::modules::account;
use crate::run::{Run, load};

/// A repository.
pub fn get(view: &dyn Read, id: RepoId) -> Result<Option<proto::Repo>, Broken> {
    load(view, &keys::repo(id))
}

pub(super) fn put(run: &mut Run<'_>, id: RepoId, repo: &proto::Repo) -> Result<(), Broken> {
    run.save(keys::repo(id), repo)
}

/// How many repositories were ever made.
pub fn count(view: &dyn Read) -> Result<u64, Broken> {
    let repos: Option<proto::Repos> = load(view, &keys::repos())?;
    Ok(repos.unwrap_or_default().count)
}

/// The repository of an owner's handle and a name.
pub fn by_path(view: &dyn Read, owner: &str, name: &str) -> Result<Option<RepoId>, Broken> {
    match account::handle_owner(view, owner)? {
        Some(owner) => by_name(view, &owner, name),
        None => Ok(None),
    }
}

pub(super) fn by_name(
    view: &dyn Read,
    owner: &AccountId,
    name: &str,
) -> Result<Option<RepoId>, Broken> {
    let pointer: Option<proto::RepoPointer> = load(view, &keys::repo_name(owner, name))?;
    Ok(pointer.and_then(|pointer| RepoId::new(pointer.repo)))
}

/// The account that owns a repository.
pub fn owner(repo: &proto::Repo) -> Result<AccountId, Broken> {
    AccountId::from_slice(&repo.owner).map_err(|error| Broken::Contradiction(error.to_string()))
}

/// `handle/name`, as people write it.
pub fn path(view: &dyn Read, repo: &proto::Repo) -> Result<String, Broken> {
    let owner = account::get(view, &owner(repo)?)?.unwrap_or_default();
    Ok(format!("{}/{}", owner.handle, repo.name))
}

/// Adds a repository: the next id, its name, and its place in the owner's list of `owned` so far.
pub(super) fn add(
    run: &mut Run<'_>,
    owner: &AccountId,
    owned: u64,
    mut repo: proto::Repo,
) -> Result<RepoId, Broken> {
    let out = || Broken::Contradiction("repositories are counted out".into());
    let number = count(&run.state)?.checked_add(1).ok_or_else(out)?;
    let id = RepoId::new(number).ok_or_else(out)?;
    let pointer = proto::RepoPointer { repo: number };
    run.save(keys::repos(), &proto::Repos { count: number })?;
    run.save(keys::repo_name(owner, &repo.name), &pointer)?;
    run.save(keys::owner_repo(owner, owned), &pointer)?;
    repo.id = number;
    put(run, id, &repo)?;
    Ok(id)
}
