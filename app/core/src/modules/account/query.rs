//! Queries about paying.

use guts_schema::{proto, query};
use guts_state::Read;
use prost::Message;

use super::state;
use crate::fault::Broken;
use crate::modules::{Answer, params};

pub(super) fn query(view: &dyn Read, path: &str, _data: &[u8]) -> Answer {
    match path {
        query::TERMS => Some(terms(view).map(|t| t.encode_to_vec()).map_err(Into::into)),
        _ => None,
    }
}

/// What a payer needs to know to pay.
pub fn terms(view: &dyn Read) -> Result<proto::PaymentTerms, Broken> {
    let (anchor_number, anchor) = state::newest_anchor(view)?;
    let params = Some(params::get(view)?);
    Ok(proto::PaymentTerms { params, anchor_number, anchor: anchor.to_vec() })
}
