//! Which streams may be opened, and what is exchanged before a stream is handed over.

use super::channels::protocol_name;
use super::hello::{self, HelloError, NodeInfo};
use super::shared::{Counters, Shared};
use futures::future::BoxFuture;
use libp2p::core::upgrade::UpgradeInfo;
use libp2p::swarm::{Stream, StreamProtocol};
use libp2p::{InboundUpgrade, OutboundUpgrade};
use std::sync::Arc;

/// A stream the peer opened.
#[derive(Debug)]
pub(super) enum Inbound {
    Hello(NodeInfo),
    /// Index of the channel.
    Channel(usize, Stream),
}

/// A stream we opened.
#[derive(Debug)]
pub(super) enum Outbound {
    /// The peer accepted us.
    Hello,
    /// Index of the channel.
    Channel(usize, Stream),
}

/// Accepts the hello and every channel we know.
#[derive(Clone, Debug)]
pub(super) struct Accept {
    shared: Arc<Shared>,
    names: Arc<[StreamProtocol]>,
}

/// Names of the streams we accept: the hello, then the channels in their order.
pub(super) fn names(shared: &Shared) -> Arc<[StreamProtocol]> {
    let channels = shared.channels.iter().map(|c| owned(protocol_name(c.id)));
    std::iter::once(StreamProtocol::new(hello::PROTOCOL)).chain(channels).collect()
}

fn owned(name: String) -> StreamProtocol {
    StreamProtocol::try_from_owned(name).expect("our stream names begin with a slash")
}

impl Accept {
    pub(super) fn new(shared: Arc<Shared>, names: Arc<[StreamProtocol]>) -> Self {
        Accept { shared, names }
    }
}

impl UpgradeInfo for Accept {
    type Info = StreamProtocol;
    type InfoIter = Vec<StreamProtocol>;

    fn protocol_info(&self) -> Vec<StreamProtocol> {
        self.names.to_vec()
    }
}

impl InboundUpgrade<Stream> for Accept {
    type Output = Inbound;
    type Error = HelloError;
    type Future = BoxFuture<'static, Result<Inbound, HelloError>>;

    fn upgrade_inbound(self, mut stream: Stream, name: StreamProtocol) -> Self::Future {
        Box::pin(async move {
            match self.names.iter().position(|n| *n == name) {
                None | Some(0) => {
                    let heard = hello::hear(&mut stream, &self.shared.ours).await;
                    if let Err(HelloError::Refused(_)) = heard {
                        // Before the peer, which knows now, ends the connection.
                        Counters::add(&self.shared.counters.refused);
                        hello::let_read(&mut stream).await;
                    }
                    Ok(Inbound::Hello(heard?))
                }
                Some(index) => Ok(Inbound::Channel(index - 1, stream)),
            }
        })
    }
}

/// Opens the hello or one channel.
#[derive(Clone, Debug)]
pub(super) enum Open {
    Hello(Arc<Shared>),
    Channel(usize, StreamProtocol),
}

impl UpgradeInfo for Open {
    type Info = StreamProtocol;
    type InfoIter = std::iter::Once<StreamProtocol>;

    fn protocol_info(&self) -> Self::InfoIter {
        std::iter::once(match self {
            Open::Hello(_) => StreamProtocol::new(hello::PROTOCOL),
            Open::Channel(_, name) => name.clone(),
        })
    }
}

impl OutboundUpgrade<Stream> for Open {
    type Output = Outbound;
    type Error = HelloError;
    type Future = BoxFuture<'static, Result<Outbound, HelloError>>;

    fn upgrade_outbound(self, stream: Stream, _: StreamProtocol) -> Self::Future {
        Box::pin(async move {
            match self {
                Open::Hello(shared) => {
                    hello::say(stream, &shared.ours).await?;
                    Ok(Outbound::Hello)
                }
                Open::Channel(index, _) => Ok(Outbound::Channel(index, stream)),
            }
        })
    }
}
