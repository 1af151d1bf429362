//! Keeps the index of events behind the chain: a thread that indexes what was committed, from
//! where it stopped the last time. Makes it anew when an operator wants that.

use crate::shell::Shown;
use crate::store::{Store, StoreError};
use guts_consensus::io::Committed;
use guts_genesis::Height;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

/// Blocks that may wait to be indexed; what has no room is read from the store.
const WAITING_MAX: usize = 4;

/// Tells the thread what was committed; it ends when this is dropped.
#[derive(Clone)]
pub(crate) struct Teller(Arc<SyncSender<Arc<Committed>>>);

impl Teller {
    /// This was committed.
    pub(crate) fn tell(&self, committed: &Arc<Committed>) {
        match self.0.try_send(committed.clone()) {
            // The thread looks in the store for what it was not given.
            Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
        }
    }
}

/// Starts the thread.
///
/// # Errors
/// The system has no thread to give.
pub(crate) fn start(
    store: Arc<Store>,
    shown: Arc<Shown>,
) -> std::io::Result<(Teller, JoinHandle<()>)> {
    let (sender, receiver) = sync_channel(WAITING_MAX);
    let sender = Arc::new(sender);
    let alive = Arc::downgrade(&sender);
    let thread = std::thread::Builder::new().name("index".into()).spawn(move || {
        let top = || Height(shown.top.load(Ordering::Acquire));
        run(&store, top, &receiver, || alive.strong_count() > 0);
    })?;
    Ok((Teller(sender), thread))
}

fn run(
    store: &Store,
    top: impl Fn() -> Height,
    committed: &Receiver<Arc<Committed>>,
    goes_on: impl Fn() -> bool,
) {
    let mut given = None;
    loop {
        let done = follow(store, given.into_iter().chain(committed.try_iter()))
            .and_then(|()| catch_up(store, &top, |_| goes_on()));
        if let Err(error) = done {
            tracing::error!(%error, "the index of events is behind; it goes on after the next block");
        }
        given = match committed.recv() {
            Ok(next) => Some(next),
            Err(_) => break,
        };
    }
    if let Err(error) = store.save_index() {
        tracing::error!(%error, "the end of the index of events is made again at the next start");
    }
}

/// Indexes those of the given that are next.
fn follow(store: &Store, given: impl Iterator<Item = Arc<Committed>>) -> Result<(), StoreError> {
    for committed in given {
        if store.indexed()?.next() == committed.height {
            store.index(committed.height, Some(&committed.response))?;
        }
    }
    Ok(())
}

/// Indexes what is not indexed yet, up to `top`, which may rise meanwhile; `tell` hears each height
/// and says whether to go on.
///
/// # Errors
/// The store's.
pub fn catch_up(
    store: &Store,
    top: impl Fn() -> Height,
    tell: impl Fn(Height) -> bool,
) -> Result<(), StoreError> {
    let mut next = store.indexed()?.next().max(store.base()?).max(Height(1));
    while next <= top() {
        store.index(next, store.response(next)?.as_ref())?;
        if !tell(next) {
            break;
        }
        next = next.next();
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
pub fn range(
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
pub enum Rebuilt {
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
pub fn rebuild(
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
