//! Nothing is proposed at the start.

use crate::fault::Broken;
use crate::genesis::AppState;
use crate::modules::Origin;
use crate::run::Run;
use crate::whole::Whole;

pub(super) fn init(_run: &mut Run<'_>, _origin: &Origin<'_>) -> Result<(), Broken> {
    Ok(())
}

pub(super) fn export(_whole: &Whole, _into: &mut AppState) -> Result<(), Broken> {
    Ok(())
}
