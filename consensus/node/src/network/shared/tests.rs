//! What is not sent.

use super::*;
use crate::network::channels::{self, INBOX_ROOMS};
use crate::queue::Bell;

#[test]
fn nothing_is_encoded_for_a_peer_that_is_gone_or_about_to_be_ended() {
    let inbox = Arc::new(Queue::new(Bell::default(), &INBOX_ROOMS));
    let all = channels::all();
    let info = NodeInfo { channels: all.iter().map(|c| c.id).collect(), ..NodeInfo::default() };
    let meters = Arc::new(Meters::new(all.len()));
    let shared = Shared::new(PeerId::random(), info.clone(), all, inbox);
    let (peer, outbox) = (PeerId::random(), Arc::<Outbox>::default());
    let link = Link {
        connection: ConnectionId::new_unchecked(1),
        is_outbound: false,
        remote: "remote".into(),
        transport: Transport::Tcp,
    };
    let info = Arc::new(info);
    assert!(shared.join(peer, Member { link, info, outbox: outbox.clone(), meters }));
    assert!(shared.send(peer, 0x22, || Bytes::from_static(b"vote")));
    outbox.close("it reads too slowly");
    for gone in [peer, PeerId::random()] {
        assert!(!shared.send(gone, 0x22, || panic!("it is asked for")));
    }
    assert_eq!(shared.counters.dropped.load(Ordering::Relaxed), 2);
}
