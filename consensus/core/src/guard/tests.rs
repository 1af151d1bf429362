//! [S-2] under attack.
use guts_genesis::{Address, Height, Round, Signature, Time};

use super::*;
use crate::types::{BlockId, Hash, PartSetHeader, Proposal, Vote, VoteKind};
use crate::vectors::{bytes, each, int};

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

/// A request as the engine would intend it.
fn recorded(request: &serde_json::Value) -> Intent {
    let number = |name: &str| int(&request[name]);
    let hash = |name: &str| Hash::from_slice(&bytes(&request["block_id"][name])).unwrap();
    let total = u32::try_from(int(&request["block_id"]["total"])).unwrap();
    let parts = PartSetHeader { total, hash: hash("parts_hash") };
    let block_id = BlockId { hash: hash("hash"), parts };
    let (seconds, nanos) = (&request["timestamp"]["seconds"], &request["timestamp"]["nanos"]);
    let time = Time::from_wire(int(seconds), i32::try_from(int(nanos)).unwrap()).unwrap();
    let (height, round) = (number("height"), i32::try_from(number("round")).unwrap());
    let (height, round) = (Height::from_wire(height).unwrap(), Round::from_wire(round).unwrap());
    let kind = match number("type") {
        32 => {
            let pol_round = u32::try_from(number("pol_round")).ok().map(Round);
            let signature = Signature::NONE;
            return Intent::Proposal(Proposal {
                height,
                round,
                pol_round,
                block_id,
                time,
                signature,
            });
        }
        kind => VoteKind::from_wire(i32::try_from(kind).unwrap()).unwrap(),
    };
    Intent::Vote(Vote {
        kind,
        height,
        round,
        block_id,
        time,
        validator_address: Address([1; 20]),
        validator_index: 0,
        signature: Signature::NONE,
        extension: bytes(&request["extension"]).into(),
        extension_signature: Signature::NONE,
    })
}

/// CometBFT's signer, asked for the same with another time or another extension, repeats what it
/// signed before. Here such a request is refused: an engine that comes back repeats its recorded
/// intent, time and extension included, so the question does not come up.
#[test]
fn s2_the_guard_refuses_whatever_the_recorded_signer_refuses() {
    let mut guard = Guard::default();
    let mut last: Option<Intent> = None;
    let kinds = ["signer_proposal", "signer_vote"];
    let seen = each("02-keys.json", &kinds, |case| {
        let kind = case["result"]["error_kind"].as_str();
        // Votes of no kind do not exist here, nor intents with an extension out of place.
        if matches!(kind, Some("type-invalid" | "extension-not-allowed")) {
            return;
        }
        let intent = recorded(&case["request"]);
        let permit = guard.ask(&intent);
        let again = last.as_ref().is_some_and(|last| last.position() == intent.position());
        let expected = match kind {
            Some(_) => Permit::Refused,
            None if !again => Permit::New,
            None if last.as_ref() == Some(&intent) => Permit::Again,
            None => Permit::Refused,
        };
        assert_eq!(permit, expected, "{}", case["name"]);
        if permit == Permit::New {
            last = Some(intent);
        }
    });
    assert_eq!(seen, 24);
}
