//! Who gives way.
use super::*;

const MIB: usize = 1 << 20;

fn connections(count: usize) -> Vec<(ConnectionId, Arc<Outbox>)> {
    (0..count).map(|i| (ConnectionId::new_unchecked(i), Arc::default())).collect()
}

#[test]
fn many_that_begin_messages_hold_no_more_than_the_room_and_the_largest_goes() {
    let room = HalfRead::new(10 * MIB);
    let peers = connections(40);
    // All grow together, the first a little ahead of the others.
    for step in 1..=20 {
        for (i, (connection, outbox)) in peers.iter().enumerate() {
            if outbox.closed().is_none() {
                room.set(*connection, step * MIB + if i == 0 { 1 } else { 0 }, outbox);
            }
            let all: usize = room.held().values().map(|one| one.bytes).sum();
            assert!(all <= 10 * MIB);
        }
    }
    assert!(peers[0].1.closed().is_some_and(|why| why.contains("not whole")));
    assert!(peers.iter().filter(|(_, outbox)| outbox.closed().is_none()).count() <= 10);
}

#[test]
fn one_that_holds_little_stays_and_what_is_gone_does_not_count() {
    let room = HalfRead::new(10 * MIB);
    let peers = connections(4);
    room.set(peers[0].0, 6 * MIB, &peers[0].1);
    room.set(peers[1].0, counted(UNCOUNTED_BYTES), &peers[1].1);
    assert_eq!(room.held().len(), 1);
    room.forget(peers[0].0);
    room.set(peers[2].0, 6 * MIB, &peers[2].1);
    room.set(peers[3].0, 3 * MIB, &peers[3].1);
    assert!(peers.iter().all(|(_, outbox)| outbox.closed().is_none()));
    room.set(peers[3].0, 5 * MIB, &peers[3].1);
    assert!(peers[2].1.closed().is_some(), "the largest, whoever came last");
    assert!(peers[3].1.closed().is_none());
    // Whole, or read on.
    room.set(peers[3].0, 0, &peers[3].1);
    assert!(room.held().is_empty());
}
