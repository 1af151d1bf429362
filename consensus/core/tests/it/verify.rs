//! 13-commit-verify: five ways to check a commit.
use std::cell::Cell;

use guts_consensus::types::{
    BlockId, Commit, CommitCheck, Counted, Invalid, TrustLevel, ValidatorSet,
};
use guts_genesis::{Height, Zip215};
use serde_json::Value;

use crate::support::*;

#[test]
fn commits_are_accepted_and_refused_as_recorded() {
    let asked = Cell::new(0);
    each_case("13-commit-verify.json", 71, |kind, case| match kind {
        "commit_verify" => asked.set(asked.get() + check(case)),
        // A missing set or commit does not exist here.
        "commit_verify_nil" => {}
        other => panic!("unknown kind {other}"),
    });
    assert!(asked.get() > 290, "only {} verifications", asked.get());
}

/// How many verifiers were asked.
fn check(case: &Value) -> usize {
    let validators = set(&case["validators"]);
    let commit = match Commit::from_proto(commit(&case["commit"])) {
        Ok(commit) => commit,
        // Refused when it was read, before any verifier sees it.
        Err(_) => return 0,
    };
    let block_id = BlockId::from_proto(Some(&block_id(&case["block_id"]))).unwrap();
    let height = Height::from_wire(int(&case["height"])).unwrap();
    let level = TrustLevel {
        numerator: uint(&case["trust_level"]["numerator"]),
        denominator: uint(&case["trust_level"]["denominator"]),
    };
    let chain_id = text(&case["chain_id"]);
    let checker =
        CommitCheck { scheme: &Zip215, chain_id, validators: &validators, commit: &commit };
    let results = [
        ("verify_commit", checker.full(&block_id, height)),
        ("verify_commit_light", checker.light(&block_id, height, Counted::Enough)),
        ("verify_commit_light_all_signatures", checker.light(&block_id, height, Counted::All)),
        ("verify_commit_light_trusting", checker.trusting(level, Counted::Enough)),
        ("verify_commit_light_trusting_all_signatures", checker.trusting(level, Counted::All)),
    ];
    for (verifier, result) in results {
        let expected = &case[verifier];
        if let Err(Invalid::NotEnoughPower { got, needed_more_than }) = result {
            assert_eq!(got as i64, int(&expected["got"]), "{} {verifier}", name(case));
            let needed = int(&expected["needed_more_than"]);
            assert_eq!(needed_more_than as i64, needed, "{} {verifier}", name(case));
        }
        expect(result, expected, &format!("{} {verifier}", name(case)));
    }
    5
}

#[test]
fn a_commit_of_nobody_is_not_enough() {
    let validators = ValidatorSet::new(&[]).unwrap();
    let commit = Commit::default();
    let check =
        CommitCheck { scheme: &Zip215, chain_id: "c", validators: &validators, commit: &commit };
    let none = Invalid::NotEnoughPower { got: 0, needed_more_than: 0 };
    assert_eq!(check.full(&BlockId::NIL, Height(0)), Err(none));
}
