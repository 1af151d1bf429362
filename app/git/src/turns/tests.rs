//! Turns and those who wait for one.

use futures::FutureExt;

use super::*;

#[tokio::test]
async fn who_comes_when_all_chairs_are_taken_is_sent_away() {
    let turns = Turns::new(1, 1);
    let first = turns.take().await.unwrap();
    let mut second = Box::pin(turns.take());
    assert!(second.as_mut().now_or_never().is_none(), "it waits");
    assert!(turns.take().await.is_none(), "no chair is left");
    drop(first);
    let second = second.await.expect("its turn");
    let gave_up = Box::pin(turns.take());
    drop(gave_up);
    let mut third = Box::pin(turns.take());
    assert!(third.as_mut().now_or_never().is_none(), "the chair of who gave up is free");
    drop(third);
    drop(second);
    assert!(turns.take().await.is_some());
}
