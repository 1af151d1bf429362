//! What the git gateway asks of the chain: where repositories are, nonces, and the way of a push
//! from its certificate to its outcome.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use futures::future::BoxFuture;
use guts_git::{Found, Host, Outcome, Push, RepoId, Say};
use guts_schema::nonce::PushNonce;
use guts_schema::proto::PushStatus;
use guts_schema::tx::PushRefs;
use guts_schema::{Hash, PushId};

use crate::chain::{Chain, Committed, ReadError};
use crate::checker::{Checker, Subject};
use crate::follower::{Served, Shown};
use crate::submit::{SubmitError, Submitter, Ticket};

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
struct Waiting {
    receipts: Receipts,
    tx: Mutex<Option<Hash>>,
}

impl Waiting {
    fn start(&self, tx: Hash) {
        self.receipts.lock().insert(tx, None);
        *self.tx.lock().unwrap_or_else(PoisonError::into_inner) = Some(tx);
    }
}

impl Drop for Waiting {
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

struct Inner {
    chain: Chain,
    served: Served,
    checker: Checker,
    submitter: Submitter,
    receipts: Receipts,
}

impl ChainHost {
    /// A host over those parts.
    pub fn new(
        chain: Chain,
        served: Served,
        checker: Checker,
        submitter: Submitter,
        receipts: Receipts,
    ) -> Self {
        Self { inner: Arc::new(Inner { chain, served, checker, submitter, receipts }) }
    }
}

fn unreadable(error: &ReadError) -> String {
    tracing::error!(%error, "the state cannot be read");
    "this gateway cannot read its state: use another gateway".into()
}

impl Host for ChainHost {
    fn find(&self, owner: &str, name: &str) -> Found {
        match self.inner.chain.newest().find(owner, name) {
            Ok(Some(repo)) => Found::Repository(repo),
            Ok(None) => Found::Absent(format!(
                "there is no repository {owner}/{name}: its owner makes it with \
                 'guts repo create {name}'"
            )),
            Err(error) => Found::Unavailable(unreadable(&error)),
        }
    }

    fn nonce(&self, repo: RepoId) -> Result<String, String> {
        let state = self.inner.chain.newest();
        match state.path(repo) {
            Ok(Some((owner, name))) => {
                Ok(PushNonce::new(&state.chain_id, &owner, &name, state.time_s).to_string())
            }
            Ok(None) => Err("the repository is gone".into()),
            Err(error) => Err(unreadable(&error)),
        }
    }

    fn push(&self, push: Push, say: Say) -> BoxFuture<'static, Outcome> {
        let inner = self.inner.clone();
        async move { inner.push(push, &say).await.unwrap_or_else(Outcome::refused) }.boxed()
    }
}

impl Inner {
    /// An error is a sentence for the pusher.
    async fn push(&self, push: Push, say: &Say) -> Result<Outcome, String> {
        let state = self.chain.newest();
        self.check(&push, &state)?;
        let id = push.certificate.id();
        let known = state.push(&id).map_err(|error| unreadable(&error))?;
        if known.is_some() {
            return Err("this push was made already: run 'git push' again".into());
        }
        let refs = push.certificate.updates.len();
        self.checker.learn(
            Subject {
                id,
                repo: push.repo,
                pack: push.pack,
                updates: push.certificate.updates.clone(),
            },
            false,
        );
        let pack = push.pack.map(|pack| (pack.hash, pack.size));
        let action = PushRefs { certificate: push.certificate, pack };
        let waiting = Waiting { receipts: self.receipts.clone(), tx: Mutex::default() };
        let submitted = self.submitter.submit(action, |tx| waiting.start(tx)).await;
        let ticket = submitted.map_err(|error| {
            if let SubmitError::Engine(source) = &error {
                tracing::warn!(error = %source, "a push could not be submitted");
            }
            error.to_string()
        })?;
        self.outcome(&id, &ticket, refs, say).await
    }

    /// What the chain would refuse anyway, said before anything is sent.
    fn check(&self, push: &Push, state: &Committed) -> Result<(), String> {
        let nonce = &push.certificate.nonce;
        let path = state.path(push.repo).map_err(|error| unreadable(&error))?;
        if nonce.chain_id != state.chain_id
            || path != Some((nonce.owner.clone(), nonce.repo.clone()))
        {
            return Err(format!(
                "the push was signed for {}/{} on {}: push to that",
                nonce.owner, nonce.repo, nonce.chain_id
            ));
        }
        if !push.certificate.claim().is_valid() {
            return Err("the signature of the push is wrong: sign it with your key".into());
        }
        Ok(())
    }

    /// Waits for the block in which the push is over, and for the repositories to show it.
    async fn outcome(
        &self,
        id: &PushId,
        ticket: &Ticket,
        refs: usize,
        say: &Say,
    ) -> Result<Outcome, String> {
        let mut watch = self.served.watch();
        let mut was_ordered = false;
        loop {
            let Shown { state, .. } = watch.borrow_and_update().clone();
            let record = state.push(id).map_err(|error| unreadable(&error))?;
            match record.map(|record| record.raw) {
                Some(push) if push.status == PushStatus::Moved as i32 => {
                    let root: String = hex::encode(&push.refs_root).chars().take(8).collect();
                    let plural = if refs == 1 { "ref" } else { "refs" };
                    let height = push.closed_height;
                    return Ok(Outcome::Committed(vec![format!(
                        "✓ committed in block {height}, {refs} {plural}, root {root}..."
                    )]));
                }
                Some(push) if push.status == PushStatus::Failed as i32 => return Err(push.reason),
                Some(push) if !was_ordered => {
                    was_ordered = true;
                    say.line(format!("ordered in block {}", push.ordered_height));
                }
                Some(_) => {}
                None => {
                    if let Some(why) = self.receipts.lock().get(&ticket.tx).cloned().flatten() {
                        return Err(why);
                    }
                    if state.time_s > ticket.valid_until_s {
                        return Err("no block took the push in time: push again".into());
                    }
                }
            }
            if watch.changed().await.is_err() {
                return Err("this gateway is stopping: push again, or to another gateway".into());
            }
        }
    }
}
