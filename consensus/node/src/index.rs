//! Keeps the index of events behind the chain: a thread that indexes what was committed, from
//! where it stopped the last time.

use crate::shell::Shown;
use crate::store::{Store, StoreError};
use guts_consensus::io::Committed;
use guts_genesis::Height;
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
