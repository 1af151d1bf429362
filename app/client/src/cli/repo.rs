//! `guts repo create | edit | list | show | log | verify`, and those of [`access`].

mod access;
mod edit;

use std::path::{Path, PathBuf};

use clap::Subcommand;
use guts_schema::proto::ObjectFormat;
use guts_schema::{AccountId, Action, Key, Oid, RepoId, names, proto, refs, sshsig};
use serde_json::{Value, json};

use super::Context;
use super::account::own;
use super::git::{self, Git};
use super::out::counted;
use super::verify::{self, Origin};
use crate::state::{Repo as Found, account_id};
use crate::{Error, Signer, State};

#[derive(Debug, Subcommand)]
pub enum Repo {
    /// Make a repository, and set up the remote of the git repository you are in
    Create(Create),
    /// Change its description or default branch, put it into the archive or take it out
    Edit(edit::Edit),
    /// Give it another name; the old one leads there
    Rename {
        /// OWNER/NAME
        repo: String,
        /// The new name, without its owner
        name: String,
    },
    /// Offer it to another account or organisation
    Transfer {
        /// OWNER/NAME
        repo: String,
        /// Handle or account id
        to: String,
    },
    /// Take a repository that is offered to you
    Accept {
        /// OWNER/NAME
        repo: String,
    },
    /// Make a repository of yours that says where it comes from
    Fork(access::Fork),
    /// Let somebody, or a team, do something in it
    Grant(access::Grant),
    /// Say what it is about
    Topics {
        /// OWNER/NAME
        repo: String,
        /// All its topics
        topics: Vec<String>,
    },
    /// Like it
    Star {
        /// OWNER/NAME
        repo: String,
        /// Not any more
        #[arg(long)]
        off: bool,
    },
    /// Protect refs from being rewritten, deleted, or moved by everybody
    Protect(access::Protect),
    /// Who may do what in it, and what is protected
    Access {
        /// OWNER/NAME
        repo: String,
    },
    /// Repositories of an owner, of yours by default
    List {
        /// Handle of the owner
        owner: Option<String>,
        /// Of everybody
        #[arg(long, conflicts_with = "owner")]
        all: bool,
    },
    /// A repository and its refs
    Show {
        /// OWNER/NAME
        repo: String,
    },
    /// Who moved which ref when, newest first
    Log {
        /// OWNER/NAME
        repo: String,
        /// Entries at most
        #[arg(long, default_value_t = 20)]
        limit: u64,
    },
    /// Check a clone, ref by ref, against what the validators agreed on
    Verify {
        /// The clone
        #[arg(default_value = ".")]
        dir: PathBuf,
        #[command(flatten)]
        origin: Origin,
    },
}

#[derive(Debug, clap::Args)]
pub struct Create {
    /// Name of the repository, without its owner
    name: String,
    /// One line about it
    #[arg(long, default_value = "")]
    description: String,
    /// Branch that clones check out [default: the one checked out here, or main]
    #[arg(long, value_name = "BRANCH")]
    default_branch: Option<String>,
    /// Object ids: sha1 or sha256 [default: those of the git repository here, or sha1]
    #[arg(long, value_name = "FORMAT", value_parser = ["sha1", "sha256"])]
    object_format: Option<String>,
    /// Remote to set up in the git repository here [default: origin, if there is none yet]
    #[arg(long, value_name = "REMOTE", num_args = 0..=1, default_missing_value = "origin")]
    remote: Option<String>,
}

pub async fn run(context: &Context, command: Repo) -> Result<(), Error> {
    match command {
        Repo::Create(args) => create(context, args).await,
        Repo::Edit(args) => edit::edit(context, args).await,
        Repo::Rename { repo, name } => access::rename(context, &repo, &name).await,
        Repo::Transfer { repo, to } => access::transfer(context, &repo, &to).await,
        Repo::Accept { repo } => access::accept(context, &repo).await,
        Repo::Fork(args) => access::fork(context, args).await,
        Repo::Grant(args) => access::grant(context, args).await,
        Repo::Topics { repo, topics } => access::topics(context, &repo, topics).await,
        Repo::Star { repo, off } => access::star(context, &repo, off).await,
        Repo::Protect(args) => access::protect(context, args).await,
        Repo::Access { repo } => access::access(context, &repo).await,
        Repo::List { owner, all } => list(context, owner, all).await,
        Repo::Show { repo } => show(context, &repo).await,
        Repo::Log { repo, limit } => log(context, &repo, limit).await,
        Repo::Verify { dir, origin } => verify::verify(context, &dir, &origin).await,
    }
}

/// The handle of the configuration's account.
async fn handle_of(state: &State, account: &AccountId) -> Result<String, Error> {
    let value = state.account(account).await?.unwrap_or_default();
    match value.handle.is_empty() {
        false => Ok(value.handle),
        true => Err(Error::Missing(
            "you have no handle to name repositories by: 'guts init --handle H' claims one".into(),
        )),
    }
}

async fn create(context: &Context, args: Create) -> Result<(), Error> {
    let usage = |error: &dyn std::fmt::Display| Error::Usage(error.to_string());
    names::check_repo_name(&args.name).map_err(|e| usage(&e))?;
    names::check_description(&args.description).map_err(|e| usage(&e))?;
    let here = Git::find(Path::new("."))?;
    let default_branch = default_branch(here.as_ref(), args.default_branch.as_deref())?;
    let object_format = object_format(here.as_ref(), args.object_format.as_deref())?;
    let remote = remote_to_set(here.as_ref(), args.remote.as_deref())?;
    let (account, signer) = (own(context)?, Signer::open(&context.home).await?);
    let mut chain = context.chain().await?;
    let owner = handle_of(&chain.state().await?, &account).await?;
    let action = Action::CreateRepo {
        actor: account,
        name: args.name.clone(),
        description: args.description.clone(),
        default_branch: default_branch.clone(),
        object_format,
    };
    let bar = context.out.bar("repository");
    let sent = chain.send(account, &[action], &signer, &bar).await?;
    drop(bar);
    let state = sent.state;
    let path = format!("{owner}/{}", args.name);
    let repo = state.repo(&path).await?;
    let url = format!("{}/{path}.git", context.gateway);
    context.out.fact(&format!("repository {path} made in block {}", sent.height));
    context.out.proved(&state);
    set_up(context, here.as_ref().zip(remote.as_deref()), &url, &signer)?;
    let mut value = describe(&repo);
    value["url"] = json!(url);
    value["remote"] = json!(remote);
    value["tx"] = json!(sent.hash.to_string());
    value["proved_height"] = json!(state.height());
    context.out.result(&value);
    Ok(())
}

fn default_branch(here: Option<&Git>, asked: Option<&str>) -> Result<String, Error> {
    match (asked, here) {
        (Some(name), _) => branch_name(name),
        (None, Some(git)) => branch_name(git.head()?.as_deref().unwrap_or("main")),
        (None, None) => branch_name("main"),
    }
}

/// The full name of a branch, given in full or without `refs/heads/`.
fn branch_name(name: &str) -> Result<String, Error> {
    let name = match name.starts_with("refs/") {
        true => name.to_owned(),
        false => format!("refs/heads/{name}"),
    };
    refs::check_branch(&name).map_err(|error| Error::Usage(format!("{name}: {error}")))?;
    Ok(name)
}

fn object_format(here: Option<&Git>, asked: Option<&str>) -> Result<ObjectFormat, Error> {
    let found = match (asked, here) {
        (Some(name), _) => Some(name.to_owned()),
        (None, Some(git)) => git.ask(&["rev-parse", "--show-object-format"])?,
        (None, None) => None,
    };
    Ok(match found.as_deref() {
        Some("sha256") => ObjectFormat::Sha256,
        _ => ObjectFormat::Sha1,
    })
}

/// The remote to set up: the one asked for, or `origin` where there is none yet.
fn remote_to_set(here: Option<&Git>, asked: Option<&str>) -> Result<Option<String>, Error> {
    match (here, asked) {
        (None, None) => Ok(None),
        (None, Some(_)) => {
            Err(Error::Git("this is no git repository: 'git init' makes it one".into()))
        }
        (Some(_), Some(name)) => Ok(Some(name.to_owned())),
        (Some(git), None) => Ok(git.remote("origin")?.is_none().then(|| "origin".to_owned())),
    }
}

fn set_up(
    context: &Context,
    remote: Option<(&Git, &str)>,
    url: &str,
    signer: &Signer,
) -> Result<(), Error> {
    let out = &context.out;
    let settings = git::settings(&signer.for_git());
    let Some((git, remote)) = remote else {
        out.line("To push to it, in a git repository:");
        out.line(&format!("  git remote add origin {url}"));
        for (name, value) in &settings {
            out.line(&format!("  git config {name} {}", git::quoted(value)));
        }
        return Ok(());
    };
    match git.remote(remote)? {
        None => git.run(&["remote", "add", remote, url])?,
        Some(_) => git.run(&["remote", "set-url", remote, url])?,
    };
    for (name, value) in &settings {
        git.run(&["config", "--local", name, value])?;
    }
    out.fact(&format!("remote {remote} is {url}"));
    out.fact("pushes from here are signed (gpg.format, user.signingKey, push.gpgSign)");
    let branch = git.head()?.unwrap_or_default();
    let branch = branch.strip_prefix("refs/heads/").unwrap_or("main").to_owned();
    out.line(&format!("Next: git push -u {remote} {branch}"));
    Ok(())
}

const fn format_name(format: ObjectFormat) -> &'static str {
    match format {
        ObjectFormat::Sha1 => "sha1",
        ObjectFormat::Sha256 => "sha256",
    }
}

fn describe(repo: &Found) -> Value {
    json!({
        "id": repo.id.number(),
        "repo": repo.path(),
        "description": repo.value.description,
        "default_branch": repo.value.default_branch,
        "object_format": format_name(repo.value.object_format()),
        "archived": repo.value.archived,
        "topics": repo.value.topics,
        "stars": repo.value.stars,
        "parent": repo.value.parent,
        "created_height": repo.value.created_height,
    })
}

async fn list(context: &Context, owner: Option<String>, all: bool) -> Result<(), Error> {
    let mut chain = context.chain().await?;
    let state = chain.state().await?;
    let repos = match (owner, all) {
        (_, true) => state.repos().await?,
        (Some(owner), _) => state.repos_of(&owner).await?,
        (None, _) => state.repos_of(&handle_of(&state, &own(context)?).await?).await?,
    };
    let row = |repo: &Found| {
        let archived = if repo.value.archived { " (archived)" } else { "" };
        [repo.path(), format!("{}{archived}", repo.value.description)]
    };
    context.out.table(&repos.iter().map(row).collect::<Vec<_>>());
    let count = repos.len();
    context.out.fact(&format!("proved at height {}: {count}, and no other", state.height()));
    context.out.result(&json!({
        "repos": repos.iter().map(describe).collect::<Vec<_>>(),
        "proved_height": state.height(),
    }));
    Ok(())
}

async fn show(context: &Context, path: &str) -> Result<(), Error> {
    let mut chain = context.chain().await?;
    let state = chain.state().await?;
    let repo = state.repo(path).await?;
    let listing = state.refs(repo.id).await?;
    let out = &context.out;
    out.line(&format!("repository  {} (number {})", repo.path(), repo.id));
    out.line(&format!("about       {}", repo.value.description));
    out.line(&format!("default     {}", repo.value.default_branch));
    out.line(&format!("clone       {}/{}.git", context.gateway, repo.path()));
    if repo.value.archived {
        out.line("archived    takes no pushes");
    }
    if !repo.value.topics.is_empty() {
        out.line(&format!("topics      {}", repo.value.topics.join(", ")));
    }
    if repo.value.stars > 0 {
        out.line(&format!("stars       {}", repo.value.stars));
    }
    let parent = parent(&state, &repo).await?;
    if let Some(parent) = &parent {
        out.line(&format!("fork of     {parent}"));
    }
    for (name, oid) in &listing.refs {
        out.line(&format!("{oid} {name}"));
    }
    out.fact(&format!(
        "proved at height {}: {}, and no other (refs_root {})",
        state.height(),
        counted(listing.refs.len() as u64, "ref"),
        listing.root
    ));
    let mut value = describe(&repo);
    value["fork_of"] = json!(parent);
    let refs = listing.refs.iter().map(|(name, oid)| (name.clone(), json!(oid.to_string())));
    value["refs"] = Value::Object(refs.collect());
    value["refs_root"] = json!(listing.root.to_string());
    value["proved_height"] = json!(state.height());
    out.result(&value);
    Ok(())
}

/// What a fork comes from, by the name it has now.
async fn parent(state: &State, repo: &Found) -> Result<Option<String>, Error> {
    let Some(id) = RepoId::new(repo.value.parent) else { return Ok(None) };
    Ok(Some(state.repo_by_id(id).await?.path()))
}

async fn log(context: &Context, path: &str, limit: u64) -> Result<(), Error> {
    let mut chain = context.chain().await?;
    let state = chain.state().await?;
    let repo = state.repo(path).await?;
    let count = state.refs(repo.id).await?.log_count;
    let first = count.saturating_sub(limit);
    let mut entries = Vec::new();
    for number in (first..count).rev() {
        let entry = state.log_entry(repo.id, number).await?;
        let pusher = account_id(&entry.pusher)?;
        let handle = state.account(&pusher).await?.unwrap_or_default().handle;
        let who = if handle.is_empty() { pusher.to_string() } else { handle };
        context.out.line(&log_line(&entry, &who));
        entries.push(log_json(number, &entry, &pusher, &who));
    }
    context.out.fact(&format!(
        "proved at height {}: {} of {count} entries",
        state.height(),
        entries.len()
    ));
    context.out.result(&json!({
        "repo": repo.path(),
        "count": count,
        "entries": entries,
        "proved_height": state.height(),
    }));
    Ok(())
}

fn oid_text(bytes: &[u8]) -> Option<String> {
    Oid::from_slice(bytes).ok().map(|oid| oid.to_string())
}

fn log_line(entry: &proto::RefLogEntry, who: &str) -> String {
    let short = |bytes: &[u8]| oid_text(bytes).map_or_else(|| "-".to_owned(), |t| t[..12].into());
    let (old, new) = (short(&entry.old), short(&entry.new));
    let what = match (entry.old.is_empty(), entry.new.is_empty(), entry.forced) {
        (true, ..) => "made",
        (_, true, _) => "deleted",
        (_, _, true) => "forced",
        _ => "moved",
    };
    let (height, name) = (entry.height, &entry.name);
    format!("block {height}  {what:7}  {old:12} -> {new:12}  {name}  by {who}")
}

fn log_json(number: u64, entry: &proto::RefLogEntry, pusher: &AccountId, who: &str) -> Value {
    let key = Key::from_slice(&entry.key).map(|key| sshsig::fingerprint(&key)).ok();
    json!({
        "number": number,
        "ref": entry.name,
        "old": oid_text(&entry.old),
        "new": oid_text(&entry.new),
        "pusher": pusher.to_string(),
        "who": who,
        "key": key,
        "push": hex::encode(&entry.push),
        "height": entry.height,
        "time_s": entry.time_s,
        "forced": entry.forced,
    })
}
