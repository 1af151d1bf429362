//! Audits of the faucet's books.

use guts_schema::{keys, proto};

use crate::fault::Broken;
use crate::whole::{Whole, wrong};

pub(super) fn audit(whole: &Whole) -> Result<(), Broken> {
    let epoch: proto::Epoch = whole.get(&keys::epoch())?.unwrap_or_default();
    let faucet: proto::Faucet = whole.get(&keys::faucet())?.unwrap_or_default();
    let draws = whole.below::<proto::FaucetDraw>("faucet_draw/")?;
    let future = draws.iter().any(|(_, draw)| draw.epochs > epoch.number.saturating_add(1));
    if faucet.epoch > epoch.number || future {
        return wrong("the faucet gave in an epoch to come");
    }
    Ok(())
}
