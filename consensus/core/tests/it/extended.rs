//! 11-extended-commit: vote extensions in commits, and what the application is told of them.
use guts_abci::proto::{Message, types};
use guts_consensus::types::{Commit, EXTENSION_BYTES_MAX, ExtendedCommit, Invalid, Vote, abci};
use guts_genesis::{ConsensusParams, Height, Round, Zip215};
use serde_json::Value;

use crate::support::*;

fn decode(value: &Value) -> types::ExtendedCommit {
    types::ExtendedCommit::decode(bytes(value).as_slice()).unwrap()
}

#[test]
fn extended_commits_are_those_recorded() {
    each_case("11-extended-commit.json", 85, |kind, case| match kind {
        "extended_commit" | "extended_commit_basic" => {
            let wire = extended_commit(&case["extended_commit"]);
            assert_eq!(wire.encode_to_vec(), bytes(&case["proto"]), "{}", name(case));
            let read = ExtendedCommit::from_proto(wire.clone()).map_err(|error| match error {
                // Recorded by its inner reason.
                Invalid::CommitSig(_, inner) if *inner == Invalid::ExtensionSignatureMissing => {
                    *inner
                }
                other => other,
            });
            let Some(read) = expect(read, &case["validate_basic"], name(case)) else { return };
            assert_eq!(read.to_proto(), wire, "{}", name(case));
            let plain = read.to_commit();
            assert_eq!(plain.to_proto().encode_to_vec(), bytes(&case["to_commit_proto"]));
            if kind == "extended_commit" {
                assert_eq!(plain.hash().as_bytes(), bytes(&case["to_commit_hash"]));
                let again = ExtendedCommit::without_extensions(&plain);
                let wrapped = bytes(&case["wrapped_again_proto"]);
                assert_eq!(again.to_proto().encode_to_vec(), wrapped, "{}", name(case));
                expect(read.check_extensions(true), &case["ensure_extensions_enabled"], name(case));
                let disabled = &case["ensure_extensions_disabled"];
                expect(read.check_extensions(false), disabled, name(case));
                let validators = set(&case["validators"]);
                let verified = read.verify(&Zip215, text(&case["chain_id"]), &validators);
                expect(verified, &case["verify_commit_extended"], name(case));
            }
        }
        "extended_commit_info" => check_info(case),
        "last_commit_info" => {
            let commit = Commit::from_proto(commit(&case["last_commit"]));
            let heights =
                (Height(uint(&case["block_height"])), Height(uint(&case["initial_height"])));
            let validators = set(&case["validators"]);
            let info = abci::commit_info(&commit.unwrap_or_default(), &validators, heights);
            if let Some(info) = expect(info, &case["result"], name(case)) {
                assert_eq!(info.encode_to_vec(), bytes(&case["commit_info_proto"]));
            }
        }
        "vote_set" => check_votes(case),
        other => panic!("unknown kind {other}"),
    });
}

#[test]
fn an_extension_has_at_most_a_mebibyte() {
    let of_length = |len: usize| types::ExtendedCommit {
        height: 1,
        round: 0,
        block_id: Some(types::BlockId {
            hash: vec![1; 32],
            part_set_header: Some(types::PartSetHeader { total: 1, hash: vec![2; 32] }),
        }),
        extended_signatures: vec![types::ExtendedCommitSig {
            block_id_flag: 2,
            validator_address: vec![3; 20],
            timestamp: None,
            signature: vec![4; 64],
            extension: vec![5; len],
            extension_signature: vec![6; 64],
        }],
    };
    assert!(ExtendedCommit::from_proto(of_length(EXTENSION_BYTES_MAX)).is_ok());
    let long = ExtendedCommit::from_proto(of_length(EXTENSION_BYTES_MAX + 1));
    assert_eq!(long, Err(Invalid::CommitSig(0, Box::new(Invalid::ExtensionTooLong))));
}

fn check_info(case: &Value) {
    let Ok(commit) = ExtendedCommit::from_proto(decode(&case["extended_commit_proto"])) else {
        // Refused when it was read: no application sees it.
        return;
    };
    let params = ConsensusParams {
        vote_extensions_enable_height: int(&case["vote_extensions_enable_height"]),
        ..ConsensusParams::default()
    };
    let initial = Height(uint(&case["initial_height"]));
    let info = abci::extended_commit_info(&commit, &set(&case["validators"]), initial, &params);
    if let Some(info) = expect(info, &case["result"], name(case)) {
        assert_eq!(info.encode_to_vec(), bytes(&case["extended_commit_info_proto"]));
    }
}

/// Vote sets are the engine's; here, that the commit of their votes is the one recorded.
fn check_votes(case: &Value) {
    let size = case["validators"]["validators"].as_array().unwrap().len();
    let mut votes = vec![None; size];
    for value in case["votes"].as_array().unwrap() {
        let vote = Vote::from_proto(vote(value)).unwrap();
        let index = vote.validator_index as usize;
        votes[index] = Some(vote);
    }
    if case["majority"].is_null() || case["make_extended_commit"]["error_kind"] == "no-majority" {
        return;
    }
    let block_id = guts_consensus::types::BlockId::from_proto(Some(&block_id(&case["majority"])));
    let height = Height(uint(&case["height"]));
    let params = ConsensusParams {
        vote_extensions_enable_height: int(&case["vote_extensions_enable_height"]),
        ..ConsensusParams::default()
    };
    let extended = params.has_extensions_at(height);
    let round = Round(int(&case["round"]) as u32);
    let commit = ExtendedCommit::of_votes(height, round, block_id.unwrap(), &votes, extended);
    if let Some(commit) = expect(commit, &case["make_extended_commit"], name(case)) {
        assert_eq!(commit.to_proto().encode_to_vec(), bytes(&case["extended_commit_proto"]));
        assert_eq!(commit.to_commit().hash().as_bytes(), bytes(&case["commit_hash"]));
    }
}
