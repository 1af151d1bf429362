//! When a message that has begun is given up.

use super::*;
use crate::network::channels::{self, INBOX_ROOMS};
use crate::network::half_read::HalfRead;
use crate::network::transport::Transport;
use crate::queue::{Bell, Queue};
use libp2p::swarm::ConnectionId;
use std::future::poll_fn;

fn handler() -> Handler {
    handler_of(shared(crate::network::half_read::BYTES_MAX), 1)
}

/// What connections share, with so much room for messages that are not whole.
fn shared(half_read_max: usize) -> Arc<Shared> {
    let inbox = Arc::new(Queue::new(Bell::default(), &INBOX_ROOMS));
    let ours = PeerId::random();
    let mut shared = Shared::new(ours, NodeInfo::default(), channels::all(), inbox);
    shared.half_read = HalfRead::new(half_read_max);
    Arc::new(shared)
}

fn handler_of(shared: Arc<Shared>, connection: usize) -> Handler {
    let them = PeerId::random();
    let link = Link {
        connection: ConnectionId::new_unchecked(connection),
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

/// Long messages that come slowly, on whichever channel, from many.
#[tokio::test]
async fn whoever_holds_most_of_what_is_not_whole_is_ended() {
    const PIECE: usize = 256 << 10;
    let shared = shared(4 * PIECE);
    let mut handlers: Vec<Handler> = (0..4).map(|i| handler_of(shared.clone(), i)).collect();
    let read = |handler: &mut Handler, lane: usize| {
        handler.lanes[lane].buffered.extend_from_slice(&[0x7f; PIECE]);
        handler.count_half_read();
    };
    handlers.iter_mut().for_each(|handler| read(handler, 0));
    assert!(handlers.iter().all(|handler| handler.outbox.closed().is_none()));
    read(&mut handlers[2], 6);
    let closed: Vec<bool> = handlers.iter().map(|h| h.outbox.closed().is_some()).collect();
    assert_eq!(closed, [false, false, true, false]);
    let ended = poll_fn(|cx| handlers[2].poll(cx)).await;
    let ConnectionHandlerEvent::NotifyBehaviour(ended) = ended else { panic!("{ended:?}") };
    assert!(ended.reason.contains("not whole") && !ended.is_fault, "{ended:?}");
    assert!(handlers[2].lanes.iter().all(|lane| lane.buffered.capacity() == 0), "it is let go");
    // There is room again.
    read(&mut handlers[1], 0);
    assert!(handlers[1].outbox.closed().is_none());
    // What has ended lets go of what it holds before it is gone.
    handlers.truncate(1);
    assert!(!shared.half_read.is_empty());
    handlers[0].end("for some reason".into(), false);
    assert!(shared.half_read.is_empty());
    read(&mut handlers[0], 0);
    handlers.clear();
    assert!(shared.half_read.is_empty(), "what is gone does not count");
}
