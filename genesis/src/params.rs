//! Consensus parameters: limits and rules that all nodes of a chain share.
use guts_abci::proto;
use guts_abci::proto::google::protobuf::Duration;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::json::{self, JsonError, Object};
use crate::{Height, PublicKey};

/// Most bytes of a block that parameters may allow.
pub const BLOCK_BYTES_LIMIT: i64 = 104_857_600;

/// Why parameters, or a change of them, are refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "each variant's message says what it means")]
pub enum ParamsError {
    #[error("block.max_bytes is 0")]
    BlockBytesZero,
    #[error("block.max_bytes is {0}, it must be -1 or positive")]
    BlockBytesNegative(i64),
    #[error("block.max_bytes is {0}, above the limit of {BLOCK_BYTES_LIMIT}")]
    BlockBytesTooBig(i64),
    #[error("block.max_gas is {0}, it must be at least -1")]
    BlockGas(i64),
    #[error("evidence.max_age_num_blocks is {0}, it must be positive")]
    EvidenceAgeBlocks(i64),
    #[error("evidence.max_age_duration is {0} ns, it must be positive")]
    EvidenceAgeDuration(i64),
    #[error("evidence.max_bytes is {0}, it must not be negative")]
    EvidenceBytesNegative(i64),
    #[error("evidence.max_bytes is {0}, more than a block may have")]
    EvidenceBytesTooBig(i64),
    #[error("abci.vote_extensions_enable_height is {0}, it must not be negative")]
    ExtensionsNegative(i64),
    #[error("abci.vote_extensions_enable_height is {0}, not after height {1}")]
    ExtensionsInThePast(i64, u64),
    #[error("abci.vote_extensions_enable_height {0} has passed and cannot change")]
    ExtensionsAlreadyEnabled(i64),
    #[error("validator.pub_key_types is empty")]
    NoKeyTypes,
    #[error("validator.pub_key_types names the unknown type `{0}`")]
    KeyTypeUnknown(String),
    #[error("the message lacks a part")]
    MissingPart,
}

impl ParamsError {
    /// A short, stable name of the reason.
    pub fn kind(&self) -> &'static str {
        match self {
            ParamsError::BlockBytesZero => "block-max-bytes-zero",
            ParamsError::BlockBytesNegative(_) => "block-max-bytes-negative",
            ParamsError::BlockBytesTooBig(_) => "block-max-bytes-too-big",
            ParamsError::BlockGas(_) => "block-max-gas",
            ParamsError::EvidenceAgeBlocks(_) => "evidence-age-blocks",
            ParamsError::EvidenceAgeDuration(_) => "evidence-age-duration",
            ParamsError::EvidenceBytesNegative(_) => "evidence-max-bytes-negative",
            ParamsError::EvidenceBytesTooBig(_) => "evidence-max-bytes-too-big",
            ParamsError::ExtensionsNegative(_) => "extensions-height-negative",
            ParamsError::ExtensionsInThePast(..) => "extensions-height-in-the-past",
            ParamsError::ExtensionsAlreadyEnabled(_) => "extensions-already-enabled",
            ParamsError::NoKeyTypes => "no-key-types",
            ParamsError::KeyTypeUnknown(_) => "key-type-unknown",
            ParamsError::MissingPart => "missing-part",
        }
    }
}

/// Consensus parameters, with CometBFT's names and units. Genesis sets them, the application
/// changes them; a change counts from the next height.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsensusParams {
    /// Most bytes of a block; -1 for the protocol's limit.
    pub block_max_bytes: i64,
    /// Most gas of a block; -1 for no limit.
    pub block_max_gas: i64,
    /// Evidence expires when it is older than this in blocks ...
    pub evidence_max_age_num_blocks: i64,
    /// ... and older than this in nanoseconds.
    pub evidence_max_age_duration_ns: i64,
    /// Most bytes of evidence in a block.
    pub evidence_max_bytes: i64,
    /// Key types validators may have.
    pub validator_pub_key_types: Vec<String>,
    /// Version of the application's rules, in every header.
    pub version_app: u64,
    /// First height with vote extensions; 0 for never.
    pub vote_extensions_enable_height: i64,
}

/// CometBFT's defaults.
impl Default for ConsensusParams {
    fn default() -> ConsensusParams {
        ConsensusParams {
            block_max_bytes: 22_020_096,
            block_max_gas: -1,
            evidence_max_age_num_blocks: 100_000,
            evidence_max_age_duration_ns: 48 * 3600 * 1_000_000_000,
            evidence_max_bytes: 1_048_576,
            validator_pub_key_types: vec![PublicKey::ED25519.to_owned()],
            version_app: 0,
            vote_extensions_enable_height: 0,
        }
    }
}

impl ConsensusParams {
    /// The consensus hash of headers; covers the limits of blocks only.
    pub fn hash(&self) -> [u8; 32] {
        use proto::Message;
        let hashed = proto::types::HashedParams {
            block_max_bytes: self.block_max_bytes,
            block_max_gas: self.block_max_gas,
        };
        Sha256::digest(hashed.encode_to_vec()).into()
    }

    /// Checks every parameter.
    pub fn check(&self) -> Result<(), ParamsError> {
        match self.block_max_bytes {
            0 => return Err(ParamsError::BlockBytesZero),
            bytes if bytes < -1 => return Err(ParamsError::BlockBytesNegative(bytes)),
            bytes if bytes > BLOCK_BYTES_LIMIT => {
                return Err(ParamsError::BlockBytesTooBig(bytes));
            }
            _ => {}
        }
        if self.block_max_gas < -1 {
            return Err(ParamsError::BlockGas(self.block_max_gas));
        }
        if self.evidence_max_age_num_blocks <= 0 {
            return Err(ParamsError::EvidenceAgeBlocks(self.evidence_max_age_num_blocks));
        }
        if self.evidence_max_age_duration_ns <= 0 {
            return Err(ParamsError::EvidenceAgeDuration(self.evidence_max_age_duration_ns));
        }
        let block_bytes =
            if self.block_max_bytes == -1 { BLOCK_BYTES_LIMIT } else { self.block_max_bytes };
        if self.evidence_max_bytes > block_bytes {
            return Err(ParamsError::EvidenceBytesTooBig(self.evidence_max_bytes));
        }
        if self.evidence_max_bytes < 0 {
            return Err(ParamsError::EvidenceBytesNegative(self.evidence_max_bytes));
        }
        if self.vote_extensions_enable_height < 0 {
            let height = self.vote_extensions_enable_height;
            return Err(ParamsError::ExtensionsNegative(height));
        }
        if self.validator_pub_key_types.is_empty() {
            return Err(ParamsError::NoKeyTypes);
        }
        let known = [PublicKey::ED25519, PublicKey::SECP256K1];
        let unknown = |name: &&String| !known.contains(&name.as_str());
        match self.validator_pub_key_types.iter().find(unknown) {
            Some(name) => Err(ParamsError::KeyTypeUnknown(name.chars().take(64).collect())),
            None => Ok(()),
        }
    }

    /// Whether votes are extended at `height` (from 1).
    pub fn has_extensions_at(&self, height: Height) -> bool {
        let from = self.vote_extensions_enable_height;
        from != 0 && from <= height.wire()
    }

    /// Checks a change decided at `height`: vote extensions can only be switched on, for a later
    /// height, and stay on.
    pub fn check_update(
        &self,
        update: Option<&proto::types::ConsensusParams>,
        height: Height,
    ) -> Result<(), ParamsError> {
        let Some(abci) = update.and_then(|update| update.abci.as_ref()) else { return Ok(()) };
        let (old, new) = (self.vote_extensions_enable_height, abci.vote_extensions_enable_height);
        let has_passed = old != 0 && old <= height.wire();
        if new < 0 {
            Err(ParamsError::ExtensionsNegative(new))
        } else if new == old || (new == 0 && !has_passed) {
            Ok(())
        } else if new != 0 && new <= height.wire() {
            Err(ParamsError::ExtensionsInThePast(new, height.get()))
        } else if has_passed {
            Err(ParamsError::ExtensionsAlreadyEnabled(old))
        } else {
            Ok(())
        }
    }

    /// The parameters after a change. A group that is present replaces all of its members.
    #[must_use]
    pub fn updated(&self, update: Option<&proto::types::ConsensusParams>) -> ConsensusParams {
        let mut params = self.clone();
        let Some(update) = update else { return params };
        if let Some(block) = &update.block {
            params.block_max_bytes = block.max_bytes;
            params.block_max_gas = block.max_gas;
        }
        if let Some(evidence) = &update.evidence {
            params.evidence_max_age_num_blocks = evidence.max_age_num_blocks;
            params.evidence_max_age_duration_ns = duration_ns(evidence.max_age_duration.as_ref());
            params.evidence_max_bytes = evidence.max_bytes;
        }
        if let Some(validator) = &update.validator {
            params.validator_pub_key_types.clone_from(&validator.pub_key_types);
        }
        if let Some(version) = &update.version {
            params.version_app = version.app;
        }
        if let Some(abci) = &update.abci {
            params.vote_extensions_enable_height = abci.vote_extensions_enable_height;
        }
        params
    }

    /// Reads the wire form. Only the `abci` group may be missing.
    pub fn from_proto(
        params: &proto::types::ConsensusParams,
    ) -> Result<ConsensusParams, ParamsError> {
        let there = params.block.is_some()
            && params.evidence.is_some()
            && params.validator.is_some()
            && params.version.is_some();
        if !there {
            return Err(ParamsError::MissingPart);
        }
        let base = ConsensusParams { vote_extensions_enable_height: 0, ..Self::default() };
        Ok(base.updated(Some(params)))
    }

    /// The wire form, all groups present.
    pub fn to_proto(&self) -> proto::types::ConsensusParams {
        let nanos = self.evidence_max_age_duration_ns;
        let age = Duration {
            seconds: nanos / 1_000_000_000,
            nanos: i32::try_from(nanos % 1_000_000_000).expect("below a billion"),
        };
        proto::types::ConsensusParams {
            block: Some(proto::types::BlockParams {
                max_bytes: self.block_max_bytes,
                max_gas: self.block_max_gas,
            }),
            evidence: Some(proto::types::EvidenceParams {
                max_age_num_blocks: self.evidence_max_age_num_blocks,
                max_age_duration: Some(age),
                max_bytes: self.evidence_max_bytes,
            }),
            validator: Some(proto::types::ValidatorParams {
                pub_key_types: self.validator_pub_key_types.clone(),
            }),
            version: Some(proto::types::VersionParams { app: self.version_app }),
            abci: Some(proto::types::AbciParams {
                vote_extensions_enable_height: self.vote_extensions_enable_height,
            }),
        }
    }

    /// CometBFT's JSON, compact.
    pub fn to_json(&self) -> String {
        let names: Vec<String> =
            self.validator_pub_key_types.iter().map(|name| json::quote(name)).collect();
        let types =
            if names.is_empty() { "null".to_owned() } else { format!("[{}]", names.join(",")) };
        format!(
            "{{\"block\":{{\"max_bytes\":\"{}\",\"max_gas\":\"{}\"}},\
             \"evidence\":{{\"max_age_num_blocks\":\"{}\",\"max_age_duration\":\"{}\",\
             \"max_bytes\":\"{}\"}},\"validator\":{{\"pub_key_types\":{types}}},\
             \"version\":{{\"app\":\"{}\"}},\
             \"abci\":{{\"vote_extensions_enable_height\":\"{}\"}}}}",
            self.block_max_bytes,
            self.block_max_gas,
            self.evidence_max_age_num_blocks,
            self.evidence_max_age_duration_ns,
            self.evidence_max_bytes,
            self.version_app,
            self.vote_extensions_enable_height,
        )
    }

    /// Reads CometBFT's JSON; what is missing is zero. Not checked.
    pub fn from_json(text: &str) -> Result<ConsensusParams, JsonError> {
        let all = Object::parse("consensus_params", text)?;
        let block = all.object("block")?;
        let evidence = all.object("evidence")?;
        Ok(ConsensusParams {
            block_max_bytes: block.int64("max_bytes")?,
            block_max_gas: block.int64("max_gas")?,
            evidence_max_age_num_blocks: evidence.int64("max_age_num_blocks")?,
            evidence_max_age_duration_ns: evidence.int64("max_age_duration")?,
            evidence_max_bytes: evidence.int64("max_bytes")?,
            validator_pub_key_types: all.object("validator")?.strings("pub_key_types")?,
            version_app: all.object("version")?.uint64("app")?,
            vote_extensions_enable_height: all
                .object("abci")?
                .int64("vote_extensions_enable_height")?,
        })
    }
}

fn duration_ns(duration: Option<&Duration>) -> i64 {
    let Some(duration) = duration else { return 0 };
    duration.seconds.saturating_mul(1_000_000_000).saturating_add(i64::from(duration.nanos))
}
