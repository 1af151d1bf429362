//! Keeps the index of events behind the chain: a thread that indexes what was committed, from
//! where it stopped the last time.

use crate::shell::Shown;
use crate::store::{Store, StoreError};
use guts_genesis::Height;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::thread::JoinHandle;

/// Wakes the thread; it ends when this is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Waker(SyncSender<()>);

impl Waker {
    /// Something was committed.
    pub(crate) fn wake(&self) {
        match self.0.try_send(()) {
            // One that waits already is enough.
            Ok(()) | Err(TrySendError::Full(()) | TrySendError::Disconnected(())) => {}
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
) -> std::io::Result<(Waker, JoinHandle<()>)> {
    let (sender, receiver) = sync_channel(1);
    let thread = std::thread::Builder::new()
        .name("index".into())
        .spawn(move || run(&store, &shown, &receiver))?;
    let waker = Waker(sender);
    waker.wake();
    Ok((waker, thread))
}

fn run(store: &Store, shown: &Shown, committed: &Receiver<()>) {
    while committed.recv().is_ok() {
        let top = || Height(shown.top.load(Ordering::Acquire));
        // This may take a wake: `top` is read again after it, so what it told of is not missed.
        let goes_on = |_| committed.try_recv() != Err(TryRecvError::Disconnected);
        if let Err(error) = catch_up(store, top, goes_on) {
            tracing::error!(%error, "the index of events is behind; it goes on after the next block");
        }
    }
    if let Err(error) = store.save_index() {
        tracing::error!(%error, "the end of the index of events is made again at the next start");
    }
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
        store.index(next)?;
        if !tell(next) {
            break;
        }
        next = next.next();
    }
    Ok(())
}
