//! The engine's end: four connections to one application, with many calls in flight on each.
//!
//! When any of the four is lost, all are: an application that restarts loses all four, and its
//! state may have gone back to the last commit, so the engine has to connect anew and replay. Every
//! call that waits gets [`CallError::Lost`], and [`Client::lost`] resolves.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use super::lane::Lane;
use super::stream::{ReadHalf, WriteHalf, connect};
use crate::codec::{Decoder, FrameError, give_back};
use crate::proto::abci::{self, Response, request, response};
use crate::{Address, Connection, Kind};

/// How long one connection may take to be established.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a connection that cannot be written to any more is still read.
const LAST_WORDS_TIMEOUT: Duration = Duration::from_secs(1);

/// How much is read at once, in bytes; a buffer grows for longer frames.
const READ_BYTES: usize = 64 * 1024;

/// Why a client could not connect.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The socket says no.
    #[error("no application at {address}, {connection} connection: {source}")]
    Socket {
        /// Where it should listen.
        address: Address,
        /// Which of the four.
        connection: Connection,
        /// What the system says.
        source: io::Error,
    },
    /// Nobody accepted within [`CONNECT_TIMEOUT`].
    #[error("the application at {address} did not accept the {connection} connection in time")]
    Timeout {
        /// Where it should listen.
        address: Address,
        /// Which of the four.
        connection: Connection,
    },
}

/// Why a call has no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CallError {
    /// The application answered that it cannot. Many applications close the connection then.
    #[error("the application answered with an exception: {0}")]
    Exception(String),
    /// The application is gone. Whether it executed the call is unknown.
    #[error(transparent)]
    Lost(Arc<Loss>),
    /// [`IN_FLIGHT_MAX`](super::IN_FLIGHT_MAX) calls wait already; this one was not sent.
    #[error("too many calls in flight on the {0} connection")]
    Busy(Connection),
}

/// The end of a client's connections.
#[derive(Debug, thiserror::Error)]
#[error("lost the application, {connection} connection: {cause}")]
pub struct Loss {
    /// The connection that was lost first.
    pub connection: Connection,
    /// What happened to it.
    pub cause: LossCause,
}

/// What ends a connection.
#[derive(Debug, thiserror::Error)]
pub enum LossCause {
    /// The application closed it, or died.
    #[error("closed by the application")]
    Closed,
    /// Reading or writing failed.
    #[error(transparent)]
    Socket(#[from] io::Error),
    /// The application sent something that is not a frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The application sent another response than the one due.
    #[error("expected {expected:?}, got {got:?}")]
    Unexpected {
        /// The kind due; `None` when none was.
        expected: Option<Kind>,
        /// The kind that came; `None` for an exception or a response without a value.
        got: Option<Kind>,
    },
}

/// Four connections to an application. Cheap to share behind an `Arc`; dropping it closes them.
pub struct Client {
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
}

struct Shared {
    /// In the order of [`Connection::ALL`].
    lanes: [Lane; 4],
    loss: watch::Sender<Option<Arc<Loss>>>,
}

impl Client {
    /// Opens the four connections, in the order every engine does. Does not try again: how often
    /// and how long is the caller's to decide.
    pub async fn connect(address: &Address) -> Result<Self, ConnectError> {
        Self::connect_on(address, &Handle::current()).await
    }

    /// Like [`Client::connect`], with the query connection on the runtime `readers`, where nothing
    /// else that this client does is in the way of an answer.
    pub async fn connect_on(address: &Address, readers: &Handle) -> Result<Self, ConnectError> {
        let here = Handle::current();
        let runtime = |connection| if connection == Connection::Query { readers } else { &here };
        let mut halves = Vec::with_capacity(Connection::ALL.len());
        for connection in Connection::ALL {
            let address = address.clone();
            let timeout = ConnectError::Timeout { address: address.clone(), connection };
            let connecting = runtime(connection).spawn(async move {
                let connected = tokio::time::timeout(CONNECT_TIMEOUT, connect(&address)).await;
                connected.map(|done| {
                    done.map_err(|source| ConnectError::Socket { address, connection, source })
                })
            });
            // One that was cut off with its runtime has no time either.
            let connected = connecting.await.ok().and_then(Result::ok);
            halves.push(connected.unwrap_or(Err(timeout))?);
        }
        let shared = Arc::new(Shared {
            lanes: Connection::ALL.map(Lane::new),
            loss: watch::Sender::new(None),
        });
        let mut tasks = Vec::with_capacity(2 * halves.len());
        for (index, (read, write)) in halves.into_iter().enumerate() {
            let runtime = runtime(Connection::ALL[index]);
            tasks.push(runtime.spawn(read_responses(Arc::clone(&shared), index, read)));
            tasks.push(runtime.spawn(write_requests(Arc::clone(&shared), index, write)));
        }
        Ok(Self { shared, tasks })
    }

    /// Queues a call on its kind's connection and returns at once; the place among other calls is
    /// decided now, not when the answer is awaited. Dropping the answer does not take the call
    /// back.
    pub fn send(&self, request: request::Value) -> Pending {
        let connection = Kind::of_request(&request).connection();
        self.send_on(connection, request)
    }

    /// Like [`Client::send`], on a connection of the caller's choice.
    pub fn send_on(&self, connection: Connection, request: request::Value) -> Pending {
        let (answers, answer) = oneshot::channel();
        self.shared.lane(connection).send(request, answers);
        Pending { answer }
    }

    /// Calls CheckTx beside the mempool: on the query connection, where no transaction stands in
    /// line. For a client that only asks.
    pub async fn check_tx_aside(
        &self,
        request: abci::RequestCheckTx,
    ) -> Result<abci::ResponseCheckTx, CallError> {
        let request = request::Value::CheckTx(request);
        match self.send_on(Connection::Query, request).await? {
            response::Value::CheckTx(response) => Ok(response),
            _ => unreachable!("a lane matches the kinds of calls and answers"),
        }
    }

    /// Waits until all that was sent on this connection before has been answered.
    pub async fn flush(&self, connection: Connection) -> Result<(), CallError> {
        let flush = request::Value::Flush(abci::RequestFlush {});
        self.send_on(connection, flush).await.map(drop)
    }

    /// Waits until the connections are lost, and says why.
    pub async fn lost(&self) -> Arc<Loss> {
        let mut loss = self.shared.loss.subscribe();
        let lost = loss.wait_for(Option::is_some).await.expect("the sender is borrowed from self");
        lost.clone().expect("waited for it")
    }

    /// The loss of the connections, if they are lost already.
    pub fn loss(&self) -> Option<Arc<Loss>> {
        self.shared.loss.borrow().clone()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// One method for each call of the contract: sends it and waits for its answer.
macro_rules! calls {
    ($($method:ident($request:ident) -> $response:ident, $kind:ident;)*) => {
        impl Client {
            $(
                #[doc = concat!("Calls ", stringify!($kind), " and waits for the answer.")]
                pub async fn $method(
                    &self,
                    request: abci::$request,
                ) -> Result<abci::$response, CallError> {
                    match self.send(request::Value::$kind(request)).await? {
                        response::Value::$kind(response) => Ok(response),
                        _ => unreachable!("a lane matches the kinds of calls and answers"),
                    }
                }
            )*
        }
    };
}

calls! {
    echo(RequestEcho) -> ResponseEcho, Echo;
    info(RequestInfo) -> ResponseInfo, Info;
    init_chain(RequestInitChain) -> ResponseInitChain, InitChain;
    query(RequestQuery) -> ResponseQuery, Query;
    check_tx(RequestCheckTx) -> ResponseCheckTx, CheckTx;
    commit(RequestCommit) -> ResponseCommit, Commit;
    list_snapshots(RequestListSnapshots) -> ResponseListSnapshots, ListSnapshots;
    offer_snapshot(RequestOfferSnapshot) -> ResponseOfferSnapshot, OfferSnapshot;
    load_snapshot_chunk(RequestLoadSnapshotChunk) -> ResponseLoadSnapshotChunk, LoadSnapshotChunk;
    apply_snapshot_chunk(RequestApplySnapshotChunk) -> ResponseApplySnapshotChunk,
        ApplySnapshotChunk;
    prepare_proposal(RequestPrepareProposal) -> ResponsePrepareProposal, PrepareProposal;
    process_proposal(RequestProcessProposal) -> ResponseProcessProposal, ProcessProposal;
    extend_vote(RequestExtendVote) -> ResponseExtendVote, ExtendVote;
    verify_vote_extension(RequestVerifyVoteExtension) -> ResponseVerifyVoteExtension,
        VerifyVoteExtension;
    finalize_block(RequestFinalizeBlock) -> ResponseFinalizeBlock, FinalizeBlock;
}

/// The answer to a call that was sent.
#[derive(Debug)]
pub struct Pending {
    answer: oneshot::Receiver<Result<response::Value, CallError>>,
}

impl Future for Pending {
    type Output = Result<response::Value, CallError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.answer).poll(context).map(|received| match received {
            Ok(answer) => answer,
            // Dropped unanswered: the client itself is gone.
            Err(_closed) => Err(CallError::Lost(Arc::new(Loss {
                connection: Connection::Consensus,
                cause: LossCause::Closed,
            }))),
        })
    }
}

impl Shared {
    fn lane(&self, connection: Connection) -> &Lane {
        let index = match connection {
            Connection::Query => 0,
            Connection::Snapshot => 1,
            Connection::Mempool => 2,
            Connection::Consensus => 3,
        };
        &self.lanes[index]
    }

    fn lose(&self, connection: Connection, cause: LossCause) {
        let loss = Arc::new(Loss { connection, cause });
        self.loss.send_if_modified(|first| {
            let is_first = first.is_none();
            first.get_or_insert_with(|| Arc::clone(&loss));
            is_first
        });
        let first = self.loss.borrow().clone().unwrap_or(loss);
        self.lanes.iter().for_each(|lane| lane.lose(&first));
    }
}

/// Reads until the connection is lost; ends early when another one is.
async fn read_responses(shared: Arc<Shared>, index: usize, read: ReadHalf) {
    let lane = &shared.lanes[index];
    let mut loss = shared.loss.subscribe();
    let cause = tokio::select! {
        cause = read_until_lost(lane, read) => cause,
        _ = loss.wait_for(Option::is_some) => return,
    };
    shared.lose(lane.connection, cause);
}

async fn read_until_lost(lane: &Lane, mut read: ReadHalf) -> LossCause {
    let decoder = Decoder::default();
    let mut buffer = BytesMut::with_capacity(READ_BYTES);
    let mut most = 0;
    loop {
        buffer.reserve(READ_BYTES);
        match read.read_buf(&mut buffer).await {
            Ok(0) => return LossCause::Closed,
            Ok(_) => {}
            Err(error) => return error.into(),
        }
        most = most.max(buffer.len());
        let mut responses = Vec::new();
        let mut failure = None;
        loop {
            match decoder.decode::<Response>(&mut buffer) {
                Ok(Some(response)) => responses.push(response),
                Ok(None) => break,
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        give_back(&mut buffer, &mut most);
        if let Err(cause) = lane.on_responses(responses) {
            return cause;
        }
        if let Some(error) = failure {
            return error.into();
        }
    }
}

/// Writes what is queued until the connection is lost.
async fn write_requests(shared: Arc<Shared>, index: usize, mut write: WriteHalf) {
    let lane = &shared.lanes[index];
    while let Some(queued) = lane.take_queued().await {
        if let Err(error) = write.write_all(&queued).await {
            // An application that stops may have said why before it closed: that is still to be
            // read, and then ends the connection with a better cause than this.
            let mut loss = shared.loss.subscribe();
            let read_to_the_end = loss.wait_for(Option::is_some);
            if tokio::time::timeout(LAST_WORDS_TIMEOUT, read_to_the_end).await.is_err() {
                shared.lose(lane.connection, error.into());
            }
            return;
        }
    }
}
