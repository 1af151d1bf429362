//! `guts repo rename | transfer | accept | fork | grant | topics | star | protect | access`: what a
//! repository is called, whose it is, and who may do what in it.

use clap::{Args, ValueEnum};
use guts_schema::proto::{self, RepoRole};
use guts_schema::tx::RepoAction;
use guts_schema::{Action, keys, names};
use serde_json::json;

use super::super::Context;
use super::super::act::Actor;
use crate::Error;
use crate::state::account_id;

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Role {
    None,
    Triage,
    Write,
    Admin,
}

impl From<Role> for RepoRole {
    fn from(role: Role) -> Self {
        match role {
            Role::None => Self::None,
            Role::Triage => Self::Triage,
            Role::Write => Self::Write,
            Role::Admin => Self::Admin,
        }
    }
}

const fn role_name(role: RepoRole) -> &'static str {
    match role {
        RepoRole::None => "none",
        RepoRole::Triage => "triage",
        RepoRole::Write => "write",
        RepoRole::Admin => "admin",
    }
}

#[derive(Debug, Args)]
pub struct Fork {
    /// OWNER/NAME
    repo: String,
    /// Handle of an organisation of yours [default: you]
    #[arg(long)]
    owner: Option<String>,
    /// Name of the fork [default: the same]
    #[arg(long)]
    name: Option<String>,
}

#[derive(Debug, Args)]
pub struct Grant {
    /// OWNER/NAME
    repo: String,
    /// Handle or account id, or the name of a team with --team
    who: String,
    /// What they may do
    #[arg(value_enum)]
    role: Role,
    /// It is a team of the organisation that owns the repository
    #[arg(long)]
    team: bool,
}

#[derive(Debug, Args)]
pub struct Protect {
    /// OWNER/NAME
    repo: String,
    /// A full ref name such as refs/heads/main, or one ending in a star
    pattern: String,
    /// History may not be rewritten
    #[arg(long)]
    no_force: bool,
    /// It may not be deleted
    #[arg(long)]
    no_delete: bool,
    /// Who pushes has this role at least
    #[arg(long, value_enum, default_value = "write")]
    pusher: Role,
    /// Not protected any more
    #[arg(long, conflicts_with_all = ["no_force", "no_delete"])]
    off: bool,
}

/// Changes a repository that exists.
async fn change(
    context: &Context,
    path: &str,
    fact: &str,
    change: RepoAction,
) -> Result<(), Error> {
    let actor = Actor::own(context).await?;
    change_as(actor, context, path, fact, change).await
}

async fn change_as(
    mut actor: Actor<'_>,
    context: &Context,
    path: &str,
    fact: &str,
    change: RepoAction,
) -> Result<(), Error> {
    let repo = actor.state.repo(path).await?.id;
    let action = Action::Repo { actor: actor.account, repo, change };
    let done = actor.act("repository", action).await?;
    done.say(context, fact, json!({ "id": repo.number(), "repo": path }));
    Ok(())
}

/// `guts repo rename`.
pub async fn rename(context: &Context, path: &str, name: &str) -> Result<(), Error> {
    names::check_repo_name(name).map_err(|error| Error::Usage(error.to_string()))?;
    let fact = format!("{path} renamed to {name}, where the old name leads,");
    change(context, path, &fact, RepoAction::Rename { name: name.to_owned() }).await
}

/// `guts repo transfer`.
pub async fn transfer(context: &Context, path: &str, to: &str) -> Result<(), Error> {
    let mut actor = Actor::own(context).await?;
    let (id, repo) = (actor.state.who(to).await?, actor.state.repo(path).await?);
    let change = RepoAction::Transfer { to: id };
    let action = Action::Repo { actor: actor.account, repo: repo.id, change };
    let done = actor.act("repository", action).await?;
    // Where the actor may accept, too, nothing is left to do.
    let now = done.state.repo(path).await?;
    let (name, is_offered) = (now.path(), !now.value.offered_to.is_empty());
    let fact = match is_offered {
        true => format!("{path} offered to {to}, who may accept it,"),
        false => format!("{path} handed over, now {name},"),
    };
    let value = json!({ "id": repo.id.number(), "repo": name, "is_offered": is_offered });
    done.say(context, &fact, value);
    Ok(())
}

/// `guts repo accept`.
pub async fn accept(context: &Context, path: &str) -> Result<(), Error> {
    change(context, path, &format!("{path} taken over"), RepoAction::Accept).await
}

/// `guts repo fork`.
pub async fn fork(context: &Context, args: Fork) -> Result<(), Error> {
    let actor = Actor::own(context).await?;
    let owner = match &args.owner {
        Some(handle) => actor.state.who(handle).await?,
        None => actor.account,
    };
    let name = match args.name {
        Some(name) => name,
        None => actor.state.repo(&args.repo).await?.value.name,
    };
    names::check_repo_name(&name).map_err(|error| Error::Usage(error.to_string()))?;
    let fact = format!("{} forked as {name}", args.repo);
    let fork = RepoAction::Fork { owner, name };
    change_as(actor, context, &args.repo, &fact, fork).await?;
    context.out.line("Push what it shall hold: the fork has no refs yet");
    Ok(())
}

/// `guts repo grant`.
pub async fn grant(context: &Context, args: Grant) -> Result<(), Error> {
    let actor = Actor::own(context).await?;
    let role = RepoRole::from(args.role);
    let action = match args.team {
        true => RepoAction::SetTeamRole { team: args.who.clone(), role },
        false => RepoAction::SetCollaborator { account: actor.state.who(&args.who).await?, role },
    };
    let what = if args.team { "team " } else { "" };
    let fact = format!("{what}{} has the role {} in {}", args.who, role_name(role), args.repo);
    change_as(actor, context, &args.repo, &fact, action).await
}

/// `guts repo topics`.
pub async fn topics(context: &Context, path: &str, mut topics: Vec<String>) -> Result<(), Error> {
    topics.sort_unstable();
    topics.dedup();
    let fact = match topics.len() {
        0 => format!("{path} has no topics"),
        _ => format!("topics of {path}: {}", topics.join(", ")),
    };
    change(context, path, &fact, RepoAction::SetTopics { topics }).await
}

/// `guts repo star`.
pub async fn star(context: &Context, path: &str, off: bool) -> Result<(), Error> {
    let fact = format!("{path} {} your star", if off { "lost" } else { "has" });
    change(context, path, &fact, RepoAction::Star { star: !off }).await
}

/// `guts repo protect`.
pub async fn protect(context: &Context, args: Protect) -> Result<(), Error> {
    let rule = proto::Protection {
        no_force: args.no_force,
        no_delete: args.no_delete,
        pusher: RepoRole::from(args.pusher).into(),
    };
    let Protect { repo, pattern, off, .. } = args;
    let not = if off { "not protected any more" } else { "protected" };
    let fact = format!("{pattern} of {repo} is {not}");
    let rule = (!off).then_some(rule);
    change(context, &repo, &fact, RepoAction::SetProtection { pattern, rule }).await
}

/// `guts repo access`: who may do what, and what is protected.
pub async fn access(context: &Context, path: &str) -> Result<(), Error> {
    let mut chain = context.chain().await?;
    let state = chain.state().await?;
    let repo = state.repo(path).await?;
    let access: Option<proto::RepoAccess> = state.get(&keys::repo_access(repo.id)).await?;
    let rules: Option<proto::Protections> = state.get(&keys::protections(repo.id)).await?;
    let (access, rules) = (access.unwrap_or_default(), rules.unwrap_or_default());
    let out = &context.out;
    out.line(&format!("owner      {}", repo.owner));
    let mut people = Vec::new();
    for entry in &access.collaborators {
        let (name, role) = (state.name_of(&account_id(&entry.account)?).await?, entry.role());
        out.line(&format!("{:10} {name}", role_name(role)));
        people.push(json!({ "name": name, "role": role_name(role) }));
    }
    let mut teams = Vec::new();
    for entry in &access.teams {
        out.line(&format!("{:10} team {}", role_name(entry.role()), entry.team));
        teams.push(json!({ "team": entry.team, "role": role_name(entry.role()) }));
    }
    let mut protected = Vec::new();
    for entry in &rules.rules {
        let rule = entry.rule.unwrap_or_default();
        let force = if rule.no_force { ", no force" } else { "" };
        let delete = if rule.no_delete { ", no delete" } else { "" };
        let role = role_name(rule.pusher());
        out.line(&format!("protected  {} from role {role} on{force}{delete}", entry.pattern));
        protected.push(json!({
            "pattern": entry.pattern,
            "no_force": rule.no_force,
            "no_delete": rule.no_delete,
            "pusher": role,
        }));
    }
    out.proved(&state);
    out.result(&json!({
        "repo": repo.path(),
        "collaborators": people,
        "teams": teams,
        "protections": protected,
        "proved_height": state.height(),
    }));
    Ok(())
}
