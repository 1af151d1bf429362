//! The sixteen calls of the contract, and the connection each is made on.

use std::fmt;

use crate::proto::abci::{request, response};

/// One kind of call: a request and the response that answers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)] // The names are those of the contract, whose meaning `Application` gives.
pub enum Kind {
    Echo,
    Flush,
    Info,
    InitChain,
    Query,
    CheckTx,
    Commit,
    ListSnapshots,
    OfferSnapshot,
    LoadSnapshotChunk,
    ApplySnapshotChunk,
    PrepareProposal,
    ProcessProposal,
    ExtendVote,
    VerifyVoteExtension,
    FinalizeBlock,
}

/// The four connections an engine opens to its application, in the order it opens them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Connection {
    /// Info, Query and Echo; CheckTx of who only asks (`Client::check_tx_aside`).
    Query,
    /// The four snapshot calls.
    Snapshot,
    /// CheckTx.
    Mempool,
    /// The calls that make blocks.
    Consensus,
}

impl Connection {
    /// All four, in the order an engine opens them.
    pub const ALL: [Self; 4] = [Self::Query, Self::Snapshot, Self::Mempool, Self::Consensus];
}

impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Query => "query",
            Self::Snapshot => "snapshot",
            Self::Mempool => "mempool",
            Self::Consensus => "consensus",
        })
    }
}

impl Kind {
    /// The kind of a request.
    pub fn of_request(value: &request::Value) -> Self {
        use request::Value;
        match value {
            Value::Echo(_) => Self::Echo,
            Value::Flush(_) => Self::Flush,
            Value::Info(_) => Self::Info,
            Value::InitChain(_) => Self::InitChain,
            Value::Query(_) => Self::Query,
            Value::CheckTx(_) => Self::CheckTx,
            Value::Commit(_) => Self::Commit,
            Value::ListSnapshots(_) => Self::ListSnapshots,
            Value::OfferSnapshot(_) => Self::OfferSnapshot,
            Value::LoadSnapshotChunk(_) => Self::LoadSnapshotChunk,
            Value::ApplySnapshotChunk(_) => Self::ApplySnapshotChunk,
            Value::PrepareProposal(_) => Self::PrepareProposal,
            Value::ProcessProposal(_) => Self::ProcessProposal,
            Value::ExtendVote(_) => Self::ExtendVote,
            Value::VerifyVoteExtension(_) => Self::VerifyVoteExtension,
            Value::FinalizeBlock(_) => Self::FinalizeBlock,
        }
    }

    /// The kind of call a response answers; `None` for an exception, which answers any.
    pub fn of_response(value: &response::Value) -> Option<Self> {
        use response::Value;
        Some(match value {
            Value::Exception(_) => return None,
            Value::Echo(_) => Self::Echo,
            Value::Flush(_) => Self::Flush,
            Value::Info(_) => Self::Info,
            Value::InitChain(_) => Self::InitChain,
            Value::Query(_) => Self::Query,
            Value::CheckTx(_) => Self::CheckTx,
            Value::Commit(_) => Self::Commit,
            Value::ListSnapshots(_) => Self::ListSnapshots,
            Value::OfferSnapshot(_) => Self::OfferSnapshot,
            Value::LoadSnapshotChunk(_) => Self::LoadSnapshotChunk,
            Value::ApplySnapshotChunk(_) => Self::ApplySnapshotChunk,
            Value::PrepareProposal(_) => Self::PrepareProposal,
            Value::ProcessProposal(_) => Self::ProcessProposal,
            Value::ExtendVote(_) => Self::ExtendVote,
            Value::VerifyVoteExtension(_) => Self::VerifyVoteExtension,
            Value::FinalizeBlock(_) => Self::FinalizeBlock,
        })
    }

    /// The connection an engine makes this call on. A server answers any call on any of them;
    /// Flush belongs to all, and counts as the query connection's here.
    pub fn connection(self) -> Connection {
        match self {
            Self::Echo | Self::Flush | Self::Info | Self::Query => Connection::Query,
            Self::ListSnapshots
            | Self::OfferSnapshot
            | Self::LoadSnapshotChunk
            | Self::ApplySnapshotChunk => Connection::Snapshot,
            Self::CheckTx => Connection::Mempool,
            Self::InitChain
            | Self::PrepareProposal
            | Self::ProcessProposal
            | Self::ExtendVote
            | Self::VerifyVoteExtension
            | Self::FinalizeBlock
            | Self::Commit => Connection::Consensus,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
