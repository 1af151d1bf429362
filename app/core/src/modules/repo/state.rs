//! Where repositories lie.

use guts_schema::proto::{self, RepoRole};
use guts_schema::{AccountId, RepoId, keys};
use guts_state::Read;

use crate::fault::Broken;
use crate::modules::{account, org};
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

/// The repository that has that name now, former names left out.
pub(super) fn named(view: &dyn Read, owner: &AccountId, name: &str) -> Result<bool, Broken> {
    let pointer: Option<proto::RepoPointer> = load(view, &keys::repo_name(owner, name))?;
    Ok(pointer.is_some_and(|pointer| !pointer.former))
}

/// Whether an account acts for an owner of repositories: it is the owner, or owns that
/// organisation.
pub fn controls(view: &dyn Read, owner: &AccountId, who: &AccountId) -> Result<bool, Broken> {
    Ok(owner == who || org::is_owner(view, owner, who)?)
}

/// What an account may do in a repository: the highest of its roles.
pub fn role(
    view: &dyn Read,
    id: RepoId,
    repo: &proto::Repo,
    who: &AccountId,
) -> Result<RepoRole, Broken> {
    let owner = owner(repo)?;
    if controls(view, &owner, who)? {
        return Ok(RepoRole::Admin);
    }
    let access = access(view, id)?;
    let own = access.collaborators.iter().filter(|c| c.account[..] == who.as_bytes()[..]);
    let mut highest = own.map(|c| c.role()).max().unwrap_or(RepoRole::None);
    if !access.teams.is_empty() {
        let teams = org::teams_of(view, &owner, who)?;
        let granted = access.teams.iter().filter(|grant| teams.contains(&grant.team));
        highest = granted.map(|grant| grant.role()).fold(highest, std::cmp::max);
    }
    Ok(highest)
}

/// Who has which role in a repository, its owners apart.
pub fn access(view: &dyn Read, id: RepoId) -> Result<proto::RepoAccess, Broken> {
    Ok(load(view, &keys::repo_access(id))?.unwrap_or_default())
}

pub(super) fn put_access(
    run: &mut Run<'_>,
    id: RepoId,
    access: &proto::RepoAccess,
) -> Result<(), Broken> {
    if access.collaborators.is_empty() && access.teams.is_empty() {
        run.state.delete(keys::repo_access(id));
        return Ok(());
    }
    run.save(keys::repo_access(id), access)
}

/// Which refs of a repository are protected, and how.
pub fn protections(view: &dyn Read, id: RepoId) -> Result<proto::Protections, Broken> {
    Ok(load(view, &keys::protections(id))?.unwrap_or_default())
}

pub(super) fn put_protections(
    run: &mut Run<'_>,
    id: RepoId,
    protections: &proto::Protections,
) -> Result<(), Broken> {
    if protections.rules.is_empty() {
        run.state.delete(keys::protections(id));
        return Ok(());
    }
    run.save(keys::protections(id), protections)
}

/// What protects a ref: everything that any pattern it matches asks for.
pub fn protection_of(protections: &proto::Protections, name: &str) -> proto::Protection {
    let matches = |pattern: &str| match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    };
    let mut all = proto::Protection::default();
    for rule in protections.rules.iter().filter(|rule| matches(&rule.pattern)) {
        let rule = rule.rule.unwrap_or_default();
        all.no_force |= rule.no_force;
        all.no_delete |= rule.no_delete;
        all.pusher = all.pusher.max(rule.pusher);
    }
    all
}

pub(super) fn is_starred(view: &dyn Read, id: RepoId, who: &AccountId) -> Result<bool, Broken> {
    Ok(load::<proto::Star>(view, &keys::star(id, who))?.is_some())
}

pub(super) fn put_star(
    run: &mut Run<'_>,
    id: RepoId,
    who: &AccountId,
    star: bool,
) -> Result<(), Broken> {
    if star {
        let height = run.block.height;
        return run.save(keys::star(id, who), &proto::Star { height });
    }
    run.state.delete(keys::star(id, who));
    Ok(())
}

/// Makes a name lead to a repository; as a former one, until another takes it.
pub(super) fn point(
    run: &mut Run<'_>,
    owner: &AccountId,
    name: &str,
    repo: RepoId,
    former: bool,
) -> Result<(), Broken> {
    let pointer = proto::RepoPointer { repo: repo.number(), former };
    run.save(keys::repo_name(owner, name), &pointer)
}

/// Moves a repository from one owner's list to the end of another's.
/// The list it leaves stays dense: its last takes the place.
pub(super) fn change_owner(
    run: &mut Run<'_>,
    id: RepoId,
    repo: &mut proto::Repo,
    to: &AccountId,
) -> Result<(), Broken> {
    let wrong = || Broken::Contradiction(format!("repository {id} is counted wrong"));
    let from = owner(repo)?;
    let mut account = account::get(&run.state, &from)?.ok_or_else(wrong)?;
    account.repos = account.repos.checked_sub(1).ok_or_else(wrong)?;
    if account.repos != repo.owner_index {
        let last = keys::owner_repo(&from, account.repos);
        let pointer: proto::RepoPointer = run.load(&last)?.ok_or_else(wrong)?;
        let moved = RepoId::new(pointer.repo).ok_or_else(wrong)?;
        let mut other = get(&run.state, moved)?.ok_or_else(wrong)?;
        other.owner_index = repo.owner_index;
        put(run, moved, &other)?;
        run.save(keys::owner_repo(&from, repo.owner_index), &pointer)?;
    }
    run.state.delete(keys::owner_repo(&from, account.repos));
    account::put(run, &from, &account)?;
    let mut account = account::get(&run.state, to)?.ok_or_else(wrong)?;
    let pointer = proto::RepoPointer { repo: id.number(), former: false };
    run.save(keys::owner_repo(to, account.repos), &pointer)?;
    repo.owner = to.to_vec();
    repo.owner_index = account.repos;
    account.repos = account.repos.checked_add(1).ok_or_else(wrong)?;
    account::put(run, to, &account)
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
    let pointer = proto::RepoPointer { repo: number, former: false };
    run.save(keys::repos(), &proto::Repos { count: number })?;
    run.save(keys::repo_name(owner, &repo.name), &pointer)?;
    run.save(keys::owner_repo(owner, owned), &pointer)?;
    repo.id = number;
    repo.owner_index = owned;
    put(run, id, &repo)?;
    Ok(id)
}
