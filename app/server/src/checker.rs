//! Background checks of pushes: gets the pack, checks it, remembers the verdict until the push is
//! over. The vote extension takes from here what is there, after a short wait for checks that
//! have just begun: a block more would take longer.
//!
//! A verdict against a push that was found before the push was ordered is not final: this node
//! may not have had the refs it builds on yet. It is found again once the push is ordered.
//!
//! Few are checked at once, and a pack that is still to come takes none of these turns: whose
//! gateway is slow delays what it took itself. A check ends with its push.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use guts_app_core::modules::push;
use guts_app_core::run::Block;
use guts_git::{
    Exchange, PackHash, PackInfo, PackStore, RefUpdate, RepoId, Repositories, Verifier,
};
use guts_schema::attest::Verdict;
use guts_schema::tx::PushRefs;
use guts_schema::{AccountId, PushId, Tx};
use tokio::sync::{Semaphore, oneshot};

use crate::chain::{Chain, Committed};
use crate::follower::Served;
use crate::gateways::Gateways;

/// Checks at once: each is a git process or two.
const CHECKS_AT_ONCE: usize = 2;

/// Pushes remembered that are not ordered (yet); more are looked at only once ordered.
const UNORDERED_MAX: usize = 256;

/// How long a push that is not ordered is remembered, in seconds of header time, unless its
/// transaction fails.
const UNORDERED_S: u64 = 900;

/// How long one vote waits for checks under way, and how many votes wait for the same check. A
/// check takes some tens of milliseconds; one that takes longer is not waited for.
const VOTE_WAIT: Duration = Duration::from_millis(100);
const VOTES_WAITING: u8 = 2;

/// First and longest pause before asking for a pack again that no gateway has, or after a failure
/// of this node.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(5);

/// A push as far as a check needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Which push.
    pub id: PushId,
    /// Where to.
    pub repo: RepoId,
    /// Who operates the validator whose gateway took it; none: this node's own gateway did.
    pub operator: Option<AccountId>,
    /// Its pack.
    pub pack: Option<PackInfo>,
    /// What it moves.
    pub updates: Vec<RefUpdate>,
}

impl Subject {
    /// The pushes of a transaction that the block `next` on `state` has nothing against, but for
    /// those that `is_known`. Nobody else has held them against the rules: those of a transaction
    /// that waits behind another are not tried.
    pub fn of_tx(
        tx: &Tx,
        state: &Committed,
        next: &Block,
        is_known: impl Fn(&PushId) -> bool,
    ) -> Vec<Self> {
        let subject = |push: &PushRefs| {
            let id = push.id(&tx.payer);
            if is_known(&id) {
                return None;
            }
            let repo = push::refusal(&state.snapshot, next, &tx.payer, push).ok()?.ok()?;
            Some(Self {
                id,
                repo,
                operator: Some(push.operator.unwrap_or(tx.payer)),
                pack: push.pack.map(|(hash, size)| PackInfo { hash, size }),
                updates: push.certificate.updates.clone(),
            })
        };
        tx.pushes().filter_map(subject).collect()
    }
}

/// Whether one more push that is not ordered may be looked at: those of one moment are so many, and
/// have so many bytes, as may be ordered at once.
fn has_room(entries: &BTreeMap<PushId, Entry>, pack: Option<PackInfo>, bytes_max: u64) -> bool {
    let unordered = || entries.values().filter(|entry| !entry.is_ordered);
    let sizes = unordered().map(|entry| entry.pack).chain([pack]);
    let bytes = sizes.flatten().fold(0, |sum: u64, pack| sum.saturating_add(pack.size));
    unordered().count() < UNORDERED_MAX && bytes <= bytes_max
}

#[derive(Debug)]
struct Entry {
    /// None while it is being found.
    verdict: Option<Verdict>,
    is_ordered: bool,
    /// Its transaction failed.
    is_over: bool,
    /// Header time at which it was learned of.
    since_s: u64,
    pack: Option<PackInfo>,
    /// Votes that may still wait for the verdict.
    votes_waiting: u8,
    /// The check under way ends when this is dropped.
    _check: oneshot::Sender<Infallible>,
}

/// The checks of this node. Cheap to clone.
#[derive(Clone)]
pub struct Checker {
    inner: Arc<Inner>,
}

struct Inner {
    chain: Chain,
    served: Served,
    exchange: Exchange,
    verifier: Verifier,
    gateways: Gateways,
    entries: Mutex<BTreeMap<PushId, Entry>>,
    /// Told of every verdict.
    settled: Condvar,
    permits: Semaphore,
    runtime: tokio::runtime::Handle,
}

impl Checker {
    /// Checks on `runtime`, asking `gateways` for packs.
    pub fn new(
        chain: Chain,
        served: Served,
        repositories: &Repositories,
        packs: &PackStore,
        gateways: Gateways,
        runtime: tokio::runtime::Handle,
    ) -> Self {
        let exchange = Exchange::new(repositories.clone(), packs.clone());
        let verifier = Verifier::new(repositories.clone(), packs.clone());
        let permits = Semaphore::new(CHECKS_AT_ONCE);
        let entries = Mutex::default();
        let inner = Inner {
            chain,
            served,
            exchange,
            verifier,
            gateways,
            entries,
            settled: Condvar::new(),
            permits,
            runtime,
        };
        Self { inner: Arc::new(inner) }
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<PushId, Entry>> {
        self.inner.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Learns of a push, and starts its check unless that is under way or done. Returns at once.
    /// What is not ordered is learned of while there is room for it.
    pub fn learn(&self, subject: Subject, is_ordered: bool) {
        if !is_ordered && self.knows(&subject.id) {
            return;
        }
        let state = self.inner.chain.newest();
        let params = || state.params().map_or(0, |params| params.pending_bytes_max);
        let bytes_max = if is_ordered { u64::MAX } else { params() };
        let Some(over) = self.note(&subject, is_ordered, bytes_max, state.time_s) else { return };
        let checker = self.clone();
        self.inner.runtime.spawn(async move {
            tokio::select! {
                () = checker.check(subject) => {}
                _ = over => {}
            }
        });
    }

    /// Whether a push was learned of.
    pub fn knows(&self, id: &PushId) -> bool {
        self.entries().contains_key(id)
    }

    /// Notes a push. What ends the check that is to be started now, if one is.
    fn note(
        &self,
        subject: &Subject,
        is_ordered: bool,
        bytes_max: u64,
        now_s: u64,
    ) -> Option<oneshot::Receiver<Infallible>> {
        let mut entries = self.entries();
        if let Some(entry) = entries.get_mut(&subject.id) {
            let was_provisional = !entry.is_ordered && is_ordered;
            entry.is_ordered |= is_ordered;
            if !was_provisional || entry.verdict?.is_good() {
                return None;
            }
            let (check, over) = oneshot::channel();
            (entry.verdict, entry._check) = (None, check);
            return Some(over);
        }
        if !is_ordered && !has_room(&entries, subject.pack, bytes_max) {
            return None;
        }
        let (check, over) = oneshot::channel();
        let entry = Entry {
            verdict: None,
            is_ordered,
            is_over: false,
            since_s: now_s,
            pack: subject.pack,
            votes_waiting: VOTES_WAITING,
            _check: check,
        };
        entries.insert(subject.id, entry);
        Some(over)
    }

    /// Waits a moment for checks of these pushes that have just begun. Blocks the thread. Nobody is
    /// waited for whose push a vote could say nothing about yet.
    pub fn wait_for_checks(&self, pending: &[PushId]) {
        let is_awaited = |entry: &Entry| entry.verdict.is_none() && entry.votes_waiting > 0;
        let waited = self.inner.settled.wait_timeout_while(self.entries(), VOTE_WAIT, |entries| {
            pending.iter().filter_map(|id| entries.get(id)).any(is_awaited)
        });
        let (mut entries, _) = waited.unwrap_or_else(PoisonError::into_inner);
        for id in pending {
            if let Some(entry) = entries.get_mut(id).filter(|entry| is_awaited(entry)) {
                entry.votes_waiting = entry.votes_waiting.saturating_sub(1);
            }
        }
    }

    /// Whether a push that is checked here has the pack.
    pub fn needs(&self, pack: &PackHash) -> bool {
        let packs = |entry: &Entry| entry.pack.is_some_and(|its| its.hash == *pack);
        self.entries().values().any(packs)
    }

    /// What was found about pushes that are not over, for the vote extension.
    pub fn verdicts(&self) -> BTreeMap<PushId, Verdict> {
        let entries = self.entries();
        let found = entries.iter().filter_map(|(id, entry)| Some((*id, entry.verdict?, entry)));
        found
            .filter(|(_, verdict, entry)| entry.is_ordered || verdict.is_good())
            .map(|(id, verdict, _)| (id, verdict))
            .collect()
    }

    /// Forgets what is over: everything but `pending` and what may still be ordered. Returns the
    /// packs of pushes that never were.
    pub fn retain(&self, pending: &[PushId], closed: &[PushId], now_s: u64) -> Vec<PackHash> {
        let mut packs = Vec::new();
        self.entries().retain(|id, entry| {
            let is_young = now_s < entry.since_s.saturating_add(UNORDERED_S);
            let is_waiting = !entry.is_ordered && !entry.is_over && is_young;
            let is_kept = pending.contains(id) || (is_waiting && !closed.contains(id));
            if !is_kept && !entry.is_ordered {
                packs.extend(entry.pack.map(|pack| pack.hash));
            }
            is_kept
        });
        packs
    }

    /// The transaction of these pushes failed in a block: the next [`Checker::retain`] forgets
    /// them.
    pub fn failed(&self, pushes: impl IntoIterator<Item = PushId>) {
        let mut entries = self.entries();
        for id in pushes {
            if let Some(entry) = entries.get_mut(&id) {
                entry.is_over = true;
            }
        }
    }

    /// Forgets a push that did not get to the chain, unless it did after all.
    pub fn forget(&self, id: &PushId) {
        let mut entries = self.entries();
        if entries.get(id).is_some_and(|entry| !entry.is_ordered) {
            entries.remove(id);
        }
    }

    async fn check(&self, subject: Subject) {
        let mut pause = RETRY_FIRST;
        while self.entries().contains_key(&subject.id) {
            let was_ordered = self.is_ordered(&subject.id);
            match self.attempt(&subject).await {
                Ok(Some(verdict)) if self.settle(&subject.id, verdict, was_ordered) => return,
                Ok(Some(_)) => continue,
                Ok(None) => tracing::debug!(push = %subject.id, "no gateway has the pack"),
                Err(error) => tracing::warn!(push = %subject.id, %error, "could not check"),
            }
            tokio::time::sleep(pause).await;
            pause = pause.saturating_mul(2).min(RETRY_MAX);
        }
    }

    /// Writes the verdict down; false when it must be found again, the push having been ordered
    /// meanwhile.
    fn settle(&self, id: &PushId, verdict: Verdict, was_ordered: bool) -> bool {
        tracing::info!(push = %id, ?verdict, "checked");
        let mut entries = self.entries();
        let Some(entry) = entries.get_mut(id) else { return true };
        if !verdict.is_good() && entry.is_ordered && !was_ordered {
            return false;
        }
        entry.verdict = Some(verdict);
        self.inner.settled.notify_all();
        true
    }

    fn is_ordered(&self, id: &PushId) -> bool {
        self.entries().get(id).is_some_and(|entry| entry.is_ordered)
    }

    /// One try; none when no gateway has the pack now.
    async fn attempt(&self, subject: &Subject) -> Result<Option<Verdict>, guts_git::GitError> {
        // The repository must show the refs that the push builds on.
        self.inner.served.reaches(self.inner.chain.newest().height, subject.repo).await;
        let mut download = None;
        if let Some(pack) = subject.pack {
            let gateways = self.inner.gateways.peers(subject.operator.as_ref());
            let judge = |url: &str, is_good| self.inner.gateways.judge(url, is_good);
            download = self.inner.exchange.download(pack, &gateways, judge).await?;
            if download.is_none() {
                return Ok(None);
            }
        }
        let Ok(_permit) = self.inner.permits.acquire().await else { return Ok(None) };
        if let Some(download) = download
            && let Some(refused) = self.inner.exchange.index(subject.repo, download).await?
        {
            return Ok(Some(refused));
        }
        let pack = subject.pack.as_ref().map(|pack| &pack.hash);
        self.inner.verifier.verify(subject.repo, pack, &subject.updates).await.map(Some)
    }
}

#[cfg(test)]
mod tests;
