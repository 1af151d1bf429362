//! Making the index of events anew: all of it, or that of a range of heights.

use super::{CliError, open};
use crate::config::Config;
use crate::home::Home;
use crate::index::catch_up;
use crate::store::{Store, StoreError};
use guts_genesis::Height;
use std::cell::Cell;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

#[cfg(test)]
mod tests;

/// Between two lines of progress.
const SAY_EVERY: Duration = Duration::from_secs(2);

/// Makes the index of the events of these heights anew; `None` for the first and the last there is.
pub(in crate::cli) fn reindex(
    home: &Home,
    config: &Config,
    wanted: (Option<Height>, Option<Height>),
) -> Result<(), CliError> {
    if !config.tx_index.is_on() {
        return Err(CliError::Refused(
            "the index of events is switched off: set tx_index.indexer to \"kv\" first".into(),
        ));
    }
    let (_lock, store) = open(home, &config.storage)?;
    let top = store.state()?.map_or(Height::ZERO, |state| state.last_block_height);
    let heights = range(&store, top, wanted)?;
    let (start, end) = (heights.start(), heights.end());
    let said = Cell::new(Instant::now());
    rebuild(&store, &heights, |done| {
        if said.get().elapsed() >= SAY_EVERY {
            said.set(Instant::now());
            match done {
                Rebuilt::Looked(rows) => println!("looked at {rows} rows for those that go"),
                Rebuilt::Indexed(height) => println!("indexed {height} of {start} to {end}"),
            }
        }
    })?;
    let indexed = store.indexed()?;
    println!("indexed the events of heights {start} to {end}; the index ends at {indexed}");
    if indexed < top {
        println!("the node goes on from there to {top} at its next start");
    }
    Ok(())
}

/// Why the index of a range of heights is not made anew. Names the options of the command.
#[derive(Debug, thiserror::Error)]
pub enum RangeError {
    /// The store's.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is nothing to index.
    #[error("no block was committed here: there are no events to index")]
    NoBlocks,
    /// It ends before it begins.
    #[error(
        "the range is empty: --end-height {end} is below --start-height {start}, and both belong \
         to it"
    )]
    Empty {
        /// Where it begins.
        start: Height,
        /// Where it ends.
        end: Height,
    },
    /// It begins or ends where blocks were deleted.
    #[error(
        "height {height} is below the first block that is kept: begin at --start-height {base}, or \
         leave that out"
    )]
    NotKept {
        /// What was asked for.
        height: Height,
        /// The first that is kept.
        base: Height,
    },
    /// It begins or ends where there are no blocks yet.
    #[error(
        "height {height} is above the last that was committed: end at --end-height {top}, or leave \
         that out"
    )]
    NotCommitted {
        /// What was asked for.
        height: Height,
        /// The last.
        top: Height,
    },
    /// Heights between the index and it would be missing.
    #[error(
        "the index ends at height {indexed}, and what is between that and {start} would be missing \
         in it: begin at --start-height {} or below", indexed.next()
    )]
    Gap {
        /// Where the range begins.
        start: Height,
        /// Where the index ends.
        indexed: Height,
    },
}

/// The heights from `start` to `end`, both included, if their events can be indexed; `None` stands
/// for the first that is kept, and for `top`, the last that was committed.
///
/// # Errors
/// Which rule they break.
fn range(
    store: &Store,
    top: Height,
    (start, end): (Option<Height>, Option<Height>),
) -> Result<RangeInclusive<Height>, RangeError> {
    let base = store.base()?.max(Height(1));
    if top < base {
        return Err(RangeError::NoBlocks);
    }
    let (first, last) = (start.unwrap_or(base), end.unwrap_or(top));
    if let (Some(start), Some(end)) = (start, end)
        && start > end
    {
        return Err(RangeError::Empty { start, end });
    }
    for height in [first, last] {
        if height < base {
            return Err(RangeError::NotKept { height, base });
        }
        if height > top {
            return Err(RangeError::NotCommitted { height, top });
        }
    }
    // From the first height on, nothing that is kept is missing below.
    let indexed = store.indexed()?;
    if first > base && first > indexed.next() {
        return Err(RangeError::Gap { start: first, indexed });
    }
    Ok(first..=last)
}

/// How far a rebuild is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rebuilt {
    /// So many rows were looked at, for those that are to go.
    Looked(u64),
    /// This height is indexed.
    Indexed(Height),
}

/// Makes the rows of these heights anew, which [`range`] has found good; others stay as they are.
/// `tell` hears how far it is. A kill leaves an index that says where it ends: below what is not
/// made yet, so that the next start of the node goes on from there.
///
/// # Errors
/// The store's.
fn rebuild(
    store: &Store,
    heights: &RangeInclusive<Height>,
    tell: impl Fn(Rebuilt),
) -> Result<(), StoreError> {
    let (indexed, end) = (store.indexed()?, *heights.end());
    if *heights.start() <= store.base()?.max(Height(1)) && end >= indexed {
        store.clear_index()?;
    } else {
        store.forget_rows(heights, |looked| tell(Rebuilt::Looked(looked)))?;
    }
    let said = |height| {
        tell(Rebuilt::Indexed(height));
        true
    };
    catch_up(store, || end, said)?;
    if end < indexed {
        store.end_index_at(indexed)?;
    }
    store.save_index()
}
