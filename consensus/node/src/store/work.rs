//! What one search may cost, and that it ends when nobody waits for it.

use super::StoreError;
use guts_rpc::search::Condition;

#[cfg(test)]
mod tests;

/// Entries that one search looks at, at most.
const ENTRIES_MAX: usize = 1_000_000;
/// Bytes of conditions that are compared for the price of one entry: more than most queries have.
const COMPARED_BYTES: usize = 128;
/// As how many entries it counts to read the results of a block for a long value.
pub(super) const READING: usize = 1_000;
/// As how many entries it counts to find where the rows of a condition begin.
pub(super) const SEEKING: usize = 10;

/// Why a search has no answer.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// The store's.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// More work than one search may cause.
    #[error(
        "the query looks at more than {ENTRIES_MAX} entries of the index: ask for a value with =, \
         and narrow it by height"
    )]
    TooMuch,
    /// Who asked is gone.
    #[error("nobody waits for the answer any more")]
    Abandoned,
}

/// What a search may still do.
pub struct Work<'a> {
    left: usize,
    is_wanted: &'a dyn Fn() -> bool,
}

impl<'a> Work<'a> {
    /// All that one search may; `is_wanted` says whether anybody still waits for the answer.
    pub fn new(is_wanted: &'a dyn Fn() -> bool) -> Work<'a> {
        Work { left: ENTRIES_MAX, is_wanted }
    }

    /// Of a search whose answer is waited for.
    #[cfg(test)]
    pub(crate) fn wanted() -> Work<'static> {
        Work::new(&|| true)
    }

    /// Takes the price of so many entries.
    pub(super) fn spend(&mut self, entries: usize) -> Result<(), SearchError> {
        self.left = self.left.checked_sub(entries).ok_or(SearchError::TooMuch)?;
        match (self.is_wanted)() {
            true => Ok(()),
            false => Err(SearchError::Abandoned),
        }
    }
}

/// What it costs to compare these conditions once, in entries: nothing, if they are short.
pub(super) fn price<'a>(conditions: impl IntoIterator<Item = &'a Condition>) -> usize {
    let bytes = |condition: &Condition| condition.tag.len() + condition.operand.text().len();
    conditions.into_iter().map(bytes).sum::<usize>() / COMPARED_BYTES
}
