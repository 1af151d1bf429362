//! Block headers and their hash.
use bytes::Bytes;
use guts_abci::proto;
use guts_genesis::{Address, ChainId, Height, Time};

use super::{BlockId, Hash, Invalid, merkle, wire};

/// The block protocol this engine speaks (CometBFT v0.38's).
pub const BLOCK_PROTOCOL: u64 = 11;
/// CometBFT's number of the protocol between nodes.
pub const P2P_PROTOCOL: u64 = 8;

/// Versions a header was made under.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Version {
    /// Rules of blocks, [`BLOCK_PROTOCOL`].
    pub block: u64,
    /// Rules of the application.
    pub app: u64,
}

/// The header of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Versions of block rules and application.
    pub version: Version,
    /// The chain, at most 50 bytes.
    pub chain_id: String,
    /// Height of the block, from 1.
    pub height: Height,
    /// Genesis time for the first block, then the weighted median of the last commit's times.
    pub time: Time,
    /// The block before.
    pub last_block_id: BlockId,
    /// Hash of the commit of the block before.
    pub last_commit_hash: Hash,
    /// Merkle root over the hashes of the transactions.
    pub data_hash: Hash,
    /// Hash of the validator set of this height.
    pub validators_hash: Hash,
    /// Hash of the validator set of the next height.
    pub next_validators_hash: Hash,
    /// Hash of the consensus parameters of this height.
    pub consensus_hash: Hash,
    /// What the application answered to the block before; any length.
    pub app_hash: Bytes,
    /// Merkle root over the results of the block before.
    pub last_results_hash: Hash,
    /// Merkle root over the evidence.
    pub evidence_hash: Hash,
    /// Who proposed the block.
    pub proposer_address: Address,
}

/// A value wrapped as field 1 of a message, empty if the value is.
fn wrapped(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 3);
    wire::put_bytes(&mut out, 1, bytes);
    out
}

impl Header {
    /// The block hash: Merkle root over the fourteen fields. Empty without validators hash.
    pub fn hash(&self) -> Hash {
        if self.validators_hash.is_empty() {
            return Hash::EMPTY;
        }
        let mut height = Vec::with_capacity(10);
        wire::put_int(&mut height, 1, self.height.wire());
        merkle::root(&[
            self.encode_version(),
            wrapped(self.chain_id.as_bytes()),
            height,
            wire::timestamp(self.time),
            self.last_block_id.encode(),
            wrapped(self.last_commit_hash.as_bytes()),
            wrapped(self.data_hash.as_bytes()),
            wrapped(self.validators_hash.as_bytes()),
            wrapped(self.next_validators_hash.as_bytes()),
            wrapped(self.consensus_hash.as_bytes()),
            wrapped(&self.app_hash),
            wrapped(self.last_results_hash.as_bytes()),
            wrapped(self.evidence_hash.as_bytes()),
            wrapped(self.proposer_address.as_bytes()),
        ])
    }

    fn encode_version(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(12);
        wire::put_uint(&mut out, 1, self.version.block);
        wire::put_uint(&mut out, 2, self.version.app);
        out
    }

    /// Reads and checks the wire form.
    pub fn from_proto(header: proto::types::Header) -> Result<Header, Invalid> {
        let version = header.version.unwrap_or_default();
        if version.block != BLOCK_PROTOCOL {
            return Err(Invalid::BlockProtocol);
        }
        if header.chain_id.len() > ChainId::LEN_MAX {
            return Err(Invalid::ChainIdTooLong);
        }
        let height = Height::from_wire(header.height)?;
        if height == Height::ZERO {
            return Err(Invalid::HeightZero);
        }
        let last_block_id = BlockId::from_proto(header.last_block_id.as_ref())?;
        let last_commit_hash = Hash::from_slice(&header.last_commit_hash)?;
        let data_hash = Hash::from_slice(&header.data_hash)?;
        let evidence_hash = Hash::from_slice(&header.evidence_hash)?;
        let proposer_address = Address::from_slice(&header.proposer_address)
            .map_err(|_| Invalid::ProposerAddressSize)?;
        Ok(Header {
            version: Version { block: version.block, app: version.app },
            chain_id: header.chain_id,
            height,
            time: Time::from_proto(header.time.as_ref())?,
            last_block_id,
            last_commit_hash,
            data_hash,
            validators_hash: Hash::from_slice(&header.validators_hash)?,
            next_validators_hash: Hash::from_slice(&header.next_validators_hash)?,
            consensus_hash: Hash::from_slice(&header.consensus_hash)?,
            app_hash: header.app_hash.into(),
            last_results_hash: Hash::from_slice(&header.last_results_hash)?,
            evidence_hash,
            proposer_address,
        })
    }

    /// The wire form.
    pub fn to_proto(&self) -> proto::types::Header {
        proto::types::Header {
            version: Some(proto::version::Consensus {
                block: self.version.block,
                app: self.version.app,
            }),
            chain_id: self.chain_id.clone(),
            height: self.height.wire(),
            time: Some(self.time.to_proto()),
            last_block_id: Some(self.last_block_id.to_proto()),
            last_commit_hash: self.last_commit_hash.to_vec(),
            data_hash: self.data_hash.to_vec(),
            validators_hash: self.validators_hash.to_vec(),
            next_validators_hash: self.next_validators_hash.to_vec(),
            consensus_hash: self.consensus_hash.to_vec(),
            app_hash: self.app_hash.to_vec(),
            last_results_hash: self.last_results_hash.to_vec(),
            evidence_hash: self.evidence_hash.to_vec(),
            proposer_address: self.proposer_address.as_bytes().to_vec(),
        }
    }
}
