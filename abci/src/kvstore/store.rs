//! Where the reference application keeps what is committed.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use bytes::Bytes;

use super::transaction::address_of;
use crate::Answer;
use crate::proto::abci::ValidatorUpdate;
use crate::proto::crypto::public_key::Sum;

/// How far the application is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The last committed height; 0 before the first.
    pub height: i64,
    /// How many transactions were executed since genesis.
    pub size: u64,
}

/// What one commit changes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// The state after it.
    pub state: State,
    /// Keys and their new values; of equal keys the last counts.
    pub pairs: Vec<(Bytes, Bytes)>,
    /// Validators and their new powers; 0 removes.
    pub validators: Vec<ValidatorUpdate>,
}

/// Committed state, shared by the writer and the readers.
pub trait Store: Send + Sync {
    /// How far the application is.
    fn state(&self) -> State;

    /// The value of a key.
    fn get(&self, key: &[u8]) -> Answer<Option<Bytes>>;

    /// A validator by its public key's bytes.
    fn validator_by_key(&self, key: &[u8]) -> Option<ValidatorUpdate>;

    /// A validator by its address.
    fn validator_by_address(&self, address: &[u8]) -> Option<ValidatorUpdate>;

    /// Applies a batch, all or nothing.
    fn commit(&self, batch: Batch) -> Answer<()>;
}

/// A store without a disk.
#[derive(Debug, Default)]
pub struct Memory {
    inner: RwLock<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    state: State,
    pairs: BTreeMap<Box<[u8]>, Box<[u8]>>,
    validators: Validators,
}

impl Memory {
    /// A store before genesis.
    pub fn new() -> Self {
        Self::default()
    }

    /// A panic of another reader leaves nothing half done.
    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for Memory {
    fn state(&self) -> State {
        self.read().state
    }

    fn get(&self, key: &[u8]) -> Answer<Option<Bytes>> {
        Ok(self.read().pairs.get(key).map(|value| Bytes::copy_from_slice(value)))
    }

    fn validator_by_key(&self, key: &[u8]) -> Option<ValidatorUpdate> {
        self.read().validators.by_key(key)
    }

    fn validator_by_address(&self, address: &[u8]) -> Option<ValidatorUpdate> {
        self.read().validators.by_address(address)
    }

    fn commit(&self, batch: Batch) -> Answer<()> {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        for (key, value) in batch.pairs {
            // Copies: a slice would keep the whole request it came in alive.
            inner.pairs.insert(Box::from(&key[..]), Box::from(&value[..]));
        }
        inner.validators.apply(batch.validators);
        inner.state = batch.state;
        Ok(())
    }
}

/// The validator set as transactions changed it, for stores.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Validators {
    by_key: BTreeMap<Vec<u8>, ValidatorUpdate>,
    key_by_address: BTreeMap<[u8; 20], Vec<u8>>,
}

impl Validators {
    /// Adds, changes and removes. An update without a key says nothing.
    pub fn apply(&mut self, updates: Vec<ValidatorUpdate>) {
        for update in updates {
            let key = match update.pub_key.as_ref().and_then(|key| key.sum.as_ref()) {
                Some(Sum::Ed25519(key) | Sum::Secp256k1(key)) => key.clone(),
                None => continue,
            };
            let address = address_of(&key);
            if update.power == 0 {
                self.by_key.remove(&key);
                self.key_by_address.remove(&address);
            } else {
                self.key_by_address.insert(address, key.clone());
                self.by_key.insert(key, update);
            }
        }
    }

    /// A validator by its public key's bytes.
    pub fn by_key(&self, key: &[u8]) -> Option<ValidatorUpdate> {
        self.by_key.get(key).cloned()
    }

    /// A validator by its address.
    pub fn by_address(&self, address: &[u8]) -> Option<ValidatorUpdate> {
        self.key_by_address.get(address).and_then(|key| self.by_key(key))
    }

    /// All of them, in the order of their keys.
    pub fn all(&self) -> impl Iterator<Item = &ValidatorUpdate> {
        self.by_key.values()
    }
}
