//! The actions on repositories: all checks, then all writes.

use guts_schema::proto::{self, RepoRole};
use guts_schema::tx::RepoAction;
use guts_schema::{AccountId, Action, RepoId, events};

use super::{authorize, error, state};
use crate::fault::{Broken, Fault};
use crate::modules::{account, misrouted, org, params};
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
        Action::Repo { actor, repo, change } => execute_change(run, *repo, actor, change),
        other => Err(misrouted(other)),
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
    if state::named(&run.state, owner, &repo.name)? {
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

fn execute_change(
    run: &mut Run<'_>,
    id: RepoId,
    actor: &AccountId,
    change: &RepoAction,
) -> Result<(), Fault> {
    match change {
        RepoAction::Fork { owner, name } => fork(run, id, actor, (owner, name)),
        RepoAction::Rename { name } => rename(run, id, name),
        RepoAction::Transfer { to } => transfer(run, id, actor, to),
        RepoAction::Accept => accept(run, id),
        RepoAction::SetCollaborator { account, role } => set_collaborator(run, id, account, *role),
        RepoAction::SetTeamRole { team, role } => set_team_role(run, id, team, *role),
        RepoAction::SetTopics { topics } => set_topics(run, id, topics),
        RepoAction::Star { star } => set_star(run, id, actor, *star),
        RepoAction::SetProtection { pattern, rule } => {
            set_protection(run, id, pattern, rule.as_ref())
        }
    }
}

fn existing(run: &Run<'_>, id: RepoId) -> Result<proto::Repo, Fault> {
    state::get(&run.state, id)?.ok_or_else(|| error::unknown(&id))
}

fn path(run: &Run<'_>, repo: &proto::Repo) -> Result<String, Broken> {
    state::path(&run.state, repo)
}

/// The fork begins empty; whoever wants its parent's refs pushes them.
fn fork(
    run: &mut Run<'_>,
    parent: RepoId,
    actor: &AccountId,
    (owner, name): (&AccountId, &str),
) -> Result<(), Fault> {
    let of = existing(run, parent)?;
    let fork = proto::Repo {
        owner: owner.to_vec(),
        name: name.to_owned(),
        description: of.description,
        default_branch: of.default_branch,
        object_format: of.object_format,
        parent: parent.number(),
        ..Default::default()
    };
    create(run, owner, fork)?;
    let id = state::count(&run.state)?;
    run.emit(events::REPO_FORKED, &[("repo", &id), ("parent", &parent), ("account", actor)]);
    Ok(())
}

fn rename(run: &mut Run<'_>, id: RepoId, name: &str) -> Result<(), Fault> {
    let mut repo = existing(run, id)?;
    let owner = state::owner(&repo)?;
    if state::named(&run.state, &owner, name)? {
        let handle = account::name(&run.state, &owner)?;
        return Err(error::exists(&format!("{handle}/{name}")));
    }
    let former = std::mem::replace(&mut repo.name, name.to_owned());
    state::point(run, &owner, &former, id, true)?;
    state::point(run, &owner, name, id, false)?;
    state::put(run, id, &repo)?;
    run.emit(events::REPO_RENAMED, &[("repo", &id), ("name", &name)]);
    Ok(())
}

/// Whether an account can hold a repository of that name.
fn check_receiver(run: &Run<'_>, to: &AccountId, name: &str) -> Result<(), Fault> {
    let receiver = account::get(&run.state, to)?;
    let receiver = receiver.ok_or_else(|| account::error::unknown(to))?;
    if receiver.handle.is_empty() {
        return Err(error::handle_missing(to));
    }
    if state::named(&run.state, to, name)? {
        return Err(error::exists(&format!("{}/{name}", receiver.handle)));
    }
    if receiver.repos >= params::get(&run.state)?.repos_per_account_max {
        return Err(error::many(to, receiver.repos));
    }
    Ok(())
}

fn transfer(run: &mut Run<'_>, id: RepoId, actor: &AccountId, to: &AccountId) -> Result<(), Fault> {
    let mut repo = existing(run, id)?;
    // Whoever offers it to its owner takes an offer back.
    if !repo.offered_to.is_empty() && repo.owner[..] == to.as_bytes()[..] {
        repo.offered_to.clear();
        state::put(run, id, &repo)?;
        run.emit(events::REPO_OFFERED, &[("repo", &id), ("to", to)]);
        return Ok(());
    }
    check_receiver(run, to, &repo.name)?;
    if state::controls(&run.state, to, actor)? {
        return hand_over(run, id, repo, to);
    }
    repo.offered_to = to.to_vec();
    state::put(run, id, &repo)?;
    run.emit(events::REPO_OFFERED, &[("repo", &id), ("to", to)]);
    Ok(())
}

fn accept(run: &mut Run<'_>, id: RepoId) -> Result<(), Fault> {
    let repo = existing(run, id)?;
    let damaged = |e: guts_schema::ids::IdError| Broken::Contradiction(e.to_string());
    let to = AccountId::from_slice(&repo.offered_to).map_err(damaged)?;
    check_receiver(run, &to, &repo.name)?;
    hand_over(run, id, repo, &to)
}

/// Collaborators stay; the roles of the former owner's teams go.
fn hand_over(
    run: &mut Run<'_>,
    id: RepoId,
    mut repo: proto::Repo,
    to: &AccountId,
) -> Result<(), Fault> {
    let from = state::owner(&repo)?;
    repo.offered_to.clear();
    state::change_owner(run, id, &mut repo, to)?;
    state::point(run, &from, &repo.name, id, true)?;
    state::point(run, to, &repo.name, id, false)?;
    state::put(run, id, &repo)?;
    let mut access = state::access(&run.state, id)?;
    access.teams.clear();
    state::put_access(run, id, &access)?;
    run.emit(events::REPO_TRANSFERRED, &[("repo", &id), ("from", &from), ("to", to)]);
    Ok(())
}

fn set_collaborator(
    run: &mut Run<'_>,
    id: RepoId,
    who: &AccountId,
    role: RepoRole,
) -> Result<(), Fault> {
    let repo = existing(run, id)?;
    account::check_exists(run, who)?;
    let mut access = state::access(&run.state, id)?;
    let list = &mut access.collaborators;
    let place = list.binary_search_by(|c| c.account[..].cmp(&who.as_bytes()[..]));
    let held = place.ok().map_or(RepoRole::None, |at| list[at].role());
    if held == role {
        return Err(error::role_same(&account::name(&run.state, who)?, &path(run, &repo)?));
    }
    let entry = proto::Collaborator { account: who.to_vec(), role: role.into() };
    grant(run, &repo, list, place, (role != RepoRole::None).then_some(entry))?;
    state::put_access(run, id, &access)?;
    let role = i32::from(role);
    run.emit(events::REPO_ROLE_SET, &[("repo", &id), ("account", who), ("role", &role)]);
    Ok(())
}

fn set_team_role(run: &mut Run<'_>, id: RepoId, team: &str, role: RepoRole) -> Result<(), Fault> {
    let repo = existing(run, id)?;
    let owner = state::owner(&repo)?;
    let teams = org::get(&run.state, &owner)?.unwrap_or_default().teams;
    // The roles of a team that is gone can be taken away.
    if role != RepoRole::None && !teams.iter().any(|other| other.name == team) {
        return Err(org::error::team_unknown(&account::name(&run.state, &owner)?, team));
    }
    let mut access = state::access(&run.state, id)?;
    let list = &mut access.teams;
    let place = list.binary_search_by(|grant| grant.team.as_str().cmp(team));
    let held = place.ok().map_or(RepoRole::None, |at| list[at].role());
    if held == role {
        return Err(error::role_same(team, &path(run, &repo)?));
    }
    let entry = proto::TeamGrant { team: team.to_owned(), role: role.into() };
    grant(run, &repo, list, place, (role != RepoRole::None).then_some(entry))?;
    state::put_access(run, id, &access)?;
    let role = i32::from(role);
    run.emit(events::REPO_ROLE_SET, &[("repo", &id), ("team", &team), ("role", &role)]);
    Ok(())
}

/// Puts `entry` at its place in a sorted list of rules; none takes out what is there.
fn grant<T>(
    run: &Run<'_>,
    repo: &proto::Repo,
    list: &mut Vec<T>,
    place: Result<usize, usize>,
    entry: Option<T>,
) -> Result<(), Fault> {
    match (place, entry) {
        (Ok(at), Some(entry)) => list[at] = entry,
        (Ok(at), None) => drop(list.remove(at)),
        (Err(_), None) => {}
        (Err(at), Some(entry)) => {
            if list.len() as u64 >= params::get(&run.state)?.repo_rules_max {
                return Err(error::rules_many(&path(run, repo)?, list.len()));
            }
            list.insert(at, entry);
        }
    }
    Ok(())
}

fn set_topics(run: &mut Run<'_>, id: RepoId, topics: &[String]) -> Result<(), Fault> {
    let mut repo = existing(run, id)?;
    repo.topics = topics.to_vec();
    state::put(run, id, &repo)?;
    let topics = topics.join(" ");
    run.emit(events::TOPICS_SET, &[("repo", &id), ("topics", &topics)]);
    Ok(())
}

fn set_star(run: &mut Run<'_>, id: RepoId, who: &AccountId, star: bool) -> Result<(), Fault> {
    let mut repo = existing(run, id)?;
    if state::is_starred(&run.state, id, who)? == star {
        return Err(error::star_same(&account::name(&run.state, who)?, &path(run, &repo)?));
    }
    let wrong = || Broken::Contradiction(format!("stars of repository {id} are counted wrong"));
    let stars = if star { repo.stars.checked_add(1) } else { repo.stars.checked_sub(1) };
    repo.stars = stars.ok_or_else(wrong)?;
    state::put(run, id, &repo)?;
    state::put_star(run, id, who, star)?;
    run.emit(events::REPO_STARRED, &[("repo", &id), ("account", who), ("star", &star)]);
    Ok(())
}

fn set_protection(
    run: &mut Run<'_>,
    id: RepoId,
    pattern: &str,
    rule: Option<&proto::Protection>,
) -> Result<(), Fault> {
    let repo = existing(run, id)?;
    let mut protections = state::protections(&run.state, id)?;
    let list = &mut protections.rules;
    let place = list.binary_search_by(|one| one.pattern.as_str().cmp(pattern));
    if place.is_err() && rule.is_none() {
        return Err(error::protection_none(pattern, &path(run, &repo)?));
    }
    let pattern_of = || pattern.to_owned();
    let entry = rule.map(|rule| proto::ProtectedRefs { pattern: pattern_of(), rule: Some(*rule) });
    grant(run, &repo, list, place, entry)?;
    state::put_protections(run, id, &protections)?;
    run.emit(events::PROTECTION_SET, &[("repo", &id), ("pattern", &pattern)]);
    Ok(())
}
