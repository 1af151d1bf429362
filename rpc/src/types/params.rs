//! Consensus parameters, whole and as the partial updates of a block.

use guts_abci::proto::google::protobuf::Duration;
use guts_abci::proto::types as pb;
use serde::{Deserialize, Serialize};

use crate::json;

/// Limits of a block.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockParams {
    /// Bytes of a block; -1 for the protocol's own limit.
    #[serde(with = "json::text")]
    pub max_bytes: i64,
    /// Gas of a block; -1 for none.
    #[serde(with = "json::text")]
    pub max_gas: i64,
}

/// Limits of evidence.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceParams {
    /// Blocks after which evidence is too old.
    #[serde(with = "json::text")]
    pub max_age_num_blocks: i64,
    /// Nanoseconds after which evidence is too old.
    #[serde(with = "json::text")]
    pub max_age_duration: i64,
    /// Bytes of evidence in a block.
    #[serde(with = "json::text")]
    pub max_bytes: i64,
}

/// What a validator's key may be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidatorParams {
    /// Names of key types.
    #[serde(deserialize_with = "json::null_default")]
    pub pub_key_types: Vec<String>,
}

/// The application's protocol version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionParams {
    /// The version.
    #[serde(with = "json::text")]
    pub app: u64,
}

/// Settings of ABCI.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AbciParams {
    /// First height with vote extensions; 0 for never.
    #[serde(with = "json::text")]
    pub vote_extensions_enable_height: i64,
}

/// The consensus parameters of a height.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // each group is described at its type
pub struct ConsensusParams {
    pub block: BlockParams,
    pub evidence: EvidenceParams,
    pub validator: ValidatorParams,
    pub version: VersionParams,
    #[serde(default)]
    pub abci: AbciParams,
}

/// `/consensus_params`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsensusParamsResult {
    /// The height they hold for.
    #[serde(with = "json::text")]
    pub block_height: i64,
    /// The parameters.
    pub consensus_params: ConsensusParams,
}

/// The groups of parameters that a block changed; zero fields of a group are absent in JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Groups", into = "Groups")]
#[allow(missing_docs)] // each group is described at its type
pub struct ConsensusParamUpdates {
    pub block: Option<BlockParams>,
    pub evidence: Option<EvidenceParams>,
    pub validator: Option<ValidatorParams>,
    pub version: Option<VersionParams>,
    pub abci: Option<AbciParams>,
}

/// An integer that is absent when zero.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Int(#[serde(with = "json::text")] i64);

impl Int {
    fn of(value: i64) -> Option<Self> {
        (value != 0).then_some(Self(value))
    }
    fn value(of: Option<Self>) -> i64 {
        of.map_or(0, |int| int.0)
    }
}

#[derive(Serialize, Deserialize)]
struct BlockGroup {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_bytes: Option<Int>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_gas: Option<Int>,
}

#[derive(Serialize, Deserialize)]
struct EvidenceGroup {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_age_num_blocks: Option<Int>,
    #[serde(with = "json::text")]
    max_age_duration: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_bytes: Option<Int>,
}

#[derive(Serialize, Deserialize)]
struct ValidatorGroup {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub_key_types: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct VersionGroup {
    #[serde(with = "json::text", default, skip_serializing_if = "json::is_zero")]
    app: u64,
}

#[derive(Serialize, Deserialize)]
struct AbciGroup {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    vote_extensions_enable_height: Option<Int>,
}

#[derive(Serialize, Deserialize)]
struct Groups {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    block: Option<BlockGroup>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    evidence: Option<EvidenceGroup>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    validator: Option<ValidatorGroup>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<VersionGroup>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    abci: Option<AbciGroup>,
}

impl From<ConsensusParamUpdates> for Groups {
    fn from(from: ConsensusParamUpdates) -> Self {
        Self {
            block: from.block.map(|group| BlockGroup {
                max_bytes: Int::of(group.max_bytes),
                max_gas: Int::of(group.max_gas),
            }),
            evidence: from.evidence.map(|group| EvidenceGroup {
                max_age_num_blocks: Int::of(group.max_age_num_blocks),
                max_age_duration: group.max_age_duration,
                max_bytes: Int::of(group.max_bytes),
            }),
            validator: from
                .validator
                .map(|group| ValidatorGroup { pub_key_types: group.pub_key_types }),
            version: from.version.map(|group| VersionGroup { app: group.app }),
            abci: from.abci.map(|group| AbciGroup {
                vote_extensions_enable_height: Int::of(group.vote_extensions_enable_height),
            }),
        }
    }
}

impl From<Groups> for ConsensusParamUpdates {
    fn from(from: Groups) -> Self {
        Self {
            block: from.block.map(|group| BlockParams {
                max_bytes: Int::value(group.max_bytes),
                max_gas: Int::value(group.max_gas),
            }),
            evidence: from.evidence.map(|group| EvidenceParams {
                max_age_num_blocks: Int::value(group.max_age_num_blocks),
                max_age_duration: group.max_age_duration,
                max_bytes: Int::value(group.max_bytes),
            }),
            validator: from
                .validator
                .map(|group| ValidatorParams { pub_key_types: group.pub_key_types }),
            version: from.version.map(|group| VersionParams { app: group.app }),
            abci: from.abci.map(|group| AbciParams {
                vote_extensions_enable_height: Int::value(group.vote_extensions_enable_height),
            }),
        }
    }
}

/// Nanoseconds, saturating at what 64 bits hold (292 years).
fn nanos(duration: Option<Duration>) -> i64 {
    let duration = duration.unwrap_or_default();
    duration.seconds.saturating_mul(1_000_000_000).saturating_add(i64::from(duration.nanos))
}

impl From<pb::ConsensusParams> for ConsensusParamUpdates {
    fn from(from: pb::ConsensusParams) -> Self {
        Self {
            block: from
                .block
                .map(|group| BlockParams { max_bytes: group.max_bytes, max_gas: group.max_gas }),
            evidence: from.evidence.map(|group| EvidenceParams {
                max_age_num_blocks: group.max_age_num_blocks,
                max_age_duration: nanos(group.max_age_duration),
                max_bytes: group.max_bytes,
            }),
            validator: from
                .validator
                .map(|group| ValidatorParams { pub_key_types: group.pub_key_types }),
            version: from.version.map(|group| VersionParams { app: group.app }),
            abci: from.abci.map(|group| AbciParams {
                vote_extensions_enable_height: group.vote_extensions_enable_height,
            }),
        }
    }
}

impl From<pb::ConsensusParams> for ConsensusParams {
    fn from(from: pb::ConsensusParams) -> Self {
        let groups = ConsensusParamUpdates::from(from);
        Self {
            block: groups.block.unwrap_or_default(),
            evidence: groups.evidence.unwrap_or_default(),
            validator: groups.validator.unwrap_or_default(),
            version: groups.version.unwrap_or_default(),
            abci: groups.abci.unwrap_or_default(),
        }
    }
}
