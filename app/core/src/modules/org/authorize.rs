//! Who may act on organisations.

use guts_schema::AccountId;
use guts_schema::tx::OrgAction;

use super::{error, state};
use crate::fault::Fault;
use crate::modules::account;
use crate::run::Run;

/// Refuses an actor that may not act.
pub(super) fn check(run: &Run<'_>, actor: &AccountId, change: &OrgAction) -> Result<(), Fault> {
    match change {
        // An account may make an organisation under a handle that it committed to.
        OrgAction::Create { .. } => match account::get(&run.state, actor)? {
            Some(_) => Ok(()),
            None => Err(account::error::unknown(actor)),
        },
        // An owner may invite.
        OrgAction::Invite { org, .. } => check_owner(run, org, actor),
        // Whoever is invited may accept; that there is an invitation is checked with it.
        OrgAction::Accept { org } => check_org(run, org),
        // An owner may take an invitation back, and who is invited may decline it.
        OrgAction::DropInvite { org, account } if account == actor => check_org(run, org),
        OrgAction::DropInvite { org, .. } => check_owner(run, org, actor),
        // An owner may give members other roles.
        OrgAction::SetRole { org, .. } => check_owner(run, org, actor),
        // An owner may remove a member, and a member may leave.
        OrgAction::Remove { org, account } if account == actor => check_org(run, org),
        OrgAction::Remove { org, .. } => check_owner(run, org, actor),
        // An owner may make, change and drop teams.
        OrgAction::PutTeam { org, .. } | OrgAction::DropTeam { org, .. } => {
            check_owner(run, org, actor)
        }
        // An owner may spend the organisation's balance.
        OrgAction::Transfer { org, .. } => check_owner(run, org, actor),
    }
}

fn check_org(run: &Run<'_>, org: &AccountId) -> Result<(), Fault> {
    match state::get(&run.state, org)? {
        Some(_) => Ok(()),
        None => Err(error::unknown(org)),
    }
}

fn check_owner(run: &Run<'_>, org: &AccountId, actor: &AccountId) -> Result<(), Fault> {
    check_org(run, org)?;
    if state::is_owner(&run.state, org, actor)? {
        return Ok(());
    }
    let name = |id| account::name(&run.state, id);
    Err(error::not_owner(&name(org)?, &name(actor)?))
}
