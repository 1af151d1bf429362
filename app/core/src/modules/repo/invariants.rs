//! Audits of all repositories.

use std::collections::BTreeMap;

use guts_schema::keys;
use guts_schema::proto::{self, RepoRole};

use crate::fault::Broken;
use crate::modules::params::REPO_RULES_MAX;
use crate::whole::{Whole, rises, wrong};

/// What keys of repositories begin with (`keys::repo`).
pub(super) const REPO_TAG: &str = "repo/";

/// A name leads to its repository, or to one that had it; a repository has one name.
fn audit_names(whole: &Whole, count: u64) -> Result<(), Broken> {
    let names = whole.below::<proto::RepoPointer>("repo_name/")?;
    if names.iter().any(|(_, pointer)| pointer.repo == 0 || pointer.repo > count) {
        return wrong("a name leads to a repository that was never made");
    }
    if names.iter().filter(|(_, pointer)| !pointer.former).count() as u64 != count {
        return wrong("a name that a repository gave up is not marked as a former one");
    }
    Ok(())
}

/// Lists of roles and of rules are sorted, bounded, and say something.
fn audit_rules(whole: &Whole, count: u64) -> Result<(), Broken> {
    let is_repo = |key: &[u8]| {
        let number = key.try_into().map(u64::from_be_bytes);
        number.is_ok_and(|number| (1..=count).contains(&number))
    };
    let fits = |length: usize| length as u64 <= REPO_RULES_MAX;
    for (key, access) in whole.below::<proto::RepoAccess>("repo_access/")? {
        let (people, teams) = (&access.collaborators, &access.teams);
        let sorted = rises(people.iter().map(|one| &one.account))
            && rises(teams.iter().map(|one| &one.team));
        let mut roles = people.iter().map(|p| p.role()).chain(teams.iter().map(|t| t.role()));
        let said = !people.is_empty() || !teams.is_empty();
        let given = said && roles.all(|role| role != RepoRole::None);
        if !is_repo(&key) || !sorted || !given || !fits(people.len()) || !fits(teams.len()) {
            return wrong("roles in a repository are listed wrong");
        }
    }
    for (key, protections) in whole.below::<proto::Protections>("protections/")? {
        let rules = &protections.rules;
        let given = !rules.is_empty() && rules.iter().all(|one| one.rule.is_some());
        let sorted = rises(rules.iter().map(|one| &one.pattern));
        if !is_repo(&key) || !sorted || !given || !fits(rules.len()) {
            return wrong("protections of a repository are listed wrong");
        }
    }
    Ok(())
}

pub(super) fn audit(whole: &Whole) -> Result<(), Broken> {
    let count = whole.get::<proto::Repos>(&keys::repos())?.unwrap_or_default().count;
    let repos = whole.below::<proto::Repo>(REPO_TAG)?;
    if repos.len() as u64 != count {
        return wrong(format!("{count} repositories are counted, {} are there", repos.len()));
    }
    audit_names(whole, count)?;
    audit_rules(whole, count)?;
    let mut owned: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
    for (number, (_, repo)) in (1..).zip(&repos) {
        let owner = super::owner(repo)?;
        *owned.entry(repo.owner.clone()).or_default() += 1;
        let pointer = Some(proto::RepoPointer { repo: number, former: false });
        let by_name: Option<proto::RepoPointer> =
            whole.get(&keys::repo_name(&owner, &repo.name))?;
        let by_owner: Option<proto::RepoPointer> =
            whole.get(&keys::owner_repo(&owner, repo.owner_index))?;
        if repo.id != number || by_name != pointer || by_owner != pointer {
            return wrong(format!("repository {number} is not where its name and owner point"));
        }
        let prefix = [&b"star/"[..], &number.to_be_bytes()].concat();
        if whole.under::<proto::Star>(&prefix)?.len() as u64 != repo.stars {
            return wrong(format!("stars of repository {number} are counted wrong"));
        }
    }
    let lists = whole.below::<proto::RepoPointer>("owner_repo/")?;
    if lists.len() != repos.len() {
        return wrong("a list of repositories has more than there are");
    }
    // A list is dense when its places are as many as its repositories and below their number.
    for (id, account) in whole.below::<proto::Account>("account/")? {
        let count = owned.remove(&id).unwrap_or_default();
        if account.repos != count {
            return wrong(format!("an account has {count} repositories, {}", account.repos));
        }
    }
    if !owned.is_empty() {
        return wrong("a repository is nobody's");
    }
    let dense = |repo: &proto::Repo| -> Result<bool, Broken> {
        let account: Option<proto::Account> = whole.get(&keys::account(&super::owner(repo)?))?;
        Ok(account.is_some_and(|account| repo.owner_index < account.repos))
    };
    for (_, repo) in &repos {
        if !dense(repo)? {
            return wrong(format!("repository {} is past the end of its list", repo.id));
        }
    }
    Ok(())
}
