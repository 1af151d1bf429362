//! Audits of all repositories.

use std::collections::BTreeMap;

use guts_schema::{keys, proto};

use crate::fault::Broken;
use crate::whole::Whole;

/// What keys of repositories begin with (`keys::repo`).
pub(super) const REPO_TAG: &str = "repo/";

pub(super) fn audit(whole: &Whole) -> Result<(), Broken> {
    let wrong = |text: String| Err(Broken::Contradiction(text));
    let count = whole.get::<proto::Repos>(&keys::repos())?.unwrap_or_default().count;
    let repos = whole.below::<proto::Repo>(REPO_TAG)?;
    if repos.len() as u64 != count {
        return wrong(format!("{count} repositories are counted, {} are there", repos.len()));
    }
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
        return wrong("a list of repositories has more than there are".into());
    }
    // A list is dense when its places are as many as its repositories and below their number.
    for (id, account) in whole.below::<proto::Account>("account/")? {
        let count = owned.remove(&id).unwrap_or_default();
        if account.repos != count {
            return wrong(format!("an account has {count} repositories, {}", account.repos));
        }
    }
    if !owned.is_empty() {
        return wrong("a repository is nobody's".into());
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
