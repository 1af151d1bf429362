//! Who may push; asked when a push is ordered and again when its refs move.

use guts_schema::attest::RefSet;
use guts_schema::proto::{self, RepoRole};
use guts_schema::{AccountId, Key, RepoId};

use super::error;
use crate::fault::{Broken, Fault};
use crate::modules::{account, repo};
use crate::run::Run;

/// The account that pushes with `key`, if it may push to the repository now; and the repository.
pub(super) fn check(
    run: &Run<'_>,
    repo: RepoId,
    key: &Key,
) -> Result<(AccountId, proto::Repo), Fault> {
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
    // Whoever has the role to write in a repository may push to it.
    if repo::role(&run.state, repo, &value, &pusher)? < RepoRole::Write {
        let path = repo::path(&run.state, &value)?;
        return Err(error::not_allowed(&account::name(&run.state, &pusher)?, &path));
    }
    // Nobody may push to an archived repository.
    if value.archived {
        return Err(repo::error::archived(&repo::path(&run.state, &value)?));
    }
    Ok((pusher, value))
}

/// Whether the rules that protect refs let a push move its. `forced`: those whose history
/// validators found to be rewritten.
pub(super) fn check_protected(
    run: &Run<'_>,
    (repo, value): (RepoId, &proto::Repo),
    pusher: &AccountId,
    push: &proto::Push,
    forced: RefSet,
) -> Result<(), Fault> {
    let protections = repo::protections(&run.state, repo)?;
    if protections.rules.is_empty() {
        return Ok(());
    }
    let role = repo::role(&run.state, repo, value, pusher)?;
    for (place, update) in push.updates.iter().enumerate() {
        let rule = repo::protection_of(&protections, &update.name);
        // A protected ref is pushed by who has the role that its rule names.
        if role < rule.pusher() {
            let who = account::name(&run.state, pusher)?;
            return Err(error::protected(&update.name, &who));
        }
        // A ref that may not be deleted is deleted by nobody, nor one whose history stays: deleted
        // and pushed again, it could be rewritten.
        if (rule.no_delete || rule.no_force) && update.new.is_empty() {
            return Err(error::delete_protected(&update.name));
        }
        // A ref whose history stays is rewritten by nobody.
        if rule.no_force && forced.has(place) && !update.old.is_empty() && !update.new.is_empty() {
            return Err(error::forced(&update.name));
        }
    }
    Ok(())
}
