//! `guts org` and `guts team`: accounts without keys, for which their owners act.

use clap::{Subcommand, ValueEnum};
use guts_schema::proto::OrgRole;
use guts_schema::tx::OrgAction;
use guts_schema::{AccountId, Action, keys, names, proto};
use serde_json::{Value, json};

use super::Context;
use super::act::Actor;
use super::out::counted;
use crate::state::account_id;
use crate::{Error, State};

#[derive(Debug, Subcommand)]
pub enum Org {
    /// Make an organisation, with you as its owner
    Create {
        /// Its handle
        handle: String,
    },
    /// Members, invitations and teams
    Show {
        /// Handle of the organisation
        org: String,
    },
    /// Offer somebody membership
    Invite {
        /// Handle of the organisation
        org: String,
        /// Handle or account id
        who: String,
        /// As what
        #[arg(long, value_enum, default_value = "member")]
        role: Role,
    },
    /// Become a member where you are invited
    Accept {
        /// Handle of the organisation
        org: String,
    },
    /// Take an invitation back, or decline your own
    Uninvite {
        /// Handle of the organisation
        org: String,
        /// Handle or account id [default: you]
        who: Option<String>,
    },
    /// Give a member another role
    Role {
        /// Handle of the organisation
        org: String,
        /// Handle or account id
        who: String,
        /// Which
        #[arg(value_enum)]
        role: Role,
    },
    /// End a membership, your own too
    Remove {
        /// Handle of the organisation
        org: String,
        /// Handle or account id [default: you]
        who: Option<String>,
    },
    /// Send part of the organisation's balance to an account
    Send {
        /// Handle of the organisation
        org: String,
        /// Handle or account id
        who: String,
        /// Smallest units
        amount: u64,
    },
}

#[derive(Debug, Subcommand)]
pub enum Team {
    /// Make a team, or give it other members
    Put {
        /// Handle of the organisation
        org: String,
        /// Name of the team
        team: String,
        /// Handles or account ids of all its members
        members: Vec<String>,
    },
    /// End a team
    Drop {
        /// Handle of the organisation
        org: String,
        /// Name of the team
        team: String,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Role {
    Member,
    Owner,
}

impl From<Role> for OrgRole {
    fn from(role: Role) -> Self {
        match role {
            Role::Member => Self::Member,
            Role::Owner => Self::Owner,
        }
    }
}

const fn role_name(role: OrgRole) -> &'static str {
    match role {
        OrgRole::Member => "member",
        OrgRole::Owner => "owner",
    }
}

pub async fn run(context: &Context, command: Org) -> Result<(), Error> {
    match command {
        Org::Create { handle } => create(context, &handle).await,
        Org::Show { org } => show(context, &org).await,
        Org::Invite { org, who, role } => {
            let fact = format!("{who} invited to {org}");
            about(context, &org, Some(&who), &fact, |org, account| OrgAction::Invite {
                org,
                account,
                role: role.into(),
            })
            .await
        }
        Org::Accept { org } => {
            let fact = format!("you are a member of {org}");
            about(context, &org, None, &fact, |org, _| OrgAction::Accept { org }).await
        }
        Org::Uninvite { org, who } => {
            let fact = format!("no invitation to {org} any more");
            let drop = |org, account| OrgAction::DropInvite { org, account };
            about(context, &org, who.as_deref(), &fact, drop).await
        }
        Org::Role { org, who, role } => {
            let role = OrgRole::from(role);
            let fact = format!("{who} is {} of {org}", role_name(role));
            let set = |org, account| OrgAction::SetRole { org, account, role };
            about(context, &org, Some(&who), &fact, set).await
        }
        Org::Remove { org, who } => {
            let fact = format!("{} no member of {org} any more", who.as_deref().unwrap_or("you"));
            let remove = |org, account| OrgAction::Remove { org, account };
            about(context, &org, who.as_deref(), &fact, remove).await
        }
        Org::Send { org, who, amount } => {
            let fact = format!("{amount} sent from {org} to {who}");
            let send = |org, to| OrgAction::Transfer { org, to, amount };
            about(context, &org, Some(&who), &fact, send).await
        }
    }
}

/// `guts team`.
pub async fn run_team(context: &Context, command: Team) -> Result<(), Error> {
    let mut actor = Actor::own(context).await?;
    let (org, change, fact) = match command {
        Team::Put { org, team, members } => {
            let id = actor.state.who(&org).await?;
            let mut ids = Vec::new();
            for member in &members {
                ids.push(actor.state.who(member).await?);
            }
            ids.sort_unstable();
            ids.dedup();
            let fact = format!("team {team} of {org} has {}", counted(ids.len() as u64, "member"));
            (org, OrgAction::PutTeam { org: id, team, members: ids }, fact)
        }
        Team::Drop { org, team } => {
            let id = actor.state.who(&org).await?;
            let fact = format!("team {team} of {org} is no more");
            (org, OrgAction::DropTeam { org: id, team }, fact)
        }
    };
    let action = Action::Org { actor: actor.account, change };
    let done = actor.act("team", action).await?;
    done.say(context, &fact, json!({ "org": org }));
    Ok(())
}

/// Does something about an organisation and an account, one's own if none is named.
async fn about(
    context: &Context,
    org: &str,
    who: Option<&str>,
    fact: &str,
    change: impl FnOnce(AccountId, AccountId) -> OrgAction,
) -> Result<(), Error> {
    let mut actor = Actor::own(context).await?;
    let id = actor.state.who(org).await?;
    let account = match who {
        Some(who) => actor.state.who(who).await?,
        None => actor.account,
    };
    let action = Action::Org { actor: actor.account, change: change(id, account) };
    let done = actor.act("organisation", action).await?;
    done.say(context, fact, json!({ "org": org, "account": account.to_string() }));
    Ok(())
}

async fn create(context: &Context, handle: &str) -> Result<(), Error> {
    names::check_handle(handle).map_err(|error| Error::Usage(error.to_string()))?;
    let mut actor = Actor::own(context).await?;
    let salt: [u8; 32] = rand::random();
    let account = actor.account;
    let commitment = names::handle_commitment(actor.chain.chain_id(), &account, handle, &salt);
    let commit = Action::CommitHandle { actor: account, commitment };
    actor.act("handle", commit).await?;
    let change = OrgAction::Create { handle: handle.to_owned(), salt };
    let done = actor.act("organisation", Action::Org { actor: account, change }).await?;
    let id = done.state.who(handle).await?;
    let value = json!({ "org": handle, "account": id.to_string() });
    done.say(context, &format!("organisation {handle} made"), value);
    Ok(())
}

async fn show(context: &Context, handle: &str) -> Result<(), Error> {
    let mut chain = context.chain().await?;
    let state = chain.state().await?;
    let id = state.who(handle).await?;
    let value: Option<proto::Org> = state.get(&keys::org(&id)).await?;
    let org = value.ok_or_else(|| Error::Missing(format!("{handle} is no organisation")))?;
    let balance = state.account(&id).await?.unwrap_or_default().balance;
    let out = &context.out;
    out.line(&format!("organisation  {handle} ({id})"));
    out.line(&format!("balance       {balance}"));
    let members = people(context, &state, "member", &org.members).await?;
    let invited = people(context, &state, "invited", &org.invited).await?;
    let mut teams = Vec::new();
    for team in &org.teams {
        let mut names = Vec::new();
        for member in &team.members {
            names.push(state.name_of(&account_id(member)?).await?);
        }
        out.line(&format!("team          {}: {}", team.name, names.join(", ")));
        teams.push(json!({ "name": team.name, "members": names }));
    }
    out.proved(&state);
    out.result(&json!({
        "org": handle,
        "account": id.to_string(),
        "balance": balance.to_string(),
        "members": members,
        "invited": invited,
        "teams": teams,
        "proved_height": state.height(),
    }));
    Ok(())
}

async fn people(
    context: &Context,
    state: &State,
    what: &str,
    list: &[proto::OrgMember],
) -> Result<Vec<Value>, Error> {
    let mut listed = Vec::new();
    for member in list {
        let account = account_id(&member.account)?;
        let (name, role) = (state.name_of(&account).await?, role_name(member.role()));
        context.out.line(&format!("{what:13} {name} ({role})"));
        listed.push(json!({ "name": name, "account": account.to_string(), "role": role }));
    }
    Ok(listed)
}
