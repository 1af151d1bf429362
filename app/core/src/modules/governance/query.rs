//! What votes come to.

use guts_schema::AccountId;
use guts_schema::ids::ValidatorAddress;
use guts_schema::tally::{Count, Tally};
use guts_state::Read;

use super::state;
use crate::fault::Broken;
use crate::modules::staking;

/// What the first `votes` on a proposal, which are all there are, come to in this state.
pub fn tally(view: &dyn Read, number: u64, votes: u64) -> Result<Tally, Broken> {
    let damaged = |error: guts_schema::ids::IdError| Broken::Contradiction(error.to_string());
    let mut set = Vec::new();
    for one in staking::newest(view)? {
        let address = ValidatorAddress::from_slice(&one.address).map_err(damaged)?;
        set.extend(staking::info(view, &address)?.map(|info| (address, info)));
    }
    let mut count = Count::new(set);
    for index in 0..votes {
        let cast = state::vote(view, number, index)?;
        let id = AccountId::from_slice(&cast.account).map_err(damaged)?;
        count.add(&id, cast.option(), &staking::held(view, &id)?);
    }
    Ok(count.end())
}
