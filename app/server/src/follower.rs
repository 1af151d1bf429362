//! Follows the commits: makes the bare repositories show what the state says, then lets waiting
//! pushes know.
//!
//! Upon a commit: of every push that was closed, install the pack and set the refs it names to
//! what the state has now (one `git update-ref` a repository); learn of every push that is
//! pending. Blocks may be faster than git, in a replay above all: then several are followed at
//! once. Upon start: rebuild the refs of every repository, back to older ones when the state was
//! taken back, one after the other, first those to which pushes are pending: each is ready when it
//! was looked at, and commits are followed meanwhile. Where objects are missing, because this node
//! was down, they are fetched from other gateways by stock `git fetch` of the proven tips; until
//! then the repository shows its old refs, to whoever does not want to wait.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use guts_git::{GitError, PackHash, PackStore, RefUpdate, RepoId, Repositories};
use guts_schema::proto::PushStatus;
use guts_schema::{AccountId, PushId};
use tokio::sync::{mpsc, watch};

use crate::catch_up::CatchUp;
use crate::chain::{Chain, Committed, PushRecord, ReadError};
use crate::checker::{Checker, Subject};
use crate::held::Held;

/// Packs of closed pushes kept for validators that are a moment behind.
const CLOSED_PACKS_KEPT: usize = 16;

/// Which state the bare repositories show.
#[derive(Clone)]
pub struct Served {
    shown: Arc<watch::Sender<Shown>>,
}

/// See [`Served`].
#[derive(Clone)]
pub struct Shown {
    /// The state that the repositories show, but for those behind.
    pub state: Arc<Committed>,
    /// Repositories that lack objects.
    behind: BTreeSet<RepoId>,
    /// Those that nobody has looked at since the start.
    unseen: BTreeSet<RepoId>,
}

impl Shown {
    /// Whether a repository may show older refs.
    fn is_behind(&self, repo: RepoId) -> bool {
        self.behind.contains(&repo) || self.unseen.contains(&repo)
    }

    /// How many may.
    pub fn behind(&self) -> usize {
        self.behind.union(&self.unseen).count()
    }
}

impl Served {
    /// Nothing is shown yet but the state at start.
    pub fn new(state: Arc<Committed>) -> Self {
        let (behind, unseen) = (BTreeSet::new(), BTreeSet::new());
        Self { shown: Arc::new(watch::Sender::new(Shown { state, behind, unseen })) }
    }

    /// Told whenever the repositories show something newer.
    pub fn watch(&self) -> watch::Receiver<Shown> {
        self.shown.subscribe()
    }

    /// Waits until the repository shows `height` or newer.
    pub async fn reaches(&self, height: u64, repo: RepoId) {
        let mut watch = self.watch();
        let there = |shown: &Shown| shown.state.height >= height && !shown.is_behind(repo);
        // An error means that the node is stopping; then whoever waits is dropped as well.
        let _ = watch.wait_for(there).await;
    }

    fn set(&self, state: Arc<Committed>) {
        self.shown.send_modify(|shown| shown.state = state);
    }

    fn set_unseen(&self, repos: impl IntoIterator<Item = RepoId>) {
        self.shown.send_modify(|shown| shown.unseen.extend(repos));
    }

    /// A repository was looked at; whether it is behind now and was not, or the other way round.
    fn set_behind(&self, repo: RepoId, is_behind: bool) -> bool {
        let mut is_other = false;
        self.shown.send_if_modified(|shown| {
            let behind = &mut shown.behind;
            is_other = if is_behind { behind.insert(repo) } else { behind.remove(&repo) };
            shown.unseen.remove(&repo) || is_other
        });
        is_other
    }
}

/// Why a commit could not be followed.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The state.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A repository.
    #[error(transparent)]
    Git(#[from] GitError),
}

/// The follower, before it runs.
pub struct Follower {
    /// What to follow.
    pub chain: Chain,
    /// What to tell.
    pub served: Served,
    /// The bare repositories.
    pub repositories: Repositories,
    /// Packs of pending pushes.
    pub packs: PackStore,
    /// Those of pushes on their way to the chain from here.
    pub held: Held,
    /// Who checks pending pushes.
    pub checker: Checker,
    /// Who fetches missing objects.
    pub catch_up: CatchUp,
    /// What it is told besides the newest state.
    pub notices: mpsc::UnboundedReceiver<Notice>,
}

/// What states alone do not tell, because not each of them is looked at.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// A repository is to be looked at again: objects were fetched, or its default branch changed.
    Again(RepoId),
    /// Pushes that the block of that height closed, well or not, as its state has them: a later
    /// one may have forgotten them. Sent before its state is seen.
    Closed(u64, Vec<PushRecord>),
}

/// What the follower has to do beside learning of pending pushes.
#[derive(Default)]
struct Due {
    /// Repositories to be looked at again.
    again: BTreeSet<RepoId>,
    /// Pushes closed and not followed yet, by height.
    closed: BTreeMap<u64, Vec<PushRecord>>,
}

impl Due {
    fn note(&mut self, notice: Notice) {
        match notice {
            Notice::Again(repo) => {
                self.again.insert(repo);
            }
            Notice::Closed(height, pushes) => self.closed.entry(height).or_default().extend(pushes),
        }
    }

    /// The pushes that are closed in the state of that height.
    fn closed_by(&self, height: u64) -> Vec<PushRecord> {
        self.closed.range(..=height).flat_map(|(_, pushes)| pushes).cloned().collect()
    }

    /// That state was followed.
    fn followed(&mut self, height: u64) {
        self.closed.retain(|closed, _| *closed > height);
    }
}

/// All repositories, those first to which pushes are pending.
fn order(state: &Committed) -> Result<VecDeque<RepoId>, ReadError> {
    let mut first = BTreeSet::new();
    for id in state.pending()? {
        first.extend(state.push(&id)?.map(|push| push.repo));
    }
    let all: BTreeSet<RepoId> = (1..=state.repos()?).filter_map(RepoId::new).collect();
    Ok(first.iter().chain(all.difference(&first)).copied().collect())
}

impl Follower {
    /// Follows until the node stops, and rebuilds every repository meanwhile.
    pub async fn run(mut self) {
        let mut watch = self.chain.watch();
        let mut state = watch.borrow_and_update().clone();
        let mut unseen = order(&state).unwrap_or_else(|error| {
            tracing::error!(%error, "the repositories cannot be rebuilt");
            VecDeque::new()
        });
        self.served.set_unseen(unseen.iter().copied());
        let mut due = Due::default();
        let mut kept = VecDeque::new();
        let mut repos = state.repos().unwrap_or(0);
        let mut followed = None;
        loop {
            // What a state says was told before the state was seen.
            while let Ok(notice) = self.notices.try_recv() {
                due.note(notice);
            }
            let height = state.height;
            let closed = due.closed_by(height);
            let is_new = followed != Some(height) || !closed.is_empty();
            if is_new {
                match self.follow(&state, &closed, &mut kept).await {
                    Ok(()) => {
                        due.followed(height);
                        if followed.replace(height).is_none()
                            && let Err(error) = self.tidy(&state).await
                        {
                            tracing::error!(%error, "what is left over could not be removed");
                        }
                    }
                    Err(error) => tracing::error!(%error, height, "cannot follow"),
                }
                if let Err(error) = self.new_repositories(&state, &mut repos).await {
                    tracing::error!(%error, "cannot make repositories");
                }
            }
            for repo in std::mem::take(&mut due.again) {
                self.restore(&state, repo).await;
            }
            if is_new {
                self.served.set(state.clone());
            }
            if !closed.is_empty() {
                tracing::info!(height, pushes = closed.len(), "pushes followed");
            }
            if let Some(repo) = unseen.pop_front() {
                self.restore(&state, repo).await;
                if unseen.is_empty() {
                    tracing::info!(height, "repositories rebuilt");
                }
            } else {
                tokio::select! {
                    changed = watch.changed() => if changed.is_err() { return },
                    Some(notice) = self.notices.recv() => due.note(notice),
                }
            }
            state = watch.borrow_and_update().clone();
        }
    }

    /// Removes packs that nobody needs, once what is pending was learned of, and refs of
    /// repositories that are not there.
    async fn tidy(&self, state: &Committed) -> Result<(), FollowError> {
        for hash in self.packs.all()? {
            self.held.drop_unneeded(&hash, &self.checker, &self.packs);
        }
        // The state was taken back to before they were made: blocks that make them again find
        // their objects, and no refs.
        let count = state.repos()?;
        let unmade = self.repositories.all()?.into_iter().filter(|repo| repo.number() > count);
        for repo in unmade {
            self.repositories.rebuild_refs(repo, state.height, &BTreeMap::new()).await?;
        }
        Ok(())
    }

    async fn new_repositories(
        &self,
        state: &Committed,
        known: &mut u64,
    ) -> Result<(), FollowError> {
        let count = state.repos()?;
        for number in known.saturating_add(1)..=count {
            if let Some(repo) = RepoId::new(number) {
                self.set_head(state, repo)?;
            }
        }
        *known = count;
        Ok(())
    }

    fn set_head(&self, state: &Committed, repo: RepoId) -> Result<(), FollowError> {
        let record = state.repo(repo)?.unwrap_or_default();
        if !record.default_branch.is_empty() {
            self.repositories.set_head(repo, &record.default_branch)?;
        }
        Ok(())
    }

    /// Follows one state, given the pushes closed since the one before.
    async fn follow(
        &mut self,
        state: &Arc<Committed>,
        closed: &[PushRecord],
        kept: &mut VecDeque<PackHash>,
    ) -> Result<(), FollowError> {
        let pending = state.pending()?;
        let mut moved: BTreeMap<RepoId, Vec<&PushRecord>> = BTreeMap::new();
        for push in closed {
            kept.extend(push.pack.map(|pack| pack.hash));
            if push.raw.status == PushStatus::Moved as i32 {
                moved.entry(push.repo).or_default().push(push);
            }
        }
        for (repo, pushes) in moved {
            if self.served.shown.borrow().is_behind(repo) {
                continue;
            }
            if let Err(error) = self.move_refs(state, repo, &pushes).await {
                tracing::info!(%repo, %error, "the refs could not be moved as they are");
                self.restore(state, repo).await;
            }
        }
        for id in &pending {
            if let Some(push) = state.push(id)? {
                let PushRecord { raw, repo, updates, pack, .. } = push;
                let its = if raw.operator.is_empty() { &raw.gateway } else { &raw.operator };
                let operator = AccountId::from_slice(its).ok();
                let subject = Subject { id: *id, repo, operator, pack, updates };
                self.checker.learn(subject, true);
            }
        }
        let ids: Vec<PushId> = closed.iter().map(|push| push.id).collect();
        kept.extend(self.checker.retain(&pending, &ids, state.time_s));
        while kept.len() > CLOSED_PACKS_KEPT {
            if let Some(hash) = kept.pop_front() {
                self.held.drop_unneeded(&hash, &self.checker, &self.packs);
            }
        }
        Ok(())
    }

    async fn move_refs(
        &self,
        state: &Committed,
        repo: RepoId,
        pushes: &[&PushRecord],
    ) -> Result<(), FollowError> {
        let dir = self.repositories.ensure(repo)?;
        for pack in pushes.iter().filter_map(|push| push.pack) {
            self.packs.install(&pack.hash, &dir)?;
        }
        let mut updates: BTreeMap<&str, RefUpdate> = BTreeMap::new();
        for name in pushes.iter().flat_map(|push| &push.updates).map(|update| &update.name) {
            let new = state.ref_tip(repo, name)?;
            updates.insert(name, RefUpdate { name: name.clone(), old: None, new });
        }
        let updates: Vec<RefUpdate> = updates.into_values().collect();
        Ok(self.repositories.move_refs(repo, state.height, &updates).await?)
    }

    /// Rebuilds a repository. One that cannot be written is behind, and tried again; others do not
    /// wait for it.
    async fn restore(&mut self, state: &Arc<Committed>, repo: RepoId) {
        let Err(error) = self.rebuild(state, repo).await else { return };
        tracing::error!(%repo, %error, "cannot rebuild");
        self.served.set_behind(repo, true);
        self.catch_up.later(repo);
    }

    /// Sets `HEAD` and all refs of a repository to what the state says; fetches what is missing, in
    /// the background, after which it is tried again.
    async fn rebuild(&mut self, state: &Arc<Committed>, repo: RepoId) -> Result<(), FollowError> {
        self.set_head(state, repo)?;
        let wanted = state.refs(repo)?;
        let missing = self.repositories.rebuild_refs(repo, state.height, &wanted).await?;
        if missing.is_empty() {
            if self.served.set_behind(repo, false) {
                tracing::info!(%repo, "the repository is complete again");
            }
            return Ok(());
        }
        let is_first = self.served.set_behind(repo, true);
        if is_first {
            tracing::info!(%repo, refs = missing.len(), "objects are missing; fetching them");
        }
        let Some((owner, name)) = state.path(repo)? else { return Ok(()) };
        let tips: Vec<_> = missing.iter().filter_map(|name| wanted.get(name).copied()).collect();
        self.catch_up.fetch(repo, format!("{owner}/{name}"), tips, is_first);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
