//! Who may act on stake.

use guts_schema::AccountId;
use guts_schema::tx::StakingAction;

use super::{error, state};
use crate::fault::Fault;
use crate::modules::account;
use crate::run::Run;

/// Refuses an actor that may not act.
pub(super) fn check(run: &Run<'_>, actor: &AccountId, change: &StakingAction) -> Result<(), Fault> {
    match change {
        // An account may bond a validator with a key whose holder agrees.
        StakingAction::Bond { .. } => check_exists(run, actor),
        // The operator of a validator may edit it.
        StakingAction::EditValidator(_) => check_operator(run, actor),
        // An account may give its own balance to a validator as stake.
        StakingAction::Delegate { .. } => check_exists(run, actor),
        // An account may take back its own stake.
        StakingAction::Unbond { .. } => check_exists(run, actor),
        // An account may move its own stake.
        StakingAction::Redelegate { .. } => check_exists(run, actor),
        // The operator of a validator may bring it back from jail.
        StakingAction::Unjail => check_operator(run, actor),
        // An account may have paid out what is due to it.
        StakingAction::ClaimRewards { .. } => check_exists(run, actor),
    }
}

fn check_exists(run: &Run<'_>, actor: &AccountId) -> Result<(), Fault> {
    match account::get(&run.state, actor)? {
        Some(_) => Ok(()),
        None => Err(account::error::unknown(actor)),
    }
}

fn check_operator(run: &Run<'_>, actor: &AccountId) -> Result<(), Fault> {
    match state::operated(&run.state, actor)? {
        Some(_) => Ok(()),
        None => Err(error::not_operator(actor)),
    }
}
