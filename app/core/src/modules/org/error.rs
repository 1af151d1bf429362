//! Refusals of this module; codes 600 to 699.

use guts_schema::{AccountId, Code};

use crate::fault::Fault;

pub(super) fn unknown(org: &AccountId) -> Fault {
    Fault::refuse(Code::OrgUnknown, &[org])
}

pub(crate) fn not_owner(org: &str, actor: &str) -> Fault {
    Fault::refuse(Code::OrgNotOwner, &[&org, &actor])
}

pub(super) fn member_unknown(who: &str, org: &str) -> Fault {
    Fault::refuse(Code::MemberUnknown, &[&who, &org])
}

pub(super) fn member_exists(who: &str, org: &str) -> Fault {
    Fault::refuse(Code::MemberExists, &[&who, &org])
}

pub(super) fn owner_last(who: &str, org: &str) -> Fault {
    Fault::refuse(Code::OwnerLast, &[&who, &org])
}

pub(super) fn invite_none(who: &str, org: &str) -> Fault {
    Fault::refuse(Code::InviteNone, &[&who, &org])
}

pub(super) fn members_many(org: &str, count: usize) -> Fault {
    Fault::refuse(Code::MembersMany, &[&org, &count])
}

pub(crate) fn team_unknown(org: &str, team: &str) -> Fault {
    Fault::refuse(Code::TeamUnknown, &[&org, &team])
}

pub(super) fn teams_many(org: &str, count: usize) -> Fault {
    Fault::refuse(Code::TeamsMany, &[&org, &count])
}
