//! A peer with the right transport and the wrong everything else, against a node that runs: it is
//! dropped with a reason and the node goes on making blocks.

use crate::network::{DEADLINE, Network, eventually};
use futures::future::poll_fn;
use futures::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use guts_engine::network::dial::parse_address;
use guts_engine::network::hello::NodeInfo;
use guts_engine::network::{Keypair, Transport as Over};
use libp2p::core::Endpoint;
use libp2p::core::muxing::{StreamMuxerBox, StreamMuxerExt, SubstreamBox};
use libp2p::core::transport::{Boxed, DialOpts, PortUse, Transport};
use libp2p::core::upgrade::Version;
use libp2p::{PeerId, noise, quic, tcp, yamux};
use prost::Message;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

const HELLO: &str = "/guts/1/hello";
const VOTES: &str = "/guts/1/channel/0x22";

type Opened = oneshot::Sender<SubstreamBox>;

/// Where a node listens, and what on.
struct Place {
    address: String,
    over: Over,
}

impl Place {
    fn transport(&self, key: &Keypair) -> Boxed<(PeerId, StreamMuxerBox)> {
        match self.over {
            Over::Tcp => tcp::tokio::Transport::new(tcp::Config::new().nodelay(true))
                .upgrade(Version::V1)
                .authenticate(noise::Config::new(key).unwrap())
                .multiplex(yamux::Config::default())
                .boxed(),
            Over::Quic => quic::tokio::Transport::new(quic::Config::new(key))
                .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)))
                .boxed(),
        }
    }
}

/// One connection, with multistream-select and everything above it done by hand.
struct Peer {
    open: mpsc::UnboundedSender<Opened>,
    /// What the node said of itself.
    info: watch::Receiver<NodeInfo>,
    driver: JoinHandle<()>,
}

/// Moves the connection; done when it has ended.
struct Driver {
    muxer: StreamMuxerBox,
    wanted: mpsc::UnboundedReceiver<Opened>,
    next: Option<Opened>,
    heard: Arc<watch::Sender<NodeInfo>>,
}

impl Driver {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            match self.muxer.poll_unpin(cx) {
                Poll::Ready(Ok(_)) => continue,
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => {}
            }
            match self.muxer.poll_inbound_unpin(cx) {
                Poll::Ready(Ok(stream)) => {
                    tokio::spawn(answer(stream, self.heard.clone()));
                    continue;
                }
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => {}
            }
            if self.next.is_none()
                && let Poll::Ready(wanted) = self.wanted.poll_recv(cx)
            {
                let Some(wanted) = wanted else { return Poll::Ready(()) };
                self.next = Some(wanted);
            }
            if self.next.is_some() {
                match self.muxer.poll_outbound_unpin(cx) {
                    Poll::Ready(Ok(stream)) => {
                        let _ = self.next.take().unwrap().send(stream);
                        continue;
                    }
                    Poll::Ready(Err(_)) => return Poll::Ready(()),
                    Poll::Pending => {}
                }
            }
            return Poll::Pending;
        }
    }
}

fn line(text: &str) -> Vec<u8> {
    let mut bytes = vec![u8::try_from(text.len() + 1).unwrap()];
    bytes.extend_from_slice(text.as_bytes());
    bytes.push(b'\n');
    bytes
}

async fn read_line(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut len = [0];
    stream.read_exact(&mut len).await.ok()?;
    let mut text = vec![0; len[0].into()];
    stream.read_exact(&mut text).await.ok()?;
    Some(String::from_utf8(text).ok()?.trim_end().to_owned())
}

fn frame(message: &[u8]) -> Vec<u8> {
    let mut framed = Vec::new();
    prost::encoding::encode_varint(message.len() as u64, &mut framed);
    framed.extend_from_slice(message);
    framed
}

/// Answers a stream the node opened: accepts its hello, echoes its pings, refuses the rest.
async fn answer(stream: SubstreamBox, heard: Arc<watch::Sender<NodeInfo>>) -> Option<()> {
    let mut stream = stream;
    read_line(&mut stream).await?;
    let name = read_line(&mut stream).await?;
    stream.write_all(&line("/multistream/1.0.0")).await.ok()?;
    match name.as_str() {
        HELLO => {
            stream.write_all(&line(&name)).await.ok()?;
            stream.flush().await.ok()?;
            let mut bytes = vec![0; 4096];
            let mut len = 0;
            loop {
                len += stream.read(&mut bytes[len..]).await.ok()?;
                let mut rest = &bytes[..len];
                let size = prost::encoding::decode_varint(&mut rest).ok()? as usize;
                if rest.len() >= size {
                    heard.send_replace(NodeInfo::decode(&rest[..size]).ok()?);
                    break;
                }
            }
            // An answer without a refusal accepts.
            stream.write_all(&[0]).await.ok()?;
            stream.flush().await.ok()?;
        }
        "/ipfs/ping/1.0.0" => {
            stream.write_all(&line(&name)).await.ok()?;
            let mut ping = [0; 32];
            while stream.read_exact(&mut ping).await.is_ok() {
                stream.write_all(&ping).await.ok()?;
                stream.flush().await.ok()?;
            }
        }
        name if name.starts_with("/guts/1/channel/") => {
            // Taken, and never read.
            stream.write_all(&line(name)).await.ok()?;
            stream.flush().await.ok()?;
        }
        _ => {
            stream.write_all(&line("na")).await.ok()?;
            stream.flush().await.ok()?;
        }
    }
    // Held until the connection ends.
    std::future::pending().await
}

impl Peer {
    async fn connect(place: &Place) -> Peer {
        let mut transport = place.transport(&Keypair::generate_ed25519());
        let opts = DialOpts { role: Endpoint::Dialer, port_use: PortUse::New };
        let address = parse_address(&place.address).unwrap().over(place.over);
        let dialled = transport.dial(address, opts).unwrap();
        let (_, muxer) = dialled.await.unwrap();
        let (open, wanted) = mpsc::unbounded_channel();
        let (heard, info) = watch::channel(NodeInfo::default());
        let mut driver = Driver { muxer, wanted, next: None, heard: Arc::new(heard) };
        let driver = tokio::spawn(poll_fn(move |cx| driver.poll(cx)));
        Peer { open, info, driver }
    }

    /// Opens a stream of this name; without one if the node refuses it.
    async fn stream(&self, name: &str) -> Option<SubstreamBox> {
        let (opened, stream) = oneshot::channel();
        self.open.send(opened).ok()?;
        let mut stream = stream.await.ok()?;
        let hello = [line("/multistream/1.0.0"), line(name)].concat();
        stream.write_all(&hello).await.ok()?;
        stream.flush().await.ok()?;
        read_line(&mut stream).await?;
        (read_line(&mut stream).await? == name).then_some(stream)
    }

    /// Opens a stream and writes bytes on it.
    async fn write(&self, name: &str, bytes: &[u8]) -> SubstreamBox {
        let mut stream = self.stream(name).await.expect("the node takes this stream");
        // The node may end the connection meanwhile.
        let _ = stream.write_all(bytes).await;
        let _ = stream.flush().await;
        stream
    }

    /// Says hello as a node of the same network would.
    async fn enter(place: &Place) -> Peer {
        let mut peer = Peer::connect(place).await;
        let mut info = peer.info.wait_for(|info| !info.chain_id.is_empty()).await.unwrap().clone();
        (info.session, info.moniker) = (1, "hostile".into());
        let mut stream = peer.write(HELLO, &frame(&info.encode_to_vec())).await;
        let mut answer = [1];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, [0], "accepted");
        peer
    }

    /// Waits until the node has ended the connection.
    async fn dropped(self) {
        tokio::time::timeout(DEADLINE, self.driver).await.expect("dropped").unwrap();
    }
}

/// Waits for a line of the node's log.
async fn says(network: &Network, words: &str) {
    let log = || async { network.nodes[0].log().contains(words).then_some(()) };
    let found = eventually(log).await;
    assert!(found.is_some(), "waited for {words:?} in\n{}", network.nodes[0].log());
}

async fn start(over: Over) -> (Network, Place) {
    let network = Network::start(1, &[&format!("p2p.transports={over}")]).await;
    network.reach(1).await;
    let place = Place { address: network.nodes[0].p2p().to_owned(), over };
    (network, place)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_and_garbage_at_the_hello_are_dropped() {
    strangers_and_garbage(Over::Tcp).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_and_garbage_at_the_hello_are_dropped_over_quic() {
    strangers_and_garbage(Over::Quic).await;
}

async fn strangers_and_garbage(over: Over) {
    let (network, place) = start(over).await;
    let mut first = Peer::connect(&place).await;
    let ours = first.info.wait_for(|info| !info.chain_id.is_empty()).await.unwrap().clone();
    let hello = |change: fn(&mut NodeInfo)| {
        let mut info = ours.clone();
        change(&mut info);
        frame(&info.encode_to_vec())
    };
    let cases: [(Vec<u8>, &str, &str); 6] = [
        (frame(&[0xff; 60]), "its hello is unreadable", ""),
        (vec![0xff; 64], "a message length that is not a varint", ""),
        (vec![0xff, 0xff, 0xff, 0x7f], "at most 10240 are allowed here", ""),
        (hello(|i| i.chain_id = "other".into()), "refused: chain id is", "chain id is"),
        (
            hello(|i| i.genesis_hash[0] ^= 1),
            "the genesis documents of chain",
            "the genesis documents",
        ),
        (hello(|i| i.channels = vec![0x99]), "no channel in common", "no channel in common"),
    ];
    for (bytes, reason, told) in cases {
        let peer = Peer::connect(&place).await;
        let mut stream = peer.write(HELLO, &bytes).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert_eq!(answer.is_empty(), told.is_empty(), "garbage is not worth an answer");
        assert!(String::from_utf8_lossy(&answer).contains(told), "{told}");
        peer.dropped().await;
        says(&network, reason).await;
    }
    // Silence is an offence too, after a while: the first peer never said hello.
    first.dropped().await;
    says(&network, "no hello in time").await;
    network.nodes[0].commit("after", "strangers").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_message_drops_the_peer_and_the_node_goes_on() {
    no_messages(Over::Tcp).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_message_drops_the_peer_and_the_node_goes_on_over_quic() {
    no_messages(Over::Quic).await;
}

async fn no_messages(over: Over) {
    let (network, place) = start(over).await;
    let cases: [(&str, Vec<u8>, &str); 6] = [
        (VOTES, frame(&[0xff; 60]), "channel 0x22: not a message of its channel"),
        (VOTES, frame(&[0x7a, 0x00]), "channel 0x22: unknown kind of message"),
        (VOTES, vec![0xff; 20], "channel 0x22: a message length that is not a varint"),
        (VOTES, vec![0x81, 0x80, 0x80, 0x01], "channel 0x22: a message of 2097153 bytes"),
        (VOTES, vec![0], "channel 0x22: an empty message"),
        ("/guts/1/channel/0x30", frame(&[0x0a, 0x09, 0x0a]), "channel 0x30"),
    ];
    for (name, bytes, reason) in cases {
        let peer = Peer::enter(&place).await;
        let _stream = peer.write(name, &bytes).await;
        peer.dropped().await;
        says(&network, reason).await;
    }
    // A frame that is cut off, and one that stops in the middle.
    let peer = Peer::enter(&place).await;
    let mut stream = peer.write(VOTES, &frame(&[7; 60])[..20]).await;
    stream.close().await.unwrap();
    peer.dropped().await;
    says(&network, "it closed channel 0x22").await;
    let peer = Peer::enter(&place).await;
    let _stalled = peer.write("/guts/1/channel/0x40", &frame(&[7; 600])[..20]).await;
    // A channel nobody knows is refused; the peer may stay.
    assert!(peer.stream("/guts/1/channel/0x99").await.is_none());
    network.nodes[0].commit("while", "stalled").await;
    peer.dropped().await;
    says(&network, "it stopped in the middle of a message of channel 0x40").await;
    assert!(!network.nodes[0].log().contains("panicked"), "{}", network.nodes[0].log());
    network.nodes[0].commit("after", "garbage").await;
}
