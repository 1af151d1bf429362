//! Fetches what repositories lack, because this node was down: few at a time, each once at a time,
//! from one gateway after the other until one has it all.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use guts_git::{GitError, Oid, RepoId, Repositories};
use tokio::sync::{Semaphore, mpsc};

use crate::follower::Notice;
use crate::gateways::Gateways;

/// Pause before other gateways are asked again for missing objects, and before a repository that
/// could not be written is tried again.
const PAUSE: Duration = Duration::from_secs(2);

/// Repositories fetched at once: each is a few git processes.
const AT_ONCE: usize = 4;

/// What is under way. Cheap to clone.
#[derive(Clone)]
pub struct CatchUp {
    inner: Arc<Inner>,
}

struct Inner {
    repositories: Repositories,
    gateways: Gateways,
    notices: mpsc::UnboundedSender<Notice>,
    under_way: Mutex<BTreeSet<RepoId>>,
    turns: Semaphore,
}

/// A repository whose objects are being fetched, or that is to be tried again; when this is
/// dropped, the follower is told.
struct UnderWay {
    inner: Arc<Inner>,
    repo: RepoId,
}

impl Inner {
    fn under_way(&self) -> MutexGuard<'_, BTreeSet<RepoId>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.inner.under_way().remove(&self.repo);
        // An error means that the node is stopping.
        let _ = self.inner.notices.send(Notice::Again(self.repo));
    }
}

impl CatchUp {
    /// Into `repositories`, from `gateways`; `notices` is told of each that is over.
    pub fn new(
        repositories: Repositories,
        gateways: Gateways,
        notices: mpsc::UnboundedSender<Notice>,
    ) -> Self {
        let (under_way, turns) = (Mutex::default(), Semaphore::new(AT_ONCE));
        Self { inner: Arc::new(Inner { repositories, gateways, notices, under_way, turns }) }
    }

    /// None when the repository is under way: whoever asks is told when that is over.
    fn begin(&self, repo: RepoId) -> Option<UnderWay> {
        let is_new = self.inner.under_way().insert(repo);
        is_new.then(|| UnderWay { inner: self.inner.clone(), repo })
    }

    /// Tells of a repository after a pause.
    pub fn later(&self, repo: RepoId) {
        let Some(under_way) = self.begin(repo) else { return };
        tokio::spawn(async move {
            tokio::time::sleep(PAUSE).await;
            drop(under_way);
        });
    }

    /// Fetches `tips` of the repository that gateways have at `path`, such as `owner/name`; tells
    /// of it when a gateway gave them, or none did. `is_first`: without a pause before.
    pub fn fetch(&self, repo: RepoId, path: String, tips: Vec<Oid>, is_first: bool) {
        let Some(under_way) = self.begin(repo) else { return };
        tokio::spawn(async move {
            if !is_first {
                tokio::time::sleep(PAUSE).await;
            }
            let inner = &under_way.inner;
            let Ok(_turn) = inner.turns.acquire().await else { return };
            let path = format!("{path}.git");
            for gateway in inner.gateways.peers(None) {
                let fetched = inner.repositories.fetch(repo, &gateway, &path, &tips).await;
                inner.gateways.judge(&gateway.url, fetched.is_ok());
                match fetched {
                    Ok(()) => break,
                    Err(error @ GitError::Gateway { .. }) => tracing::warn!(%error, "not asked"),
                    Err(error) => {
                        tracing::debug!(%repo, gateway = gateway.url, %error, "no help from it");
                    }
                }
            }
        });
    }
}

#[cfg(test)]
mod tests;
