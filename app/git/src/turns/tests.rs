//! Turns and those who wait for one.

use std::net::Ipv4Addr;

use futures::FutureExt;

use super::*;

fn address(last: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, last))
}

#[tokio::test]
async fn who_comes_when_all_chairs_are_taken_is_sent_away() {
    let turns = Turns::new(1, 1, 100);
    let first = turns.take(address(1)).await.unwrap();
    let mut second = Box::pin(turns.take(address(2)));
    assert!(second.as_mut().now_or_never().is_none(), "it waits");
    assert!(turns.take(address(3)).await.is_none(), "no chair is left");
    drop(first);
    let second = second.await.expect("its turn");
    let gave_up = Box::pin(turns.take(address(1)));
    drop(gave_up);
    let mut third = Box::pin(turns.take(address(1)));
    assert!(third.as_mut().now_or_never().is_none(), "the chair of who gave up is free");
    drop(third);
    drop(second);
    assert!(turns.take(address(1)).await.is_some());
}

#[tokio::test]
async fn one_address_has_its_part_of_turns_and_of_chairs_and_no_more() {
    let turns = Turns::new(8, 4, 25);
    let crowd = [turns.take(address(1)).await.unwrap(), turns.take(address(1)).await.unwrap()];
    let mut waits = Box::pin(turns.take(address(1)));
    assert!(waits.as_mut().now_or_never().is_none(), "its turns are taken");
    assert!(turns.take(address(1)).await.is_none(), "and its chair");
    // Others come and go meanwhile.
    for last in 2..=4 {
        let other = [turns.take(address(last)).await, turns.take(address(last)).await];
        assert!(other.iter().all(Option::is_some), "{last}");
    }
    assert!(waits.as_mut().now_or_never().is_none(), "a turn of others is not its own");
    drop(crowd);
    assert!(waits.await.is_some());
    // The least part is one.
    let turns = Turns::new(2, 2, 1);
    let _first = turns.take(address(1)).await.unwrap();
    assert!(turns.take(address(2)).await.is_some());
}

#[test]
fn what_an_address_had_is_free_again_and_forgotten() {
    let shares = Shares::new(100, 50);
    let half = shares.try_take(address(1), 50).unwrap();
    assert!(shares.try_take(address(1), 1).is_none());
    let other = shares.try_take(address(2), 50).unwrap();
    assert!(shares.try_take(address(3), 1).is_none(), "there is no more");
    drop((half, other));
    assert!(shares.try_take(address(3), 51).is_none());
    assert!(shares.try_take(address(3), 50).is_some());
    assert_eq!(shares.known(), 0, "and all of them are forgotten");
}
