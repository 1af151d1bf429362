//! `guts issue list | show | history`.

use guts_schema::{RepoId, keys, proto};
use serde_json::{Value, json};

use super::super::Context;
use crate::state::account_id;
use crate::{Error, State};

/// How many threads a repository has.
async fn count(state: &State, repo: RepoId) -> Result<u64, Error> {
    let threads: Option<proto::Threads> = state.get(&keys::threads(repo)).await?;
    Ok(threads.unwrap_or_default().count)
}

async fn issue(state: &State, repo: RepoId, number: u64) -> Result<Option<proto::Issue>, Error> {
    state.get(&keys::issue(repo, number)).await
}

/// The newest issue with a title.
pub(super) async fn newest(state: &State, repo: RepoId, title: &str) -> Result<u64, Error> {
    for number in (1..=count(state, repo).await?).rev() {
        if issue(state, repo, number).await?.is_some_and(|issue| issue.title == title) {
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
    let mut listed = Vec::new();
    let pinned = pinned(&state, repo.id).await?;
    let count = count(&state, repo.id).await?;
    let others = (1..=count).filter(|number| !pinned.contains(number));
    for number in pinned.iter().copied().chain(others) {
        let Some(issue) = issue(&state, repo.id, number).await? else { continue };
        if issue.closed && !all {
            continue;
        }
        let closed = if issue.closed { " (closed)" } else { "" };
        let is_pinned = pinned.contains(&number);
        let pin = if is_pinned { "  pinned" } else { "" };
        let labels: String = issue.labels.iter().map(|label| format!("  [{label}]")).collect();
        context.out.line(&format!("#{number}  {}{closed}{labels}{pin}", issue.title));
        listed.push(describe(&state, number, &issue, is_pinned).await?);
    }
    let shown = listed.len();
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
    let missing = || Error::Missing(format!("{path} has no issue {number}"));
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
    let mut comments = Vec::new();
    for index in 0..thread.comments {
        comments.push(comment(context, &state, repo.id, number, index).await?);
    }
    out.proved(&state);
    value["repo"] = json!(repo.path());
    value["locked"] = json!(thread.locked);
    value["comments"] = json!(comments);
    value["proved_height"] = json!(state.height());
    out.result(&value);
    Ok(())
}

async fn comment(
    context: &Context,
    state: &State,
    repo: RepoId,
    number: u64,
    index: u64,
) -> Result<Value, Error> {
    let value: Option<proto::CommentValue> = state.get(&keys::comment(repo, number, index)).await?;
    let value = value.ok_or_else(|| Error::Proof("a comment is missing".into()))?;
    let author = state.name_of(&account_id(&value.author)?).await?;
    let edited = if value.edits > 0 { ", edited" } else { "" };
    context.out.line(&format!("{index}: {author} in block {}{edited}", value.height));
    context.out.quote(&value.text);
    let mut reactions = serde_json::Map::new();
    for entry in &value.reactions {
        let name = entry.reaction().as_str_name().trim_start_matches("REACTION_").to_lowercase();
        context.out.line(&format!("   {} {name}", entry.count));
        reactions.insert(name, json!(entry.count));
    }
    Ok(json!({
        "author": author,
        "text": value.text,
        "height": value.height,
        "time_s": value.time_s,
        "edits": value.edits,
        "reactions": reactions,
    }))
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
    let missing = || Error::Missing(format!("{path}#{number} has no comment {comment}"));
    let value = value.ok_or_else(missing)?;
    let author = state.name_of(&account_id(&value.author)?).await?;
    let (out, mut since, mut texts) = (&context.out, value.height, Vec::new());
    for edit in 0..value.edits {
        let key = keys::comment_edit(repo.id, number, comment, edit);
        let former: Option<proto::CommentEdit> = state.get(&key).await?;
        let former = former.ok_or_else(|| Error::Proof("a former text is missing".into()))?;
        let until = former.height;
        out.line(&format!("{author}, from block {since} until block {until}"));
        out.quote(&former.text);
        texts.push(json!({ "text": former.text, "from_height": since, "until_height": until }));
        since = until;
    }
    out.line(&format!("{author}, from block {since} on"));
    out.quote(&value.text);
    texts.push(json!({ "text": value.text, "from_height": since, "until_height": null }));
    out.fact(&format!("proved at height {}: {} texts, and no other", state.height(), texts.len()));
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
