//! Blocks cut into parts, so that they spread in pieces that are proved one by one.
use bytes::{Bytes, BytesMut};
use guts_abci::proto;

use super::merkle::{self, Proof};
use super::{BitArray, Hash, Invalid, PartSetHeader};

/// Bytes of a part; the last may be shorter.
pub const PART_SIZE: usize = 65_536;
/// Most parts a block may have: 100 MiB of them, and one for the rest.
pub const PARTS_MAX: u32 = 1_601;

/// A piece of a block with its proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Position among the parts.
    pub index: u32,
    /// The bytes.
    pub bytes: Bytes,
    /// Proof under the root of the part set header.
    pub proof: Proof,
}

impl Part {
    /// Reads and checks the wire form.
    pub fn from_proto(part: proto::types::Part) -> Result<Part, Invalid> {
        let proof = Proof::from_proto(part.proof.unwrap_or_default());
        let proof = proof.map_err(|error| Invalid::Proof(Box::new(error)));
        let part = Part::unproved(part.index, part.bytes.into(), proof)?;
        if u64::from(part.index) != part.proof.index {
            return Err(Invalid::IndexMismatch);
        }
        Ok(part)
    }

    fn unproved(index: u32, bytes: Bytes, proof: Result<Proof, Invalid>) -> Result<Part, Invalid> {
        if bytes.len() > PART_SIZE {
            return Err(Invalid::PartTooBig);
        }
        // All but the last part are full. A proof that cannot be read has no total.
        let total = proof.as_ref().map_or(u64::MAX, |proof| proof.total);
        if proof.is_ok() && u64::from(index) + 1 < total && bytes.len() != PART_SIZE {
            return Err(Invalid::InnerPartSize);
        }
        Ok(Part { index, bytes, proof: proof? })
    }

    /// The wire form.
    pub fn to_proto(&self) -> proto::types::Part {
        proto::types::Part {
            index: self.index,
            bytes: self.bytes.to_vec(),
            proof: Some(self.proof.to_proto()),
        }
    }
}

/// The parts of one block, complete or still coming in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartSet {
    header: PartSetHeader,
    parts: Vec<Option<Part>>,
    bits: BitArray,
    count: u32,
    byte_size: u64,
    /// The bytes in one piece, where they came so.
    whole: Option<Bytes>,
}

impl PartSet {
    /// Cuts an encoded block into parts of [`PART_SIZE`]; no bytes are copied.
    pub fn of_bytes(whole: Bytes) -> PartSet {
        PartSet::of_bytes_in_pieces(whole, PART_SIZE)
    }

    /// Cuts into parts of `part_size` bytes (positive).
    pub fn of_bytes_in_pieces(whole: Bytes, part_size: usize) -> PartSet {
        let pieces: Vec<Bytes> = (0..whole.len())
            .step_by(part_size)
            .map(|from| whole.slice(from..whole.len().min(from + part_size)))
            .collect();
        let (hash, proofs) = merkle::proofs(&pieces);
        let parts: Vec<Option<Part>> = pieces
            .into_iter()
            .zip(proofs)
            .zip(0_u32..)
            .map(|((bytes, proof), index)| Some(Part { index, bytes, proof }))
            .collect();
        let total = u32::try_from(parts.len()).expect("a block has fewer than 2^32 parts");
        let mut bits = BitArray::new(parts.len());
        (0..parts.len()).for_each(|index| {
            bits.set(index, true);
        });
        PartSet {
            header: PartSetHeader { total, hash },
            parts,
            bits,
            count: total,
            byte_size: whole.len() as u64,
            whole: Some(whole),
        }
    }

    /// A set of which nothing has come yet. Refuses more than [`PARTS_MAX`] parts.
    pub fn awaiting(header: PartSetHeader) -> Result<PartSet, Invalid> {
        if header.total > PARTS_MAX {
            return Err(Invalid::TooManyParts);
        }
        let total = header.total as usize;
        Ok(PartSet {
            header,
            parts: vec![None; total],
            bits: BitArray::new(total),
            count: 0,
            byte_size: 0,
            whole: None,
        })
    }

    /// Checks and takes a part; false if it was there already.
    pub fn add(&mut self, part: Part) -> Result<bool, Invalid> {
        let slot = self.parts.get_mut(part.index as usize).ok_or(Invalid::UnexpectedIndex)?;
        if slot.is_some() {
            return Ok(false);
        }
        // A proof with another total may have the same shape and still lead to the root.
        if part.proof.total != u64::from(self.header.total) {
            return Err(Invalid::Proof(Box::new(Invalid::RootComputation)));
        }
        let proved = part.proof.verify(&self.header.hash, &part.bytes);
        proved.map_err(|error| Invalid::Proof(Box::new(error)))?;
        self.bits.set(part.index as usize, true);
        self.count += 1;
        self.byte_size += part.bytes.len() as u64;
        *slot = Some(part);
        Ok(true)
    }

    /// How many parts there are to be, and their root.
    pub fn header(&self) -> PartSetHeader {
        self.header
    }

    /// Root over the parts.
    pub fn hash(&self) -> Hash {
        self.header.hash
    }

    /// The part at `index`, if it is here.
    pub fn part(&self, index: u32) -> Option<&Part> {
        self.parts.get(index as usize)?.as_ref()
    }

    /// The parts that are here.
    pub fn parts(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter().flatten()
    }

    /// Which parts are here.
    pub fn bits(&self) -> &BitArray {
        &self.bits
    }

    /// How many parts are here.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Bytes in the parts that are here.
    pub fn byte_size(&self) -> u64 {
        self.byte_size
    }

    /// Whether all parts are here.
    pub fn is_complete(&self) -> bool {
        self.count == self.header.total
    }

    /// The whole block's bytes once complete; copied only if they came in more than one part.
    pub fn assemble(&self) -> Option<Bytes> {
        if !self.is_complete() {
            return None;
        }
        if let Some(whole) = &self.whole {
            return Some(whole.clone());
        }
        if let [Some(only)] = self.parts.as_slice() {
            return Some(only.bytes.clone());
        }
        let mut whole = BytesMut::with_capacity(usize::try_from(self.byte_size).ok()?);
        self.parts().for_each(|part| whole.extend_from_slice(&part.bytes));
        Some(whole.freeze())
    }
}
