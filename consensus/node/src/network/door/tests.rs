//! Room for strangers, for one address, and for configured peers.

use super::*;

fn address(text: &str) -> Multiaddr {
    text.parse().unwrap()
}

/// How many of `count` handshakes are let in.
fn begin(door: &mut Door, ids: &mut usize, from: &str, count: usize) -> usize {
    let mut next = || {
        *ids += 1;
        ConnectionId::new_unchecked(*ids)
    };
    (0..count).filter(|_| door.begin(next(), &address(from)).is_ok()).count()
}

#[test]
fn strangers_leave_room_for_configured_peers() {
    let (mut door, mut ids) = (Door::default(), 0);
    let friend = PeerId::random();
    door.know(friend, &[address("/ip4/10.9.9.9/tcp/7")]);
    let let_in: usize = (0..100)
        .map(|n| begin(&mut door, &mut ids, &format!("/ip4/10.0.0.{n}/udp/9/quic-v1"), 10))
        .sum();
    assert_eq!(let_in, STRANGERS_MAX);
    assert_eq!(begin(&mut door, &mut ids, "/ip4/10.1.0.1/tcp/5", 1), 0);
    assert_eq!(begin(&mut door, &mut ids, "/ip4/10.9.9.9/tcp/5", 2), 2, "from any port");
    // What is over makes room.
    door.end(ConnectionId::new_unchecked(1));
    assert_eq!(begin(&mut door, &mut ids, "/ip4/10.1.0.1/tcp/5", 2), 1);
    // A peer that has moved is known where it is now.
    door.know(friend, &[address("/ip4/10.8.8.8/tcp/7")]);
    assert_eq!(begin(&mut door, &mut ids, "/ip4/10.9.9.9/tcp/5", 1), 0);
    assert_eq!(begin(&mut door, &mut ids, "/ip4/10.8.8.8/udp/5/quic-v1", 1), 1);
}

#[test]
fn an_address_has_its_share_on_each_transport() {
    let (mut door, mut ids) = (Door::default(), 0);
    let mut all = |from| begin(&mut door, &mut ids, from, 1_000);
    assert_eq!(all("/ip4/10.0.0.1/udp/9/quic-v1"), HOST_MAX, "a name that anybody can send under");
    assert_eq!(all("/ip4/10.0.0.1/tcp/9"), HOST_MAX);
    assert_eq!(all("/ip4/10.0.0.2/tcp/9"), HOST_MAX);
    assert_eq!(all("/ip6/2001:db8::1/tcp/9"), HOST_MAX);
    assert_eq!(all("/ip6/2001:db8::2/tcp/9"), 0, "the same network");
    assert_eq!(all("/ip6/2001:db8:0:1::1/tcp/9"), HOST_MAX, "another one");
    assert_eq!(all("/ip6/::ffff:10.0.0.1/tcp/9"), 0, "an IPv4 address in disguise");
}
