//! The search for a proof of work.

use std::sync::mpsc;
use std::time::Duration;

use futures::FutureExt;

use super::*;

/// Twenty times what it takes and more.
const DEADLINE: Duration = Duration::from_secs(60);

fn puzzle() -> Puzzle {
    let account = AccountId::from_slice(&[7; AccountId::LEN]).unwrap();
    Puzzle::new("guts-test", &account, 3, &Hash::of(b"anchor"))
}

#[test]
fn a_search_that_nobody_waits_for_ends() {
    let (ended, end) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
        runtime.block_on(async {
            // More than anybody can find.
            let mut searching = Box::pin(solve(puzzle(), 200));
            assert!(searching.as_mut().now_or_never().is_none());
        });
        // Waits for what runs on threads of their own.
        drop(runtime);
        ended.send(()).unwrap();
    });
    end.recv_timeout(DEADLINE).expect("the search has ended");
}

#[tokio::test]
async fn a_solution_is_found_beyond_the_first_look() {
    let first = puzzle().search(TRIES, u64::MAX, 14).unwrap();
    let found = solve(puzzle(), 14).await.unwrap();
    assert!(puzzle().bits(found) >= 14 && found <= first);
}
