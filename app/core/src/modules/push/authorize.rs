//! Who may push; asked when a push is ordered and again when its refs move.

use guts_schema::{AccountId, Key, RepoId, proto};

use super::error;
use crate::fault::{Broken, Fault};
use crate::modules::{account, repo};
use crate::run::Run;

/// The account that pushes with `key`, if it may push to the repository now.
pub(super) fn check(run: &Run<'_>, repo: RepoId, key: &Key) -> Result<AccountId, Fault> {
    let gone = || Broken::Contradiction(format!("repository {repo} is gone"));
    let value: proto::Repo = repo::get(&run.state, repo)?.ok_or_else(gone)?;
    // A key that is valid for an account pushes for it.
    let valid = account::valid_key(&run.state, key, run.block)?;
    let valid = valid.ok_or_else(|| error::key_unknown(key))?;
    let pusher = valid.account;
    // A key for one repository pushes there alone.
    if let Some(only) = valid.repo.filter(|only| *only != repo) {
        return Err(account::error::key_scoped(key, only));
    }
    // The owner of a repository may push to it.
    if repo::owner(&value)? != pusher {
        let path = repo::path(&run.state, &value)?;
        return Err(error::not_allowed(&account::name(&run.state, &pusher)?, &path));
    }
    // Nobody may push to an archived repository.
    if value.archived {
        return Err(error::archived(&repo::path(&run.state, &value)?));
    }
    Ok(pusher)
}
