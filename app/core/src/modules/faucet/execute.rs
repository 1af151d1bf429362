//! Drawing from the faucet: all checks, then all writes.

use guts_schema::{AccountId, Tx, events};

use super::{authorize, error, state};
use crate::fault::Fault;
use crate::modules::account::{self, Pot, Purse};
use crate::modules::{params, staking};
use crate::run::Run;

/// The share of the bonded stake that the faucet gives in an epoch at most, one in so many: whoever
/// drew all of it would not matter among the validators.
const STAKE_SHARE: u64 = 1000;

/// Executes the one action of this module.
pub fn execute(run: &mut Run<'_>, tx: &Tx, actor: &AccountId) -> Result<(), Fault> {
    authorize::check(run, tx, actor)?;
    let params = params::get(&run.state)?;
    let amount = params.faucet_amount;
    if amount == 0 || params.faucet_epoch_max < amount {
        return Err(error::shut());
    }
    let epoch = staking::epoch(&run.state)?;
    if state::has_drawn(&run.state, actor, epoch.number)? {
        return Err(error::drawn(actor, epoch.ends_s));
    }
    let supply = account::supply(&run.state)?;
    let bound = params.faucet_epoch_max.min(Pot::Bonded.of(&supply) / STAKE_SHARE);
    let given = state::given(&run.state, epoch.number)?;
    let left = bound.saturating_sub(given).min(Pot::Treasury.of(&supply));
    if left < amount {
        return Err(error::empty(left, amount, epoch.ends_s));
    }
    // No more than the bound, so it cannot overflow.
    state::put_given(run, epoch.number, given.saturating_add(amount))?;
    state::put_draw(run, actor, epoch.number)?;
    account::pay(run, Purse::In(Pot::Treasury), Purse::Balance(actor), amount)?;
    run.emit(events::FAUCET_DRAWN, &[("account", actor), ("amount", &amount)]);
    Ok(())
}
