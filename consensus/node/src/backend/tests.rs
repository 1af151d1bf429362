//! Searches take no more threads than are theirs; events that are lost or too many are said to be;
//! what clients are told of transactions.

use super::Waiting;
use super::feed::{Ring, make};
use super::search::{SEARCHES_MAX, Searches};
use super::submit::refused;
use guts_consensus::io::TxRefused;
use guts_rpc::events::{Batch, NewBlock, NodeEvent};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{broadcast, mpsc};

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
    let [done, wanted] = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
    runtime.block_on(async {
        let (started, mut starts) = mpsc::unbounded_channel();
        let start = || {
            let (searches, gate, done) = (searches.clone(), gate.clone(), done.clone());
            let wanted = wanted.clone();
            let started = started.clone();
            tokio::spawn(async move {
                let work = move |is_wanted: &dyn Fn() -> bool| {
                    started.send(()).unwrap();
                    drop(gate.lock().unwrap_or_else(PoisonError::into_inner));
                    done.fetch_add(1, Ordering::SeqCst);
                    wanted.fetch_add(usize::from(is_wanted()), Ordering::SeqCst);
                };
                searches.run(work).await.unwrap();
            })
        };
        let first: Vec<_> = (0..SEARCHES_MAX).map(|_| start()).collect();
        for _ in 0..SEARCHES_MAX {
            tokio::time::timeout(DEADLINE, starts.recv()).await.expect("it starts").unwrap();
        }
        // Their clients go away; the work has to ask.
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
    assert_eq!(
        wanted.load(Ordering::SeqCst),
        SEARCHES_MAX,
        "the others are told that they are not"
    );
}

fn events() -> Vec<NodeEvent> {
    NodeEvent::of_block(&NewBlock::default())
}

#[test]
fn a_slow_subscriber_costs_no_more_than_the_budget() {
    let (sender, mut slow) = broadcast::channel(100);
    let mut quick = sender.subscribe();
    let each = Batch::new(events()).bytes();
    assert!(each > 0);
    let mut ring = Ring::new(sender.clone(), 3 * each);
    for _ in 0..5 {
        ring.tell(Batch::new(events()));
        let told = quick.try_recv().unwrap().events();
        assert_eq!(told.unwrap().len(), events().len(), "who reads in time gets all");
    }
    let left: Vec<bool> =
        std::iter::from_fn(|| slow.try_recv().ok()).map(|batch| batch.events().is_some()).collect();
    assert_eq!(left, [false, false, true, true, true]);
    // What was read by all costs nothing, and one that alone is too much is told all the same.
    let mut ring = Ring::new(sender, each - 1);
    for _ in 0..2 {
        ring.tell(Batch::new(events()));
        assert!(slow.try_recv().unwrap().events().is_some());
        assert!(quick.try_recv().unwrap().events().is_some());
    }
}

#[tokio::test]
async fn lost_events_are_told_of() {
    let (sender, mut told) = broadcast::channel(100);
    let (blocks, waiting) = mpsc::channel(8);
    let is_torn = Arc::new(AtomicBool::new(false));
    let to_events = |is_good: &bool| {
        assert!(*is_good, "this block has no events");
        events()
    };
    tokio::spawn(make(waiting, Ring::new(sender, usize::MAX), is_torn.clone(), to_events));
    let mut next = async || {
        let next = tokio::time::timeout(DEADLINE, told.recv()).await.expect("told").unwrap();
        next.events().is_some()
    };
    for (is_good, wanted) in [(true, true), (false, false), (true, true)] {
        blocks.send(Arc::new(is_good)).await.unwrap();
        assert_eq!(next().await, wanted, "a block without its events is lost, and no more");
    }
    is_torn.store(true, Ordering::Release);
    blocks.send(Arc::new(true)).await.unwrap();
    assert!(!next().await, "one that found no room");
    assert!(next().await);
}

#[test]
fn clients_tell_a_full_mempool_from_what_waiting_does_not_mend() {
    let full = TxRefused::Full { count: 1, count_max: 1, bytes: 2, bytes_max: 3 };
    assert!(refused(full).is_mempool_full());
    assert!(!refused(TxRefused::InCache).is_mempool_full());
}

#[tokio::test]
async fn nothing_is_left_of_a_client_that_hangs_up() {
    let waiting = Waiting::default();
    let hash = vec![1; 32];
    let stays = waiting.add(hash.clone());
    // As a connection that ends drops the answer in the middle.
    let answer = async {
        let _waiter = waiting.add(hash.clone());
        std::future::pending::<()>().await;
    };
    {
        let mut answer = std::pin::pin!(answer);
        assert!(futures::poll!(&mut answer).is_pending());
        assert_eq!(waiting.count(), 2);
    }
    assert_eq!(waiting.count(), 1, "the other one waits on");
    drop(stays);
    assert!(waiting.is_empty(), "and then nothing is kept of the transaction");
}
