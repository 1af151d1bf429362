//! Who may have a say in what the network decides.

use guts_schema::AccountId;
use guts_schema::stake::worth;
use guts_schema::tx::GovernanceAction;

use super::error;
use crate::fault::Fault;
use crate::modules::{account, params, staking};
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
        // An account may vote that speaks for stake enough for a power of 1: a count looks at all
        // votes, and there is only so much stake.
        GovernanceAction::Vote { .. } => {
            let (held, least) = (stake(run, actor)?, params::get(&run.state)?.power_unit);
            if held >= least { Ok(()) } else { Err(error::stake_low(actor, held, least)) }
        }
    }
}

/// The stake that an account speaks for: its own, and all that the validator has that it operates.
fn stake(run: &Run<'_>, actor: &AccountId) -> Result<u64, Fault> {
    let mut sum = 0u64;
    let operated = staking::operated(&run.state, actor)?;
    if let Some(address) = &operated {
        sum = staking::info(&run.state, address)?.map_or(0, |info| info.tokens);
    }
    for (address, shares) in staking::held(&run.state, actor)? {
        if operated != Some(address)
            && let Some(info) = staking::info(&run.state, &address)?
        {
            sum = sum.saturating_add(worth(&info, shares));
        }
    }
    Ok(sum)
}
