//! Lines about votes are those that were recorded.

use std::path::PathBuf;

use serde_json::Value;

use super::*;
use crate::types::CommitResult;

fn answer(file: &str, is_wanted: impl Fn(&Value) -> bool) -> Value {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors/rpc");
    let text = std::fs::read_to_string(root.join(file)).unwrap();
    let vector: Value = serde_json::from_str(&text).unwrap();
    let cases = vector["cases"].as_array().unwrap().iter();
    let mut bodies = cases
        .filter_map(|case| serde_json::from_str::<Value>(case["response"]["body"].as_str()?).ok());
    bodies.find(|body| is_wanted(&body["result"])).unwrap()["result"].take()
}

#[test]
fn votes_are_shown_in_the_recorded_words() {
    let last = |result: &Value| result["round_state"]["last_commit"]["votes"].is_array();
    let dump: DumpConsensusState =
        serde_json::from_value(answer("dump_consensus_state.json", last)).unwrap();
    let height = dump.round_state.height - 1;
    let of_height =
        |result: &Value| result["signed_header"]["header"]["height"] == height.to_string().as_str();
    let commit: CommitResult = serde_json::from_value(answer("commit.json", of_height)).unwrap();
    let commit = commit.signed_header.commit;
    let vote = |(index, sig): (usize, crate::types::CommitSig)| {
        (sig.block_id_flag == 2).then(|| Vote {
            kind: 2,
            height: commit.height,
            round: commit.round,
            block_id: commit.block_id.clone(),
            timestamp: sig.timestamp,
            validator_address: sig.validator_address,
            validator_index: i32::try_from(index).unwrap(),
            signature: sig.signature,
            ..Vote::default()
        })
    };
    let lines = vote_lines(commit.signatures.clone().into_iter().enumerate().map(vote));
    let recorded = dump.round_state.last_commit.unwrap();
    assert_eq!(lines.len(), recorded.votes.len());
    // A precommit that came late is in the picture and not yet in the commit.
    let made: Vec<_> = lines.iter().zip(&recorded.votes).filter(|(l, _)| *l != NO_VOTE).collect();
    assert_eq!(made.len(), 3);
    made.iter().for_each(|(line, recorded)| assert_eq!(line, recorded));
    let voters = bits(recorded.votes.iter().map(|line| line != NO_VOTE));
    let powers = dump.round_state.last_validators.validators.iter();
    let total = powers.map(|one| one.voting_power.unsigned_abs()).sum();
    assert_eq!(voters_line(&voters, total, total), recorded.votes_bit_array);
    assert_eq!(voters_line("___x", 10, 53), "BA{4:___x} 10/53 = 0.19");
    assert_eq!(vote_lines([None].into_iter()), ["nil-Vote"]);
}

#[test]
fn votes_for_nothing_are_shown_with_zeros() {
    let vote = Vote { kind: 1, height: 7, round: 12, ..Vote::default() };
    let line = "Vote{0:000000000000 7/12/SIGNED_MSG_TYPE_PREVOTE(Prevote) 000000000000 \
                000000000000 000000000000 @ 0001-01-01T00:00:00Z}";
    assert_eq!(vote.line(), line);
}
