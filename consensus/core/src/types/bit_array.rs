//! Bits in words of 64, as peers tell each other what they have.
use std::fmt;

use guts_abci::proto;

use super::Invalid;

/// A fixed number of bits. Bits beyond the last are always zero.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct BitArray {
    len: usize,
    words: Vec<u64>,
}

impl BitArray {
    /// `len` bits, all clear.
    pub fn new(len: usize) -> BitArray {
        BitArray { len, words: vec![0; len.div_ceil(64)] }
    }

    /// Number of bits.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no bits at all.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bit at `index`; clear beyond the end.
    pub fn get(&self, index: usize) -> bool {
        index < self.len && self.words[index / 64] >> (index % 64) & 1 == 1
    }

    /// Sets the bit at `index`; says whether the index is inside.
    pub fn set(&mut self, index: usize, value: bool) -> bool {
        if index >= self.len {
            return false;
        }
        let bit = 1 << (index % 64);
        let word = &mut self.words[index / 64];
        *word = if value { *word | bit } else { *word & !bit };
        true
    }

    /// How many bits are set.
    pub fn count_ones(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether all bits are set (true of no bits).
    pub fn is_full(&self) -> bool {
        self.count_ones() == self.len
    }

    /// Indices of the set bits, rising.
    pub fn ones(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.len).filter(|&index| self.get(index))
    }

    /// Bits set in either; as long as the longer.
    #[must_use]
    pub fn or(&self, other: &BitArray) -> BitArray {
        let mut out = BitArray::new(self.len.max(other.len));
        for (i, word) in out.words.iter_mut().enumerate() {
            *word = self.word(i) | other.word(i);
        }
        out
    }

    fn word(&self, index: usize) -> u64 {
        self.words.get(index).copied().unwrap_or(0)
    }

    fn trimmed(mut self) -> BitArray {
        if let Some(last) = self.words.last_mut().filter(|_| !self.len.is_multiple_of(64)) {
            *last &= (1 << (self.len % 64)) - 1;
        }
        self
    }

    /// Reads and checks the wire form; bits beyond the last are dropped.
    pub fn from_proto(bits: proto::libs::bits::BitArray) -> Result<BitArray, Invalid> {
        let len = usize::try_from(bits.bits).map_err(|_| Invalid::ElementCount)?;
        if bits.elems.len() != len.div_ceil(64) {
            return Err(Invalid::ElementCount);
        }
        Ok(BitArray { len, words: bits.elems }.trimmed())
    }

    /// The wire form.
    pub fn to_proto(&self) -> proto::libs::bits::BitArray {
        let bits = i64::try_from(self.len).unwrap_or(i64::MAX);
        proto::libs::bits::BitArray { bits, elems: self.words.clone() }
    }
}

/// `x` for a set bit, `_` for a clear one.
impl fmt::Display for BitArray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (0..self.len).try_for_each(|i| f.write_str(if self.get(i) { "x" } else { "_" }))
    }
}

impl fmt::Debug for BitArray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BA{{{}:{self}}}", self.len)
    }
}
