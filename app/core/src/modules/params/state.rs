//! Where parameters lie.

use guts_schema::{keys, proto};
use guts_state::Read;

use crate::fault::Broken;
use crate::run::{Run, load};

/// The parameters in force.
pub fn get(view: &dyn Read) -> Result<proto::Params, Broken> {
    let missing = || Broken::Contradiction("no chain parameters".into());
    load(view, &keys::params())?.ok_or_else(missing)
}

/// Changes them.
pub(crate) fn put(run: &mut Run<'_>, params: &proto::Params) -> Result<(), Broken> {
    run.save(keys::params(), params)
}
