//! A whole state as a plain map. The tree cannot be iterated, so audits and exports, which need
//! every entry, are given one: by tests, by the simulator, or by a tool that reads the database.

use std::collections::BTreeMap;

use guts_schema::values;
use prost::Message;

use crate::fault::Broken;

/// What an audit says that found something wrong.
pub(crate) fn wrong<T>(text: impl Into<String>) -> Result<T, Broken> {
    Err(Broken::Contradiction(text.into()))
}

/// Whether a list is sorted and has nothing twice.
pub(crate) fn rises<T: Ord>(list: impl IntoIterator<Item = T>) -> bool {
    let mut list = list.into_iter();
    let Some(mut last) = list.next() else { return true };
    list.all(|next| {
        let above = last < next;
        last = next;
        above
    })
}

/// Every key and value of one version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Whole {
    entries: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Whole {
    /// Of these entries.
    pub fn new(entries: BTreeMap<Vec<u8>, Vec<u8>>) -> Self {
        Self { entries }
    }

    /// Every entry, by rising key.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.entries.iter().map(|(key, value)| (&key[..], &value[..]))
    }

    /// The value of a key.
    pub fn get<M: Message + Default>(&self, key: &[u8]) -> Result<Option<M>, Broken> {
        let bytes = self.entries.get(key);
        Ok(bytes.map(|bytes| values::decode(bytes)).transpose()?)
    }

    /// All entries below a tag such as `account/`, with what follows the tag.
    pub fn below<M: Message + Default>(&self, tag: &str) -> Result<Vec<(Vec<u8>, M)>, Broken> {
        self.under(tag.as_bytes())
    }

    /// The same, below any bytes.
    pub fn under<M: Message + Default>(&self, tag: &[u8]) -> Result<Vec<(Vec<u8>, M)>, Broken> {
        let range = self.entries.range(tag.to_vec()..);
        range
            .take_while(|(key, _)| key.starts_with(tag))
            .map(|(key, value)| Ok((key[tag.len()..].to_vec(), values::decode(value)?)))
            .collect()
    }
}
