//! Listings of refs. A client checks them against the proved root.

use std::collections::BTreeMap;

use guts_schema::{RepoId, proto, query};
use guts_state::Read;
use prost::Message;

use super::state;
use crate::fault::{Broken, Fault};
use crate::modules::{Answer, QueryFault, repo};

pub(super) fn query(view: &dyn Read, path: &str, data: &[u8]) -> Answer {
    match path {
        query::REFS => Some(asked(view, data).and_then(|repo| {
            let (head, refs) = all_refs(view, repo)?;
            Ok(proto::RefListing { head: Some(head), refs }.encode_to_vec())
        })),
        _ => None,
    }
}

fn asked(view: &dyn Read, data: &[u8]) -> Result<RepoId, QueryFault> {
    let request = proto::PageRequest::decode(data).map_err(|_| QueryFault::Data)?;
    let repo = RepoId::new(request.repo).ok_or(QueryFault::Data)?;
    if repo::get(view, repo)?.is_none() {
        let unknown = Fault::refuse(guts_schema::Code::RepoUnknown, &[&repo]);
        return Err(unknown.into());
    }
    Ok(repo)
}

/// All refs of a repository, by rising name, with the head they are proved by.
pub fn all_refs(
    view: &dyn Read,
    repo: RepoId,
) -> Result<(proto::RefsHead, Vec<proto::RefEntry>), Broken> {
    let head = state::head(view, repo)?;
    let mut refs = BTreeMap::new();
    for entry in &head.buckets {
        let damaged = |_| Broken::Contradiction("a bucket that cannot be".into());
        refs.extend(state::bucket(view, repo, u8::try_from(entry.bucket).map_err(damaged)?)?);
    }
    let entry =
        |(name, oid): (String, guts_schema::Oid)| proto::RefEntry { name, oid: oid.to_vec() };
    Ok((head, refs.into_iter().map(entry).collect()))
}
