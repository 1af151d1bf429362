//! Several hosts on loopback: order, refusals, hostile peers, slow readers, coming back.

use super::channels::{Class, INBOX_ROOMS};
use super::dial::{PeerAddress, Schedule, parse_address, parse_peers, pause};
use super::frame::{self, FrameError};
use super::hello::NodeInfo;
use super::*;
use crate::queue::Bell;
use bytes::BytesMut;
use guts_consensus::messages::HasVote;
use guts_consensus::types::{PartSet, VoteKind};
use guts_genesis::{Height, Round};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Instant;

const DEADLINE: Duration = Duration::from_secs(90);

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
    /// One that speaks over one transport.
    async fn start(over: Transport, info: NodeInfo, peers: &[&Host]) -> Host {
        let key = Keypair::generate_ed25519();
        Host::start_with(key, info, addresses(peers), settings(&[over])).await
    }

    /// The same with a key of the test's.
    async fn start_as(key: Keypair, over: Transport, info: NodeInfo, peers: &[&Host]) -> Host {
        Host::start_with(key, info, addresses(peers), settings(&[over])).await
    }

    async fn start_with(
        key: Keypair,
        info: NodeInfo,
        persistent: Vec<PeerAddress>,
        settings: Settings,
    ) -> Host {
        let inbox = Arc::new(Queue::new(Bell::default(), &INBOX_ROOMS));
        let settings = Settings { persistent, ..settings };
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

fn settings(transports: &[Transport]) -> Settings {
    Settings {
        listen: "tcp://127.0.0.1:0".into(),
        transports: transports.into(),
        persistent: Vec::new(),
        inbound_max: 10,
        outbound_max: 10,
        channels: channels::all(),
    }
}

/// Where each listens, the first of its transports; over which is not said.
fn addresses(peers: &[&Host]) -> Vec<PeerAddress> {
    let address = |host: &&Host| PeerAddress {
        peer: host.network.local(),
        address: parse_address(&host.network.listening()[0].1).unwrap(),
        transport: None,
    };
    peers.iter().map(address).collect()
}

/// Runs a test of connections over each transport.
macro_rules! over_each_transport {
    ($($test:ident,)*) => {
        mod tcp {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(super::Transport::Tcp).await;
            })*
        }
        mod quic {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(super::Transport::Quic).await;
            })*
        }
    };
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

over_each_transport! {
    messages_arrive_whole_and_in_order_on_every_channel,
    strangers_are_refused,
    an_oversize_message_ends_the_connection_and_bans,
    a_message_that_is_none_ends_the_connection_and_bans,
    a_peer_that_does_not_read_is_dropped_and_others_are_not_delayed,
    a_restarted_peer_is_one_peer_again,
    two_that_dial_each_other_end_with_one_connection,
    two_that_dial_each_other_at_once_end_with_one_connection,
    a_banned_peer_stays_away_until_the_ban_ends,
    no_more_come_in_than_are_allowed,
}

async fn messages_arrive_whole_and_in_order_on_every_channel(over: Transport) {
    let mut a = Host::start(over, info("x", 1), &[]).await;
    let mut b = Host::start(over, info("x", 2), &[&a]).await;
    let mut c = Host::start(over, info("x", 3), &[&a, &b]).await;
    a.until("two peers", |s| ups(s) == 2).await;
    b.until("two peers", |s| ups(s) == 2).await;
    c.until("two peers", |s| ups(s) == 2).await;
    for i in 0..300_u32 {
        a.network.send_all(0x20, &has_vote(i).encode());
        let some = tx([i.to_le_bytes().as_slice(), &[9; 400]].concat()).encode();
        assert!(a.network.send(b.network.local(), 0x30, || some));
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
    assert!(c.network.send(b.network.local(), 0x30, || tx(large.clone()).encode()));
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

async fn strangers_are_refused(over: Transport) {
    let mut other_genesis = info("x", 3);
    other_genesis.genesis_hash = vec![8; 32];
    let mut old_blocks = info("x", 4);
    old_blocks.block_protocol = 10;
    let mut a = Host::start(over, info("x", 1), &[]).await;
    let _b = Host::start(over, info("y", 2), &[&a]).await;
    a.until_counter("refused", 1).await;
    let _c = Host::start(over, other_genesis, &[&a]).await;
    let _d = Host::start(over, old_blocks, &[&a]).await;
    a.until_counter("refused", 3).await;
    let mut friend = Host::start(over, info("x", 5), &[&a]).await;
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

async fn an_oversize_message_ends_the_connection_and_bans(over: Transport) {
    let mut a = Host::start(over, info("x", 1), &[]).await;
    let mut generous = channels::all();
    generous.iter_mut().for_each(|c| c.message_max = usize::MAX);
    let key = Keypair::generate_ed25519();
    let settings = Settings { channels: generous, ..settings(&[over]) };
    let mut b = Host::start_with(key, info("x", 2), addresses(&[&a]), settings).await;
    b.until("up", |s| ups(s) == 1).await;
    b.network.send(a.network.local(), 0x20, || Bytes::from(vec![0; 2 << 20]));
    a.until("down", |s| downs(s) == 1).await;
    assert_eq!(a.counter("faults"), 1);
    assert!(messages(&a.seen, 0x20).is_empty());
}

async fn a_message_that_is_none_ends_the_connection_and_bans(over: Transport) {
    let mut a = Host::start(over, info("x", 1), &[]).await;
    let mut b = Host::start(over, info("x", 2), &[&a]).await;
    b.until("up", |s| ups(s) == 1).await;
    b.network.send(a.network.local(), 0x20, || has_vote(1).encode());
    let garbage = Bytes::from_static(&[0xff; 40]);
    b.network.send(a.network.local(), 0x20, || garbage);
    b.network.send(a.network.local(), 0x20, || has_vote(2).encode());
    a.until("down", |s| downs(s) == 1).await;
    assert_eq!(a.counter("faults"), 1);
    assert_eq!(messages(&a.seen, 0x20).len(), 1, "what came before it counts, what follows not");
}

async fn a_peer_that_does_not_read_is_dropped_and_others_are_not_delayed(over: Transport) {
    let mut a = Host::start(over, info("x", 1), &[]).await;
    let mut slow = Host::start(over, info("x", 2), &[&a]).await;
    let mut good = Host::start(over, info("x", 3), &[&a]).await;
    a.until("both", |s| ups(s) == 2).await;
    good.until("up", |s| ups(s) == 1).await;
    let set = PartSet::of_bytes(Bytes::from(vec![5; 60_000]));
    let part = Arc::new(set.parts().next().unwrap().clone());
    let part = Message::BlockPart { height: Height(1), round: Round(0), part }.encode();
    let (slow_id, blocks) = (slow.network.local(), 0x40);
    assert!(a.network.has_room(slow_id, blocks));
    let (mut sent, mut is_full) = (0, false);
    // `slow` never drains its inbox: its window, then our queue for it, fill.
    while a.counter("overflowed") == 0 {
        assert!(sent < 4_000, "the queue must be bounded");
        a.network.send_all(0x21, &part);
        sent += 1;
        is_full |= a.counter("overflowed") == 0 && !a.network.has_room(slow_id, blocks);
        if sent % 16 == 0 {
            good.until("good keeps up", |s| messages(s, 0x21).len() == sent).await;
        }
    }
    a.until("slow is dropped", |s| downs(s) >= 1).await;
    assert!(is_full, "it has no room for blocks before it is dropped");
    let is_slow = |e: &Event| matches!(e, Event::PeerDown { peer } if *peer == slow_id);
    assert!(a.seen.iter().any(is_slow));
    good.until("good got all", |s| messages(s, 0x21).len() == sent).await;
    assert!(a.network.has_room(good.network.local(), blocks));
    slow.until("slow got its share", |s| !messages(s, 0x21).is_empty()).await;
}

async fn a_restarted_peer_is_one_peer_again(over: Transport) {
    let mut a = Host::start(over, info("x", 1), &[]).await;
    let key = Keypair::generate_ed25519();
    let b = Host::start_as(key.clone(), over, info("x", 2), &[&a]).await;
    a.until("up", |s| ups(s) == 1).await;
    // The old process' connection is still there when the new one dials.
    let mut b2 = Host::start_as(key, over, info("x", 3), &[&a]).await;
    a.until("down and up", |s| ups(s) >= 2 && ups(s) - downs(s) == 1).await;
    b.network.shutdown();
    b2.until("up", |s| ups(s) >= 1).await;
    // The old one may have dialled once more before it ended.
    let network = a.network.clone();
    let is_new = |_: &[Event]| matches!(&network.connected()[..], [one] if one.info.session == 3);
    a.until("the new process alone", is_new).await;
}

async fn two_that_dial_each_other_end_with_one_connection(over: Transport) {
    let a = Host::start(over, info("x", 1), &[]).await;
    let mut b = Host::start(over, info("x", 2), &[&a]).await;
    let a_key = Keypair::generate_ed25519();
    let mut c = Host::start_as(a_key, over, info("x", 3), &[&a, &b]).await;
    b.until("two", |s| ups(s) - downs(s) == 2).await;
    c.until("two", |s| ups(s) - downs(s) == 2).await;
    b.network.send(c.network.local(), 0x20, || has_vote(7).encode());
    c.until("message", |s| messages(s, 0x20).len() == 1).await;
}

/// `HOST:PORT`s at which nothing listens, on an address of this machine that is this test's alone.
fn free_addresses(count: usize) -> Vec<String> {
    let process = std::process::id();
    let host = format!("127.{}.{}.255", 1 + (process >> 8) % 254, process % 256);
    // Held until all are drawn, so that none is drawn twice.
    let held: Vec<_> = (0..count).map(|_| TcpListener::bind((host.as_str(), 0)).unwrap()).collect();
    held.iter().map(|socket| socket.local_addr().unwrap().to_string()).collect()
}

fn named(key: &Keypair, address: &str) -> PeerAddress {
    let address = parse_address(address).unwrap();
    PeerAddress { peer: key.public().to_peer_id(), address, transport: None }
}

async fn two_that_dial_each_other_at_once_end_with_one_connection(over: Transport) {
    let addresses = free_addresses(12);
    let pairs = addresses.chunks(2).enumerate().map(|(number, at)| async move {
        let (number, keys) = (number as u64, [(); 2].map(|()| Keypair::generate_ed25519()));
        let host = |own: usize, other: usize| {
            let peers = vec![named(&keys[other], &at[other])];
            let settings = Settings { listen: at[own].clone(), ..settings(&[over]) };
            let info = info("x", 2 * number + own as u64);
            Host::start_with(keys[own].clone(), info, peers, settings)
        };
        let (mut a, mut b) = tokio::join!(host(0, 1), host(1, 0));
        // What is sent over the connection that ends is lost.
        let end = Instant::now() + DEADLINE;
        let has_heard = |host: &Host| !messages(&host.seen, 0x20).is_empty();
        while !(has_heard(&a) && has_heard(&b)) {
            assert!(Instant::now() < end, "{:?} {:?}", a.seen, b.seen);
            for host in [&mut a, &mut b] {
                host.network.send_all(0x20, &has_vote(7).encode());
                host.inbox.drain(usize::MAX, &mut host.seen);
            }
            tick().await;
        }
        let (one, other) = (a.network.clone(), b.network.clone());
        let is_one = |_: &[Event]| match (&one.connected()[..], &other.connected()[..]) {
            ([here], [there]) => here.is_outbound != there.is_outbound,
            _ => false,
        };
        a.until("one connection, dialled by one of them", is_one).await;
    });
    futures::future::join_all(pairs).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_has_our_port_on_another_address_does_not_keep_us_from_dialling() {
    let mut a = Host::start(Transport::Tcp, info("x", 1), &[]).await;
    let listen = free_addresses(1).remove(0);
    let port = listen.parse::<SocketAddr>().unwrap().port();
    // On loopback like what we listen on, and shared with nobody.
    let _other = (0..=u8::MAX)
        .find_map(|host| TcpListener::bind((Ipv4Addr::new(127, 0, 1, host), port)).ok())
        .unwrap();
    let settings = Settings { listen, ..settings(&[Transport::Tcp]) };
    let peers = addresses(&[&a]);
    let mut b = Host::start_with(Keypair::generate_ed25519(), info("x", 2), peers, settings).await;
    b.until("up", |s| ups(s) == 1).await;
    a.until("up", |s| ups(s) == 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_does_not_answer_at_first_is_dialled_again() {
    let (key, listen) = (Keypair::generate_ed25519(), free_addresses(1).remove(0));
    let peers = vec![named(&key, &listen)];
    let early = TcpListener::bind(&listen).unwrap();
    let own = settings(&[Transport::Tcp]);
    let mut b = Host::start_with(Keypair::generate_ed25519(), info("x", 2), peers, own).await;
    // It hangs up on the first dial; then nobody is there; then the peer is.
    let first = tokio::task::spawn_blocking(move || drop(early.accept().unwrap()));
    tokio::time::timeout(DEADLINE, first).await.expect("a dial").unwrap();
    let settings = Settings { listen, ..settings(&[Transport::Tcp]) };
    let mut a = Host::start_with(key, info("x", 1), vec![], settings).await;
    b.until("up", |s| ups(s) == 1).await;
    a.until("up", |s| ups(s) == 1).await;
}

async fn a_banned_peer_stays_away_until_the_ban_ends(over: Transport) {
    let mut a = Host::start(over, info("x", 1), &[]).await;
    let mut b = Host::start(over, info("x", 2), &[&a]).await;
    a.until("up", |s| ups(s) == 1).await;
    let began = Instant::now();
    a.network.ban(b.network.local(), "test", Duration::from_millis(1200));
    a.until("down", |s| downs(s) == 1).await;
    a.until("up again", |s| ups(s) == 2).await;
    assert!(began.elapsed() >= Duration::from_millis(1200));
    b.until("both saw it", |s| ups(s) >= 2).await;
}

async fn no_more_come_in_than_are_allowed(over: Transport) {
    let few = Settings { inbound_max: 1, ..settings(&[over]) };
    let mut a = Host::start_with(Keypair::generate_ed25519(), info("x", 1), vec![], few).await;
    let b = Host::start(over, info("x", 2), &[&a]).await;
    a.until("the one it takes", |s| ups(s) == 1).await;
    // Dials both at the same time.
    let mut c = Host::start(over, info("x", 3), &[&a, &b]).await;
    c.until("the one that has room", |s| ups(s) == 1).await;
    assert_eq!(c.network.connected()[0].peer, b.network.local());
    b.network.shutdown();
    c.until("its turn", |s| ups(s) == 2).await;
    a.until("the next", |s| ups(s) == 2).await;
    let gone = a.seen.iter().position(|event| matches!(event, Event::PeerDown { .. }));
    let next = a.seen.iter().rposition(|event| matches!(event, Event::PeerUp { .. }));
    let is_in_turn = gone.zip(next).is_some_and(|(gone, next)| gone < next);
    assert!(is_in_turn, "one at a time: {:?}", a.seen);
}

/// Sockets to `host`, from another address than its friends'.
async fn strangers(host: &Host, count: usize) -> Vec<tokio::net::TcpStream> {
    let to: std::net::SocketAddr = host.network.listening()[0].1.parse().unwrap();
    let mut sockets = Vec::new();
    for _ in 0..count {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.94.1:0".parse().unwrap()).unwrap();
        sockets.push(socket.connect(to).await.unwrap());
    }
    sockets
}

/// Whether the other end has closed it. Nothing is ever sent on it.
fn is_closed(socket: &tokio::net::TcpStream) -> bool {
    let read = socket.try_read(&mut [0; 1]);
    !matches!(read, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_configured_peer_gets_in_while_strangers_hold_silent_sockets() {
    let (key, nowhere) = (Keypair::generate_ed25519(), parse_address("127.0.0.1:1").unwrap());
    let peer = key.public().to_peer_id();
    // Configured, but it has to come by itself.
    let known = vec![PeerAddress { peer, address: nowhere, transport: None }];
    let few = Settings { inbound_max: 1, ..settings(&[Transport::Tcp]) };
    let mut a = Host::start_with(Keypair::generate_ed25519(), info("x", 1), known, few).await;
    let (began, more) = (Instant::now(), 10);
    let sockets = strangers(&a, door::HOST_MAX + more).await;
    let closed = || sockets.iter().filter(|socket| is_closed(socket)).count();
    a.until("one address has its share", |_| closed() >= more).await;
    let _friend = Host::start_as(key, Transport::Tcp, info("x", 2), &[&a]).await;
    a.until("the peer", |s| ups(s) == 1).await;
    let are_silent = closed() == more;
    assert!(are_silent || began.elapsed() > transport::HANDSHAKE_MAX, "it did not wait for them");
    a.until("they are given up", |_| closed() == sockets.len()).await;
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
    let spelt = |peer: &PeerAddress, over| peer.address.over(over).to_string();
    assert_eq!(spelt(&peers[1], Transport::Tcp), "/ip6/::1/tcp/7");
    assert_eq!(spelt(&peers[0], Transport::Quic), "/ip4/127.0.0.1/udp/26656/quic-v1");
    assert_eq!(peers[0].transport, None);
    let peers = parse_peers(&format!("quic://{id}@127.0.0.1:7,tcp://{id}@127.0.0.1:7")).unwrap();
    let over: Vec<_> = peers.iter().map(|peer| peer.transport).collect();
    assert_eq!(over, [Some(Transport::Quic), Some(Transport::Tcp)]);
    assert_eq!(parse_peers("").unwrap(), []);
    let named = parse_peers(&format!("{id}@seed.example.org:9")).unwrap();
    assert_eq!(spelt(&named[0], Transport::Tcp), "/dns/seed.example.org/tcp/9");
    assert!(parse_address("a b:9").is_err());
    for (text, says) in [
        ("127.0.0.1:26656", "is not PEERID@HOST:PORT"),
        ("nonsense@127.0.0.1:26656", "is not a libp2p peer id"),
        (&format!("udp://{id}@127.0.0.1:26656"), "is not a libp2p peer id"),
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_speaks_one_transport_or_the_other_is_one_network() {
    let key = Keypair::generate_ed25519;
    let mut tcp = Host::start(Transport::Tcp, info("x", 1), &[]).await;
    let mut quic = Host::start(Transport::Quic, info("x", 2), &[]).await;
    let others = addresses(&[&tcp, &quic]);
    // Each finds one of the two over what it tries first, the other over what it tries then.
    let first = settings(&[Transport::Quic, Transport::Tcp]);
    let mut first = Host::start_with(key(), info("x", 3), others.clone(), first).await;
    let second = settings(&[Transport::Tcp, Transport::Quic]);
    let mut second = Host::start_with(key(), info("x", 4), others, second).await;
    for both in [&mut first, &mut second] {
        both.until("two peers", |s| ups(s) == 2).await;
        for (host, over) in [(&tcp, Transport::Tcp), (&quic, Transport::Quic)] {
            let found = both.network.connected();
            let found = found.iter().find(|one| one.peer == host.network.local()).unwrap();
            assert_eq!((found.transport, found.is_outbound), (over, true));
            assert_eq!(found.remote, host.network.listening()[0].1);
        }
        assert_eq!(both.network.listening().len(), 2);
    }
    for host in [&mut tcp, &mut quic] {
        host.until("two peers", |s| ups(s) == 2).await;
        host.network.send_all(0x20, &has_vote(7).encode());
    }
    for both in [&mut first, &mut second] {
        both.until("both votes", |s| messages(s, 0x20).len() == 2).await;
    }
}

#[test]
fn a_peer_is_dialled_over_every_transport_before_a_pause() {
    let (peer, begun) = (PeerId::random(), Instant::now());
    let peers = parse_peers(&format!("{peer}@10.0.0.1:7, tcp://{peer}@10.0.0.2:8")).unwrap();
    let order = [Transport::Quic, Transport::Tcp];
    let mut schedule = Schedule::new(peers, &order, begun);
    let next = |schedule: &mut Schedule, now| -> Vec<String> {
        let due = schedule.due(now).into_iter();
        due.map(|(_, way)| way.address.over(way.transport).to_string()).collect()
    };
    let (quic, tcp) = ("/ip4/10.0.0.1/udp/7/quic-v1", "/ip4/10.0.0.1/tcp/7");
    for way in [quic, tcp, "/ip4/10.0.0.2/tcp/8"] {
        assert_eq!(next(&mut schedule, begun), [way], "one at a time");
        assert!(next(&mut schedule, begun).is_empty() && schedule.next().is_none());
        schedule.on_down(peer, begun, None);
    }
    let later = schedule.next().unwrap();
    assert!(later > begun && later < begun + Duration::from_secs(1), "all have failed");
    assert_eq!(next(&mut schedule, later), [quic]);
    // A connection that did not last speaks for the next way, one that did for the first.
    schedule.on_up(peer, later);
    schedule.on_down(peer, later, None);
    assert!(schedule.next().unwrap() > later);
    let later = later + Duration::from_secs(60);
    assert_eq!(next(&mut schedule, later), [tcp]);
    schedule.on_up(peer, later);
    let later = later + Duration::from_secs(60);
    schedule.on_down(peer, later, Some(later + Duration::from_secs(30)));
    assert_eq!(schedule.next(), Some(later + Duration::from_secs(30)), "not while it is banned");
    assert_eq!(next(&mut schedule, later + Duration::from_secs(30)), [quic]);
}

#[test]
fn pauses_double_to_a_limit() {
    let seconds: Vec<f32> = (0..9).map(|n| pause(n).as_secs_f32()).collect();
    assert_eq!(seconds, [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 20.0, 20.0]);
    assert_eq!(pause(u32::MAX), Duration::from_secs(20));
    assert!(Class::Votes < Class::Txs);
}
