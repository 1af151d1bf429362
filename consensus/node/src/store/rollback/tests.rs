//! States before a block are those that were; what cannot be taken back is refused.

use super::*;
use crate::store::{Batch, Memory};
use bytes::Bytes;
use guts_abci::proto::{self, abci as pb};
use guts_consensus::io::Decided;
use guts_consensus::types::{
    Commit, CommitSig, ExtendedCommit, ExtendedCommitSig, SignedVote, Txs, tx_hash,
};
use guts_genesis::{ChainId, GenesisDoc, Manifest, Round, Signature, Time};
use std::sync::Arc;

fn open(dir: &std::path::Path) -> Store {
    Store::open(dir, Memory { cache_bytes: 1 << 20, memtable_bytes: 4 << 20 }).unwrap()
}

fn genesis() -> GenesisDoc {
    let time = Time::new(1_700_000_000, 0).unwrap();
    Manifest::local(ChainId::new("x").unwrap(), time, b"rollback", 3).genesis().unwrap()
}

/// The next block after `state`, by everybody's leave.
fn next(state: &State, last: Option<&ExtendedCommit>) -> Decided {
    let height = state.next_height();
    let txs = vec![Bytes::from(format!("k{height}=1"))];
    let last = last.map_or_else(Commit::default, ExtendedCommit::to_commit);
    let proposer = state.validators.proposer().unwrap().address;
    let block = state.make_block(Txs::new(txs), last, Vec::new(), proposer).unwrap();
    let parts = block.part_set();
    let id = block.id(&parts);
    let seconds = 1_700_000_000 + i64::try_from(height.0).unwrap();
    let place = |validator: &guts_consensus::types::Validator| {
        let vote = SignedVote {
            address: validator.address,
            time: Time::new(seconds, 0).unwrap(),
            signature: Signature::from_slice(&[7; 64]).unwrap(),
        };
        ExtendedCommitSig { sig: CommitSig::Commit(vote), ..ExtendedCommitSig::ABSENT }
    };
    let signatures = state.validators.validators().iter().map(place).collect();
    let commit = ExtendedCommit { height, round: Round(0), block_id: id, signatures };
    let parts = parts.parts().cloned().map(Arc::new).collect();
    Decided { id, block, parts, commit, extended: false }
}

/// What the application answers: now and then it changes validators and parameters.
fn answer(height: u64) -> pb::ResponseFinalizeBlock {
    let key = genesis().validators[0].key.to_proto();
    let power = i64::try_from(height).unwrap() + 10;
    let update = pb::ValidatorUpdate { pub_key: Some(key), power };
    let block = proto::types::BlockParams { max_bytes: 1 << 20, max_gas: power };
    let params = proto::types::ConsensusParams { block: Some(block), ..Default::default() };
    let attribute =
        pb::EventAttribute { key: "height".into(), value: height.to_string(), index: true };
    pb::ResponseFinalizeBlock {
        tx_results: vec![pb::ExecTxResult::default()],
        events: vec![pb::Event { r#type: "at".into(), attributes: vec![attribute] }],
        validator_updates: if height.is_multiple_of(3) { vec![update] } else { Vec::new() },
        consensus_param_updates: height.is_multiple_of(4).then_some(params),
        app_hash: Bytes::from(vec![u8::try_from(height).unwrap(); 8]),
    }
}

/// A store with a chain of so many blocks, and its states: the one before the first block, too.
fn chain(dir: &std::path::Path, heights: u64) -> (Store, Vec<State>) {
    let store = open(dir);
    let mut states = vec![State::from_genesis(&genesis()).unwrap()];
    let mut batch = Batch::default();
    store.put_state(&mut batch, &states[0]);
    store.write(batch, false).unwrap();
    let mut last = None;
    for height in 1..=heights {
        let state = states.last().unwrap();
        let decided = next(state, last.as_ref());
        let response = answer(height);
        let after = state.after_block(decided.id, &decided.block, &response).unwrap();
        let mut batch = Batch::default();
        store.put_block(&mut batch, &decided);
        store.put_response(&mut batch, Height(height), &response);
        store.put_state(&mut batch, &after);
        store.write(batch, false).unwrap();
        store.index(Height(height), Some(&response)).unwrap();
        last = Some(decided.commit);
        states.push(after);
    }
    (store, states)
}

/// Without the heights since when things are as they are, which are not kept.
fn essence(state: &State) -> State {
    State {
        last_height_validators_changed: Height::ZERO,
        last_height_consensus_params_changed: Height::ZERO,
        ..state.clone()
    }
}

#[test]
fn the_state_is_the_one_that_was_and_the_block_makes_the_newer_one_again() {
    for heights in 2..=9 {
        let dir = tempfile::tempdir().unwrap();
        let (store, states) = chain(dir.path(), heights);
        let after = states.last().unwrap();
        let before = &states[states.len() - 2];
        let done = store.rollback(false).unwrap();
        assert_eq!(essence(&done.state), essence(before), "height {heights}");
        let changed = done.state.last_height_validators_changed;
        assert!(changed <= before.last_height_validators_changed.max(Height(heights)));
        assert_eq!(store.state().unwrap().as_ref(), Some(&done.state));
        assert_eq!((done.top, store.top().unwrap()), (Height(heights), Height(heights)));
        assert_eq!(store.indexed().unwrap(), Height(heights - 1));
        // What the next start does with it.
        let block = store.decided(Height(heights)).unwrap().unwrap();
        let response = store.response(Height(heights)).unwrap().unwrap();
        let again = done.state.after_block(block.id, &block.block, &response).unwrap();
        assert_eq!(essence(&again), essence(after));
        // A second time nothing is left to do.
        let twice = store.rollback(false).unwrap();
        assert_eq!((twice.state, twice.top), (done.state, done.top));
    }
}

#[test]
fn hard_takes_the_block_and_all_that_came_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let (store, states) = chain(dir.path(), 6);
    for height in [6_u64, 5, 4] {
        let hash = store.block(Height(height)).unwrap().unwrap().hash();
        let done = store.rollback(true).unwrap();
        let was = usize::try_from(height - 1).unwrap();
        assert_eq!(essence(&done.state), essence(&states[was]));
        assert_eq!((done.top, store.top().unwrap()), (Height(height - 1), Height(height - 1)));
        let tx = tx_hash(format!("k{height}=1").as_bytes());
        assert!(store.tx_place(tx.as_bytes()).unwrap().is_none());
        assert!(store.height_of(hash.as_bytes()).unwrap().is_none());
        let height = Height(height);
        assert!(store.decided(height).unwrap().is_none() && store.meta(height).unwrap().is_none());
        assert!(store.response(height).unwrap().is_none());
        assert!(store.commit(height.prev()).unwrap().is_none());
        assert!(store.validators(height.plus(2)).unwrap().is_none());
    }
    // The other way: first the state, then the block.
    store.rollback(false).unwrap();
    let done = store.rollback(true).unwrap();
    assert_eq!((done.state.last_block_height, done.top), (Height(2), Height(2)));
    drop(store);
    let store = open(dir.path());
    let last = store.decided(Height(2)).unwrap().unwrap();
    let (block, response) = (next(&done.state, Some(&last.commit)), answer(3));
    let after = done.state.after_block(block.id, &block.block, &response).unwrap();
    assert_eq!(essence(&after), essence(&states[3]), "the chain goes on from there");
}

#[test]
fn what_cannot_be_taken_back_is_refused_and_nothing_is_changed() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(open(dir.path()).rollback(false), Err(RollbackError::Empty)));
    let (store, _) = chain(dir.path(), 1);
    for is_hard in [false, true] {
        let refused = store.rollback(is_hard).unwrap_err();
        assert!(matches!(refused, RollbackError::First(Height(1))), "{refused}");
    }
    assert_eq!(store.state().unwrap().unwrap().last_block_height, Height(1));

    let dir = tempfile::tempdir().unwrap();
    let (store, states) = chain(dir.path(), 6);
    store.prune(Height(6), 100).unwrap();
    assert!(matches!(store.rollback(true), Err(RollbackError::First(Height(6)))));

    let dir = tempfile::tempdir().unwrap();
    let (store, _) = chain(dir.path(), 6);
    store.prune(Height(5), 100).unwrap();
    assert_eq!(essence(&store.rollback(false).unwrap().state), essence(&states[5]));

    let dir = tempfile::tempdir().unwrap();
    let (store, states) = chain(dir.path(), 6);
    let mut batch = Batch::default();
    store.put_state(&mut batch, &states[3]);
    store.write(batch, false).unwrap();
    let refused = store.rollback(false).unwrap_err();
    assert!(matches!(refused, RollbackError::Apart { .. }), "{refused}");
    assert_eq!(store.state().unwrap().unwrap(), states[3]);
}
