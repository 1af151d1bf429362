//! CometBFT v0.38 data structures: blocks, votes, validator sets, evidence, state.
//!
//! Everything here is pinned to v0.38.25 and checked against recorded vectors. Values are
//! checked where they are made: a `from_proto` refuses whatever CometBFT's `ValidateBasic`
//! refuses, with an [`Invalid`] that names the rule, so code behind it need not ask again.
//! Encodings on hot paths (sign bytes, header hash, blocks) are written by hand; the rest goes
//! through the protobuf structs of [`guts_abci::proto`].
pub mod abci;
mod bit_array;
mod block;
mod block_id;
mod canonical;
mod commit;
mod error;
mod evidence;
mod extended_commit;
mod hash;
mod header;
mod light;
mod median;
pub mod merkle;
mod part_set;
mod proposal;
mod results;
mod state;
mod validator;
mod validator_set;
mod verify;
mod vote;
pub(crate) mod wire;

pub use bit_array::BitArray;
pub use block::{Block, Txs, tx_hash};
pub use block_id::{BlockId, PartSetHeader};
pub use canonical::{proposal_sign_bytes, vote_sign_bytes};
pub use commit::{Commit, CommitSig, SignedVote};
pub use error::Invalid;
pub use evidence::{
    DuplicateVote, Evidence, LightClientAttack, encode_list as encode_evidence_list, evidence_hash,
    is_expired as is_evidence_expired,
};
pub use extended_commit::{EXTENSION_BYTES_MAX, ExtendedCommit, ExtendedCommitSig};
pub use guts_abci::extension_sign_bytes;
pub use hash::Hash;
pub use header::{BLOCK_PROTOCOL, Header, P2P_PROTOCOL, Version};
pub use light::{LightBlock, SignedHeader};
pub use median::{median_time, weighted_median};
pub use part_set::{PART_SIZE, PARTS_MAX, Part, PartSet};
pub use proposal::Proposal;
pub use results::results_hash;
pub use state::{SOFTWARE_VERSION, State, data_bytes_max};
pub use validator::Validator;
pub use validator_set::ValidatorSet;
pub use verify::{CommitCheck, Counted, TrustLevel};
pub use vote::{Vote, VoteKind};

/// Most bytes a block may have, whatever the parameters say.
pub const BLOCK_SIZE_MAX: i64 = 104_857_600;
