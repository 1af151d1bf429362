//! What is kept is bounded, and shared fairly.
use bytes::Bytes;
use guts_genesis::{Address, Height, Round, Signature, Time};

use super::*;
use crate::types::{BlockId, Vote, VoteKind};

const MIB: usize = 1 << 20;
static ZEROS: [u8; MIB] = [0; MIB];

/// A precommit with an extension of so many bytes.
fn vote(extension: usize) -> Message {
    Message::Vote(Vote {
        kind: VoteKind::Precommit,
        height: Height(2),
        round: Round(0),
        block_id: BlockId::NIL,
        time: Time::EPOCH,
        validator_address: Address([0; 20]),
        validator_index: 0,
        signature: Signature::NONE,
        extension: Bytes::from_static(&ZEROS[..extension]),
        extension_signature: Signature::NONE,
    })
}

/// How many of one peer's messages are kept.
fn kept(early: &Early, peer: u64) -> usize {
    early.of.get(&PeerId(peer)).map_or(0, |kept| kept.messages.len())
}

fn flood(early: &mut Early, peer: u64, count: usize, extension: usize) -> u64 {
    (0..count).map(|_| early.keep(PeerId(peer), vote(extension))).sum()
}

#[test]
fn a_peer_has_its_share_of_messages_and_of_bytes() {
    let mut early = Early::default();
    assert_eq!(flood(&mut early, 1, MESSAGES_MAX + 3, 0), 3);
    assert_eq!(kept(&early, 1), MESSAGES_MAX);
    assert_eq!(flood(&mut early, 2, 40, MIB), 9, "extensions count");
    assert!(early.of[&PeerId(2)].bytes <= BYTES_MAX);
}

#[test]
fn all_peers_together_have_a_bound_and_the_largest_gives_way() {
    let mut early = Early::default();
    for peer in 0..40 {
        flood(&mut early, peer, 1_000, MIB);
        assert!(early.bytes <= BYTES_ALL_MAX);
    }
    let sum: usize = early.of.values().map(|kept| kept.bytes).sum();
    assert_eq!(sum, early.bytes);
    assert!((0..40).all(|peer| kept(&early, peer) >= 1), "nobody is kept out");
    assert!(flood(&mut early, 99, 100, 100) <= 1, "one large one makes room for small ones");
    assert_eq!(kept(&early, 99), 100);
}

#[test]
fn what_is_taken_makes_room() {
    let mut early = Early::default();
    flood(&mut early, 1, 20, MIB);
    assert_eq!(early.take(PeerId(1)).len(), 20);
    assert_eq!((early.bytes, kept(&early, 1)), (0, 0));
    assert!(early.take(PeerId(1)).is_empty());
}
