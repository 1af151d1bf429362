//! The actions on organisations: all checks, then all writes.

use guts_schema::limits::SALT_BYTES;
use guts_schema::proto::{self, OrgRole};
use guts_schema::tx::OrgAction;
use guts_schema::{AccountId, events};

use super::state::place;
use super::{authorize, error, state};
use crate::fault::{Broken, Fault};
use crate::modules::{account, params};
use crate::run::Run;

/// Executes one action of this module.
pub fn execute(run: &mut Run<'_>, actor: &AccountId, change: &OrgAction) -> Result<(), Fault> {
    authorize::check(run, actor, change)?;
    match change {
        OrgAction::Create { handle, salt } => create(run, actor, handle, salt),
        OrgAction::Invite { org, account, role } => invite(run, org, account, *role),
        OrgAction::Accept { org } => accept(run, org, actor),
        OrgAction::DropInvite { org, account } => drop_invite(run, org, account),
        OrgAction::SetRole { org, account, role } => set_role(run, org, account, *role),
        OrgAction::Remove { org, account } => remove(run, org, account),
        OrgAction::PutTeam { org, team, members } => put_team(run, org, team, members),
        OrgAction::DropTeam { org, team } => drop_team(run, org, team),
        OrgAction::Transfer { org, to, amount } => account::transfer(run, org, to, *amount),
    }
}

fn create(
    run: &mut Run<'_>,
    actor: &AccountId,
    handle: &str,
    salt: &[u8; SALT_BYTES],
) -> Result<(), Fault> {
    let number = state::next_number(run)?;
    let id = account::create_org(run, actor, number, (handle, salt))?;
    let owner = proto::OrgMember { account: actor.to_vec(), role: OrgRole::Owner.into() };
    let org = proto::Org {
        number,
        created_height: run.block.height,
        members: vec![owner],
        ..Default::default()
    };
    state::put(run, &id, &org)?;
    run.emit(events::ORG_CREATED, &[("org", &id), ("handle", &handle), ("account", actor)]);
    Ok(())
}

fn existing(run: &Run<'_>, id: &AccountId) -> Result<proto::Org, Fault> {
    state::get(&run.state, id)?.ok_or_else(|| error::unknown(id))
}

fn name(run: &Run<'_>, id: &AccountId) -> Result<String, Broken> {
    account::name(&run.state, id)
}

/// Invites somebody, or invites again as something else.
fn invite(run: &mut Run<'_>, id: &AccountId, who: &AccountId, role: OrgRole) -> Result<(), Fault> {
    let mut org = existing(run, id)?;
    if account::get(&run.state, who)?.is_none_or(|account| account.org != 0) {
        return Err(account::error::unknown(who));
    }
    if place(&org.members, who).is_ok() {
        return Err(error::member_exists(&name(run, who)?, &name(run, id)?));
    }
    let entry = proto::OrgMember { account: who.to_vec(), role: role.into() };
    match place(&org.invited, who) {
        Ok(at) => org.invited[at] = entry,
        Err(at) => {
            let count = org.members.len().saturating_add(org.invited.len());
            if count as u64 >= params::get(&run.state)?.org_members_max {
                return Err(error::members_many(&name(run, id)?, count));
            }
            org.invited.insert(at, entry);
        }
    }
    state::put(run, id, &org)?;
    let role = i32::from(role);
    run.emit(events::MEMBER_INVITED, &[("org", id), ("account", who), ("role", &role)]);
    Ok(())
}

fn take_invite(
    run: &Run<'_>,
    id: &AccountId,
    who: &AccountId,
) -> Result<(proto::Org, proto::OrgMember), Fault> {
    let mut org = existing(run, id)?;
    match place(&org.invited, who) {
        Ok(at) => {
            let invited = org.invited.remove(at);
            Ok((org, invited))
        }
        Err(_) => Err(error::invite_none(&name(run, who)?, &name(run, id)?)),
    }
}

fn accept(run: &mut Run<'_>, id: &AccountId, who: &AccountId) -> Result<(), Fault> {
    let (mut org, member) = take_invite(run, id, who)?;
    let role = member.role;
    if let Err(at) = place(&org.members, who) {
        org.members.insert(at, member);
    }
    state::put(run, id, &org)?;
    run.emit(events::MEMBER_SET, &[("org", id), ("account", who), ("role", &role)]);
    Ok(())
}

fn drop_invite(run: &mut Run<'_>, id: &AccountId, who: &AccountId) -> Result<(), Fault> {
    let (org, _) = take_invite(run, id, who)?;
    state::put(run, id, &org)?;
    run.emit(events::INVITE_DROPPED, &[("org", id), ("account", who)]);
    Ok(())
}

/// An organisation, the place of a member in it, and whether it is the last owner.
fn member(
    run: &Run<'_>,
    id: &AccountId,
    who: &AccountId,
) -> Result<(proto::Org, usize, bool), Fault> {
    let org = existing(run, id)?;
    let Ok(at) = place(&org.members, who) else {
        return Err(error::member_unknown(&name(run, who)?, &name(run, id)?));
    };
    let owners = org.members.iter().filter(|member| member.role() == OrgRole::Owner).count();
    let last = owners == 1 && org.members[at].role() == OrgRole::Owner;
    Ok((org, at, last))
}

fn set_role(
    run: &mut Run<'_>,
    id: &AccountId,
    who: &AccountId,
    role: OrgRole,
) -> Result<(), Fault> {
    let (mut org, at, last) = member(run, id, who)?;
    if last && role != OrgRole::Owner {
        return Err(error::owner_last(&name(run, who)?, &name(run, id)?));
    }
    org.members[at].role = role.into();
    state::put(run, id, &org)?;
    let role = i32::from(role);
    run.emit(events::MEMBER_SET, &[("org", id), ("account", who), ("role", &role)]);
    Ok(())
}

/// Ends a membership, and that in all teams.
fn remove(run: &mut Run<'_>, id: &AccountId, who: &AccountId) -> Result<(), Fault> {
    let (mut org, at, last) = member(run, id, who)?;
    if last {
        return Err(error::owner_last(&name(run, who)?, &name(run, id)?));
    }
    org.members.remove(at);
    for team in &mut org.teams {
        team.members.retain(|member| member[..] != who.as_bytes()[..]);
    }
    state::put(run, id, &org)?;
    run.emit(events::MEMBER_REMOVED, &[("org", id), ("account", who)]);
    Ok(())
}

fn put_team(
    run: &mut Run<'_>,
    id: &AccountId,
    team: &str,
    members: &[AccountId],
) -> Result<(), Fault> {
    let mut org = existing(run, id)?;
    if let Some(who) = members.iter().find(|who| place(&org.members, who).is_err()) {
        return Err(error::member_unknown(&name(run, who)?, &name(run, id)?));
    }
    let value = proto::Team {
        name: team.to_owned(),
        members: members.iter().map(AccountId::to_vec).collect(),
    };
    match org.teams.binary_search_by(|other| other.name.as_str().cmp(team)) {
        Ok(at) => org.teams[at] = value,
        Err(at) => {
            if org.teams.len() as u64 >= params::get(&run.state)?.org_teams_max {
                return Err(error::teams_many(&name(run, id)?, org.teams.len()));
            }
            org.teams.insert(at, value);
        }
    }
    state::put(run, id, &org)?;
    let count = members.len();
    run.emit(events::TEAM_SET, &[("org", id), ("team", &team), ("members", &count)]);
    Ok(())
}

fn drop_team(run: &mut Run<'_>, id: &AccountId, team: &str) -> Result<(), Fault> {
    let mut org = existing(run, id)?;
    let Ok(at) = org.teams.binary_search_by(|other| other.name.as_str().cmp(team)) else {
        return Err(error::team_unknown(&name(run, id)?, team));
    };
    org.teams.remove(at);
    state::put(run, id, &org)?;
    run.emit(events::TEAM_DROPPED, &[("org", id), ("team", &team)]);
    Ok(())
}
