//! The first stream of a connection: each side says who it is, the other accepts or refuses it
//! with a reason. Nothing else is spoken before both sides have accepted each other.

use super::frame::{self, FrameError};
use bytes::BytesMut;
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use guts_genesis::{Address, PublicKey};
use prost::Message;
use std::time::Duration;

/// Name of the stream.
pub const PROTOCOL: &str = "/guts/1/hello";
/// Largest hello or answer, in bytes.
pub const MESSAGE_MAX: usize = 10 * 1024;
/// Longest reason that is kept of a peer's refusal, in characters.
const REASON_MAX: usize = 200;
/// How long a peer may take to read that it is refused.
const READING_MAX: Duration = Duration::from_secs(1);

/// What a node says of itself. Protobuf; unknown fields are ignored, so it may grow.
#[derive(Clone, PartialEq, Message)]
pub struct NodeInfo {
    /// Chain id of the genesis document.
    #[prost(string, tag = "1")]
    pub chain_id: String,
    /// SHA-256 of the genesis document.
    #[prost(bytes = "vec", tag = "2")]
    pub genesis_hash: Vec<u8>,
    /// Version of the block format (11).
    #[prost(uint64, tag = "3")]
    pub block_protocol: u64,
    /// Version of this peer protocol (8, CometBFT's number).
    #[prost(uint64, tag = "4")]
    pub p2p_protocol: u64,
    /// Version of the application's rules.
    #[prost(uint64, tag = "5")]
    pub app_version: u64,
    /// Numbers of the channels it reads.
    #[prost(bytes = "vec", tag = "6")]
    pub channels: Vec<u8>,
    /// The operator's name for the node.
    #[prost(string, tag = "7")]
    pub moniker: String,
    /// Version of the program.
    #[prost(string, tag = "8")]
    pub version: String,
    /// Where it listens for peers, as configured.
    #[prost(string, tag = "9")]
    pub listen_addr: String,
    /// Where its RPC listens, as configured.
    #[prost(string, tag = "10")]
    pub rpc_addr: String,
    /// Drawn at each start: tells a restarted peer's new connection from a second one.
    #[prost(uint64, tag = "11")]
    pub session: u64,
    /// `on` or `off`: whether it finds transactions. Empty from nodes that do not say.
    #[prost(string, tag = "12")]
    pub tx_index: String,
}

#[derive(Clone, PartialEq, Message)]
struct Answer {
    /// Empty: accepted. Otherwise why not.
    #[prost(string, tag = "1")]
    refused: String,
}

/// Why a hello did not end with a peer.
#[derive(Debug, thiserror::Error)]
pub enum HelloError {
    /// We refuse the peer.
    #[error("refused: {0}")]
    Refused(String),
    /// The peer refuses us.
    #[error("it refused us: {0}")]
    RefusedUs(String),
    /// Not a hello.
    #[error("its hello is unreadable: {0}")]
    Garbage(String),
    /// The stream broke.
    #[error("the hello stream broke: {0}")]
    Io(#[from] std::io::Error),
}

impl From<FrameError> for HelloError {
    fn from(e: FrameError) -> Self {
        HelloError::Garbage(e.to_string())
    }
}

/// Why `ours` does not talk to `theirs`, `None` if it does.
pub fn check_compatible(ours: &NodeInfo, theirs: &NodeInfo) -> Option<String> {
    if theirs.chain_id != ours.chain_id {
        return Some(format!(
            "chain id is {:?} here, {:?} there",
            ours.chain_id,
            short(&theirs.chain_id)
        ));
    }
    if theirs.genesis_hash != ours.genesis_hash {
        return Some(format!(
            "the genesis documents of chain {:?} differ: hash {} here, {} there",
            ours.chain_id,
            hex::encode(&ours.genesis_hash),
            hex::encode(&theirs.genesis_hash[..theirs.genesis_hash.len().min(32)])
        ));
    }
    if theirs.block_protocol != ours.block_protocol {
        return Some(format!(
            "block protocol is {} here, {} there",
            ours.block_protocol, theirs.block_protocol
        ));
    }
    if !ours.channels.iter().any(|c| theirs.channels.contains(c)) {
        return Some("no channel in common".into());
    }
    None
}

/// Says hello on a stream we opened and waits for the peer's verdict.
///
/// # Errors
/// The peer refused us, or the stream broke.
pub async fn say<S>(mut stream: S, ours: &NodeInfo) -> Result<(), HelloError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    write(&mut stream, &ours.encode_to_vec()).await?;
    let answer = Answer::decode(read(&mut stream).await?.as_ref())
        .map_err(|e| HelloError::Garbage(e.to_string()))?;
    let _ = stream.close().await;
    match answer.refused.as_str() {
        "" => Ok(()),
        reason => Err(HelloError::RefusedUs(short(reason))),
    }
}

/// Hears a peer's hello on a stream it opened and answers it.
///
/// # Errors
/// We refused the peer, its hello is no hello, or the stream broke.
pub async fn hear<S>(stream: &mut S, ours: &NodeInfo) -> Result<NodeInfo, HelloError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let theirs = NodeInfo::decode(read(stream).await?.as_ref())
        .map_err(|e| HelloError::Garbage(e.to_string()))?;
    let refused = check_compatible(ours, &theirs);
    let answer = Answer { refused: refused.clone().unwrap_or_default() };
    write(stream, &answer.encode_to_vec()).await?;
    let _ = stream.close().await;
    match refused {
        None => Ok(theirs),
        Some(reason) => Err(HelloError::Refused(reason)),
    }
}

/// Waits, not for long, until a peer has read why it was refused and closes its half: QUIC drops
/// what is still on its way when the connection ends.
pub(super) async fn let_read<S: AsyncRead + Unpin>(stream: &mut S) {
    // Whatever it has to say besides, it has had its answer.
    let _ = tokio::time::timeout(READING_MAX, stream.read(&mut [0_u8])).await;
}

async fn write<S: AsyncWrite + Unpin>(stream: &mut S, message: &[u8]) -> std::io::Result<()> {
    let mut out = BytesMut::new();
    frame::put(message, &mut out);
    stream.write_all(&out).await?;
    stream.flush().await
}

async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> Result<Vec<u8>, HelloError> {
    let mut buffer = BytesMut::new();
    let mut chunk = [0_u8; 1024];
    loop {
        // An accepting answer encodes to no bytes at all.
        if buffer.first() == Some(&0) {
            return Ok(Vec::new());
        }
        if let Some(message) = frame::take(&mut buffer, MESSAGE_MAX)? {
            return Ok(message.to_vec());
        }
        let n = stream.read(&mut chunk).await?;
        if n == 0 {
            return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
        }
        buffer.extend_from_slice(&chunk[..n]);
    }
}

fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(REASON_MAX).collect()
}

/// The address of a peer's node key: its id contains the key, and the connection has proved that.
/// None for a key of another kind than ours, whose id is a hash.
#[must_use]
pub fn node_address(peer: &libp2p::PeerId) -> Option<Address> {
    let key = libp2p::identity::PublicKey::try_decode_protobuf(peer.as_ref().digest()).ok()?;
    let key = PublicKey::ed25519(&key.try_into_ed25519().ok()?.to_bytes()).ok()?;
    Some(key.address())
}
