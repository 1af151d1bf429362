//! What the git gateway asks of the chain: where repositories are, nonces, and the way of a push
//! from its certificate to its outcome.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use guts_app_core::modules::push;
use guts_git::{Found, Host, Outcome, PackHash, PackInfo, PackStore, Push, RepoId, Say};
use guts_schema::nonce::PushNonce;
use guts_schema::proto::{self, PushStatus};
use guts_schema::tx::PushRefs;
use guts_schema::{Hash, PushId};

use crate::chain::{Chain, Committed, PushRecord, ReadError};
use crate::checker::{Checker, Subject};
use crate::follower::Served;
use crate::gateways::Gateways;
use crate::held::Held;
use crate::submit::{SubmitError, Submitter, Ticket};

/// How long a fetch waits for the repository to show what is committed, which takes it some
/// milliseconds when the objects are here, and a fetch from another gateway when they are not.
const SHOW_PATIENCE: Duration = Duration::from_secs(20);
/// How long a pusher is left without a word.
const SAY_AFTER: Duration = Duration::from_secs(10);

/// Why transactions that somebody waits for failed in their block.
#[derive(Clone, Default)]
pub struct Receipts {
    waiting: Arc<Mutex<HashMap<Hash, Option<String>>>>,
}

impl Receipts {
    fn lock(&self) -> MutexGuard<'_, HashMap<Hash, Option<String>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether anybody waits at all.
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Told of every transaction that failed in a block, before the block is published.
    pub fn failed(&self, tx: &Hash, why: &str) {
        if let Some(waiting) = self.lock().get_mut(tx) {
            *waiting = Some(why.to_owned());
        }
    }
}

/// Takes a transaction off the list when its push is over.
struct ReceiptGuard {
    receipts: Receipts,
    tx: Mutex<Option<Hash>>,
}

impl ReceiptGuard {
    fn start(&self, tx: Hash) {
        self.receipts.lock().insert(tx, None);
        *self.tx.lock().unwrap_or_else(PoisonError::into_inner) = Some(tx);
    }
}

impl Drop for ReceiptGuard {
    fn drop(&mut self) {
        if let Some(tx) = *self.tx.lock().unwrap_or_else(PoisonError::into_inner) {
            self.receipts.lock().remove(&tx);
        }
    }
}

/// The host of this node's gateway.
#[derive(Clone)]
pub struct ChainHost {
    inner: Arc<Inner>,
}

/// What a host needs.
pub struct HostParts {
    /// The newest state.
    pub chain: Chain,
    /// What the repositories show.
    pub served: Served,
    /// Checks of pushes.
    pub checker: Checker,
    /// Packs of pending pushes.
    pub packs: PackStore,
    /// Those of pushes on their way to the chain.
    pub held: Held,
    /// The way to the chain.
    pub submitter: Submitter,
    /// Failed transactions.
    pub receipts: Receipts,
    /// The gateways of others, and who operates this one.
    pub gateways: Gateways,
}

struct Inner {
    parts: HostParts,
}

impl ChainHost {
    /// A host over those parts.
    pub fn new(parts: HostParts) -> Self {
        Self { inner: Arc::new(Inner { parts }) }
    }
}

fn unreadable(error: &ReadError) -> String {
    tracing::error!(%error, "the state cannot be read");
    "this gateway cannot read its state: use another gateway".into()
}

impl Host for ChainHost {
    fn find(&self, owner: &str, name: &str) -> Found {
        match self.inner.parts.chain.newest().find(owner, name) {
            Ok(Some(repo)) => Found::Repository(repo),
            Ok(None) => Found::Absent(format!(
                "there is no repository {owner}/{name}: its owner makes it with \
                 'guts repo create {name}'"
            )),
            Err(error) => Found::Unavailable(unreadable(&error)),
        }
    }

    fn nonce(&self, repo: RepoId) -> Result<String, String> {
        let state = self.inner.parts.chain.newest();
        match state.path(repo) {
            Ok(Some((owner, name))) => {
                Ok(PushNonce::new(&state.chain_id, &owner, &name, state.time_s).to_string())
            }
            Ok(None) => Err("the repository is gone".into()),
            Err(error) => Err(unreadable(&error)),
        }
    }

    fn shows_newest(&self, repo: RepoId) -> BoxFuture<'static, ()> {
        let height = self.inner.parts.chain.newest().height;
        let served = self.inner.parts.served.clone();
        async move {
            let shown = served.reaches(height, repo);
            // In vain when it is over: old refs are better than none.
            let _ = tokio::time::timeout(SHOW_PATIENCE, shown).await;
        }
        .boxed()
    }

    fn push(&self, push: Push, say: Say) -> BoxFuture<'static, Outcome> {
        let inner = self.inner.clone();
        async move { inner.push(push, &say).await.unwrap_or_else(Outcome::refused) }.boxed()
    }
}

impl Inner {
    /// An error is a sentence for the pusher. The pack of a push that did not get to the chain is
    /// dropped; of one that did, the follower takes care.
    async fn push(&self, push: Push, say: &Say) -> Result<Outcome, String> {
        let Push { repo, certificate, pack } = push;
        let hash = pack.map(|pack| pack.hash);
        let pack = pack.map(|pack| (pack.hash, pack.size));
        let operator = self.parts.gateways.operator();
        let push = PushRefs { certificate, pack, operator };
        let id = push.id(&self.parts.submitter.account());
        let hold = hash.map(|hash| {
            let hold = self.parts.held.hold(hash, &self.parts.packs);
            hold.ok_or("another push of these objects has just ended: push again")
        });
        let hold = hold.transpose()?;
        let outcome = self.carry(&id, repo, push, say).await;
        drop(hold);
        let state = self.parts.chain.newest();
        let is_ordered = state.push(&id).is_ok_and(|record| record.is_some());
        if outcome.is_err() && !is_ordered {
            let HostParts { checker, packs, held, .. } = &self.parts;
            checker.forget(&id);
            // The follower may not have learned yet of what was ordered.
            if let Some(hash) = hash.filter(|hash| !is_in_flight(&state, hash)) {
                held.drop_unneeded(&hash, checker, packs);
            }
        }
        outcome
    }

    async fn carry(
        &self,
        id: &PushId,
        repo: RepoId,
        push: PushRefs,
        say: &Say,
    ) -> Result<Outcome, String> {
        let state = self.parts.chain.newest();
        self.check(repo, &push, &state)?;
        let signed = push.certificate.hash();
        let updates = push.certificate.updates.clone();
        let (refs, pack) = (updates.len(), push.pack.map(|(hash, size)| PackInfo { hash, size }));
        let subject = Subject { id: *id, repo, operator: None, pack, updates };
        self.parts.checker.learn(subject, false);
        let waiting = ReceiptGuard { receipts: self.parts.receipts.clone(), tx: Mutex::default() };
        let submitted = self.parts.submitter.submit(push, |tx| waiting.start(tx)).await;
        let ticket = submitted.map_err(|error| {
            if let SubmitError::Engine(source) = &error {
                tracing::warn!(error = %source, "a push could not be submitted");
            }
            error.to_string()
        })?;
        let push = Awaited { id, signed, ticket, refs };
        self.outcome(&push, say).await
    }

    /// What the chain would refuse anyway, said before anything is sent, and before others fetch
    /// the pack.
    fn check(&self, repo: RepoId, push: &PushRefs, state: &Committed) -> Result<(), String> {
        let nonce = &push.certificate.nonce;
        // By a former name as well, as the chain takes it: the repository may have been renamed
        // since the nonce was made.
        let named = state.find(&nonce.owner, &nonce.repo).map_err(|error| unreadable(&error))?;
        if nonce.chain_id != state.chain_id || named != Some(repo) {
            return Err(format!(
                "the push was signed for {}/{} on {}: push to that",
                nonce.owner, nonce.repo, nonce.chain_id
            ));
        }
        if !push.certificate.claim().is_valid() {
            return Err("the signature of the push is wrong: sign it with your key".into());
        }
        let Some(next) = state.next_block() else { return Ok(()) };
        let payer = self.parts.submitter.account();
        let refused = push::refusal(&state.snapshot, &next, &payer, push);
        let refused = refused.map_err(|broken| unreadable(&broken.into()))?;
        refused.map(drop).map_err(|refusal| refusal.sentence)
    }

    /// Whether a push that is not ordered yet, and did not fail, still can be.
    fn check_ticket(&self, ticket: &Ticket, state: &Committed) -> Result<(), String> {
        let account = state.account(&ticket.account).map_err(|error| unreadable(&error))?;
        if account.is_some_and(|account| account.nonce > ticket.nonce) {
            return Err("another transaction of this gateway took its place: push again".into());
        }
        if state.time_s > ticket.valid_until_s {
            return Err("no block took the push in time: push again".into());
        }
        Ok(())
    }

    /// Waits for the block in which the push is over, and for the repositories to show it.
    async fn outcome(&self, push: &Awaited<'_>, say: &Say) -> Result<Outcome, String> {
        let Awaited { id, signed, ticket, .. } = push;
        let mut watch = self.parts.served.watch();
        let mut was_ordered = false;
        loop {
            let state = watch.borrow_and_update().state.clone();
            let mut record = state.push(id).map_err(|error| unreadable(&error))?;
            let is_pending = |record: &PushRecord| record.raw.status == PushStatus::Pending as i32;
            if !record.as_ref().is_some_and(is_pending) {
                // Somebody may have brought the same certificate with a good pack of their own:
                // what became of that is what became of this.
                let spent = state.spent(signed).map_err(|error| unreadable(&error))?;
                record = spent.or(record);
            }
            match record {
                Some(record) if !is_pending(&record) => {
                    return push.ended(&record.raw, was_ordered, say);
                }
                Some(record) if !was_ordered => {
                    was_ordered = true;
                    say.line(ordered(&record.raw));
                }
                Some(_) => {}
                None => {
                    if let Some(why) = self.parts.receipts.lock().get(&ticket.tx).cloned().flatten()
                    {
                        return Err(why);
                    }
                    self.check_ticket(ticket, &state)?;
                }
            }
            match tokio::time::timeout(SAY_AFTER, watch.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err("this gateway is stopping: push again".into()),
                // Patience only: the wait goes on.
                Err(_) => say.line(format!("waiting: no block after {} yet", state.height)),
            }
        }
    }
}

/// A push that was submitted.
struct Awaited<'a> {
    id: &'a PushId,
    /// Of its certificate.
    signed: Hash,
    ticket: Ticket,
    refs: usize,
}

impl Awaited<'_> {
    /// What its pusher is told when this is how it ended.
    fn ended(&self, push: &proto::Push, was_ordered: bool, say: &Say) -> Result<Outcome, String> {
        if push.status != PushStatus::Moved as i32 {
            return Err(push.reason.clone());
        }
        // Ordered and moved between two looks.
        if !was_ordered {
            say.line(ordered(push));
        }
        let root: String = hex::encode(&push.refs_root).chars().take(8).collect();
        let plural = if self.refs == 1 { "ref" } else { "refs" };
        let (refs, height) = (self.refs, push.closed_height);
        Ok(Outcome::Committed(vec![format!(
            "✓ committed in block {height}, {refs} {plural}, root {root}..."
        )]))
    }
}

fn ordered(push: &proto::Push) -> String {
    format!("ordered in block {}", push.ordered_height)
}

/// Whether a pending push has the pack.
fn is_in_flight(state: &Committed, hash: &PackHash) -> bool {
    let pending = state.pending().unwrap_or_default();
    pending.iter().any(|id| {
        let pack = state.push(id).ok().flatten().and_then(|push| push.pack);
        pack.is_some_and(|pack| pack.hash == *hash)
    })
}
