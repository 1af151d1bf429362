//! What the calls answer: structs that print and read as CometBFT v0.38's JSON, with conversions
//! from the protobuf structs both halves have in common.
//!
//! Fields have CometBFT's names and meaning; heights and counts of 64 bits are strings in JSON.

mod block;
mod evidence;
mod key;
mod node;
mod params;
mod results;
mod round;

pub use block::{
    Block, BlockData, BlockId, BlockMeta, BlockResult, BlockSearchResult, BlockchainResult, Commit,
    CommitResult, CommitSig, Header, HeaderResult, PartSetHeader, SignedHeader, Validator,
    ValidatorsResult, Version,
};
pub use evidence::{
    DuplicateVoteEvidence, Evidence, EvidenceHash, EvidenceList, LightBlock,
    LightClientAttackEvidence, ValidatorSet, Vote,
};
pub use key::{ProtoKey, PublicKey};
pub use node::{
    Channel, ConnectionStatus, Dialing, Flushed, GenesisChunk, GenesisResult, Health, Monitor,
    NetInfo, NodeInfo, NodeInfoOther, Peer, ProtocolVersion, StatusResult, SyncInfo,
    UnconfirmedTxs, ValidatorInfo,
};
pub use params::{
    AbciParams, BlockParams, ConsensusParamUpdates, ConsensusParams, ConsensusParamsResult,
    EvidenceParams, ValidatorParams, VersionParams,
};
pub use results::{
    AbciInfo, AbciInfoResult, AbciQuery, AbciQueryResult, BlockResults, BroadcastTx,
    BroadcastTxCommit, Event, EventAttribute, MerkleProof, ProofOp, ProofOps, TxProof, TxResponse,
    TxResult, TxSearchResult, ValidatorUpdate,
};

pub use round::{
    ConsensusState, DumpConsensusState, LastCommit, Parts, PeerRoundState, PeerState,
    PeerStateInfo, PeerStats, Proposal, Proposer, RoundState, RoundStateSimple, RoundVotes, bits,
    vote_lines, voters_line,
};

pub use crate::json::{Base64, Hex, Text64};
pub use crate::time::Time;
