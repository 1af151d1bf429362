//! Audits of all organisations.

use std::collections::BTreeSet;

use guts_schema::proto::{self, OrgRole};
use guts_schema::{AccountId, keys};

use crate::fault::Broken;
use crate::whole::{Whole, rises, wrong};

pub(super) fn audit(whole: &Whole) -> Result<(), Broken> {
    let count = whole.get::<proto::Orgs>(&keys::orgs())?.unwrap_or_default().count;
    let orgs = whole.below::<proto::Org>("org/")?;
    if orgs.len() as u64 != count {
        return wrong(format!("{count} organisations are counted, {} are there", orgs.len()));
    }
    for (id, org) in orgs {
        let number = org.number;
        let named = AccountId::of_org(number);
        let account: Option<proto::Account> = whole.get(&keys::account(&named))?;
        if named.to_vec() != id || account.is_none_or(|account| account.org != number) {
            return wrong(format!("organisation {number} is not the account of its number"));
        }
        if !org.members.iter().any(|member| member.role() == OrgRole::Owner) {
            return wrong(format!("organisation {number} has no owner"));
        }
        let ids = |list: &[proto::OrgMember]| -> Vec<Vec<u8>> {
            list.iter().map(|member| member.account.clone()).collect()
        };
        let (members, invited) = (ids(&org.members), ids(&org.invited));
        let names: Vec<_> = org.teams.iter().map(|team| team.name.clone()).collect();
        if !rises(&members) || !rises(&invited) || !rises(&names) {
            return wrong(format!("lists of organisation {number} are not sorted"));
        }
        let members: BTreeSet<_> = members.into_iter().collect();
        if invited.iter().any(|id| members.contains(id)) {
            return wrong(format!("a member of organisation {number} is invited"));
        }
        let inside = |team: &proto::Team| {
            rises(&team.members) && team.members.iter().all(|id| members.contains(id))
        };
        if !org.teams.iter().all(inside) {
            return wrong(format!("a team of organisation {number} has a stranger in it"));
        }
    }
    Ok(())
}
