//! CheckTx: whether a transaction may wait for a block, seen from the last commit with what was let
//! in since.

use std::collections::BTreeMap;

use guts_schema::{AccountId, Hash, Key, Payment, Tx, proto};
use guts_state::{Cached, Read, Seen};

use crate::admit::admit;
use crate::block::run_actions;
use crate::fault::{Broken, Fault, Refusal};
use crate::modules::account;
use crate::run::{Block, Run};

/// Transactions of one account that may wait.
const WAITING_PER_ACCOUNT_MAX: usize = 256;
/// Transactions that may wait of an account that itself waits to be made: enough for a first
/// session. Nobody knows yet whether a block will make it.
const WAITING_UNMADE_MAX: usize = 16;
/// Commits a transaction is remembered without being asked about again, at least: one that the
/// engine dropped silently must stop blocking its nonce some day.
const COMMITS_MIN: u64 = 2;
/// Seconds of header time it is remembered, at least. Engines ask again after a commit about what
/// is first in line, and under a load that they cannot carry much waits longer than some commits:
/// if it were forgotten, the account's next transactions would be refused.
const SECONDS_MIN: u64 = 30;

/// Keys of the committed state that are remembered until the next commit: what every transaction
/// reads, and the accounts of a full mempool.
const SEEN_MAX: usize = 20_000;

/// What waits, by account and nonce. Bounded by the engine's mempool.
#[derive(Clone, Debug, Default)]
pub struct Waiting {
    accounts: BTreeMap<AccountId, BTreeMap<u64, Entry>>,
    commits: u64,
    /// What was read of the state below height `seen_for`.
    seen: Seen,
    seen_for: u64,
}

#[derive(Clone, Debug)]
struct Entry {
    hash: Hash,
    /// What it takes of its payer's balance, fee included.
    spends: u64,
    /// The key with which it makes its own payer.
    makes: Option<Key>,
    /// When it was last asked about: the count of commits, and Unix seconds of the newest header.
    asked: (u64, u64),
}

impl Waiting {
    /// With nothing waiting.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.accounts.values().map(BTreeMap::len).sum()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }

    /// The nonce that the next transaction of an account should carry.
    pub fn next_nonce(&self, view: &dyn Read, payer: &AccountId) -> Result<u64, Broken> {
        let committed = account::get(view, payer)?.map_or(0, |account| account.nonce);
        Ok(self.after(payer, committed))
    }

    fn after(&self, payer: &AccountId, committed: u64) -> u64 {
        let mut next = committed;
        if let Some(entries) = self.accounts.get(payer) {
            while entries.contains_key(&next) {
                next = next.saturating_add(1);
            }
        }
        next
    }

    /// Forgets what the last blocks took or the engine dropped. Call after each commit, once its
    /// state is what [`Waiting::check`] is asked on, with its header time in Unix seconds and the
    /// payers and nonces of the block's transactions.
    pub fn on_commit<'a>(&mut self, time_s: u64, included: impl IntoIterator<Item = &'a Tx>) {
        self.commits = self.commits.saturating_add(1);
        for tx in included {
            if let Some(entries) = self.accounts.get_mut(&tx.payer) {
                // Lower nonces went before it.
                *entries = entries.split_off(&tx.nonce.saturating_add(1));
            }
        }
        let oldest = self.commits.saturating_sub(COMMITS_MIN);
        let oldest_s = time_s.saturating_sub(SECONDS_MIN);
        self.accounts.retain(|_, entries| {
            entries.retain(|_, Entry { asked: (commits, time_s), .. }| {
                *commits >= oldest || *time_s >= oldest_s
            });
            !entries.is_empty()
        });
    }

    /// Whether `tx` may wait, on the committed state `view` as the block `next` would see it. The
    /// same question again, such as a recheck, gets the same answer while nothing else changed.
    pub fn check(
        &mut self,
        view: &dyn Read,
        next: &Block,
        tx: &Tx,
    ) -> Result<Result<(), Refusal>, Broken> {
        let mut seen = std::mem::take(&mut self.seen);
        if self.seen_for != next.height || seen.len() > SEEN_MAX {
            seen.clear();
            self.seen_for = next.height;
        }
        let cached = Cached::with(view, seen);
        let checked = self.try_check(&cached, next, tx);
        self.seen = cached.into_seen();
        match checked {
            Ok(spends) => {
                let makes = account::made_by(tx);
                let asked = (self.commits, next.time_s);
                let entry = Entry { hash: tx.hash, spends, makes, asked };
                self.accounts.entry(tx.payer).or_default().insert(tx.nonce, entry);
                Ok(Ok(()))
            }
            Err(fault) => {
                let refusal = fault.refusal()?;
                self.forget(tx);
                Ok(Err(refusal))
            }
        }
    }

    /// A transaction that no longer may wait makes room for another with its nonce.
    fn forget(&mut self, tx: &Tx) {
        let Some(entries) = self.accounts.get_mut(&tx.payer) else { return };
        if entries.get(&tx.nonce).is_some_and(|entry| entry.hash == tx.hash) {
            entries.remove(&tx.nonce);
        }
    }

    fn try_check(&self, view: &dyn Read, next: &Block, tx: &Tx) -> Result<u64, Fault> {
        let payer = account::get(view, &tx.payer)?;
        let committed = payer.as_ref().map_or(0, |account| account.nonce);
        let none = BTreeMap::new();
        let waiting = self.accounts.get(&tx.payer).unwrap_or(&none);
        let again = waiting.get(&tx.nonce).is_some_and(|entry| entry.hash == tx.hash);
        let expected = if again { tx.nonce } else { self.after(&tx.payer, committed) };
        if tx.nonce != expected || tx.nonce < committed {
            let expected = expected.max(committed);
            return Err(if tx.nonce < expected {
                account::error::nonce_low(tx.nonce, &tx.payer, expected)
            } else {
                account::error::nonce_high(tx.nonce, &tx.payer, expected)
            });
        }
        let most = if payer.is_some() { WAITING_PER_ACCOUNT_MAX } else { WAITING_UNMADE_MAX };
        if !again && waiting.len() >= most {
            return Err(account::error::waiting_many(&tx.payer, waiting.len()));
        }
        // As if the ones before had been executed: their nonces are spent, and their balance.
        let before = || waiting.range(..tx.nonce).map(|(_, entry)| entry.spends);
        let spent = before().fold(0u64, u64::saturating_add);
        let follows = before().next().is_some();
        let mut base = Run::unheard(next, view);
        if follows {
            let mut value = match payer {
                Some(value) => value,
                None => unmade(&mut base, tx, waiting)?,
            };
            value.nonce = tx.nonce;
            value.balance = value.balance.saturating_sub(spent);
            account::put(&mut base, &tx.payer, &value)?;
        }
        let mut run = Run::unheard(next, &base.state);
        admit(&mut run, tx)?;
        if !follows {
            // Nothing waits before it, so its actions can be tried.
            run_actions(&mut run, tx)?;
        }
        Ok(spends(tx))
    }
}

/// The payer as the first of what waits will make it, in so far as that is certain: with one key,
/// and without a balance.
fn unmade(
    base: &mut Run<'_>,
    tx: &Tx,
    waiting: &BTreeMap<u64, Entry>,
) -> Result<proto::Account, Fault> {
    let key = waiting.get(&0).and_then(|first| first.makes);
    let key = key.ok_or_else(|| account::error::unknown(&tx.payer))?;
    account::new_account(base, &tx.payer, &key)
}

fn spends(tx: &Tx) -> u64 {
    let fee = if let Payment::Fee(fee) = tx.payment { fee } else { 0 };
    let moved = tx.actions.iter().map(|action| match action {
        guts_schema::Action::Transfer { actor, amount, .. } if *actor == tx.payer => *amount,
        guts_schema::Action::Staking { actor, change } if *actor == tx.payer => change.spends(),
        guts_schema::Action::Governance { actor, change } if *actor == tx.payer => change.spends(),
        _ => 0,
    });
    moved.fold(fee, u64::saturating_add)
}

#[cfg(test)]
pub(crate) mod tests;
