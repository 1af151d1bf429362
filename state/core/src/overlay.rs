//! Changes that are not written yet: kept by themselves, read through an overlay.
//!
//! A block runs on an overlay over a snapshot; each transaction on an overlay over the block's.
//! Dropping an overlay forgets its changes; [`Overlay::into_changes`] and [`Overlay::absorb`] keep
//! them.

use std::cell::RefCell;

use indexmap::IndexMap;

use crate::StateError;

/// Something whose keys can be read.
pub trait Read {
    /// The value of `key`.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateError>;
}

/// What keys were found to be, or are to become; `None`: nothing. Looked up many times for each
/// transaction, so not a sorted map: a block's has thousands of keys that begin alike.
type Values = IndexMap<Vec<u8>, Option<Vec<u8>>>;

/// A set of writes, owned: what an overlay leaves behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    writes: Values,
}

impl Changes {
    /// Whether there is no write at all.
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// How many keys are written.
    pub fn len(&self) -> usize {
        self.writes.len()
    }

    /// The writes, in the order in which their keys were met; `None` deletes.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        self.writes.iter().map(|(key, value)| (&key[..], value.as_deref()))
    }
}

/// A droppable layer of writes over something readable.
pub struct Overlay<'a> {
    base: &'a dyn Read,
    changes: Changes,
}

impl<'a> Overlay<'a> {
    /// Without writes.
    pub fn new(base: &'a dyn Read) -> Self {
        Self { base, changes: Changes::default() }
    }

    /// With writes made before.
    pub fn with(base: &'a dyn Read, changes: Changes) -> Self {
        Self { base, changes }
    }

    /// Sets a key. Refuses empty keys and values.
    pub fn put(&mut self, key: Vec<u8>, value: Vec<u8>) -> Result<(), StateError> {
        if key.is_empty() || value.is_empty() {
            return Err(StateError::Empty);
        }
        self.changes.writes.insert(key, Some(value));
        Ok(())
    }

    /// Removes a key, if it is there.
    pub fn delete(&mut self, key: Vec<u8>) {
        self.changes.writes.insert(key, None);
    }

    /// Adds the writes of an overlay that lay over this one.
    pub fn absorb(&mut self, changes: Changes) {
        self.changes.writes.extend(changes.writes);
    }

    /// The writes so far.
    pub fn changes(&self) -> &Changes {
        &self.changes
    }

    /// Ends the overlay and keeps its writes.
    pub fn into_changes(self) -> Changes {
        self.changes
    }
}

impl Read for Overlay<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        match self.changes.writes.get(key) {
            Some(value) => Ok(value.clone()),
            None => self.base.get(key),
        }
    }
}

/// What was read of one version, by key.
pub type Seen = Values;

/// Remembers what was read from below, so that the keys every transaction reads cost one look-up
/// per block. For one version of the state: it is never invalidated.
pub struct Cached<'a> {
    base: &'a dyn Read,
    seen: RefCell<Seen>,
}

impl<'a> Cached<'a> {
    /// Over something that does not change meanwhile.
    pub fn new(base: &'a dyn Read) -> Self {
        Self::with(base, Seen::new())
    }

    /// With what was read before of the same version.
    pub fn with(base: &'a dyn Read, seen: Seen) -> Self {
        Self { base, seen: RefCell::new(seen) }
    }

    /// What was read so far.
    pub fn into_seen(self) -> Seen {
        self.seen.into_inner()
    }
}

impl Read for Cached<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        if let Some(value) = self.seen.borrow().get(key) {
            return Ok(value.clone());
        }
        let value = self.base.get(key)?;
        self.seen.borrow_mut().insert(key.to_vec(), value.clone());
        Ok(value)
    }
}
