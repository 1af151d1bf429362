//! Keys of the store, spelled once. Numbers are big-endian, so that keys sort by height.

use super::TxPlace;
use guts_genesis::Height;

/// Kinds of entry in the family of small values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// Height -> `tendermint.types.BlockMeta`.
    Meta = b'm',
    /// Height -> one byte (extended or not), `tendermint.types.ExtendedCommit`.
    Seen = b's',
    /// Height -> `tendermint.types.Commit`, the one in the next block.
    Commit = b'c',
    /// Height -> `tendermint.types.ValidatorSet`.
    Validators = b'v',
    /// Height -> `tendermint.types.ConsensusParams`.
    Params = b'p',
    /// Header hash -> height.
    Hash = b'h',
    /// Evidence hash -> `tendermint.types.Evidence` that waits.
    Evidence = b'e',
    /// Evidence hash -> height of the misbehaviour, of evidence that is in a block.
    EvidenceDone = b'd',
}

// Single entries, all beginning with x.
/// The engine's state, `tendermint.state.State`.
pub(super) const STATE: &[u8] = b"xstate";
/// SHA-256 of the genesis document the store belongs to.
pub(super) const GENESIS: &[u8] = b"xgenesis";
/// The form in which everything is kept, one byte.
pub(super) const FORM: &[u8] = b"xform";
/// The lowest height in the store.
pub(super) const BASE: &[u8] = b"xbase";
/// The highest height whose events are indexed. Stands among the events, whose writes have no log:
/// what a crash takes of them, it takes from the newest on, and this with it.
pub(super) const INDEXED: &[u8] = b"xindexed";
/// The highest block in the store.
pub(super) const TOP: &[u8] = b"xtop";

/// Bytes of a transaction's hash.
pub(super) const HASH_BYTES: usize = 32;

pub(super) fn height(height: Height) -> [u8; 8] {
    height.0.to_be_bytes()
}

pub(super) fn at(kind: Kind, height: Height) -> [u8; 9] {
    let mut key = [kind as u8; 9];
    key[1..].copy_from_slice(&height.0.to_be_bytes());
    key
}

pub(super) fn of(kind: Kind, hash: &[u8]) -> Vec<u8> {
    [&[kind as u8], hash].concat()
}

/// A transaction's hash and one of the places where it is.
pub(super) fn tx(hash: &[u8], place: TxPlace) -> Vec<u8> {
    [hash, &height(place.height), &place.index.to_be_bytes()].concat()
}
