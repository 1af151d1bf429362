//! Who may act on repositories.

use guts_schema::Action;

use super::{error, state};
use crate::fault::Fault;
use crate::modules::account;
use crate::run::Run;

/// Refuses an actor that may not act.
pub(super) fn check(run: &Run<'_>, action: &Action) -> Result<(), Fault> {
    match action {
        // An account with a handle may make repositories of its own: the handle is in their name.
        Action::CreateRepo { actor, .. } => match account::get(&run.state, actor)? {
            Some(account) if !account.handle.is_empty() => Ok(()),
            _ => Err(error::handle_missing(actor)),
        },
        // The owner of a repository may edit it.
        Action::EditRepo { actor, repo, .. } => {
            let value = state::get(&run.state, *repo)?.ok_or_else(|| error::unknown(repo))?;
            if state::owner(&value)? == *actor {
                return Ok(());
            }
            let path = state::path(&run.state, &value)?;
            Err(error::not_yours(&path, &account::name(&run.state, actor)?))
        }
        // Other modules' actions are theirs to authorise.
        Action::CreateAccount { .. }
        | Action::CommitHandle { .. }
        | Action::ClaimHandle { .. }
        | Action::Transfer { .. }
        | Action::Account { .. }
        | Action::Staking { .. }
        | Action::PushRefs(_) => Ok(()),
    }
}
