//! `guts issue list | show | history`.

use std::collections::{BTreeMap, BTreeSet};

use guts_schema::{AccountId, RepoId, keys, proto};
use serde_json::{Value, json};

use super::super::Context;
use super::super::out::counted;
use crate::state::{Repo, account_id};
use crate::{Error, State};

/// How many threads a repository has.
async fn count(state: &State, repo: RepoId) -> Result<u64, Error> {
    let threads: Option<proto::Threads> = state.get(&keys::threads(repo)).await?;
    Ok(threads.unwrap_or_default().count)
}

async fn issue(state: &State, repo: RepoId, number: u64) -> Result<Option<proto::Issue>, Error> {
    state.get(&keys::issue(repo, number)).await
}

/// The newest issue of an account with a title. Others may open some in the same block.
pub(super) async fn newest(
    state: &State,
    repo: RepoId,
    author: &AccountId,
    title: &str,
) -> Result<u64, Error> {
    for number in (1..=count(state, repo).await?).rev() {
        if issue(state, repo, number).await?.is_none_or(|issue| issue.title != title) {
            continue;
        }
        let thread: Option<proto::Thread> = state.get(&keys::thread(repo, number)).await?;
        if thread.is_some_and(|thread| thread.author == author.as_bytes()) {
            return Ok(number);
        }
    }
    Err(Error::Missing("the issue was opened, and is not there".into()))
}

/// Issues that are shown before all others, in the order in which they were pinned.
async fn pinned(state: &State, repo: RepoId) -> Result<Vec<u64>, Error> {
    let tracker: Option<proto::Tracker> = state.get(&keys::tracker(repo)).await?;
    Ok(tracker.unwrap_or_default().pinned)
}

pub(super) async fn list(context: &Context, path: &str, all: bool) -> Result<(), Error> {
    let mut chain = context.chain().await?;
    let state = chain.state().await?;
    let repo = state.repo(path).await?;
    let (mut listed, mut rows) = (Vec::new(), Vec::new());
    let pinned = pinned(&state, repo.id).await?;
    let count = count(&state, repo.id).await?;
    let others = (1..=count).filter(|number| !pinned.contains(number));
    let numbers: Vec<_> = pinned.iter().copied().chain(others).collect();
    let places: Vec<_> = numbers.iter().map(|number| keys::issue(repo.id, *number)).collect();
    let issues = state.all::<proto::Issue>(&places).await?;
    for (number, issue) in numbers.into_iter().zip(issues) {
        let Some(issue) = issue.filter(|issue| all || !issue.closed) else { continue };
        let closed = if issue.closed { " (closed)" } else { "" };
        let is_pinned = pinned.contains(&number);
        let pin = if is_pinned { "pinned" } else { "" };
        let labels: Vec<_> = issue.labels.iter().map(|label| format!("[{label}]")).collect();
        let labels = labels.join("  ");
        rows.push([format!("#{number}"), format!("{}{closed}", issue.title), labels, pin.into()]);
        listed.push(describe(&state, number, &issue, is_pinned).await?);
    }
    let shown = listed.len();
    context.out.table(&rows);
    context.out.fact(&format!("proved at height {}: {shown}, and no other", state.height()));
    context.out.result(&json!({
        "repo": repo.path(),
        "issues": listed,
        "proved_height": state.height(),
    }));
    Ok(())
}

const fn reason_name(reason: proto::CloseReason) -> &'static str {
    match reason {
        proto::CloseReason::Done => "done",
        proto::CloseReason::NotPlanned => "not_planned",
        proto::CloseReason::Duplicate => "duplicate",
    }
}

async fn describe(
    state: &State,
    number: u64,
    issue: &proto::Issue,
    is_pinned: bool,
) -> Result<Value, Error> {
    let mut assignees = Vec::new();
    for account in &issue.assignees {
        assignees.push(state.name_of(&account_id(account)?).await?);
    }
    let reason = issue.closed.then(|| reason_name(issue.reason()));
    Ok(json!({
        "number": number,
        "title": issue.title,
        "closed": issue.closed,
        "reason": reason,
        "labels": issue.labels,
        "assignees": assignees,
        "milestone": issue.milestone,
        "pinned": is_pinned,
    }))
}

pub(super) async fn show(context: &Context, path: &str, number: u64) -> Result<(), Error> {
    let mut chain = context.chain().await?;
    let state = chain.state().await?;
    let repo = state.repo(path).await?;
    let missing = || {
        Error::Missing(format!(
            "{path} has no issue {number}: 'guts issue list {path} --all' shows those it has"
        ))
    };
    let issue = issue(&state, repo.id, number).await?.ok_or_else(missing)?;
    let thread: Option<proto::Thread> = state.get(&keys::thread(repo.id, number)).await?;
    let thread = thread.unwrap_or_default();
    let out = &context.out;
    let is_pinned = pinned(&state, repo.id).await?.contains(&number);
    let mut value = describe(&state, number, &issue, is_pinned).await?;
    out.line(&format!("{path}#{number}  {}", issue.title));
    if is_pinned {
        out.line("pinned      it is shown before all others");
    }
    if issue.closed {
        out.line(&format!("closed      {}", reason_name(issue.reason())));
    }
    if !issue.labels.is_empty() {
        out.line(&format!("labels      {}", issue.labels.join(", ")));
    }
    let assigned: Vec<_> =
        value["assignees"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if !assigned.is_empty() {
        out.line(&format!("assigned    {}", assigned.join(", ")));
    }
    if issue.milestone > 0 {
        out.line(&format!("milestone   {}", issue.milestone));
    }
    if thread.locked {
        out.line("locked      only who has a role in the repository may speak");
    }
    let references = references(context, &state, (&repo, number), thread.references).await?;
    let comments = comments(context, &state, (repo.id, number), thread.comments).await?;
    out.proved(&state);
    value["repo"] = json!(repo.path());
    value["locked"] = json!(thread.locked);
    value["references"] = json!(references);
    value["comments"] = json!(comments);
    value["proved_height"] = json!(state.height());
    out.result(&value);
    Ok(())
}

/// The threads that name this one, and who wrote so first.
async fn references(
    context: &Context,
    state: &State,
    (repo, number): (&Repo, u64),
    count: u64,
) -> Result<Vec<Value>, Error> {
    let places: Vec<_> = (0..count).map(|index| keys::reference(repo.id, number, index)).collect();
    let found: Vec<proto::Reference> = state.list("a reference", &places).await?;
    let repos: BTreeSet<_> = found.iter().map(|one| one.repo).collect();
    let repos = state.repos_named(repos).await?;
    let paths: BTreeMap<_, _> = repos.iter().map(|repo| (repo.id.number(), repo.path())).collect();
    let accounts = found.iter().map(|one| account_id(&one.account));
    let accounts = accounts.collect::<Result<Vec<_>, _>>()?;
    let names = state.names_of(accounts.iter().copied()).await?;
    let mut listed = Vec::new();
    for (one, account) in found.iter().zip(&accounts) {
        let (path, name) = (&paths[&one.repo], &names[account]);
        let (number, comment, height) = (one.number, one.comment, one.height);
        let line = format!("referenced  by {path}#{number}, {name} in block {height}");
        context.out.line(&line);
        listed.push(json!({
            "repo": path,
            "number": number,
            "comment": comment,
            "account": name,
            "height": height,
            "time_s": one.time_s,
        }));
    }
    Ok(listed)
}

async fn comments(
    context: &Context,
    state: &State,
    (repo, number): (RepoId, u64),
    count: u64,
) -> Result<Vec<Value>, Error> {
    let places: Vec<_> = (0..count).map(|index| keys::comment(repo, number, index)).collect();
    let found: Vec<proto::CommentValue> = state.list("a comment", &places).await?;
    let authors = found.iter().map(|comment| account_id(&comment.author));
    let authors = authors.collect::<Result<Vec<_>, _>>()?;
    let names = state.names_of(authors.iter().copied()).await?;
    let said = (0..).zip(found.iter().zip(&authors));
    Ok(said
        .map(|(index, (comment, author))| say(context, index, comment, &names[author]))
        .collect())
}

fn say(context: &Context, index: u64, value: &proto::CommentValue, author: &str) -> Value {
    let edited = if value.edits > 0 { ", edited" } else { "" };
    context.out.line(&format!("{index}: {author} in block {}{edited}", value.height));
    context.out.quote(&value.text);
    let mut reactions = serde_json::Map::new();
    for entry in &value.reactions {
        let name = entry.reaction().as_str_name().trim_start_matches("REACTION_").to_lowercase();
        context.out.line(&format!("   {} {name}", entry.count));
        reactions.insert(name, json!(entry.count));
    }
    json!({
        "author": author,
        "text": value.text,
        "height": value.height,
        "time_s": value.time_s,
        "edits": value.edits,
        "reactions": reactions,
    })
}

fn no_comment(path: &str, number: u64, comment: u64) -> Error {
    Error::Missing(format!(
        "{path}#{number} has no comment {comment}: 'guts issue show {path} {number}' shows those \
         it has"
    ))
}

/// What a comment says.
pub(super) async fn said(
    state: &State,
    path: &str,
    (repo, number, comment): (RepoId, u64, u64),
) -> Result<String, Error> {
    let key = keys::comment(repo, number, comment);
    let value: Option<proto::CommentValue> = state.get(&key).await?;
    let missing = || no_comment(path, number, comment);
    Ok(value.ok_or_else(missing)?.text)
}

/// What a comment said before, and what it says now.
pub(super) async fn history(
    context: &Context,
    path: &str,
    number: u64,
    comment: u64,
) -> Result<(), Error> {
    let mut chain = context.chain().await?;
    let state = chain.state().await?;
    let repo = state.repo(path).await?;
    let key = keys::comment(repo.id, number, comment);
    let value: Option<proto::CommentValue> = state.get(&key).await?;
    let missing = || no_comment(path, number, comment);
    let value = value.ok_or_else(missing)?;
    let author = state.name_of(&account_id(&value.author)?).await?;
    let (out, mut since, mut texts) = (&context.out, value.height, Vec::new());
    let place = |edit| keys::comment_edit(repo.id, number, comment, edit);
    let places: Vec<_> = (0..value.edits).map(place).collect();
    for former in state.list::<proto::CommentEdit>("a former text", &places).await? {
        let until = former.height;
        out.line(&format!("{author}, from block {since} until block {until}"));
        out.quote(&former.text);
        texts.push(json!({ "text": former.text, "from_height": since, "until_height": until }));
        since = until;
    }
    out.line(&format!("{author}, from block {since} on"));
    out.quote(&value.text);
    texts.push(json!({ "text": value.text, "from_height": since, "until_height": null }));
    let count = counted(texts.len() as u64, "text");
    out.fact(&format!("proved at height {}: {count}, and no other", state.height()));
    out.result(&json!({
        "repo": repo.path(),
        "number": number,
        "comment": comment,
        "author": author,
        "texts": texts,
        "proved_height": state.height(),
    }));
    Ok(())
}

#[cfg(test)]
mod tests;
