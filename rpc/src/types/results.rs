//! What the application answered: results of transactions and blocks, queries, proofs.

use guts_abci::proto::{abci, crypto, types as pb};
use serde::{Deserialize, Serialize};

use super::{Base64, ConsensusParamUpdates, Hex, ProtoKey, Text64};
use crate::json;

/// One attribute of an event.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventAttribute {
    /// Its name.
    pub key: String,
    /// Its value.
    pub value: String,
    /// Whether searches find it.
    #[serde(default)]
    pub index: bool,
}

/// Something the application says happened.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its kind.
    #[serde(rename = "type")]
    pub kind: String,
    /// In the application's order.
    #[serde(default, deserialize_with = "json::null_default")]
    pub attributes: Vec<EventAttribute>,
}

/// The result of CheckTx or of a transaction in a block: always every field.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TxResult {
    /// 0 for success.
    pub code: u32,
    /// The application's bytes.
    pub data: Base64,
    /// For people; not part of what is agreed on.
    pub log: String,
    /// For people; not part of what is agreed on.
    pub info: String,
    /// Gas asked for.
    #[serde(with = "json::text")]
    pub gas_wanted: i64,
    /// Gas used.
    #[serde(with = "json::text")]
    pub gas_used: i64,
    /// What happened.
    #[serde(deserialize_with = "json::null_default")]
    pub events: Vec<Event>,
    /// Whose codes `code` is one of.
    pub codespace: String,
}

/// A change of one validator; power absent in JSON when zero (removal).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidatorUpdate {
    /// Who.
    pub pub_key: ProtoKey,
    /// The new power.
    #[serde(with = "json::text", default, skip_serializing_if = "json::is_zero")]
    pub power: i64,
}

/// `/block_results`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockResults {
    /// Height of the block.
    #[serde(with = "json::text")]
    pub height: i64,
    /// One for each transaction.
    #[serde(with = "json::null_list")]
    pub txs_results: Vec<TxResult>,
    /// Events of the block itself.
    #[serde(serialize_with = "block_events", deserialize_with = "json::null_default")]
    pub finalize_block_events: Vec<Event>,
    /// Changes of the validator set.
    #[serde(with = "json::null_list")]
    pub validator_updates: Vec<ValidatorUpdate>,
    /// Changes of the parameters.
    pub consensus_param_updates: Option<ConsensusParamUpdates>,
    /// The application's hash after the block.
    pub app_hash: Base64,
}

/// The events of a block, unlike those of a transaction, leave out an empty list of attributes.
fn block_events<S: serde::Serializer>(events: &[Event], to: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct BlockEvent<'a> {
        #[serde(rename = "type")]
        kind: &'a str,
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        attributes: &'a [EventAttribute],
    }
    let events: Vec<_> = events
        .iter()
        .map(|event| BlockEvent { kind: &event.kind, attributes: &event.attributes })
        .collect();
    json::null_list::serialize(&events, to)
}

impl BlockResults {
    /// What the application answered to FinalizeBlock at `height`.
    pub fn new(height: i64, from: abci::ResponseFinalizeBlock) -> Self {
        Self {
            height,
            txs_results: from.tx_results.into_iter().map(Into::into).collect(),
            finalize_block_events: from.events.into_iter().map(Into::into).collect(),
            validator_updates: from.validator_updates.into_iter().map(Into::into).collect(),
            consensus_param_updates: from.consensus_param_updates.map(Into::into),
            app_hash: from.app_hash.into(),
        }
    }
}

/// What Info answered; zero fields are absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AbciInfo {
    /// The application's own words.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub data: String,
    /// The application's software version.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// The application's protocol version.
    #[serde(with = "json::text", skip_serializing_if = "json::is_zero")]
    pub app_version: u64,
    /// The last height it committed.
    #[serde(with = "json::text", skip_serializing_if = "json::is_zero")]
    pub last_block_height: i64,
    /// Its hash after that height.
    #[serde(skip_serializing_if = "json::is_zero")]
    pub last_block_app_hash: Base64,
}

/// `/abci_info`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AbciInfoResult {
    /// The application's answer.
    pub response: AbciInfo,
}

/// One step of a proof.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofOp {
    /// Which format.
    #[serde(rename = "type")]
    pub kind: String,
    /// What is proved.
    pub key: Base64,
    /// The proof, in that format.
    pub data: Base64,
}

/// A proof from a value up to the application's hash.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofOps {
    /// From the leaf up.
    #[serde(deserialize_with = "json::null_default")]
    pub ops: Vec<ProofOp>,
}

/// What Query answered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AbciQuery {
    /// 0 for success.
    pub code: u32,
    /// For people.
    pub log: String,
    /// For people.
    pub info: String,
    /// Place of the key in the tree, where the application has such.
    #[serde(with = "json::text")]
    pub index: i64,
    /// The key answered for.
    pub key: Base64,
    /// Its value.
    pub value: Base64,
    /// The proof, where one was asked for and given.
    #[serde(rename = "proofOps")]
    pub proof_ops: Option<ProofOps>,
    /// The height the answer holds for.
    #[serde(with = "json::text")]
    pub height: i64,
    /// Whose codes `code` is one of.
    pub codespace: String,
}

/// `/abci_query`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AbciQueryResult {
    /// The application's answer.
    pub response: AbciQuery,
}

/// `/broadcast_tx_async` and `/broadcast_tx_sync`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BroadcastTx {
    /// CheckTx's code; 0 before it ran.
    pub code: u32,
    /// CheckTx's bytes.
    pub data: Hex,
    /// CheckTx's log.
    pub log: String,
    /// Whose codes `code` is one of.
    pub codespace: String,
    /// SHA-256 of the transaction.
    pub hash: Hex,
}

/// `/broadcast_tx_commit`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BroadcastTxCommit {
    /// What CheckTx answered.
    pub check_tx: TxResult,
    /// What the block's execution answered; empty when CheckTx refused.
    pub tx_result: TxResult,
    /// SHA-256 of the transaction.
    pub hash: Hex,
    /// The block it is in; 0 when CheckTx refused.
    #[serde(with = "json::text")]
    pub height: i64,
}

/// A path in an RFC 6962 Merkle tree.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MerkleProof {
    /// Leaves of the tree.
    #[serde(with = "json::text")]
    pub total: i64,
    /// Place of this leaf.
    #[serde(with = "json::text")]
    pub index: i64,
    /// Hash of this leaf.
    pub leaf_hash: Text64,
    /// From the leaf up.
    #[serde(deserialize_with = "json::null_default")]
    pub aunts: Vec<Text64>,
}

/// Proves that a transaction is in a block.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TxProof {
    /// The block's data hash.
    pub root_hash: Hex,
    /// The transaction.
    pub data: Text64,
    /// The path.
    pub proof: MerkleProof,
}

/// `/tx`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TxResponse {
    /// SHA-256 of the transaction.
    pub hash: Hex,
    /// The block it is in.
    #[serde(with = "json::text")]
    pub height: i64,
    /// Its place in the block.
    pub index: u32,
    /// Its result.
    pub tx_result: TxResult,
    /// The transaction.
    pub tx: Text64,
    /// Only when asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<TxProof>,
}

/// `/tx_search`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TxSearchResult {
    /// The page asked for.
    #[serde(deserialize_with = "json::null_default")]
    pub txs: Vec<TxResponse>,
    /// How many were found.
    #[serde(with = "json::text")]
    pub total_count: u64,
}

impl From<abci::EventAttribute> for EventAttribute {
    fn from(from: abci::EventAttribute) -> Self {
        Self { key: from.key, value: from.value, index: from.index }
    }
}

impl From<abci::Event> for Event {
    fn from(from: abci::Event) -> Self {
        let attributes = from.attributes.into_iter().map(Into::into).collect();
        Self { kind: from.r#type, attributes }
    }
}

impl From<abci::ExecTxResult> for TxResult {
    fn from(from: abci::ExecTxResult) -> Self {
        Self {
            code: from.code,
            data: from.data.into(),
            log: from.log,
            info: from.info,
            gas_wanted: from.gas_wanted,
            gas_used: from.gas_used,
            events: from.events.into_iter().map(Into::into).collect(),
            codespace: from.codespace,
        }
    }
}

impl From<abci::ResponseCheckTx> for TxResult {
    fn from(from: abci::ResponseCheckTx) -> Self {
        Self {
            code: from.code,
            data: from.data.into(),
            log: from.log,
            info: from.info,
            gas_wanted: from.gas_wanted,
            gas_used: from.gas_used,
            events: from.events.into_iter().map(Into::into).collect(),
            codespace: from.codespace,
        }
    }
}

impl BroadcastTx {
    /// What CheckTx answered to the transaction with this SHA-256.
    pub fn new(hash: Vec<u8>, from: abci::ResponseCheckTx) -> Self {
        Self {
            code: from.code,
            data: from.data.into(),
            log: from.log,
            codespace: from.codespace,
            hash: hash.into(),
        }
    }
}

impl From<abci::ValidatorUpdate> for ValidatorUpdate {
    fn from(from: abci::ValidatorUpdate) -> Self {
        let key = from.pub_key.unwrap_or(crypto::PublicKey { sum: None });
        Self { pub_key: ProtoKey(key.into()), power: from.power }
    }
}

impl From<abci::ResponseInfo> for AbciInfoResult {
    fn from(from: abci::ResponseInfo) -> Self {
        let response = AbciInfo {
            data: from.data,
            version: from.version,
            app_version: from.app_version,
            last_block_height: from.last_block_height,
            last_block_app_hash: from.last_block_app_hash.into(),
        };
        Self { response }
    }
}

impl From<crypto::ProofOps> for ProofOps {
    fn from(from: crypto::ProofOps) -> Self {
        let ops = from.ops.into_iter().map(|op| ProofOp {
            kind: op.r#type,
            key: op.key.into(),
            data: op.data.into(),
        });
        Self { ops: ops.collect() }
    }
}

impl From<abci::ResponseQuery> for AbciQueryResult {
    fn from(from: abci::ResponseQuery) -> Self {
        let response = AbciQuery {
            code: from.code,
            log: from.log,
            info: from.info,
            index: from.index,
            key: from.key.into(),
            value: from.value.into(),
            proof_ops: from.proof_ops.map(Into::into),
            height: from.height,
            codespace: from.codespace,
        };
        Self { response }
    }
}

impl From<crypto::Proof> for MerkleProof {
    fn from(from: crypto::Proof) -> Self {
        Self {
            total: from.total,
            index: from.index,
            leaf_hash: from.leaf_hash.into(),
            aunts: from.aunts.into_iter().map(Text64).collect(),
        }
    }
}

impl From<pb::TxProof> for TxProof {
    fn from(from: pb::TxProof) -> Self {
        Self {
            root_hash: from.root_hash.into(),
            data: from.data.into(),
            proof: from.proof.map(Into::into).unwrap_or_default(),
        }
    }
}
