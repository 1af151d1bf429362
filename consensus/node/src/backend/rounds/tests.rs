//! What is known of a peer is shown as it was recorded of CometBFT's.

use super::*;
use guts_consensus::io::PeerId as Number;
use guts_consensus::step::StepName;
use guts_consensus::types::PartSetHeader;
use serde_json::Value;

/// What was recorded of the first peer, in this state of the node.
fn recorded(state: &str) -> Value {
    let text = include_str!("../../../../../tests/vectors/rpc/dump_consensus_state.json");
    let vector: Value = serde_json::from_str(text).unwrap();
    let cases = vector["cases"].as_array().unwrap();
    let case = cases.iter().find(|case| case["state"] == state).unwrap();
    let body = case["response"]["body"].as_str().unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    body["result"]["peers"][0]["peer_state"]["round_state"].clone()
}

fn bits(marks: &str) -> BitArray {
    let mut bits = BitArray::new(marks.len());
    marks.bytes().enumerate().for_each(|(index, mark)| assert!(bits.set(index, mark == b'x')));
    bits
}

/// At this height, where nothing is known of it yet.
fn peer(height: u64, step: StepName) -> PeerState {
    PeerState {
        peer: Number(1),
        height: Height(height),
        round: Round::ZERO,
        step,
        has_proposal: false,
        parts: None,
        pol_round: None,
        pol: Some(bits("____")),
        prevotes: Some(bits("____")),
        precommits: Some(bits("____")),
        last_commit_round: None,
        last_commit: None,
        votes: 0,
        block_parts: 0,
    }
}

fn shown(known: &PeerState) -> Value {
    serde_json::to_value(peer_round_state(known)).unwrap()
}

#[test]
fn a_peer_is_shown_in_the_recorded_shape() {
    let first = peer(1, StepName::Propose);
    let mut last = peer(27, StepName::NewHeight);
    (last.last_commit_round, last.last_commit) = (Some(Round::ZERO), Some(bits("xxxx")));
    for (state, known) in [("genesis", first), ("final", last)] {
        let (mut ours, mut wanted) = (shown(&known), recorded(state));
        // When it began its round nobody says, and no old commits are fed to it.
        assert_eq!(ours["start_time"], "0001-01-01T00:00:00Z");
        assert_eq!(
            (&ours["catchup_commit"], &wanted["catchup_commit"]),
            (&Value::Null, &"____".into())
        );
        for field in ["start_time", "catchup_commit"] {
            (ours[field], wanted[field]) = (Value::Null, Value::Null);
        }
        assert_eq!(ours, wanted, "{state}");
    }
}

#[test]
fn what_a_peer_has_is_shown_bit_by_bit() {
    let mut known = peer(5, StepName::Prevote);
    (known.round, known.pol_round) = (Round(3), Some(Round(1)));
    (known.has_proposal, known.pol) = (true, Some(bits("xxx_")));
    let header = PartSetHeader { total: 2, ..PartSetHeader::default() };
    known.parts = Some((header, bits("_x")));
    (known.prevotes, known.precommits) = (Some(bits("x__x")), None);
    let shown = shown(&known);
    let wanted = [
        ("round", Value::from(3)),
        ("proposal", true.into()),
        ("proposal_block_parts", "_x".into()),
        ("proposal_pol_round", 1.into()),
        ("proposal_pol", "xxx_".into()),
        ("prevotes", "x__x".into()),
        ("precommits", Value::Null),
    ];
    for (field, value) in wanted {
        assert_eq!(shown[field], value, "{field}");
    }
    assert_eq!(shown["proposal_block_part_set_header"]["total"], 2);
}
