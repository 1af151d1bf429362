//! CheckTx: whether a transaction may wait for a block, seen from the last commit with what was let
//! in since.
//!
//! [`check`] and [`on_commit`] look at what waits of one account for a moment at a time ([`Lend`])
//! and do what takes long in between: several threads ask, and none should stand behind another's
//! rules.

use std::collections::BTreeMap;

use guts_schema::{AccountId, Hash, Key, Payment, Tx, proto};
use guts_state::Read;

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

/// Whoever keeps what waits, in as many parts as it likes, and lends one for a moment.
pub trait Lend {
    /// Has `look` look at the part in which all of an account is, alone.
    fn lend<T>(&self, account: &AccountId, look: impl FnOnce(&mut Waiting) -> T) -> T;

    /// Has `look` look at every part.
    fn lend_each(&self, look: impl FnMut(&mut Waiting));
}

/// What waits, by account and nonce. Bounded by the engine's mempool.
#[derive(Clone, Debug, Default)]
pub struct Waiting {
    accounts: BTreeMap<AccountId, BTreeMap<u64, Entry>>,
    commits: u64,
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

/// What waits before a transaction, of its payer.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Before {
    /// What it takes of the balance; none if nothing waits before.
    spends: Option<u64>,
    /// The key with which the first of it makes the payer.
    makes: Option<Key>,
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

    /// The nonce that the next transaction of an account should carry; in the committed state it is
    /// `committed`.
    pub fn next_nonce(&self, payer: &AccountId, committed: u64) -> u64 {
        let Some(entries) = self.accounts.get(payer) else { return committed };
        let mut next = committed;
        for nonce in entries.range(committed..).map(|(nonce, _)| *nonce) {
            if nonce != next {
                break;
            }
            next = next.saturating_add(1);
        }
        next
    }

    /// Takes out what a block took of an account: lower nonces went before it.
    fn on_included(&mut self, tx: &Tx) {
        if let Some(entries) = self.accounts.get_mut(&tx.payer) {
            *entries = entries.split_off(&tx.nonce.saturating_add(1));
        }
    }

    /// Counts a commit, and forgets what the engine dropped.
    fn count_commit(&mut self, time_s: u64) {
        self.commits = self.commits.saturating_add(1);
        let oldest = self.commits.saturating_sub(COMMITS_MIN);
        let oldest_s = time_s.saturating_sub(SECONDS_MIN);
        self.accounts.retain(|_, entries| {
            entries.retain(|_, Entry { asked: (commits, time_s), .. }| {
                *commits >= oldest || *time_s >= oldest_s
            });
            !entries.is_empty()
        });
    }

    /// A transaction that no longer may wait makes room for another with its nonce.
    fn forget(&mut self, tx: &Tx) {
        let Some(entries) = self.accounts.get_mut(&tx.payer) else { return };
        if entries.get(&tx.nonce).is_some_and(|entry| entry.hash == tx.hash) {
            entries.remove(&tx.nonce);
        }
    }

    /// Whether there is a place for `tx`, and what waits before it.
    fn before(&self, tx: &Tx, payer: Option<&proto::Account>) -> Result<Before, Fault> {
        let committed = payer.map_or(0, |account| account.nonce);
        let none = BTreeMap::new();
        let waiting = self.accounts.get(&tx.payer).unwrap_or(&none);
        let again = waiting.get(&tx.nonce).is_some_and(|entry| entry.hash == tx.hash);
        let expected = if again { tx.nonce } else { self.next_nonce(&tx.payer, committed) };
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
        let before = waiting.range(..tx.nonce).map(|(_, entry)| entry.spends);
        let spends = before.reduce(u64::saturating_add);
        Ok(Before { spends, makes: waiting.get(&0).and_then(|first| first.makes) })
    }

    /// Lets `tx` in, unless something else waits before it by now than `before`.
    fn let_in(
        &mut self,
        tx: &Tx,
        payer: Option<&proto::Account>,
        before: &Before,
        time_s: u64,
    ) -> bool {
        if self.before(tx, payer).as_ref() != Ok(before) {
            return false;
        }
        let asked = (self.commits, time_s);
        let makes = account::made_by(tx);
        let entry = Entry { hash: tx.hash, spends: spends(tx), makes, asked };
        self.accounts.entry(tx.payer).or_default().insert(tx.nonce, entry);
        true
    }
}

/// Forgets what the last block took or the engine dropped. Call after each commit, once its state
/// is what [`check`] is asked on, with its header time in Unix seconds and its transactions.
pub fn on_commit<'a>(waiting: &impl Lend, time_s: u64, included: impl IntoIterator<Item = &'a Tx>) {
    for tx in included {
        waiting.lend(&tx.payer, |waiting| waiting.on_included(tx));
    }
    waiting.lend_each(|waiting| waiting.count_commit(time_s));
}

/// Whether `tx` may wait, on the committed state `view` as the block `next` would see it. The same
/// question again, such as a recheck, gets the same answer while nothing else changed.
pub fn check(
    waiting: &impl Lend,
    view: &dyn Read,
    next: &Block,
    tx: &Tx,
) -> Result<Result<(), Refusal>, Broken> {
    let payer = account::get(view, &tx.payer)?;
    let lend_before = || waiting.lend(&tx.payer, |waiting| waiting.before(tx, payer.as_ref()));
    loop {
        let tried = lend_before()
            .and_then(|before| try_after(&before, view, next, tx, payer.clone()).map(|()| before));
        let before = match tried {
            Ok(before) => before,
            Err(fault) => {
                let refusal = fault.refusal()?;
                waiting.lend(&tx.payer, |waiting| waiting.forget(tx));
                return Ok(Err(refusal));
            }
        };
        let let_in =
            |waiting: &mut Waiting| waiting.let_in(tx, payer.as_ref(), &before, next.time_s);
        // Where another came in between, it is looked at once more.
        if waiting.lend(&tx.payer, let_in) {
            return Ok(Ok(()));
        }
    }
}

/// Tries `tx` as if what waits before it had been executed: its nonces are spent, and its balance.
fn try_after(
    before: &Before,
    view: &dyn Read,
    next: &Block,
    tx: &Tx,
    payer: Option<proto::Account>,
) -> Result<(), Fault> {
    let mut base = Run::unheard(next, view);
    if let Some(spent) = before.spends {
        let mut value = match payer {
            Some(value) => value,
            None => unmade(&mut base, tx, before.makes)?,
        };
        value.nonce = tx.nonce;
        value.balance = value.balance.saturating_sub(spent);
        account::put(&mut base, &tx.payer, &value)?;
    }
    let mut run = Run::unheard(next, &base.state);
    admit(&mut run, tx)?;
    if before.spends.is_none() {
        // Nothing waits before it, so its actions can be tried.
        run_actions(&mut run, tx)?;
    }
    Ok(())
}

/// The payer as the first of what waits will make it, in so far as that is certain: with one key,
/// and without a balance.
fn unmade(base: &mut Run<'_>, tx: &Tx, makes: Option<Key>) -> Result<proto::Account, Fault> {
    let key = makes.ok_or_else(|| account::error::unknown(&tx.payer))?;
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
