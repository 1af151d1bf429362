//! What names a block: its hash and the root of its parts.
use guts_abci::proto;

use super::{Hash, Invalid, wire};

/// How many parts a block has and their Merkle root.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartSetHeader {
    /// Number of parts.
    pub total: u32,
    /// Merkle root over the parts.
    pub hash: Hash,
}

impl PartSetHeader {
    /// Whether there is nothing in it.
    pub fn is_zero(&self) -> bool {
        self.total == 0 && self.hash.is_empty()
    }

    /// Reads and checks the wire form.
    pub fn from_proto(header: &proto::types::PartSetHeader) -> Result<PartSetHeader, Invalid> {
        Ok(PartSetHeader { total: header.total, hash: Hash::from_slice(&header.hash)? })
    }

    /// The wire form.
    pub fn to_proto(&self) -> proto::types::PartSetHeader {
        proto::types::PartSetHeader { total: self.total, hash: self.hash.to_vec() }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(40);
        wire::put_uint(&mut out, 1, u64::from(self.total));
        wire::put_bytes(&mut out, 2, self.hash.as_bytes());
        out
    }
}

/// The name of a block. All zero, it stands for nil.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockId {
    /// Hash of the header.
    pub hash: Hash,
    /// The block's parts.
    pub parts: PartSetHeader,
}

impl BlockId {
    /// No block.
    pub const NIL: BlockId =
        BlockId { hash: Hash::EMPTY, parts: PartSetHeader { total: 0, hash: Hash::EMPTY } };

    /// Whether this is nil.
    pub fn is_nil(&self) -> bool {
        self.hash.is_empty() && self.parts.is_zero()
    }

    /// Whether both hashes and the number of parts are there.
    pub fn is_complete(&self) -> bool {
        !self.hash.is_empty() && self.parts.total > 0 && !self.parts.hash.is_empty()
    }

    /// The bytes CometBFT orders block ids by: hash, then the encoded part set header.
    pub fn key(&self) -> Vec<u8> {
        let mut key = self.hash.to_vec();
        key.extend_from_slice(&self.parts.encode());
        key
    }

    /// Reads and checks the wire form; a missing one is nil.
    pub fn from_proto(id: Option<&proto::types::BlockId>) -> Result<BlockId, Invalid> {
        let Some(id) = id else { return Ok(BlockId::NIL) };
        let part_set = id.part_set_header.clone().unwrap_or_default();
        let read = || {
            let hash = Hash::from_slice(&id.hash)?;
            Ok(BlockId { hash, parts: PartSetHeader::from_proto(&part_set)? })
        };
        read().map_err(|error| Invalid::BlockId(Box::new(error)))
    }

    /// The wire form.
    pub fn to_proto(&self) -> proto::types::BlockId {
        proto::types::BlockId {
            hash: self.hash.to_vec(),
            part_set_header: Some(self.parts.to_proto()),
        }
    }

    /// The protobuf encoding; the part set header is always written.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(80);
        wire::put_bytes(&mut out, 1, self.hash.as_bytes());
        wire::put_message(&mut out, 2, &self.parts.encode());
        out
    }
}
