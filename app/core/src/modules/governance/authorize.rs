//! Who may have a say in what the network decides.

use guts_schema::AccountId;
use guts_schema::tx::GovernanceAction;

use super::error;
use crate::fault::Fault;
use crate::modules::{account, staking};
use crate::run::Run;

/// Refuses an actor that may not act.
pub(super) fn check(
    run: &Run<'_>,
    actor: &AccountId,
    change: &GovernanceAction,
) -> Result<(), Fault> {
    let account = account::get(&run.state, actor)?;
    let account = account.ok_or_else(|| account::error::unknown(actor))?;
    match change {
        // An account may propose and lay down what it has.
        GovernanceAction::Propose(_) | GovernanceAction::Deposit { .. } => {
            let amount = change.spends();
            if account.balance >= amount {
                return Ok(());
            }
            Err(account::error::balance_low(actor, account.balance, amount))
        }
        // An account with stake may vote.
        GovernanceAction::Vote { .. } => {
            let of = staking::delegations_of(&run.state, actor)?;
            let operates = staking::operated(&run.state, actor)?.is_some();
            if of.validators.is_empty() && !operates {
                return Err(error::no_stake(actor));
            }
            Ok(())
        }
    }
}
