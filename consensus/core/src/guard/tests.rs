//! [S-2] under attack.
use guts_genesis::{Address, Height, Round, Signature, Time};

use super::*;
use crate::types::{BlockId, Hash, PartSetHeader, Vote, VoteKind};

fn intent(height: u64, round: u32, kind: VoteKind, block: &str) -> Intent {
    Intent::Vote(Vote {
        kind,
        height: Height(height),
        round: Round(round),
        block_id: BlockId {
            hash: Hash::of(block.as_bytes()),
            parts: PartSetHeader { total: 1, hash: Hash::of(b"p") },
        },
        time: Time::EPOCH,
        validator_address: Address([1; 20]),
        validator_index: 0,
        signature: Signature::NONE,
        extension: bytes::Bytes::new(),
        extension_signature: Signature::NONE,
    })
}

#[test]
fn s2_nothing_is_signed_twice_differently_and_nothing_behind_the_last() {
    use VoteKind::{Precommit, Prevote};
    let mut guard = Guard::default();
    assert_eq!(guard.ask(&intent(5, 1, Prevote, "a")), Permit::New);
    assert_eq!(guard.ask(&intent(5, 1, Prevote, "a")), Permit::Again);
    assert_eq!(guard.ask(&intent(5, 1, Prevote, "b")), Permit::Refused);
    assert_eq!(guard.ask(&intent(5, 0, Precommit, "a")), Permit::Refused);
    assert_eq!(guard.ask(&intent(4, 9, Precommit, "a")), Permit::Refused);
    assert_eq!(guard.ask(&intent(5, 1, Precommit, "a")), Permit::New);
    assert_eq!(guard.ask(&intent(5, 1, Prevote, "a")), Permit::Refused, "behind the last");
}

#[test]
fn s2_holds_across_restarts() {
    let mut guard = Guard::default();
    guard.restore(intent(5, 1, VoteKind::Prevote, "a"));
    assert_eq!(guard.ask(&intent(5, 1, VoteKind::Prevote, "b")), Permit::Refused);
    assert_eq!(guard.ask(&intent(5, 1, VoteKind::Prevote, "a")), Permit::Again);
    let at = intent(7, 0, VoteKind::Precommit, "x").position();
    guard.restore_position(at);
    assert_eq!(guard.ask(&intent(7, 0, VoteKind::Precommit, "x")), Permit::Refused);
    assert_eq!(guard.ask(&intent(7, 1, VoteKind::Prevote, "x")), Permit::New);
}
