//! When a message that has begun is given up.

use super::*;
use crate::network::channels::{self, INBOX_ROOMS};
use crate::network::transport::Transport;
use crate::queue::{Bell, Queue};
use libp2p::swarm::ConnectionId;
use std::future::poll_fn;

fn handler() -> Handler {
    let inbox = Arc::new(Queue::new(Bell::default(), &INBOX_ROOMS));
    let (ours, them) = (PeerId::random(), PeerId::random());
    let shared = Arc::new(Shared::new(ours, NodeInfo::default(), channels::all(), inbox));
    let link = Link {
        connection: ConnectionId::new_unchecked(1),
        is_outbound: false,
        remote: "remote".into(),
        transport: Transport::Tcp,
    };
    let mut handler = Handler::new(shared, Arc::default(), them, link);
    (handler.is_up, handler.deadline) = (true, None);
    handler
}

/// Watches when the time for the next look is long over.
async fn look(handler: &mut Handler) {
    let mut due = after(Duration::ZERO);
    due.as_mut().await;
    handler.deadline = Some(due);
    poll_fn(|cx| {
        handler.watch_stalls(cx);
        Poll::Ready(())
    })
    .await;
}

#[tokio::test]
async fn only_many_looks_give_a_message_up_and_it_is_no_fault() {
    let mut handler = handler();
    look(&mut handler).await;
    assert!(handler.deadline.is_none(), "nothing to look at");
    handler.lanes[1].partial = Some(0);
    for looks in 1..LOOKS_MAX {
        look(&mut handler).await;
        assert_eq!(handler.lanes[1].partial, Some(looks), "one, however late");
        assert!(handler.ended.is_none() && handler.deadline.is_some(), "it will look again");
    }
    // Some bytes came, the message is not whole yet.
    handler.lanes[1].partial = Some(0);
    for _ in 1..LOOKS_MAX {
        look(&mut handler).await;
    }
    assert!(handler.ended.is_none());
    look(&mut handler).await;
    let ended = handler.ended.take().unwrap();
    assert!(ended.reason.starts_with("it stopped in the middle of a message"), "{ended:?}");
    assert!(!ended.is_fault);
    assert_eq!(handler.shared.counters.faults.load(std::sync::atomic::Ordering::Relaxed), 0);
}
