//! Listings of repositories. A client checks them against the proved count.

use guts_schema::{RepoId, proto, query};
use guts_state::Read;
use prost::Message;

use super::state;
use crate::fault::Broken;
use crate::modules::{Answer, QueryFault, account};

pub(super) fn query(view: &dyn Read, path: &str, data: &[u8]) -> Answer {
    match path {
        query::REPOS => Some(repos(view, data).map(|listing| listing.encode_to_vec())),
        _ => None,
    }
}

fn repos(view: &dyn Read, data: &[u8]) -> Result<proto::RepoListing, QueryFault> {
    let request = proto::PageRequest::decode(data).map_err(|_| QueryFault::Data)?;
    let mut listing = proto::RepoListing { count: state::count(view)?, ..Default::default() };
    for id in query::page(&request, 1, listing.count).filter_map(RepoId::new) {
        let hole = || Broken::Contradiction(format!("repository {id} is missing"));
        let repo = state::get(view, id)?.ok_or_else(hole)?;
        let owner = account::get(view, &state::owner(&repo)?)?.unwrap_or_default();
        listing.owners.push(owner.handle);
        listing.repos.push(repo);
    }
    Ok(listing)
}
