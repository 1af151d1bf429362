//! What a validator checks before it attests a push, and getting the pack to check.
//!
//! Equal objects must give equal verdicts on every validator: nothing here depends on which
//! gateway took the push, nor on objects that no committed ref reaches.

use crate::error::GitError;
use crate::packs::PackStore;
use crate::repositories::Repositories;
use crate::types::{Oid, PackHash, RefUpdate, RepoId};
use guts_schema::attest::Verdict;

/// Checks pushes against a repository.
#[derive(Debug, Clone)]
pub struct Verifier {
    repositories: Repositories,
    packs: PackStore,
}

impl Verifier {
    /// A verifier over those repositories and packs.
    pub fn new(repositories: Repositories, packs: PackStore) -> Self {
        Self { repositories, packs }
    }

    /// The verdict on a push whose pack, if it has one, is in the store (and so passed `fsck`
    /// when it was taken in). An error says nothing about the push: this node could not check.
    pub async fn verify(
        &self,
        repo: RepoId,
        pack: Option<&PackHash>,
        updates: &[RefUpdate],
    ) -> Result<Verdict, GitError> {
        let check = Check { verifier: self, repo, pack };
        let checked = check.run(updates).await;
        match checked {
            Err(GitError::Limit { .. }) => Ok(Verdict::TooBig),
            other => other,
        }
    }
}

/// One check in progress.
struct Check<'a> {
    verifier: &'a Verifier,
    repo: RepoId,
    pack: Option<&'a PackHash>,
}

impl Check<'_> {
    async fn run(&self, updates: &[RefUpdate]) -> Result<Verdict, GitError> {
        let tips: Vec<Oid> = updates.iter().filter_map(|update| update.new).collect();
        if tips.is_empty() {
            return Ok(Verdict::Good);
        }
        if let Some(verdict) = self.kinds(updates, &tips).await? {
            return Ok(verdict);
        }
        if !self.is_connected(&tips).await? {
            return Ok(Verdict::ObjectsMissing);
        }
        let mut forced = Vec::new();
        for (place, update) in updates.iter().enumerate() {
            if let (Some(old), Some(new)) = (update.old, update.new)
                && !self.is_forward(&update.name, old, new).await?
            {
                forced.push(place);
            }
        }
        if forced.is_empty() {
            return Ok(Verdict::Good);
        }
        Ok(Verdict::GoodForced(forced.into_iter().collect()))
    }

    fn command(&self, args: &[&str]) -> Result<crate::child::GitCommand, GitError> {
        let repositories = &self.verifier.repositories;
        let dir = repositories.ensure(self.repo)?;
        let mut git = repositories.git().command(&dir, args);
        if let Some(hash) = self.pack {
            git.env("GIT_ALTERNATE_OBJECT_DIRECTORIES", self.verifier.packs.objects(hash));
        }
        Ok(git)
    }

    /// Every tip is there, and branches point to commits.
    async fn kinds(
        &self,
        updates: &[RefUpdate],
        tips: &[Oid],
    ) -> Result<Option<Verdict>, GitError> {
        let objects = self.pack.map(|hash| self.verifier.packs.objects(hash));
        let repositories = &self.verifier.repositories;
        let kinds = repositories.kinds(self.repo, tips, objects.as_deref()).await?;
        let moved = updates.iter().filter(|update| update.new.is_some());
        for (update, kind) in moved.zip(kinds) {
            match kind.as_deref() {
                None => return Ok(Some(Verdict::ObjectsMissing)),
                Some("commit") => {}
                Some(_) if update.name.starts_with("refs/heads/") => {
                    return Ok(Some(Verdict::NotACommit));
                }
                Some(_) => {}
            }
        }
        Ok(None)
    }

    /// Everything the tips reach is in the pack, or reached by a committed ref.
    async fn is_connected(&self, tips: &[Oid]) -> Result<bool, GitError> {
        let args = ["rev-list", "--objects", "--stdin", "--not", "--all", "--quiet"];
        let mut input = String::new();
        for tip in tips {
            input.push_str(&format!("{tip}\n"));
        }
        let ended = self.command(&args)?.output(input.as_bytes()).await?;
        match ended.decided("rev-list", &[0, 128])? {
            0 => Ok(true),
            // A verdict only where git says which object it could not walk through.
            _ if says_unreachable(&ended.stderr) => Ok(false),
            _ => Err(ended.failed("rev-list")),
        }
    }

    /// The new tip has the old one among its ancestors. A tag that moves never does.
    async fn is_forward(&self, name: &str, old: Oid, new: Oid) -> Result<bool, GitError> {
        if name.starts_with("refs/tags/") {
            return Ok(false);
        }
        let (old, new) = (old.to_string(), new.to_string());
        let args = ["merge-base", "--is-ancestor", &old, &new];
        let ended = self.command(&args)?.output(b"").await?;
        match ended.decided("merge-base", &[0, 1, 128])? {
            0 => Ok(true),
            1 => Ok(false),
            // One of them is no commit, or the old tip is not here; then a race was lost, which
            // the state finds out by itself.
            _ if ended.stderr.contains("Not a valid") => Ok(false),
            _ => Err(ended.failed("merge-base")),
        }
    }
}

/// Whether rev-list's words are about an object that is missing or not what it is used as.
fn says_unreachable(stderr: &str) -> bool {
    const WORDS: [&str; 8] = [
        "missing blob object",
        "missing tree object",
        "missing commit object",
        "bad tree object",
        "bad object",
        "Could not read",
        "Failed to traverse parents",
        "unable to load root tree",
    ];
    WORDS.iter().any(|words| stderr.contains(words))
}

#[cfg(test)]
mod tests;
