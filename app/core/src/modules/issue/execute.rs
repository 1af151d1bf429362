//! The actions on issues: all checks, then all writes.

use guts_schema::limits::{LABELS_MAX, PINNED_MAX};
use guts_schema::proto::{self, CloseReason};
use guts_schema::tx::IssueAction;
use guts_schema::{AccountId, RepoId, events};

use super::{authorize, error, state};
use crate::fault::Fault;
use crate::modules::{account, discussion, repo};
use crate::run::Run;

/// Executes one action of this module.
pub fn execute(
    run: &mut Run<'_>,
    actor: &AccountId,
    id: RepoId,
    change: &IssueAction,
) -> Result<(), Fault> {
    let value = authorize::check(run, actor, id, change)?;
    let path = repo::path(&run.state, &value)?;
    match change {
        IssueAction::Open { title, text } => open(run, actor, id, (title, text)),
        IssueAction::Retitle { number, title } => retitle(run, (id, *number), &path, title),
        IssueAction::Close { number, reason } => close(run, actor, (id, *number), (&path, *reason)),
        IssueAction::Reopen { number } => reopen(run, actor, (id, *number), &path),
        IssueAction::Label { number, labels } => label(run, (id, *number), &path, labels),
        IssueAction::Assign { number, accounts } => {
            assign(run, (id, *number), (&path, &value), accounts)
        }
        IssueAction::Plan { number, milestone } => plan(run, (id, *number), &path, *milestone),
        IssueAction::Pin { number, pinned } => pin(run, (id, *number), &path, *pinned),
        IssueAction::PutLabel { name, color, description } => {
            let (name, description) = (name.clone(), description.clone());
            put_label(run, id, &path, proto::Label { name, color: *color, description })
        }
        IssueAction::DropLabel { name } => drop_label(run, id, &path, name),
        IssueAction::PutMilestone { milestone, title, due_s, closed } => {
            let (title, due_s, closed) = (title.clone(), *due_s, *closed);
            let value = proto::Milestone { title, due_s, closed };
            put_milestone(run, id, &path, (*milestone, value))
        }
    }
}

fn existing(run: &Run<'_>, (id, number): (RepoId, u64), path: &str) -> Result<proto::Issue, Fault> {
    state::get(&run.state, id, number)?.ok_or_else(|| discussion::unknown(path, number))
}

fn open(
    run: &mut Run<'_>,
    actor: &AccountId,
    id: RepoId,
    (title, text): (&str, &str),
) -> Result<(), Fault> {
    let number = discussion::open(run, actor, id, text)?;
    let issue = proto::Issue { title: title.to_owned(), ..Default::default() };
    state::put(run, (id, number), &issue)?;
    state::count_open(run, id, |open| open.checked_add(1))?;
    run.emit(
        events::ISSUE_OPENED,
        &[("repo", &id), ("number", &number), ("account", actor), ("title", &title)],
    );
    Ok(())
}

fn retitle(run: &mut Run<'_>, place: (RepoId, u64), path: &str, title: &str) -> Result<(), Fault> {
    let mut issue = existing(run, place, path)?;
    if issue.title == title {
        return Err(discussion::same());
    }
    let was = std::mem::replace(&mut issue.title, title.to_owned());
    state::put(run, place, &issue)?;
    run.emit(
        events::ISSUE_RETITLED,
        &[("repo", &place.0), ("number", &place.1), ("title", &title), ("was", &was)],
    );
    Ok(())
}

fn close(
    run: &mut Run<'_>,
    actor: &AccountId,
    place: (RepoId, u64),
    (path, reason): (&str, CloseReason),
) -> Result<(), Fault> {
    let mut issue = existing(run, place, path)?;
    if issue.closed {
        return Err(discussion::same());
    }
    issue.closed = true;
    issue.reason = reason.into();
    issue.closed_height = run.block.height;
    state::put(run, place, &issue)?;
    state::count_open(run, place.0, |open| open.checked_sub(1))?;
    let reason = i32::from(reason);
    run.emit(
        events::ISSUE_CLOSED,
        &[("repo", &place.0), ("number", &place.1), ("account", actor), ("reason", &reason)],
    );
    Ok(())
}

fn reopen(
    run: &mut Run<'_>,
    actor: &AccountId,
    place: (RepoId, u64),
    path: &str,
) -> Result<(), Fault> {
    let mut issue = existing(run, place, path)?;
    if !issue.closed {
        return Err(discussion::same());
    }
    issue.closed = false;
    issue.reason = 0;
    issue.closed_height = 0;
    state::put(run, place, &issue)?;
    state::count_open(run, place.0, |open| open.checked_add(1))?;
    run.emit(
        events::ISSUE_REOPENED,
        &[("repo", &place.0), ("number", &place.1), ("account", actor)],
    );
    Ok(())
}

/// Labels that it had already may be gone by now; new ones must be there.
fn label(
    run: &mut Run<'_>,
    place: (RepoId, u64),
    path: &str,
    labels: &[String],
) -> Result<(), Fault> {
    let mut issue = existing(run, place, path)?;
    if issue.labels == labels {
        return Err(discussion::same());
    }
    let known = state::tracker(&run.state, place.0)?.labels;
    let new = |label: &&String| !issue.labels.contains(label);
    for label in labels.iter().filter(new) {
        if !known.iter().any(|one| one.name == *label) {
            return Err(error::label_unknown(path, label));
        }
    }
    issue.labels = labels.to_vec();
    state::put(run, place, &issue)?;
    let labels = labels.join(" ");
    run.emit(
        events::ISSUE_LABELLED,
        &[("repo", &place.0), ("number", &place.1), ("labels", &labels)],
    );
    Ok(())
}

/// Whoever has a role in the repository can be assigned, and whoever opened the issue.
fn assign(
    run: &mut Run<'_>,
    place: (RepoId, u64),
    (path, value): (&str, &proto::Repo),
    accounts: &[AccountId],
) -> Result<(), Fault> {
    let mut issue = existing(run, place, path)?;
    let author = discussion::thread(&run.state, place.0, place.1)?.unwrap_or_default().author;
    let before = std::mem::take(&mut issue.assignees);
    for who in accounts.iter().filter(|who| !before.contains(&who.to_vec())) {
        let able = author == who.to_vec() || discussion::has_role(run, place.0, value, who)?;
        if !able {
            return Err(error::assignee(&account::name(&run.state, who)?, path));
        }
    }
    issue.assignees = accounts.iter().map(AccountId::to_vec).collect();
    if issue.assignees == before {
        return Err(discussion::same());
    }
    state::put(run, place, &issue)?;
    let mut say = |kind: &str, who: &[u8]| {
        let who = hex::encode(who);
        run.emit(kind, &[("repo", &place.0), ("number", &place.1), ("account", &who)]);
    };
    for who in issue.assignees.iter().filter(|who| !before.contains(who)) {
        say(events::ISSUE_ASSIGNED, who);
    }
    for who in before.iter().filter(|who| !issue.assignees.contains(who)) {
        say(events::ISSUE_UNASSIGNED, who);
    }
    Ok(())
}

fn plan(run: &mut Run<'_>, place: (RepoId, u64), path: &str, milestone: u64) -> Result<(), Fault> {
    let mut issue = existing(run, place, path)?;
    if milestone > state::tracker(&run.state, place.0)?.milestones.len() as u64 {
        return Err(error::milestone_unknown(path, milestone));
    }
    if issue.milestone == milestone {
        return Err(discussion::same());
    }
    issue.milestone = milestone;
    state::put(run, place, &issue)?;
    run.emit(
        events::ISSUE_PLANNED,
        &[("repo", &place.0), ("number", &place.1), ("milestone", &milestone)],
    );
    Ok(())
}

fn pin(run: &mut Run<'_>, place: (RepoId, u64), path: &str, pinned: bool) -> Result<(), Fault> {
    existing(run, place, path)?;
    let (id, number) = place;
    let mut tracker = state::tracker(&run.state, id)?;
    let list = &mut tracker.pinned;
    match (list.iter().position(|one| *one == number), pinned) {
        (None, true) if list.len() >= PINNED_MAX => {
            return Err(error::pins_many(path, list.len()));
        }
        (None, true) => list.push(number),
        (Some(at), false) => drop(list.remove(at)),
        _ => return Err(discussion::same()),
    }
    state::put_tracker(run, id, &tracker)?;
    run.emit(events::ISSUE_PINNED, &[("repo", &id), ("number", &number), ("pinned", &pinned)]);
    Ok(())
}

fn put_label(run: &mut Run<'_>, id: RepoId, path: &str, label: proto::Label) -> Result<(), Fault> {
    let mut tracker = state::tracker(&run.state, id)?;
    let name = label.name.clone();
    let list = &mut tracker.labels;
    match list.binary_search_by(|one| one.name.cmp(&name)) {
        Ok(at) if list[at] == label => return Err(discussion::same()),
        Ok(at) => list[at] = label,
        Err(_) if list.len() >= LABELS_MAX => return Err(error::many(path, list.len())),
        Err(at) => list.insert(at, label),
    }
    state::put_tracker(run, id, &tracker)?;
    run.emit(events::LABEL_SET, &[("repo", &id), ("label", &name)]);
    Ok(())
}

fn drop_label(run: &mut Run<'_>, id: RepoId, path: &str, name: &str) -> Result<(), Fault> {
    let mut tracker = state::tracker(&run.state, id)?;
    let Ok(at) = tracker.labels.binary_search_by(|one| one.name.as_str().cmp(name)) else {
        return Err(error::label_unknown(path, name));
    };
    tracker.labels.remove(at);
    state::put_tracker(run, id, &tracker)?;
    run.emit(events::LABEL_SET, &[("repo", &id), ("label", &name)]);
    Ok(())
}

fn put_milestone(
    run: &mut Run<'_>,
    id: RepoId,
    path: &str,
    (milestone, value): (u64, proto::Milestone),
) -> Result<(), Fault> {
    let mut tracker = state::tracker(&run.state, id)?;
    let list = &mut tracker.milestones;
    let count = list.len();
    let number = match usize::try_from(milestone).ok().and_then(|number| number.checked_sub(1)) {
        None if milestone == 0 && count >= LABELS_MAX => return Err(error::many(path, count)),
        None if milestone == 0 => {
            list.push(value);
            list.len() as u64
        }
        Some(at) if at < count && list[at] == value => return Err(discussion::same()),
        Some(at) if at < count => {
            list[at] = value;
            milestone
        }
        _ => return Err(error::milestone_unknown(path, milestone)),
    };
    state::put_tracker(run, id, &tracker)?;
    run.emit(events::MILESTONE_SET, &[("repo", &id), ("milestone", &number)]);
    Ok(())
}
