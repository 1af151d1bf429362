//! The actions in threads: all checks, then all writes.

use guts_schema::limits::REFERENCES_MAX;
use guts_schema::names::{check_handle, parse_repo_path};
use guts_schema::proto::{self, Reaction};
use guts_schema::tx::ThreadAction;
use guts_schema::{AccountId, RepoId, events};

use super::{authorize, error, state};
use crate::fault::{Broken, Fault};
use crate::modules::{account, repo};
use crate::run::Run;

/// Executes one action of this module.
pub fn execute(
    run: &mut Run<'_>,
    actor: &AccountId,
    (id, number): (RepoId, u64),
    change: &ThreadAction,
) -> Result<(), Fault> {
    authorize::check(run, actor, (id, number), change)?;
    let wrong = || Broken::Contradiction("a thread that was there is gone".into());
    let thread = state::thread(&run.state, id, number)?.ok_or_else(wrong)?;
    match change {
        ThreadAction::Comment { text } => Ok(say(run, actor, (id, number), thread, text)?),
        ThreadAction::Edit { comment, text } => edit(run, actor, (id, number, *comment), text),
        ThreadAction::React { comment, reaction, on } => {
            react(run, actor, (id, number, *comment), (*reaction, *on))
        }
        ThreadAction::Lock { locked } => lock(run, (id, number), thread, *locked),
    }
}

/// Opens a thread with its comment 0; its number.
pub(crate) fn open(
    run: &mut Run<'_>,
    actor: &AccountId,
    id: RepoId,
    text: &str,
) -> Result<u64, Broken> {
    let number = state::next(run, id)?;
    let thread = proto::Thread { author: actor.to_vec(), ..Default::default() };
    say(run, actor, (id, number), thread, text)?;
    Ok(number)
}

fn say(
    run: &mut Run<'_>,
    actor: &AccountId,
    (id, number): (RepoId, u64),
    mut thread: proto::Thread,
    text: &str,
) -> Result<(), Broken> {
    let comment = thread.comments;
    let value = proto::CommentValue {
        author: actor.to_vec(),
        text: text.to_owned(),
        height: run.block.height,
        time_s: run.block.time_s,
        ..Default::default()
    };
    let out = || Broken::Contradiction("comments are counted out".into());
    thread.comments = comment.checked_add(1).ok_or_else(out)?;
    state::put_thread(run, (id, number), &thread)?;
    state::put_comment(run, (id, number, comment), &value)?;
    run.emit(
        events::COMMENTED,
        &[("repo", &id), ("number", &number), ("comment", &comment), ("account", actor)],
    );
    tell(run, actor, (id, number, comment), (text, ""))
}

fn existing(
    run: &Run<'_>,
    (id, number, comment): (RepoId, u64, u64),
) -> Result<proto::CommentValue, Fault> {
    let value = state::comment(&run.state, id, number, comment)?;
    value.ok_or_else(|| error::comment_unknown(number, comment))
}

fn edit(
    run: &mut Run<'_>,
    actor: &AccountId,
    place: (RepoId, u64, u64),
    text: &str,
) -> Result<(), Fault> {
    let mut value = existing(run, place)?;
    if value.text == text {
        return Err(error::same());
    }
    let was = std::mem::replace(&mut value.text, text.to_owned());
    let (height, time_s) = (run.block.height, run.block.time_s);
    let edit = proto::CommentEdit { text: was, height, time_s };
    state::put_edit(run, place, value.edits, &edit)?;
    let out = || Broken::Contradiction("edits are counted out".into());
    value.edits = value.edits.checked_add(1).ok_or_else(out)?;
    state::put_comment(run, place, &value)?;
    let (id, number, comment) = place;
    run.emit(events::COMMENT_EDITED, &[("repo", &id), ("number", &number), ("comment", &comment)]);
    Ok(tell(run, actor, place, (text, &edit.text))?)
}

fn react(
    run: &mut Run<'_>,
    actor: &AccountId,
    place: (RepoId, u64, u64),
    (reaction, on): (Reaction, bool),
) -> Result<(), Fault> {
    let mut value = existing(run, place)?;
    let kind = i32::from(reaction);
    let mut given = state::reactions(&run.state, place, actor)?;
    match (given.binary_search(&kind), on) {
        (Err(at), true) => given.insert(at, kind),
        (Ok(at), false) => drop(given.remove(at)),
        _ => return Err(error::same()),
    }
    state::put_reactions(run, place, actor, given)?;
    let wrong = || Broken::Contradiction("reactions are counted wrong".into());
    let list = &mut value.reactions;
    let at = match list.binary_search_by_key(&kind, |entry| entry.reaction) {
        Ok(at) => at,
        Err(at) => {
            list.insert(at, proto::ReactionCount { reaction: kind, count: 0 });
            at
        }
    };
    let count = list[at].count;
    let count = if on { count.checked_add(1) } else { count.checked_sub(1) };
    list[at].count = count.ok_or_else(wrong)?;
    list.retain(|entry| entry.count > 0);
    state::put_comment(run, place, &value)?;
    let (id, number, comment) = place;
    run.emit(
        events::REACTED,
        &[
            ("repo", &id),
            ("number", &number),
            ("comment", &comment),
            ("account", actor),
            ("reaction", &kind),
            ("on", &on),
        ],
    );
    Ok(())
}

fn lock(
    run: &mut Run<'_>,
    (id, number): (RepoId, u64),
    mut thread: proto::Thread,
    locked: bool,
) -> Result<(), Fault> {
    if thread.locked == locked {
        return Err(error::same());
    }
    thread.locked = locked;
    state::put_thread(run, (id, number), &thread)?;
    run.emit(events::THREAD_LOCKED, &[("repo", &id), ("number", &number), ("locked", &locked)]);
    Ok(())
}

/// What in a text looks like the name of somebody or something, each once; so much and no more.
fn named(text: &str) -> Vec<&str> {
    let ends = |c: char| c.is_whitespace() || matches!(c, ',' | ';' | ':' | '(' | ')' | '!' | '?');
    let mut named: Vec<&str> = Vec::new();
    for word in text.split(ends).map(|word| word.trim_end_matches('.')) {
        let names = word.starts_with('@') || word.contains('#');
        if names && !named.contains(&word) && named.len() < REFERENCES_MAX {
            named.push(word);
        }
    }
    named
}

/// Tells whom and what a text names that the one before it did not: that is what notifications are
/// made of.
fn tell(
    run: &mut Run<'_>,
    actor: &AccountId,
    place: (RepoId, u64, u64),
    (text, before): (&str, &str),
) -> Result<(), Broken> {
    let (id, number, _) = place;
    let told = named(before);
    for word in named(text).into_iter().filter(|word| !told.contains(word)) {
        if let Some(handle) = word.strip_prefix('@').filter(|handle| check_handle(handle).is_ok()) {
            if let Some(who) = account::handle_owner(&run.state, handle)? {
                run.emit(
                    events::MENTIONED,
                    &[("repo", &id), ("number", &number), ("account", &who)],
                );
            }
        } else if let Some(to) = meant(run, id, word)? {
            refer(run, actor, place, to)?;
        }
    }
    Ok(())
}

/// The thread that `#number` or `owner/name#number` means, whether there is one or not.
fn meant(run: &Run<'_>, id: RepoId, word: &str) -> Result<Option<(RepoId, u64)>, Broken> {
    let Some((path, number)) = word.split_once('#') else { return Ok(None) };
    let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    let Some(number) = number.parse::<u64>().ok().filter(|_| digits) else { return Ok(None) };
    let to = match parse_repo_path(path) {
        _ if path.is_empty() => Some(id),
        Ok((owner, name)) => repo::by_path(&run.state, owner, name)?,
        Err(_) => None,
    };
    Ok(to.map(|to| (to, number)))
}

/// Writes down that a comment names another thread, the first time that any of its thread does.
fn refer(
    run: &mut Run<'_>,
    actor: &AccountId,
    (from_repo, from_number, comment): (RepoId, u64, u64),
    to: (RepoId, u64),
) -> Result<(), Broken> {
    let from = (from_repo, from_number);
    if from == to || state::is_referred(&run.state, to, from)? {
        return Ok(());
    }
    let Some(thread) = state::thread(&run.state, to.0, to.1)? else { return Ok(()) };
    if !authorize::takes_references(run, actor, to.0, &thread)? {
        return Ok(());
    }
    let reference = proto::Reference {
        repo: from_repo.number(),
        number: from_number,
        comment,
        account: actor.to_vec(),
        height: run.block.height,
        time_s: run.block.time_s,
    };
    state::add_reference(run, to, thread, (from, &reference))?;
    run.emit(
        events::REFERENCED,
        &[
            ("repo", &to.0),
            ("number", &to.1),
            ("from_repo", &from_repo),
            ("from_number", &from_number),
            ("from_comment", &comment),
        ],
    );
    Ok(())
}
