//! Several hosts on loopback: order, refusals, hostile peers, slow readers, coming back.

use super::channels::{Channel, Class, INBOX_ROOMS};
use super::dial::{PeerAddress, parse_address, parse_peers, pause};
use super::frame::{self, FrameError};
use super::hello::NodeInfo;
use super::*;
use crate::queue::Bell;
use bytes::BytesMut;
use guts_consensus::messages::HasVote;
use guts_consensus::types::{PartSet, VoteKind};
use guts_genesis::{Height, Round};
use std::time::Instant;

const DEADLINE: Duration = Duration::from_secs(20);

fn info(chain: &str, session: u64) -> NodeInfo {
    NodeInfo {
        chain_id: chain.into(),
        genesis_hash: vec![7; 32],
        block_protocol: 11,
        channels: channels::all().iter().map(|c| c.id).collect(),
        moniker: format!("host-{session}"),
        session,
        ..NodeInfo::default()
    }
}

struct Host {
    network: Network,
    inbox: Arc<Queue<Event>>,
    seen: Vec<Event>,
}

impl Host {
    async fn start(info: NodeInfo, peers: &[&Host]) -> Host {
        Host::start_with(Keypair::generate_ed25519(), info, peers, channels::all()).await
    }

    async fn start_with(
        key: Keypair,
        info: NodeInfo,
        peers: &[&Host],
        channels: Vec<Channel>,
    ) -> Host {
        let inbox = Arc::new(Queue::new(Bell::default(), &INBOX_ROOMS));
        let persistent = peers
            .iter()
            .map(|p| PeerAddress {
                peer: p.network.local(),
                address: parse_address(p.network.listening()).unwrap(),
            })
            .collect();
        let settings = Settings {
            listen: "tcp://127.0.0.1:0".into(),
            persistent,
            inbound_max: 10,
            outbound_max: 10,
            channels,
        };
        let network = Network::start(key, info, settings, inbox.clone()).await.unwrap();
        Host { network, inbox, seen: Vec::new() }
    }

    /// Collects events until `done` says so of all seen so far.
    async fn until(&mut self, what: &str, done: impl Fn(&[Event]) -> bool) {
        let end = Instant::now() + DEADLINE;
        while !done(&self.seen) {
            assert!(Instant::now() < end, "waited for {what}; saw {:?}", self.seen);
            self.inbox.drain(usize::MAX, &mut self.seen);
            tick().await;
        }
    }

    async fn until_counter(&self, name: &str, at_least: u64) {
        let end = Instant::now() + DEADLINE;
        while self.counter(name) < at_least {
            assert!(Instant::now() < end, "waited for {name}: {:?}", self.network.counters());
            tick().await;
        }
    }

    fn counter(&self, name: &str) -> u64 {
        self.network.counters().into_iter().find(|(n, _)| *n == name).unwrap().1
    }
}

/// The queues ring a thread's bell, not a task: tests look again every few milliseconds.
async fn tick() {
    let mut ticks = tokio::time::interval(Duration::from_millis(3));
    ticks.tick().await;
    ticks.tick().await;
}

fn ups(seen: &[Event]) -> usize {
    seen.iter().filter(|e| matches!(e, Event::PeerUp { .. })).count()
}

fn downs(seen: &[Event]) -> usize {
    seen.iter().filter(|e| matches!(e, Event::PeerDown { .. })).count()
}

fn messages(seen: &[Event], of: u8) -> Vec<Message> {
    seen.iter()
        .filter_map(|e| match e {
            Event::Message { message, .. } if message.channel().id() == of => {
                Some(Message::clone(message))
            }
            _ => None,
        })
        .collect()
}

/// On channel 0x20.
fn has_vote(index: u32) -> Message {
    let (height, round) = (Height(1), Round(0));
    Message::HasVote(HasVote { height, round, kind: VoteKind::Prevote, index })
}

/// On channel 0x30.
fn tx(bytes: impl Into<Bytes>) -> Message {
    Message::Txs(vec![bytes.into()])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_arrive_whole_and_in_order_on_every_channel() {
    let mut a = Host::start(info("x", 1), &[]).await;
    let mut b = Host::start(info("x", 2), &[&a]).await;
    let mut c = Host::start(info("x", 3), &[&a, &b]).await;
    a.until("two peers", |s| ups(s) == 2).await;
    b.until("two peers", |s| ups(s) == 2).await;
    c.until("two peers", |s| ups(s) == 2).await;
    for i in 0..300_u32 {
        a.network.send_all(0x20, &has_vote(i).encode());
        let some = tx([i.to_le_bytes().as_slice(), &[9; 400]].concat()).encode();
        assert!(a.network.send(b.network.local(), 0x30, some));
    }
    b.until("all", |s| messages(s, 0x20).len() == 300 && messages(s, 0x30).len() == 300).await;
    c.until("votes", |s| messages(s, 0x20).len() == 300).await;
    for seen in [messages(&b.seen, 0x20), messages(&b.seen, 0x30), messages(&c.seen, 0x20)] {
        let order = |m: &Message| match m {
            Message::HasVote(vote) => vote.index,
            Message::Txs(txs) => u32::from_le_bytes(txs[0][..4].try_into().unwrap()),
            other => panic!("{other:?}"),
        };
        assert!(seen.iter().map(order).eq(0..300));
    }
    let large = Bytes::from(vec![1; 3_000_000]);
    assert!(c.network.send(b.network.local(), 0x30, tx(large.clone()).encode()));
    b.until("all of it", |s| messages(s, 0x30).len() == 301).await;
    let last = messages(&b.seen, 0x30).pop();
    assert!(matches!(last, Some(Message::Txs(txs)) if txs == [large.clone()]));
    let first = b.network.connected().into_iter().find(|p| p.peer == a.network.local()).unwrap();
    assert_eq!((first.info.moniker.as_str(), first.is_outbound), ("host-1", true));
    assert!(first.received.bytes > 300 * 400 && first.received.rate_mean > 0, "{first:?}");
    let to_b = a.network.connected().into_iter().find(|p| p.peer == b.network.local()).unwrap();
    assert!(to_b.sent.bytes > 300 * 400 && to_b.sent.start <= std::time::SystemTime::now());
    assert!(to_b.duration > Duration::ZERO && to_b.sent.samples <= to_b.sent.bytes);
    assert_eq!(to_b.lanes.len(), channels::all().len());
    assert!(to_b.lanes.iter().all(|lane| lane.waiting == 0 && lane.capacity > 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_are_refused() {
    let mut other_genesis = info("x", 3);
    other_genesis.genesis_hash = vec![8; 32];
    let mut old_blocks = info("x", 4);
    old_blocks.block_protocol = 10;
    let mut a = Host::start(info("x", 1), &[]).await;
    let _b = Host::start(info("y", 2), &[&a]).await;
    a.until_counter("refused", 1).await;
    let _c = Host::start(other_genesis, &[&a]).await;
    let _d = Host::start(old_blocks, &[&a]).await;
    a.until_counter("refused", 3).await;
    let mut friend = Host::start(info("x", 5), &[&a]).await;
    friend.until("a friend is welcome", |s| ups(s) == 1).await;
    a.until("the friend", |s| ups(s) == 1).await;
}

#[test]
fn a_refusal_names_what_differs() {
    let ours = info("x", 1);
    assert_eq!(hello::check_compatible(&ours, &info("x", 2)), None);
    let said = hello::check_compatible(&ours, &info("y", 2)).unwrap();
    assert_eq!(said, "chain id is \"x\" here, \"y\" there");
    let none = NodeInfo { channels: vec![0x99], ..info("x", 2) };
    assert_eq!(hello::check_compatible(&ours, &none).unwrap(), "no channel in common");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_oversize_message_ends_the_connection_and_bans() {
    let mut a = Host::start(info("x", 1), &[]).await;
    let mut generous = channels::all();
    generous.iter_mut().for_each(|c| c.message_max = usize::MAX);
    let key = Keypair::generate_ed25519();
    let mut b = Host::start_with(key, info("x", 2), &[&a], generous).await;
    b.until("up", |s| ups(s) == 1).await;
    b.network.send(a.network.local(), 0x20, Bytes::from(vec![0; 2 << 20]));
    a.until("down", |s| downs(s) == 1).await;
    assert_eq!(a.counter("faults"), 1);
    assert!(messages(&a.seen, 0x20).is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_is_none_ends_the_connection_and_bans() {
    let mut a = Host::start(info("x", 1), &[]).await;
    let mut b = Host::start(info("x", 2), &[&a]).await;
    b.until("up", |s| ups(s) == 1).await;
    b.network.send(a.network.local(), 0x20, has_vote(1).encode());
    let garbage = Bytes::from_static(&[0xff; 40]);
    b.network.send(a.network.local(), 0x20, garbage);
    b.network.send(a.network.local(), 0x20, has_vote(2).encode());
    a.until("down", |s| downs(s) == 1).await;
    assert_eq!(a.counter("faults"), 1);
    assert_eq!(messages(&a.seen, 0x20).len(), 1, "what came before it counts, what follows not");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_does_not_read_is_dropped_and_others_are_not_delayed() {
    let mut a = Host::start(info("x", 1), &[]).await;
    let mut slow = Host::start(info("x", 2), &[&a]).await;
    let mut good = Host::start(info("x", 3), &[&a]).await;
    a.until("both", |s| ups(s) == 2).await;
    good.until("up", |s| ups(s) == 1).await;
    let set = PartSet::of_bytes(Bytes::from(vec![5; 60_000]));
    let part = Arc::new(set.parts().next().unwrap().clone());
    let part = Message::BlockPart { height: Height(1), round: Round(0), part }.encode();
    let mut sent = 0;
    // `slow` never drains its inbox: its window, then our queue for it, fill.
    while a.counter("overflowed") == 0 {
        assert!(sent < 4_000, "the queue must be bounded");
        a.network.send_all(0x21, &part);
        sent += 1;
        if sent % 16 == 0 {
            good.until("good keeps up", |s| messages(s, 0x21).len() == sent).await;
        }
    }
    a.until("slow is dropped", |s| downs(s) >= 1).await;
    let slow_id = slow.network.local();
    let is_slow = |e: &Event| matches!(e, Event::PeerDown { peer } if *peer == slow_id);
    assert!(a.seen.iter().any(is_slow));
    good.until("good got all", |s| messages(s, 0x21).len() == sent).await;
    slow.until("slow got its share", |s| !messages(s, 0x21).is_empty()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_peer_is_one_peer_again() {
    let mut a = Host::start(info("x", 1), &[]).await;
    let key = Keypair::generate_ed25519();
    let b = Host::start_with(key.clone(), info("x", 2), &[&a], channels::all()).await;
    a.until("up", |s| ups(s) == 1).await;
    // The old process' connection is still there when the new one dials.
    let mut b2 = Host::start_with(key, info("x", 3), &[&a], channels::all()).await;
    a.until("down and up", |s| ups(s) >= 2 && ups(s) - downs(s) == 1).await;
    b.network.shutdown();
    b2.until("up", |s| ups(s) >= 1).await;
    // The old one may have dialled once more before it ended.
    let network = a.network.clone();
    let is_new = |_: &[Event]| matches!(&network.connected()[..], [one] if one.info.session == 3);
    a.until("the new process alone", is_new).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_that_dial_each_other_end_with_one_connection() {
    let a = Host::start(info("x", 1), &[]).await;
    let mut b = Host::start(info("x", 2), &[&a]).await;
    let a_key = Keypair::generate_ed25519();
    let mut c = Host::start_with(a_key, info("x", 3), &[&a, &b], channels::all()).await;
    b.until("two", |s| ups(s) - downs(s) == 2).await;
    c.until("two", |s| ups(s) - downs(s) == 2).await;
    b.network.send(c.network.local(), 0x20, has_vote(7).encode());
    c.until("message", |s| messages(s, 0x20).len() == 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_banned_peer_stays_away_until_the_ban_ends() {
    let mut a = Host::start(info("x", 1), &[]).await;
    let mut b = Host::start(info("x", 2), &[&a]).await;
    a.until("up", |s| ups(s) == 1).await;
    let began = Instant::now();
    a.network.ban(b.network.local(), "test", Duration::from_millis(1200));
    a.until("down", |s| downs(s) == 1).await;
    a.until("up again", |s| ups(s) == 2).await;
    assert!(began.elapsed() >= Duration::from_millis(1200));
    b.until("both saw it", |s| ups(s) >= 2).await;
}

#[test]
fn frames_are_cut_at_their_lengths() {
    let mut out = BytesMut::new();
    frame::put(b"abc", &mut out);
    frame::put(&[1; 300], &mut out);
    let mut part = BytesMut::from(&out[..5]);
    assert_eq!(frame::take(&mut part, 300).unwrap().unwrap(), "abc");
    assert_eq!(frame::take(&mut part, 300), Ok(None));
    part.extend_from_slice(&out[5..]);
    assert_eq!(frame::take(&mut part, 300).unwrap().unwrap(), vec![1; 300]);
    let mut long = BytesMut::from(&out[4..]);
    assert_eq!(frame::take(&mut long, 299), Err(FrameError::Oversize { len: 300, max: 299 }));
    assert_eq!(frame::take(&mut BytesMut::from(&[0][..]), 9), Err(FrameError::Empty));
    assert_eq!(frame::take(&mut BytesMut::from(&[0xff; 10][..]), 9), Err(FrameError::Length));
    assert_eq!(frame::take(&mut BytesMut::from(&[0xff; 9][..]), 9), Ok(None));
}

#[test]
fn addresses_are_read_and_refused_with_their_text() {
    let id = Keypair::generate_ed25519().public().to_peer_id();
    let peers = parse_peers(&format!("{id}@127.0.0.1:26656, {id}@[::1]:7")).unwrap();
    assert_eq!(peers[1].address.to_string(), "/ip6/::1/tcp/7");
    assert_eq!(parse_peers("").unwrap(), []);
    let named = parse_peers(&format!("{id}@seed.example.org:9")).unwrap();
    assert_eq!(named[0].address.to_string(), "/dns/seed.example.org/tcp/9");
    assert!(parse_address("a b:9").is_err());
    for (text, says) in [
        ("127.0.0.1:26656", "is not PEERID@HOST:PORT"),
        ("nonsense@127.0.0.1:26656", "is not a libp2p peer id"),
        (&format!("{id}@127.0.0.1"), "is not HOST:PORT"),
    ] {
        assert!(parse_peers(text).unwrap_err().to_string().contains(says), "{text}");
    }
}

#[test]
fn a_peer_id_is_the_address_of_its_node_key() {
    let key = guts_genesis::PrivateKey::from_seed([7; 32]);
    let id = Keypair::ed25519_from_bytes(key.seed()).unwrap().public().to_peer_id();
    assert_eq!(hello::node_address(&id), Some(key.public_key().address()));
    // The id of an RSA key, in which there is none.
    let hashed = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N".parse().unwrap();
    assert_eq!(hello::node_address(&hashed), None);
}

#[test]
fn pauses_double_to_a_limit() {
    let seconds: Vec<f32> = (0..9).map(|n| pause(n).as_secs_f32()).collect();
    assert_eq!(seconds, [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 20.0, 20.0]);
    assert_eq!(pause(u32::MAX), Duration::from_secs(20));
    assert!(Class::Votes < Class::Txs);
}
