//! Requests are bounded, taken in turn, and forgotten with their peer.

use super::*;

#[test]
fn a_peer_that_asks_for_everything_holds_up_nobody() {
    let (greedy, modest) = (PeerId::random(), PeerId::random());
    let mut requests = Requests::default();
    let places = (1..=1_000).filter(|height| requests.add(greedy, Height(*height))).count();
    assert_eq!(places, PLACES);
    assert_eq!(requests.of[&greedy].len(), WAITING_MAX);
    assert!(!requests.add(greedy, Height(1)), "asked for already");
    assert!(!requests.add(modest, Height(7)), "a place that works comes to it");
    assert_eq!(requests.next(), Some((greedy, Height(1))));
    assert_eq!(requests.next(), Some((modest, Height(7))));
    assert_eq!(requests.next(), Some((greedy, Height(2))));
    requests.add(greedy, Height(1_000));
    assert_eq!(requests.of[&greedy].len(), WAITING_MAX - 1, "there is room again");
}

#[test]
fn places_are_given_back_and_taken_again() {
    let peers = [PeerId::random(), PeerId::random()];
    let mut requests = Requests::default();
    for _ in 0..3 {
        assert!(requests.add(peers[0], Height(1)));
        assert!(requests.add(peers[1], Height(1)));
        assert!(!requests.add(peers[1], Height(2)), "all are taken");
        assert_eq!(std::iter::from_fn(|| requests.next()).count(), 3);
        assert_eq!((requests.next(), requests.taken), (None, 0));
        assert!(requests.of.is_empty() && requests.turns.is_empty());
    }
}

#[test]
fn who_is_gone_is_not_served() {
    let peers = [PeerId::random(), PeerId::random()];
    let mut requests = Requests::default();
    (1..=9).for_each(|height| {
        requests.add(peers[(height % 2) as usize], Height(height));
    });
    requests.forget(&peers[1]);
    let served: Vec<_> = std::iter::from_fn(|| requests.next()).collect();
    assert!(served.iter().all(|(peer, _)| *peer == peers[0]) && served.len() == 4);
}
