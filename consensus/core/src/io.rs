//! What goes into the engine and what comes out of it: the whole contract with a shell.
//!
//! A shell (the node, the simulator) owns the clock, the network, the disk, the application and
//! the signer. It runs one loop:
//!
//! 1. take the next [`Input`] (or several that wait), call
//!    `Engine::step` for each;
//! 2. append the [`Output::records`] of all of them, in order; if any of them says
//!    [`Output::sync`], make durable what is due (below), once for all of them (group commit);
//! 3. perform the [`Output::actions`] of all of them, in order.
//!
//! `step` is total: it has no error, does not block and does no I/O. Whatever is slow is an action
//! now and an input later, joined by a [`Ticket`]. Every ticket gets exactly one answer, unless its
//! application connection was lost ([`Input::AppDown`]) or the process ends. A shell whose append
//! or sync fails stops the process: it must not perform the actions.
//!
//! Records of an output with `sync == false` may be lost in a crash. A shell may keep them in two
//! ordered files, the log ([`Record::Wal`]) and the store (all others), of which a crash takes an
//! end each, whichever. An output says `sync` for one of two reasons, and only that file is due:
//! the log if it has an [`Entry::Intent`] (before the signature is asked for), the store if it has
//! something for the store (a block and its answer before the application commits; the state that
//! `InitChain` makes). A file becomes durable with all that was appended to it before. The log is
//! not due for a [`Record::Block`]: once its block is stored, the log of a height does not matter
//! any more.
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use guts_abci::proto::abci as pb;
use guts_genesis::{Address, Height, Round, Signature, Time};

use crate::messages::Message;
use crate::types::{
    Block, BlockId, Evidence, ExtendedCommit, Part, SignedHeader, State, ValidatorSet,
};
use crate::wal::Entry;
use crate::watch::Notice;

mod status;

pub use status::{Counters, Status};

/// The time at which an input is handled, read once by the shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Since some fixed point of this process; never goes back. Timers and timeouts use it.
    pub mono: Duration,
    /// Wall clock, which may step. A vote's time is max(wall, time of the last block + 1 ms).
    pub wall: Time,
}

/// The shell's handle for a connection to a peer. A peer that comes back gets a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub u64);

/// Joins an action with the input that answers it. Tickets of [`Input::Client`] are made by the
/// shell and come back in [`Action::Reply`]; all others are made by the engine. The two never mix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// A timer of the engine. Setting one that is already set replaces it. There is no cancelling:
/// the engine ignores a timer that no longer matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TimerId {
    /// No complete proposal in time.
    Propose(Height, Round),
    /// More than two thirds prevoted, not all for one block.
    Prevote(Height, Round),
    /// More than two thirds precommitted, not all for one block.
    Precommit(Height, Round),
    /// The pause after a block (`timeout_commit`), in which late precommits are collected.
    Commit(Height),
    /// A block is due although there is nothing to put in it (`create_empty_blocks_interval`).
    EmptyBlock(Height),
    /// Repeat what peers may have lost.
    Heal,
    /// Block sync: requests that got no answer.
    Sync,
    /// Transactions collected for gossip are due.
    Gossip,
}

/// Everything that can happen to an engine.
#[derive(Clone, Debug)]
pub enum Input {
    /// The application is connected (for the first time or again): the engine shakes hands.
    AppUp,
    /// The application's connections are gone. Calls in flight will not be answered.
    AppDown,
    /// An answer of the application to [`Action::App`].
    App {
        /// The ticket of the call.
        ticket: Ticket,
        /// The answer, or the text of its exception.
        answer: Result<AppAnswer, AppException>,
    },
    /// A peer is connected and has shown that it belongs to this network.
    PeerUp {
        /// The peer.
        peer: PeerId,
        /// The address of its node key, as the connection has proved it; none if its key is of
        /// another kind.
        node: Option<Address>,
    },
    /// A peer is gone.
    PeerDown(PeerId),
    /// A decoded message of a peer. The shell decodes with [`Message::decode`] and drops the peer
    /// itself when that fails.
    Message {
        /// Who sent it.
        peer: PeerId,
        /// What it says. Well-formed, otherwise not trusted.
        message: Message,
    },
    /// A timer has run out.
    Timer(TimerId),
    /// The answer to [`Action::Sign`].
    Signed {
        /// The ticket of the request.
        ticket: Ticket,
        /// The signatures, or why there are none.
        outcome: Result<Signed, SignRefused>,
    },
    /// The answer to [`Action::Load`].
    Loaded {
        /// The ticket of the request.
        ticket: Ticket,
        /// What the block store has.
        loaded: Loaded,
    },
    /// A request of a client of this node.
    Client {
        /// The shell's ticket; comes back in [`Action::Reply`].
        ticket: Ticket,
        /// What it asks.
        request: ClientRequest,
    },
}

/// What a step wants done.
#[derive(Clone, Debug, Default)]
pub struct Output {
    /// To be appended, in this order, before any of `actions` is performed.
    pub records: Vec<Record>,
    /// Whether `records` must be durable before `actions` are performed: those that the module
    /// names, and all before them in the same file.
    pub sync: bool,
    /// To be performed in this order.
    pub actions: Vec<Action>,
    /// For those who watch, with the actions; none while nobody does.
    pub notices: Vec<Notice>,
}

/// Something a restart must not forget.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "made, written and dropped one by one")]
pub enum Record {
    /// An entry of the write-ahead log. [`Entry::EndHeight`] makes all earlier ones obsolete.
    Wal(Entry),
    /// A decided block for the block store. Comes before the block is committed by the
    /// application, in one output with its `Response`.
    Block(Arc<Decided>),
    /// The application's answer to FinalizeBlock. Transactions are indexed from it and the block.
    Response {
        /// Height of the block.
        height: Height,
        /// The answer, whole.
        response: Arc<pb::ResponseFinalizeBlock>,
    },
    /// The state after a block; replaces the one before. `last_validators`, `validators` and
    /// `next_validators` of it are what the RPC answers for its height, +1 and +2.
    State(Arc<State>),
    /// Evidence that was verified and waits to be put into a block.
    EvidencePending(Arc<Evidence>),
    /// Evidence (by hash) that is in a block or has expired: no longer pending. Of one in a block
    /// both come, in that order.
    EvidenceDone {
        /// Hash of the evidence.
        hash: [u8; 32],
        /// Height at which the misbehaviour happened.
        height: Height,
        /// In a block (must never be put into another), or expired: nothing is kept of it.
        committed: bool,
    },
}

/// A decided block with everything the block store keeps of it.
#[derive(Clone, Debug)]
pub struct Decided {
    /// Its id.
    pub id: BlockId,
    /// The block.
    pub block: Block,
    /// The parts it was decided as, in order (their bytes joined are the encoded block).
    pub parts: Vec<Arc<Part>>,
    /// The precommits seen by this node, with extensions where the height has them.
    pub commit: ExtendedCommit,
    /// Whether `commit` has extensions and must be kept and served with them.
    pub extended: bool,
}

/// What the shell shall do.
#[derive(Clone, Debug)]
pub enum Action {
    /// Send a message. Encode it once, whatever the number of peers.
    Send {
        /// To whom. Peers that are gone are skipped.
        to: To,
        /// What.
        message: Arc<Message>,
    },
    /// Call the application. Calls of one connection are made in the order of the actions.
    App {
        /// Comes back in [`Input::App`].
        ticket: Ticket,
        /// The call.
        call: AppCall,
    },
    /// Set a timer, [`Input::Timer`] once after this span.
    SetTimer {
        /// Which; one that is set already is replaced.
        id: TimerId,
        /// From now ([`Now::mono`] of this step).
        after: Duration,
    },
    /// Sign. The intent to sign these bytes is durable when this is performed.
    Sign {
        /// Comes back in [`Input::Signed`].
        ticket: Ticket,
        /// What to sign.
        request: SignRequest,
    },
    /// Answer a client.
    Reply {
        /// Of [`Input::Client`].
        ticket: Ticket,
        /// The answer.
        reply: ClientReply,
    },
    /// A peer broke a rule. [`Offence::is_severe`] says whether it shall be dropped.
    Report {
        /// Who.
        peer: PeerId,
        /// What it did.
        offence: Offence,
    },
    /// Read from the block store.
    Load {
        /// Comes back in [`Input::Loaded`].
        ticket: Ticket,
        /// What.
        load: Load,
    },
    /// A peer asks for an old block: send it a `BlockResponse` from the block store (with the
    /// extended commit if the height has one), or a `NoBlockResponse`. No input follows.
    ServeBlock {
        /// Who asks.
        peer: PeerId,
        /// Which block.
        height: Height,
    },
    /// The application has committed a block: it may be shown to clients. [`Record::Block`],
    /// [`Record::Response`] and [`Record::State`] of it were appended before.
    Committed(Arc<Committed>),
    /// Blocks below this height are no longer needed by the application or for evidence.
    Prune {
        /// The lowest height to keep.
        retain: Height,
    },
    /// The engine has stopped and will only answer [`ClientRequest`]s: going on could contradict
    /// what was decided. Say why, keep serving reads. It has stopped for good, unless it was the
    /// application that failed: then it goes on with one that is connected later.
    Halt {
        /// For the operator.
        reason: String,
    },
}

/// A block that was committed, for subscribers and indexers.
#[derive(Clone, Debug)]
pub struct Committed {
    /// The block's height.
    pub height: Height,
    /// The block and its commit.
    pub decided: Arc<Decided>,
    /// What the application answered to FinalizeBlock.
    pub response: Arc<pb::ResponseFinalizeBlock>,
    /// The state after it.
    pub state: Arc<State>,
}

/// Whom to send to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum To {
    /// Every connected peer.
    All,
    /// One.
    Peer(PeerId),
    /// These.
    Peers(Vec<PeerId>),
}

/// A call of the application. Which connection carries it follows from its kind (Info: query;
/// CheckTx: mempool; all others: consensus).
#[derive(Clone, Debug)]
#[allow(missing_docs)] // the names are those of ABCI 2.0
pub enum AppCall {
    Info(pb::RequestInfo),
    InitChain(Box<pb::RequestInitChain>),
    PrepareProposal(Box<pb::RequestPrepareProposal>),
    ProcessProposal(Box<pb::RequestProcessProposal>),
    ExtendVote(Box<pb::RequestExtendVote>),
    VerifyVoteExtension(Box<pb::RequestVerifyVoteExtension>),
    FinalizeBlock(Box<pb::RequestFinalizeBlock>),
    Commit,
    CheckTx(pb::RequestCheckTx),
}

/// An answer of the application, of the same kind as the call.
#[derive(Clone, Debug)]
#[allow(missing_docs)] // the names are those of ABCI 2.0
pub enum AppAnswer {
    Info(pb::ResponseInfo),
    InitChain(Box<pb::ResponseInitChain>),
    PrepareProposal(pb::ResponsePrepareProposal),
    ProcessProposal(pb::ResponseProcessProposal),
    ExtendVote(pb::ResponseExtendVote),
    VerifyVoteExtension(pb::ResponseVerifyVoteExtension),
    FinalizeBlock(Box<pb::ResponseFinalizeBlock>),
    Commit(pb::ResponseCommit),
    CheckTx(pb::ResponseCheckTx),
}

/// The application could not answer (`ResponseException`).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the application failed: {0}")]
pub struct AppException(pub String);

/// What the signer is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignRequest {
    /// Height, round and step, in whose order a signer never goes back.
    pub at: SignPosition,
    /// The canonical sign bytes of the vote or proposal.
    pub bytes: Vec<u8>,
    /// The canonical sign bytes of the vote extension that goes with a precommit.
    pub extension: Option<Vec<u8>>,
}

/// A point in the life of a signer: for each there is one value it may ever sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SignPosition {
    /// Height of the vote or proposal.
    pub height: Height,
    /// Its round.
    pub round: Round,
    /// What it is.
    pub step: SignStep,
}

/// What is signed, in the order of one round (numbers as in `priv_validator_state.json`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum SignStep {
    /// A proposal.
    Proposal = 1,
    /// A prevote.
    Prevote = 2,
    /// A precommit.
    Precommit = 3,
}

/// The signer's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// Over [`SignRequest::bytes`].
    pub signature: Signature,
    /// Over [`SignRequest::extension`].
    pub extension: Option<Signature>,
}

/// The signer did not sign.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signer refused: {0}")]
pub struct SignRefused(pub String);

/// A read from the block store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// A decided block with its commit.
    Block(Height),
    /// The saved answer to FinalizeBlock.
    Response(Height),
    /// The header of a height and the commit for it that the next block carries.
    SignedHeader(Height),
    /// What is needed to judge evidence of a height: its validators and its block's time.
    Validators(Height),
    /// The lowest height whose block has this time or a later one.
    FirstSince(Time),
}

/// What the block store has.
#[derive(Clone, Debug)]
pub enum Loaded {
    /// The store does not have it (pruned, or never was).
    Missing,
    /// For [`Load::Block`].
    Block(Arc<Decided>),
    /// For [`Load::Response`].
    Response(Arc<pb::ResponseFinalizeBlock>),
    /// For [`Load::SignedHeader`].
    SignedHeader(Box<SignedHeader>),
    /// For [`Load::Validators`].
    Validators {
        /// Validators of the height.
        validators: Arc<ValidatorSet>,
        /// Time in the header of the height.
        time: Time,
    },
    /// For [`Load::FirstSince`]: that height, the highest stored if all are older.
    Height(Height),
}

/// A request of a client.
#[derive(Clone, Debug)]
pub enum ClientRequest {
    /// Check a transaction and take it into the mempool. Answered when it was checked.
    SubmitTx(Bytes),
    /// The same of each of these, answered before they are checked: whether they will be.
    AdmitTxs(Vec<Bytes>),
    /// Verify evidence and take it into the pool.
    SubmitEvidence(Box<Evidence>),
    /// The first transactions of the mempool, at most so many.
    Unconfirmed {
        /// How many.
        limit: u64,
    },
    /// Forget every transaction that waits, and which ones were seen.
    FlushMempool,
}

/// An answer to a client.
#[derive(Clone, Debug)]
pub enum ClientReply {
    /// To [`ClientRequest::SubmitTx`]: what the application says of it.
    Checked(Box<pb::ResponseCheckTx>),
    /// To [`ClientRequest::AdmitTxs`], of each in their order: it is shown to the application, or
    /// not even that.
    Admitted(Vec<Result<(), TxRefused>>),
    /// To [`ClientRequest::SubmitTx`]: not even shown to the application.
    Refused(TxRefused),
    /// To [`ClientRequest::SubmitEvidence`].
    Evidence(Result<[u8; 32], String>),
    /// To [`ClientRequest::Unconfirmed`].
    Unconfirmed {
        /// The first of them, in the order of the mempool.
        txs: Vec<Bytes>,
        /// How many there are.
        total: u64,
        /// Bytes of all of them.
        total_bytes: u64,
    },
    /// To [`ClientRequest::FlushMempool`].
    Flushed,
}

/// Why a transaction was not taken. The texts are those CometBFT's clients know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TxRefused {
    /// Seen before.
    #[error("tx already exists in cache")]
    InCache,
    /// The mempool has no room.
    #[error(
        "mempool is full: number of txs {count} (max: {count_max}), \
         total txs bytes {bytes} (max: {bytes_max})"
    )]
    Full {
        /// Transactions in it.
        count: u64,
        /// At most.
        count_max: u64,
        /// Their bytes.
        bytes: u64,
        /// At most.
        bytes_max: u64,
    },
    /// Larger than the mempool takes.
    #[error("Tx too large. Max size is {max}, but got {size}")]
    TooLarge {
        /// At most.
        max: u64,
        /// Its size.
        size: u64,
    },
    /// The node is fetching blocks and cannot judge transactions.
    #[error("the node is catching up with the chain")]
    CatchingUp,
    /// The application is not connected, or was lost while it looked at it.
    #[error("the application is not connected")]
    NoApp,
    /// The engine has stopped for good ([`Action::Halt`]).
    #[error("the engine has stopped")]
    Halted,
}

/// What a peer did wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Offence {
    /// A signature that is not the one it claims to be.
    #[error("a signature is wrong: {0}")]
    BadSignature(&'static str),
    /// A well-formed message that no correct node sends.
    #[error("a message breaks the protocol: {0}")]
    BadMessage(&'static str),
    /// A block or commit of block sync that does not verify.
    #[error("a block is not what the chain decided: {0}")]
    BadBlock(&'static str),
    /// Evidence that does not prove anything.
    #[error("evidence is wrong: {0}")]
    BadEvidence(&'static str),
    /// It did not answer in time.
    #[error("no answer to a request for a block")]
    Slow,
}

impl Offence {
    /// Whether the peer shall be dropped (for all but slowness, which may be a mishap).
    pub fn is_severe(&self) -> bool {
        !matches!(self, Offence::Slow)
    }
}
