//! Blocks, headers, commits and validators.

use guts_abci::proto::{crypto, types as pb, version};
use serde::{Deserialize, Serialize};

use super::{EvidenceList, Hex, PublicKey, Text64, Time};
use crate::json;

/// The versions a header is made under.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// Block protocol.
    #[serde(with = "json::text")]
    pub block: u64,
    /// The application's protocol; absent when zero.
    #[serde(with = "json::text", default, skip_serializing_if = "json::is_zero")]
    pub app: u64,
}

/// Names a set of block parts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartSetHeader {
    /// How many parts.
    pub total: u32,
    /// Merkle root over the parts.
    pub hash: Hex,
}

/// Names a block; all empty for nil.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockId {
    /// Hash of the header.
    pub hash: Hex,
    /// The block's parts.
    pub parts: PartSetHeader,
}

/// A block's header. Field for field CometBFT's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // each name says it; the meanings are CometBFT's
pub struct Header {
    pub version: Version,
    pub chain_id: String,
    #[serde(with = "json::text")]
    pub height: i64,
    pub time: Time,
    pub last_block_id: BlockId,
    pub last_commit_hash: Hex,
    pub data_hash: Hex,
    pub validators_hash: Hex,
    pub next_validators_hash: Hex,
    pub consensus_hash: Hex,
    pub app_hash: Hex,
    pub last_results_hash: Hex,
    pub evidence_hash: Hex,
    pub proposer_address: Hex,
}

/// One validator's part in a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitSig {
    /// 1 absent, 2 for the block, 3 for nil.
    pub block_id_flag: i32,
    /// Empty when absent.
    pub validator_address: Hex,
    /// The zero time when absent.
    pub timestamp: Time,
    /// Empty when absent.
    pub signature: super::Base64,
}

/// The precommits that made a block final.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// Height of the block.
    #[serde(with = "json::text")]
    pub height: i64,
    /// Round in which it was decided.
    pub round: i32,
    /// The block.
    pub block_id: BlockId,
    /// One for each validator, in the order of the set.
    #[serde(deserialize_with = "json::null_default")]
    pub signatures: Vec<CommitSig>,
}

/// The transactions of a block.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockData {
    /// In order.
    #[serde(deserialize_with = "json::null_default")]
    pub txs: Vec<Text64>,
}

/// A block.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// Its header.
    pub header: Header,
    /// Its transactions.
    pub data: BlockData,
    /// Misbehaviour it reports.
    pub evidence: EvidenceList,
    /// The commit of the block before it.
    pub last_commit: Commit,
}

/// `/block`, `/block_by_hash`. Without a block when there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockResult {
    /// Empty when there is no block.
    pub block_id: BlockId,
    /// The block.
    pub block: Option<Block>,
}

/// `/header`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeaderResult {
    /// None before the first block.
    pub header: Option<Header>,
}

/// What is kept of a block beside its parts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockMeta {
    /// The block's id.
    pub block_id: BlockId,
    /// Bytes of the encoded block.
    #[serde(with = "json::text")]
    pub block_size: i64,
    /// Its header.
    pub header: Header,
    /// How many transactions it has.
    #[serde(with = "json::text")]
    pub num_txs: i64,
}

/// `/block_search`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockSearchResult {
    /// The page asked for.
    #[serde(deserialize_with = "json::null_default")]
    pub blocks: Vec<BlockResult>,
    /// How many were found.
    #[serde(with = "json::text")]
    pub total_count: u64,
}

/// `/blockchain`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockchainResult {
    /// The newest height of the node.
    #[serde(with = "json::text")]
    pub last_height: i64,
    /// Newest first, at most 20.
    #[serde(deserialize_with = "json::null_default")]
    pub block_metas: Vec<BlockMeta>,
}

/// A header with the commit that made it final.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedHeader {
    /// The header.
    pub header: Header,
    /// Its commit.
    pub commit: Commit,
}

/// `/commit`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitResult {
    /// Header and commit.
    pub signed_header: SignedHeader,
    /// Whether this commit is the one of the next block; false only at the newest height.
    pub canonical: bool,
}

/// A validator of a height.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validator {
    /// First 20 bytes of the key's SHA-256.
    pub address: Hex,
    /// Its key.
    pub pub_key: PublicKey,
    /// Its power.
    #[serde(with = "json::text")]
    pub voting_power: i64,
    /// Its place in the rotation of proposers.
    #[serde(with = "json::text")]
    pub proposer_priority: i64,
}

/// `/validators`: one page of the set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidatorsResult {
    /// Height of the set.
    #[serde(with = "json::text")]
    pub block_height: i64,
    /// By power, then address.
    #[serde(deserialize_with = "json::null_default")]
    pub validators: Vec<Validator>,
    /// How many on this page.
    #[serde(with = "json::text")]
    pub count: u64,
    /// How many in the set.
    #[serde(with = "json::text")]
    pub total: u64,
}

impl From<version::Consensus> for Version {
    fn from(from: version::Consensus) -> Self {
        Self { block: from.block, app: from.app }
    }
}

impl From<pb::PartSetHeader> for PartSetHeader {
    fn from(from: pb::PartSetHeader) -> Self {
        Self { total: from.total, hash: from.hash.into() }
    }
}

impl From<pb::BlockId> for BlockId {
    fn from(from: pb::BlockId) -> Self {
        Self {
            hash: from.hash.into(),
            parts: from.part_set_header.map(Into::into).unwrap_or_default(),
        }
    }
}

impl From<pb::Header> for Header {
    fn from(from: pb::Header) -> Self {
        Self {
            version: from.version.map(Into::into).unwrap_or_default(),
            chain_id: from.chain_id,
            height: from.height,
            time: from.time.into(),
            last_block_id: from.last_block_id.map(Into::into).unwrap_or_default(),
            last_commit_hash: from.last_commit_hash.into(),
            data_hash: from.data_hash.into(),
            validators_hash: from.validators_hash.into(),
            next_validators_hash: from.next_validators_hash.into(),
            consensus_hash: from.consensus_hash.into(),
            app_hash: from.app_hash.into(),
            last_results_hash: from.last_results_hash.into(),
            evidence_hash: from.evidence_hash.into(),
            proposer_address: from.proposer_address.into(),
        }
    }
}

impl From<pb::CommitSig> for CommitSig {
    fn from(from: pb::CommitSig) -> Self {
        Self {
            block_id_flag: from.block_id_flag,
            validator_address: from.validator_address.into(),
            timestamp: from.timestamp.into(),
            signature: from.signature.into(),
        }
    }
}

impl From<pb::Commit> for Commit {
    fn from(from: pb::Commit) -> Self {
        Self {
            height: from.height,
            round: from.round,
            block_id: from.block_id.map(Into::into).unwrap_or_default(),
            signatures: from.signatures.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<pb::Block> for Block {
    fn from(from: pb::Block) -> Self {
        let txs = from.data.unwrap_or_default().txs;
        Self {
            header: from.header.map(Into::into).unwrap_or_default(),
            data: BlockData { txs: txs.into_iter().map(Text64).collect() },
            evidence: from.evidence.map(Into::into).unwrap_or_default(),
            last_commit: from.last_commit.map(Into::into).unwrap_or_default(),
        }
    }
}

impl From<pb::BlockMeta> for BlockMeta {
    fn from(from: pb::BlockMeta) -> Self {
        Self {
            block_id: from.block_id.map(Into::into).unwrap_or_default(),
            block_size: from.block_size,
            header: from.header.map(Into::into).unwrap_or_default(),
            num_txs: from.num_txs,
        }
    }
}

impl From<pb::SignedHeader> for SignedHeader {
    fn from(from: pb::SignedHeader) -> Self {
        Self {
            header: from.header.map(Into::into).unwrap_or_default(),
            commit: from.commit.map(Into::into).unwrap_or_default(),
        }
    }
}

impl From<pb::Validator> for Validator {
    fn from(from: pb::Validator) -> Self {
        Self {
            address: from.address.into(),
            pub_key: from.pub_key.unwrap_or(crypto::PublicKey { sum: None }).into(),
            voting_power: from.voting_power,
            proposer_priority: from.proposer_priority,
        }
    }
}

impl From<BlockId> for pb::BlockId {
    fn from(from: BlockId) -> Self {
        let parts = pb::PartSetHeader { total: from.parts.total, hash: from.parts.hash.0 };
        Self { hash: from.hash.0, part_set_header: Some(parts) }
    }
}

impl From<Header> for pb::Header {
    fn from(from: Header) -> Self {
        Self {
            version: Some(version::Consensus { block: from.version.block, app: from.version.app }),
            chain_id: from.chain_id,
            height: from.height,
            time: Some(from.time.into()),
            last_block_id: Some(from.last_block_id.into()),
            last_commit_hash: from.last_commit_hash.0,
            data_hash: from.data_hash.0,
            validators_hash: from.validators_hash.0,
            next_validators_hash: from.next_validators_hash.0,
            consensus_hash: from.consensus_hash.0,
            app_hash: from.app_hash.0,
            last_results_hash: from.last_results_hash.0,
            evidence_hash: from.evidence_hash.0,
            proposer_address: from.proposer_address.0,
        }
    }
}

impl From<CommitSig> for pb::CommitSig {
    fn from(from: CommitSig) -> Self {
        Self {
            block_id_flag: from.block_id_flag,
            validator_address: from.validator_address.0,
            timestamp: Some(from.timestamp.into()),
            signature: from.signature.0,
        }
    }
}

impl From<Commit> for pb::Commit {
    fn from(from: Commit) -> Self {
        Self {
            height: from.height,
            round: from.round,
            block_id: Some(from.block_id.into()),
            signatures: from.signatures.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<SignedHeader> for pb::SignedHeader {
    fn from(from: SignedHeader) -> Self {
        Self { header: Some(from.header.into()), commit: Some(from.commit.into()) }
    }
}

impl From<Validator> for pb::Validator {
    fn from(from: Validator) -> Self {
        Self {
            address: from.address.0,
            pub_key: Some(from.pub_key.into()),
            voting_power: from.voting_power,
            proposer_priority: from.proposer_priority,
        }
    }
}
