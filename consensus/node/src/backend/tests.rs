//! Searches take no more threads than are theirs.

use super::search::{SEARCHES_MAX, Searches};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;

/// How long anything may take; nothing takes a hundredth of it.
const DEADLINE: Duration = Duration::from_secs(20);

#[test]
fn searches_leave_threads_to_others_even_when_nobody_waits_for_them() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .max_blocking_threads(SEARCHES_MAX + 1)
        .build()
        .unwrap();
    let searches = Arc::new(Searches::default());
    let gate = Arc::new(Mutex::new(()));
    let closed = gate.lock().unwrap();
    let done = Arc::new(AtomicUsize::new(0));
    runtime.block_on(async {
        let (started, mut starts) = mpsc::unbounded_channel();
        let start = || {
            let (searches, gate, done) = (searches.clone(), gate.clone(), done.clone());
            let started = started.clone();
            tokio::spawn(async move {
                let work = move || {
                    started.send(()).unwrap();
                    drop(gate.lock().unwrap_or_else(PoisonError::into_inner));
                    done.fetch_add(1, Ordering::SeqCst);
                };
                searches.run(work).await.unwrap();
            })
        };
        let first: Vec<_> = (0..SEARCHES_MAX).map(|_| start()).collect();
        for _ in 0..SEARCHES_MAX {
            tokio::time::timeout(DEADLINE, starts.recv()).await.expect("it starts").unwrap();
        }
        // Their clients go away; the work goes on.
        first.iter().for_each(tokio::task::JoinHandle::abort);
        let more: Vec<_> = (0..SEARCHES_MAX).map(|_| start()).collect();
        for search in first {
            assert!(search.await.unwrap_err().is_cancelled());
        }
        let other = tokio::task::spawn_blocking(|| ());
        let other = tokio::time::timeout(DEADLINE, other).await;
        drop(closed);
        other.expect("there is a thread for other work").unwrap();
        for search in more {
            tokio::time::timeout(DEADLINE, search).await.expect("its turn comes").unwrap();
        }
    });
    // Waits for work that has started.
    drop(runtime);
    assert_eq!(done.load(Ordering::SeqCst), 2 * SEARCHES_MAX);
}
