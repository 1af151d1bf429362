//! The call grammar: what CometBFT never does is refused. Recorded conversations, which must be
//! accepted, are in `tests/it`.

use super::*;
use crate::proto::abci::{
    RequestCommit, RequestExtendVote, RequestFinalizeBlock, RequestInfo, RequestInitChain,
    RequestOfferSnapshot, RequestPrepareProposal, RequestProcessProposal, ResponseInfo,
};

fn info() -> request::Value {
    request::Value::Info(RequestInfo::default())
}

fn init() -> request::Value {
    request::Value::InitChain(RequestInitChain { initial_height: 1, ..Default::default() })
}

fn prepare(height: i64) -> request::Value {
    request::Value::PrepareProposal(RequestPrepareProposal { height, ..Default::default() })
}

fn process(height: i64) -> request::Value {
    request::Value::ProcessProposal(RequestProcessProposal { height, ..Default::default() })
}

fn extend(height: i64) -> request::Value {
    request::Value::ExtendVote(RequestExtendVote { height, ..Default::default() })
}

fn finalize(height: i64) -> request::Value {
    request::Value::FinalizeBlock(RequestFinalizeBlock { height, ..Default::default() })
}

fn commit() -> request::Value {
    request::Value::Commit(RequestCommit {})
}

fn offer() -> request::Value {
    request::Value::OfferSnapshot(RequestOfferSnapshot::default())
}

fn apply() -> request::Value {
    request::Value::ApplySnapshotChunk(Default::default())
}

/// All but the last call are allowed, the last breaks `rule`.
#[track_caller]
fn breaks(committed: i64, calls: &[request::Value], rule: &str) {
    let mut checker = Checker::new(committed);
    let (last, before) = calls.split_last().unwrap();
    for call in before {
        assert_eq!(checker.on_call(call), Ok(()));
    }
    assert_eq!(checker.on_call(last).unwrap_err().rule, rule);
}

#[test]
fn blocks_need_a_start() {
    breaks(0, &[init()], "Info comes before InitChain");
    breaks(5, &[finalize(6)], "Info comes before any block");
    breaks(0, &[info(), finalize(1)], "InitChain or a snapshot comes before any block");
    breaks(5, &[info(), init()], "the chain is initialised already");
    breaks(0, &[info(), init(), init()], "the chain is initialised already");
    let zero = request::Value::InitChain(RequestInitChain::default());
    breaks(0, &[info(), zero], "the initial height is at least 1");
}

#[test]
fn finalize_and_commit_alternate() {
    breaks(0, &[info(), init(), commit()], "no finalized block waits for it");
    let waits = "a finalized block waits for its commit";
    breaks(0, &[info(), init(), finalize(1), finalize(1)], waits);
    breaks(0, &[info(), init(), finalize(1), process(2)], waits);
    breaks(
        0,
        &[info(), init(), finalize(1), commit(), commit()],
        "no finalized block waits for it",
    );
}

#[test]
fn heights_follow_each_other() {
    let rule = "the height is not the one after the last commit";
    breaks(0, &[info(), init(), process(2)], rule);
    breaks(7, &[info(), finalize(7)], rule);
    breaks(7, &[info(), finalize(8), commit(), prepare(8)], rule);
    breaks(0, &[info(), init(), process(i64::MIN)], rule);
}

#[test]
fn a_snapshot_is_offered_then_applied_then_asked_about() {
    breaks(0, &[apply()], "no snapshot was offered");
    breaks(0, &[offer(), info()], "an accepted snapshot needs its chunks");
    breaks(3, &[offer()], "a snapshot is for an application without a state");
    breaks(
        0,
        &[info(), offer(), apply(), finalize(1)],
        "InitChain or a snapshot comes before any block",
    );

    let mut checker = Checker::new(0);
    for call in [offer(), apply(), offer(), apply(), apply(), info()] {
        assert_eq!(checker.on_call(&call), Ok(()));
    }
    let restored = ResponseInfo { last_block_height: 16, ..Default::default() };
    checker.on_answer(&response::Value::Info(restored));
    assert_eq!(checker.on_call(&finalize(17)), Ok(()));
}

#[test]
fn a_round_that_is_known_has_each_call_once() {
    let mut checker = Checker::new(4);
    checker.on_call(&info()).unwrap();
    for _ in 0..3 {
        checker.on_round();
        for call in [prepare(5), process(5), extend(5)] {
            assert_eq!(checker.on_call(&call), Ok(()));
        }
    }
    let again = checker.clone().on_call(&extend(5)).unwrap_err();
    assert_eq!(again.rule, "a second time in one round");
    let late = checker.clone().on_call(&prepare(5)).unwrap_err();
    assert_eq!(late.rule, "a proposal is prepared before it is processed or voted for");
    assert_eq!(late.to_string(), format!("PrepareProposal at height 5: {}", late.rule));
    checker.on_call(&finalize(5)).unwrap();
    checker.on_call(&commit()).unwrap();
    assert_eq!(checker.on_call(&prepare(6)), Ok(()), "a height starts a round");
}
