//! The application's side: connects, says when it is lost, and brings its answers back.
//!
//! A lost application is connected to again with growing pauses; the engine then shakes hands and
//! replays. Answers of an earlier connection never reach the engine.

use super::{Inbox, Local};
use crate::metrics::{Asked, Measured};
use guts_abci::proto::abci::{self as pb, request::Value as Request, response::Value as Response};
use guts_abci::socket::{CallError, Client, Pending};
use guts_abci::{Address, Connection, Kind};
use guts_consensus::io::{AppAnswer, AppCall, AppException, Ticket};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

/// Pause after the first failed connection, doubled up to the second.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// One life of the application: its connections and the tasks that bring its answers.
#[derive(Clone)]
pub(crate) struct Life {
    /// Counts connections, from 1.
    pub(super) number: u64,
    client: Arc<Client>,
    lanes: [mpsc::UnboundedSender<Call>; 4],
}

/// A call under way.
struct Call {
    ticket: Ticket,
    kind: Kind,
    begun: Instant,
    answer: Pending,
}

/// The connected application, for reads that do not go through the engine.
pub(crate) type Reader = watch::Receiver<Option<Arc<Client>>>;

/// Only the mempool asks without waiting for the answer.
fn asked(kind: Kind) -> Asked {
    if kind == Kind::CheckTx { Asked::Async } else { Asked::Sync }
}

fn lane(connection: Connection) -> usize {
    Connection::ALL.iter().position(|c| *c == connection).unwrap_or_default()
}

impl Life {
    fn begin(number: u64, client: Arc<Client>, inbox: &Inbox, measured: &Arc<Measured>) -> Life {
        let lanes = Connection::ALL.map(|_| {
            let (sender, mut receiver) = mpsc::unbounded_channel::<Call>();
            let (inbox, measured) = (inbox.clone(), measured.clone());
            tokio::spawn(async move {
                // Answers of one connection come in the order of its calls.
                while let Some(Call { ticket, kind, begun, answer: pending }) =
                    receiver.recv().await
                {
                    let answer = match pending.await {
                        Ok(value) => {
                            measured.on_answered(kind, asked(kind), begun.elapsed());
                            measured.on_answer(&value);
                            answer(value)
                        }
                        Err(CallError::Lost(_)) => continue,
                        Err(error) => Err(AppException(error.to_string())),
                    };
                    inbox.push_control(Local::App { life: number, ticket, answer });
                }
            });
            sender
        });
        Life { number, client, lanes }
    }

    /// Makes a call; its answer comes through the inbox.
    pub(super) fn call(&self, ticket: Ticket, call: AppCall) {
        let request = request(call);
        let kind = Kind::of_request(&request);
        let (begun, answer) = (Instant::now(), self.client.send(request));
        // Fails only when the runtime is ending.
        let _ = self.lanes[lane(kind.connection())].send(Call { ticket, kind, begun, answer });
    }
}

/// Keeps the application connected until the process ends.
pub(crate) async fn keep_connected(
    address: Address,
    readers: Handle,
    inbox: Inbox,
    reader: watch::Sender<Option<Arc<Client>>>,
    measured: Arc<Measured>,
) {
    let mut number = 0;
    let mut pause = PAUSE.0;
    let mut is_said = false;
    loop {
        match Client::connect_on(&address, &readers).await {
            Ok(client) => {
                number += 1;
                pause = PAUSE.0;
                is_said = false;
                let client = Arc::new(client);
                tracing::info!(%address, "application connected");
                reader.send_replace(Some(client.clone()));
                let life = Life::begin(number, client.clone(), &inbox, &measured);
                inbox.push_control(Local::AppUp(life));
                let loss = client.lost().await;
                tracing::error!(%address, %loss, "application lost; connecting again");
                reader.send_replace(None);
                inbox.push_control(Local::AppDown);
            }
            Err(error) if !is_said => {
                is_said = true;
                tracing::warn!(%error, "waiting for the application");
            }
            Err(_) => {}
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE.1);
    }
}

fn request(call: AppCall) -> Request {
    match call {
        AppCall::Info(r) => Request::Info(r),
        AppCall::InitChain(r) => Request::InitChain(*r),
        AppCall::PrepareProposal(r) => Request::PrepareProposal(*r),
        AppCall::ProcessProposal(r) => Request::ProcessProposal(*r),
        AppCall::ExtendVote(r) => Request::ExtendVote(*r),
        AppCall::VerifyVoteExtension(r) => Request::VerifyVoteExtension(*r),
        AppCall::FinalizeBlock(r) => Request::FinalizeBlock(*r),
        AppCall::Commit => Request::Commit(pb::RequestCommit {}),
        AppCall::CheckTx(r) => Request::CheckTx(r),
    }
}

fn answer(value: Response) -> Result<AppAnswer, AppException> {
    Ok(match value {
        Response::Info(r) => AppAnswer::Info(r),
        Response::InitChain(r) => AppAnswer::InitChain(Box::new(r)),
        Response::PrepareProposal(r) => AppAnswer::PrepareProposal(r),
        Response::ProcessProposal(r) => AppAnswer::ProcessProposal(r),
        Response::ExtendVote(r) => AppAnswer::ExtendVote(r),
        Response::VerifyVoteExtension(r) => AppAnswer::VerifyVoteExtension(r),
        Response::FinalizeBlock(r) => AppAnswer::FinalizeBlock(Box::new(r)),
        Response::Commit(r) => AppAnswer::Commit(r),
        Response::CheckTx(r) => AppAnswer::CheckTx(r),
        _ => return Err(AppException("an answer of a kind that was not asked for".into())),
    })
}
