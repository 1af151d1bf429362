//! Where parameters lie.

use std::cell::RefCell;
use std::sync::Arc;

use guts_schema::{keys, proto, values};
use guts_state::Read;

use crate::fault::Broken;
use crate::run::Run;

fn bytes(view: &dyn Read) -> Result<Vec<u8>, Broken> {
    let missing = || Broken::Contradiction("no chain parameters".into());
    view.get(&keys::params())?.ok_or_else(missing)
}

/// The parameters in force.
pub fn get(view: &dyn Read) -> Result<proto::Params, Broken> {
    Ok(values::decode(&bytes(view)?)?)
}

/// Parameters as they were decoded last, with the bytes they were decoded from: they name a price
/// for each kind of action, and every transaction asks for them.
#[derive(Debug, Default)]
pub struct Decoded(RefCell<Option<(Vec<u8>, Arc<proto::Params>)>>);

/// The parameters in force, decoded once for all that runs in a block while they stay the same.
pub fn of(run: &Run<'_>) -> Result<Arc<proto::Params>, Broken> {
    let bytes = bytes(&run.state)?;
    let mut decoded = run.block.params.0.borrow_mut();
    if let Some((_, params)) = decoded.as_ref().filter(|(of, _)| *of == bytes) {
        return Ok(params.clone());
    }
    let params: Arc<proto::Params> = Arc::new(values::decode(&bytes)?);
    *decoded = Some((bytes, params.clone()));
    Ok(params)
}

/// Changes them.
pub(crate) fn put(run: &mut Run<'_>, params: &proto::Params) -> Result<(), Broken> {
    run.save(keys::params(), params)
}
