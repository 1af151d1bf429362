//! Audits of all issues.

use std::collections::BTreeSet;

use guts_schema::limits::{ISSUE_WORDS_MAX, LABELS_MAX, PINNED_MAX};
use guts_schema::{RepoId, keys, proto};

use crate::fault::Broken;
use crate::whole::{Whole, rises, wrong};

pub(super) fn audit(whole: &Whole) -> Result<(), Broken> {
    let repos = whole.get::<proto::Repos>(&keys::repos())?.unwrap_or_default().count;
    let mut found = 0usize;
    for repo in (1..=repos).filter_map(RepoId::new) {
        let tracker: proto::Tracker = whole.get(&keys::tracker(repo))?.unwrap_or_default();
        let threads = whole.get::<proto::Threads>(&keys::threads(repo))?.unwrap_or_default();
        let mut open = 0;
        for number in 1..=threads.count {
            if let Some(issue) = whole.get::<proto::Issue>(&keys::issue(repo, number))? {
                found += 1;
                open += u64::from(!issue.closed);
                if !rises(&issue.labels)
                    || !rises(&issue.assignees)
                    || issue.labels.len().max(issue.assignees.len()) > ISSUE_WORDS_MAX
                {
                    return wrong(format!("labels or people of issue {number} are listed wrong"));
                }
                if issue.milestone > tracker.milestones.len() as u64 {
                    return wrong(format!("issue {number} is planned for nothing"));
                }
            }
        }
        if open != tracker.open {
            return wrong(format!("{open} issues of repository {repo} are open, not as counted"));
        }
        let names = tracker.labels.iter().map(|label| &label.name);
        let most = tracker.labels.len().max(tracker.milestones.len());
        let pinned: BTreeSet<_> = tracker.pinned.iter().collect();
        if !rises(names)
            || most > LABELS_MAX
            || pinned.len() != tracker.pinned.len()
            || pinned.len() > PINNED_MAX
        {
            return wrong(format!("labels or pins of repository {repo} are listed wrong"));
        }
        for number in &tracker.pinned {
            if whole.get::<proto::Issue>(&keys::issue(repo, *number))?.is_none() {
                return wrong(format!("issue {number} of repository {repo} is pinned and gone"));
            }
        }
    }
    if whole.below::<proto::Issue>("issue/")?.len() == found {
        return Ok(());
    }
    wrong("an issue has no thread")
}
