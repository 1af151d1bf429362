//! Where organisations lie.

use guts_schema::proto::{self, OrgRole};
use guts_schema::{AccountId, keys};
use guts_state::Read;

use crate::fault::Broken;
use crate::run::{Run, load};

/// An organisation, by its account id.
pub fn get(view: &dyn Read, id: &AccountId) -> Result<Option<proto::Org>, Broken> {
    load(view, &keys::org(id))
}

pub(super) fn put(run: &mut Run<'_>, id: &AccountId, org: &proto::Org) -> Result<(), Broken> {
    run.save(keys::org(id), org)
}

/// The number of the next organisation, which counts it.
pub(super) fn next_number(run: &mut Run<'_>) -> Result<u64, Broken> {
    let orgs: proto::Orgs = run.load(&keys::orgs())?.unwrap_or_default();
    let out = || Broken::Contradiction("organisations are counted out".into());
    let count = orgs.count.checked_add(1).ok_or_else(out)?;
    run.save(keys::orgs(), &proto::Orgs { count })?;
    Ok(count)
}

/// The place of an account in a sorted list, or where it would be.
pub(super) fn place(list: &[proto::OrgMember], id: &AccountId) -> Result<usize, usize> {
    list.binary_search_by(|member| member.account[..].cmp(&id.as_bytes()[..]))
}

/// What a member of an organisation is; none for who is no member, or where there is none.
pub fn member_role(
    view: &dyn Read,
    org: &AccountId,
    id: &AccountId,
) -> Result<Option<OrgRole>, Broken> {
    let Some(org) = get(view, org)? else { return Ok(None) };
    Ok(place(&org.members, id).ok().and_then(|at| org.members.get(at)).map(|m| m.role()))
}

/// Whether an account owns an organisation.
pub fn is_owner(view: &dyn Read, org: &AccountId, id: &AccountId) -> Result<bool, Broken> {
    Ok(member_role(view, org, id)? == Some(OrgRole::Owner))
}

/// The teams of an organisation that an account is in.
pub fn teams_of(view: &dyn Read, org: &AccountId, id: &AccountId) -> Result<Vec<String>, Broken> {
    let org = get(view, org)?.unwrap_or_default();
    let in_it = |team: &proto::Team| team.members.iter().any(|m| m[..] == id.as_bytes()[..]);
    Ok(org.teams.into_iter().filter(in_it).map(|team| team.name).collect())
}
