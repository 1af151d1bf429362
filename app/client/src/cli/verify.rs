//! `guts verify`, `guts repo verify`: what somebody has against what the validators agreed on.
//!
//! Headers are proved from the pinned genesis on, and what they commit to from them: the refs of a
//! clone, an answer that was saved ([`answer`]), or a transaction.
//!
//! A clone has branches of its remote below `refs/remotes/REMOTE/` and tags below `refs/tags/`; a
//! bare clone or mirror has them under their own names. Every ref that came from the remote must be
//! where the proved state has it, and every branch of the proved state must be there: the objects
//! below a right tip are right, because git's ids are digests of them.

mod answer;

use std::collections::BTreeMap;
use std::path::Path;

use guts_schema::{Hash, Oid, names};
use serde_json::json;

use super::Context;
use super::git::Git;
use super::out::counted;
use super::tx;
use crate::Error;

#[derive(Debug, clap::Args)]
pub struct Verify {
    /// A clone; or a file with an answer of a gateway's /rpc or of abci_query, - for stdin; or the
    /// hash of a transaction
    #[arg(value_name = "DIR|FILE|HASH", default_value = ".")]
    what: String,
    #[command(flatten)]
    origin: Origin,
}

/// Where a clone comes from.
#[derive(Debug, clap::Args)]
pub struct Origin {
    /// Of a clone: OWNER/NAME [default: the end of the remote's URL]
    #[arg(long)]
    repo: Option<String>,
    /// Of a clone: the remote whose refs are checked
    #[arg(long, default_value = "origin")]
    remote: String,
}

/// Checks whatever was named.
pub async fn run(context: &Context, Verify { what, origin }: Verify) -> Result<(), Error> {
    let path = Path::new(&what);
    if path.is_dir() {
        return verify(context, path, &origin).await;
    }
    if what == "-" || path.is_file() {
        return answer::verify(context, &what).await;
    }
    match what.to_lowercase().parse::<Hash>() {
        Ok(hash) => tx::show(context, hash).await,
        Err(_) => Err(Error::Usage(format!(
            "{what} is no directory, no file, and no hash of a transaction"
        ))),
    }
}

/// Compares the refs a clone has with those that were agreed on; each line is one difference.
fn differences(
    proved: &BTreeMap<String, Oid>,
    found: &BTreeMap<String, Oid>,
    is_mirror: bool,
) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, oid) in found {
        match proved.get(name) {
            Some(agreed) if agreed == oid => {}
            Some(agreed) => lines.push(format!("{name} is {oid} here, agreed on was {agreed}")),
            None => lines.push(format!("{name} is {oid} here, agreed on was no such ref")),
        }
    }
    // git fetches branches and tags; other refs only into mirrors.
    let fetched =
        |name: &str| is_mirror || name.starts_with("refs/heads/") || name.starts_with("refs/tags/");
    for (name, oid) in proved {
        if fetched(name) && !found.contains_key(name) {
            lines.push(format!("{name} is missing here, agreed on was {oid}"));
        }
    }
    lines
}

/// The refs of a clone, under the names that they have at the remote.
fn refs_of(git: &Git, remote: &str, is_bare: bool) -> Result<BTreeMap<String, Oid>, Error> {
    let format = "--format=%(objectname) %(refname) %(symref)";
    let space = format!("refs/remotes/{remote}/");
    let listed = match is_bare {
        true => git.run(&["for-each-ref", format])?,
        false => git.run(&["for-each-ref", format, &space, "refs/tags/"])?,
    };
    let mut refs = BTreeMap::new();
    for line in listed.lines() {
        let mut words = line.splitn(3, ' ');
        let (oid, name) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        // REMOTE/HEAD says which branch is the default.
        if words.next().is_some_and(|symref| !symref.is_empty()) {
            continue;
        }
        let oid = oid.parse().map_err(|_| Error::Git(format!("no object id in {line:?}")))?;
        let name = match name.strip_prefix(&space) {
            Some(branch) => format!("refs/heads/{branch}"),
            None => name.to_owned(),
        };
        refs.insert(name, oid);
    }
    Ok(refs)
}

/// `OWNER/NAME` at the end of a URL.
fn path_of_url(url: &str) -> Option<String> {
    let url = url.trim_end_matches('/');
    let url = url.strip_suffix(".git").unwrap_or(url);
    let mut parts = url.rsplit('/');
    let (name, owner) = (parts.next()?, parts.next()?);
    let path = format!("{owner}/{name}");
    names::parse_repo_path(&path).is_ok().then_some(path)
}

/// Checks a clone.
pub async fn verify(context: &Context, dir: &Path, origin: &Origin) -> Result<(), Error> {
    let Origin { repo, remote } = origin;
    let none = || Error::Git(format!("{} is no git repository", dir.display()));
    let git = Git::find(dir)?.ok_or_else(none)?;
    let path = match repo {
        Some(path) => path.clone(),
        None => {
            let url = git.remote(remote)?;
            let url = url.ok_or_else(|| Error::Git(format!("there is no remote {remote}")))?;
            let unclear = || Error::Usage(format!("{url} names no OWNER/NAME: give --repo"));
            path_of_url(&url).ok_or_else(unclear)?
        }
    };
    let is_bare = git.run(&["rev-parse", "--is-bare-repository"])? == "true";
    let found = refs_of(&git, remote, is_bare)?;
    let mut chain = context.chain().await?;
    let state = chain.state().await?;
    let repo = state.repo(&path).await?;
    let listing = state.refs(repo.id).await?;
    let out = &context.out;
    out.proved(&state);
    out.fact(&format!(
        "the listing of {} of {path} is complete (refs_root {})",
        counted(listing.refs.len() as u64, "ref"),
        listing.root
    ));
    let lines = differences(&listing.refs, &found, is_bare);
    for (name, oid) in &found {
        if listing.refs.get(name) == Some(oid) {
            out.fact(&format!("{oid} {name}"));
        }
    }
    for line in &lines {
        out.line(&format!("✗ {line}"));
    }
    if !lines.is_empty() {
        let count = lines.len();
        return Err(Error::Differs(format!(
            "{count} refs of this clone are not those that were agreed on at height {}\n  run 'git \
             fetch --tags' and try again; a tag that only you have is no fault of the gateway",
            state.height()
        )));
    }
    out.fact(&format!("every ref of {} is as agreed on", dir.display()));
    out.result(&json!({
        "repo": path,
        "refs": found.iter().map(|(n, o)| (n.clone(), o.to_string())).collect::<BTreeMap<_, _>>(),
        "refs_root": listing.root.to_string(),
        "proved_height": state.height(),
    }));
    Ok(())
}

#[cfg(test)]
mod tests;
