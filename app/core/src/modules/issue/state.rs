//! Where issues lie.

use guts_schema::{RepoId, keys, proto};
use guts_state::Read;

use crate::fault::Broken;
use crate::run::{Run, load};

/// An issue.
pub fn get(view: &dyn Read, repo: RepoId, number: u64) -> Result<Option<proto::Issue>, Broken> {
    load(view, &keys::issue(repo, number))
}

pub(super) fn put(
    run: &mut Run<'_>,
    (repo, number): (RepoId, u64),
    issue: &proto::Issue,
) -> Result<(), Broken> {
    run.save(keys::issue(repo, number), issue)
}

/// What the issues of a repository share.
pub fn tracker(view: &dyn Read, repo: RepoId) -> Result<proto::Tracker, Broken> {
    Ok(load(view, &keys::tracker(repo))?.unwrap_or_default())
}

pub(super) fn put_tracker(
    run: &mut Run<'_>,
    repo: RepoId,
    tracker: &proto::Tracker,
) -> Result<(), Broken> {
    run.save(keys::tracker(repo), tracker)
}

/// Counts open issues.
pub(super) fn count_open(
    run: &mut Run<'_>,
    repo: RepoId,
    change: impl FnOnce(u64) -> Option<u64>,
) -> Result<(), Broken> {
    let wrong = || Broken::Contradiction("open issues are counted wrong".into());
    let mut tracker = tracker(&run.state, repo)?;
    tracker.open = change(tracker.open).ok_or_else(wrong)?;
    put_tracker(run, repo, &tracker)
}
