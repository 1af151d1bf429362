//! Genesis repositories have no refs yet, but each has the root that says so.

use guts_schema::RepoId;

use super::state;
use crate::fault::Broken;
use crate::genesis::AppState;
use crate::modules::{Origin, repo};
use crate::run::Run;
use crate::whole::Whole;

pub(super) fn init(run: &mut Run<'_>, _origin: &Origin<'_>) -> Result<(), Broken> {
    let count = repo::count(&run.state)?;
    (1..=count).filter_map(RepoId::new).try_for_each(|id| state::add_head(run, id))
}

pub(super) fn export(_whole: &Whole, _into: &mut AppState) -> Result<(), Broken> {
    // Made from the repositories' part.
    Ok(())
}
