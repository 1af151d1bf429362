//! Where the faucet's books lie.

use guts_schema::{AccountId, keys, proto};
use guts_state::Read;

use crate::fault::Broken;
use crate::run::{Run, load};

/// What the faucet gave in an epoch.
pub(super) fn given(view: &dyn Read, epoch: u64) -> Result<u64, Broken> {
    let faucet: proto::Faucet = load(view, &keys::faucet())?.unwrap_or_default();
    Ok(if faucet.epoch == epoch { faucet.given } else { 0 })
}

pub(super) fn put_given(run: &mut Run<'_>, epoch: u64, given: u64) -> Result<(), Broken> {
    run.save(keys::faucet(), &proto::Faucet { epoch, given })
}

/// Whether an account drew in an epoch.
pub(super) fn has_drawn(view: &dyn Read, id: &AccountId, epoch: u64) -> Result<bool, Broken> {
    let draw: Option<proto::FaucetDraw> = load(view, &keys::faucet_draw(id))?;
    Ok(draw.is_some_and(|draw| draw.epochs > epoch))
}

pub(super) fn put_draw(run: &mut Run<'_>, id: &AccountId, epoch: u64) -> Result<(), Broken> {
    let out = || Broken::Contradiction("epochs are counted out".into());
    let epochs = epoch.checked_add(1).ok_or_else(out)?;
    run.save(keys::faucet_draw(id), &proto::FaucetDraw { epochs })
}
