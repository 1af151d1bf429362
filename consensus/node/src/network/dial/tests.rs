//! Peers that are dialled once.

use super::*;

#[test]
fn a_peer_that_is_dialled_once_is_tried_over_every_transport() {
    let peer = PeerId::random();
    let order = [Transport::Quic, Transport::Tcp];
    let mut once = Once::default();
    let begin = |once: &mut Once, address: &str| {
        let to = parse_peers(&format!("{peer}@{address}")).unwrap().remove(0);
        once.begin(to, &order)
    };
    let over = |way: Option<Way>| way.map(|way| (way.transport, way.address.port));
    assert_eq!(over(begin(&mut once, "10.0.0.1:7")), Some((Transport::Quic, 7)));
    assert_eq!(over(begin(&mut once, "10.0.0.1:8")), None, "one at a time");
    for next in [(Transport::Tcp, 7), (Transport::Quic, 8), (Transport::Tcp, 8)] {
        assert_eq!(once.on_failure(&peer).map(over), Some(Some(next)));
    }
    assert_eq!(once.on_failure(&peer), Some(None), "all have failed");
    assert_eq!(once.on_failure(&peer), None, "and that is all");
    begin(&mut once, "10.0.0.1:7");
    once.on_up(&peer);
    assert_eq!(once.on_failure(&peer), None, "a connection that ends later is not made again");
}
