//! Transactions that wait for a block: opaque bytes, first in, first out, bounded, no duplicates.
//!
//! The mempool knows no sender, nonce or fee: the application judges each transaction when it
//! comes (CheckTx) and again after a block (recheck), and orders them in PrepareProposal. This
//! module keeps the books; the engine makes the calls.
use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use bytes::Bytes;
use indexmap::IndexMap;
use sha2::{Digest, Sha256};

use crate::config::MempoolLimits;
use crate::io::{PeerId, TxRefused};
use crate::types::Hash;
use crate::types::wire::field_len;

#[cfg(test)]
mod tests;

/// Hash of a transaction.
pub type TxKey = [u8; 32];

/// Ages that may be kept for each entry of the cache: a transaction that comes and is committed has
/// two.
const AGES_PER_ENTRY: u64 = 4;

/// What peers send finds so many times the room that clients may fill. A node that is the last to
/// commit a block still holds its transactions when the others have filled up again: it would drop
/// what they have taken, and with one transaction of an account all that build on it.
const PEERS_ROOM: u64 = 2;

/// The hash by which the mempool knows a transaction.
pub fn key_of(tx: &[u8]) -> TxKey {
    Sha256::digest(tx).into()
}

#[derive(Clone, Debug)]
struct Waiting {
    tx: Bytes,
    key: TxKey,
    gas: i64,
    /// Height after which it was last checked.
    checked_at: u64,
}

/// Where a transaction is that was seen.
#[derive(Clone, Debug)]
enum Place {
    /// Nowhere any more: it was committed.
    Gone,
    /// With the application, for the first time.
    Checking(Checking),
    /// In line, under this number.
    Waiting(u64),
}

#[derive(Clone, Debug)]
struct Checking {
    len: u64,
    from: Vec<PeerId>,
}

/// A transaction that was seen lately.
#[derive(Clone, Debug)]
struct Seen {
    age: u64,
    place: Place,
}

/// The mempool.
#[derive(Clone, Debug)]
pub struct Mempool {
    limits: MempoolLimits,
    /// In order of arrival; numbers rise.
    waiting: BTreeMap<u64, Waiting>,
    next: u64,
    bytes: u64,
    /// How many are being checked for the first time.
    checking: u64,
    checking_bytes: u64,
    /// The cache: all that wait or are being checked, and what left lately.
    seen: IndexMap<TxKey, Seen>,
    /// In order of age. A transaction that was seen again or forgotten leaves its old age behind.
    ages: VecDeque<(TxKey, u64)>,
    age: u64,
}

impl Mempool {
    /// An empty mempool.
    pub fn new(limits: MempoolLimits) -> Mempool {
        Mempool {
            limits,
            waiting: BTreeMap::new(),
            next: 0,
            bytes: 0,
            checking: 0,
            checking_bytes: 0,
            seen: IndexMap::new(),
            ages: VecDeque::new(),
            age: 0,
        }
    }

    /// Whether a transaction of a peer or a client may be shown to the application; remembers it
    /// if so.
    pub fn admit(&mut self, tx: &Bytes, from: Option<PeerId>) -> Result<TxKey, TxRefused> {
        let len = tx.len() as u64;
        if len > self.limits.tx_bytes_max {
            return Err(TxRefused::TooLarge { max: self.limits.tx_bytes_max, size: len });
        }
        let key = key_of(tx);
        if let Some(seen) = self.seen.get_mut(&key) {
            if let (Place::Checking(checking), Some(peer)) = (&mut seen.place, from)
                && !checking.from.contains(&peer)
            {
                checking.from.push(peer);
            }
            return Err(TxRefused::InCache);
        }
        let count = self.waiting.len() as u64 + self.checking;
        let bytes = self.bytes + self.checking_bytes;
        let room = if from.is_some() { PEERS_ROOM } else { 1 };
        let count_max = self.limits.txs_max.saturating_mul(room);
        let bytes_max = self.limits.bytes_max.saturating_mul(room);
        if count >= count_max || bytes + len > bytes_max {
            return Err(TxRefused::Full { count, count_max, bytes, bytes_max });
        }
        self.checking += 1;
        self.checking_bytes += len;
        let checking = Checking { len, from: from.into_iter().collect() };
        self.see(key, Place::Checking(checking));
        Ok(key)
    }

    /// The application's word on an admitted transaction. Gives back the peers that have it, if
    /// it is to be passed on.
    pub fn checked(
        &mut self,
        (key, tx): (TxKey, Bytes),
        (good, gas): (bool, i64),
        height: u64,
    ) -> Option<Vec<PeerId>> {
        let seen = self.seen.get_mut(&key)?;
        let Place::Checking(checking) = &mut seen.place else { return None };
        self.checking -= 1;
        self.checking_bytes -= checking.len;
        if !good {
            self.seen.swap_remove(&key);
            return None;
        }
        let from = std::mem::take(&mut checking.from);
        let number = self.next;
        self.next += 1;
        seen.place = Place::Waiting(number);
        self.bytes += tx.len() as u64;
        self.waiting.insert(number, Waiting { tx, key, gas, checked_at: height });
        Some(from)
    }

    /// The application cannot answer any more: nothing is being checked.
    pub fn drop_checks(&mut self) {
        self.seen.retain(|_, seen| !matches!(seen.place, Place::Checking(_)));
        self.checking = 0;
        self.checking_bytes = 0;
    }

    /// The transactions of a committed block leave; they will be refused as seen.
    pub fn remove_committed(&mut self, hashes: &[Hash]) {
        for key in hashes.iter().filter_map(|hash| TxKey::try_from(hash.as_bytes()).ok()) {
            match self.see(key, Place::Gone) {
                Some(Place::Waiting(number)) => self.remove(number),
                // The answer to a check that is under way comes too late to let it in again.
                Some(Place::Checking(checking)) => {
                    self.checking -= 1;
                    self.checking_bytes -= checking.len;
                }
                Some(Place::Gone) | None => {}
            }
        }
    }

    /// Transactions last checked before `height`, oldest first, at most `count`; they count as
    /// checked from now on.
    pub fn take_for_recheck(&mut self, height: u64, count: usize) -> Vec<(TxKey, Bytes)> {
        let old = self.waiting.values_mut().filter(|waiting| waiting.checked_at < height);
        old.take(count)
            .map(|waiting| {
                waiting.checked_at = height;
                (waiting.key, waiting.tx.clone())
            })
            .collect()
    }

    /// Forgets what waits and what was seen; what is being checked may still come in.
    pub fn flush(&mut self) {
        self.waiting.clear();
        self.bytes = 0;
        self.seen.retain(|_, seen| matches!(seen.place, Place::Checking(_)));
        self.forget_ages();
    }

    /// Drops the ages of what is forgotten, or was seen again since.
    fn forget_ages(&mut self) {
        let all = &self.seen;
        self.ages.retain(|(key, age)| all.get(key).is_some_and(|seen| seen.age == *age));
    }

    /// A recheck found a transaction no longer good: it leaves, and may come again.
    pub fn drop_rechecked(&mut self, key: &TxKey) {
        if let Some(Place::Waiting(number)) = self.seen.get(key).map(|seen| &seen.place) {
            self.remove(*number);
            self.seen.swap_remove(key);
        }
    }

    /// First transactions that fit: `bytes_max` counts them as a block's data encodes them,
    /// negative bounds are none.
    pub fn reap(&self, bytes_max: i64, gas_max: i64) -> Vec<Bytes> {
        let bytes_max = u64::try_from(bytes_max).unwrap_or(u64::MAX);
        let (mut bytes, mut gas) = (0_u64, 0_i64);
        let mut txs = Vec::new();
        for waiting in self.waiting.values() {
            bytes = bytes.saturating_add(field_len(waiting.tx.len()) as u64);
            gas = gas.saturating_add(waiting.gas);
            if bytes > bytes_max || (gas_max >= 0 && gas > gas_max) {
                break;
            }
            txs.push(waiting.tx.clone());
        }
        txs
    }

    /// The first `limit` transactions.
    pub fn first(&self, limit: u64) -> Vec<Bytes> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        self.waiting.values().take(limit).map(|waiting| waiting.tx.clone()).collect()
    }

    /// The numbers of what waits and has waited, in the order of arrival: of all so far.
    pub fn numbers(&self) -> Range<u64> {
        0..self.next
    }

    /// Transactions that wait, by their numbers.
    pub fn numbered(&self, numbers: Range<u64>) -> impl Iterator<Item = (u64, &Bytes)> {
        self.waiting.range(numbers).map(|(number, waiting)| (*number, &waiting.tx))
    }

    /// Number of transactions that wait.
    pub fn len(&self) -> u64 {
        self.waiting.len() as u64
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Bytes of the transactions that wait.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    fn remove(&mut self, number: u64) {
        if let Some(waiting) = self.waiting.remove(&number) {
            self.bytes -= waiting.tx.len() as u64;
        }
    }

    /// Notes where a transaction is that is seen now; gives back where it was.
    fn see(&mut self, key: TxKey, place: Place) -> Option<Place> {
        self.age += 1;
        let before = self.seen.insert(key, Seen { age: self.age, place });
        self.ages.push_back((key, self.age));
        while self.seen.len() as u64 > self.limits.cache_max {
            let Some((old, age)) = self.ages.pop_front() else { break };
            match self.seen.get(&old) {
                Some(seen) if seen.age == age => match seen.place {
                    Place::Gone => self.seen.swap_remove(&old),
                    Place::Checking(_) | Place::Waiting(_) => {
                        self.ages.push_back((old, age));
                        break;
                    }
                },
                _ => continue, // seen again since, or forgotten
            };
        }
        if self.ages.len() as u64 > self.limits.cache_max.saturating_mul(AGES_PER_ENTRY) {
            self.forget_ages();
        }
        before.map(|seen| seen.place)
    }

    /// What must hold between any two steps.
    pub fn audit(&self) {
        let bytes: u64 = self.waiting.values().map(|waiting| waiting.tx.len() as u64).sum();
        assert_eq!(bytes, self.bytes, "the mempool counts its bytes");
        let (mut checking, mut checking_bytes, mut waiting) = (0, 0, 0);
        for (key, seen) in &self.seen {
            match &seen.place {
                Place::Gone => {}
                Place::Checking(of) => {
                    checking += 1;
                    checking_bytes += of.len;
                }
                Place::Waiting(number) => {
                    waiting += 1;
                    let is_there = self.waiting.get(number).is_some_and(|it| it.key == *key);
                    assert!(is_there, "the mempool knows its places");
                }
            }
        }
        assert_eq!(waiting, self.waiting.len(), "the mempool knows all its places");
        let found = (checking, checking_bytes);
        assert_eq!(found, (self.checking, self.checking_bytes), "it counts what is checked");
        let most = self.limits.txs_max.saturating_mul(PEERS_ROOM);
        assert!(waiting as u64 + checking <= most, "the mempool is bounded");
        let ages_max = self.limits.cache_max.saturating_mul(AGES_PER_ENTRY);
        let is_small = self.ages.len() as u64 <= ages_max || self.ages.len() <= self.seen.len();
        assert!(is_small, "the ages of what was seen are bounded");
    }
}
