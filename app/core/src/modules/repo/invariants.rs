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
        let index = owned.entry(repo.owner.clone()).or_default();
        let pointer = Some(proto::RepoPointer { repo: number });
        let by_name: Option<proto::RepoPointer> =
            whole.get(&keys::repo_name(&owner, &repo.name))?;
        let by_owner: Option<proto::RepoPointer> = whole.get(&keys::owner_repo(&owner, *index))?;
        if repo.id != number || by_name != pointer || by_owner != pointer {
            return wrong(format!("repository {number} is not where its name and owner point"));
        }
        *index += 1;
        let account: Option<proto::Account> = whole.get(&keys::account(&owner))?;
        if account.is_none_or(|account| account.repos < *index) {
            return wrong(format!("the owner of repository {number} does not count it"));
        }
    }
    Ok(())
}
