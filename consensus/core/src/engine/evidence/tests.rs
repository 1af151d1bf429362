//! How long evidence that is in a block is remembered.
use std::time::Duration;

use guts_genesis::{ChainId, ConsensusParams, GenesisDoc, GenesisValidator, Power, PrivateKey};

use super::*;

fn state() -> State {
    let key = PrivateKey::from_seed([1; 32]).public_key();
    let genesis = GenesisDoc {
        genesis_time: Time::new(1_700_000_000, 0).unwrap(),
        chain_id: ChainId::new("ages").unwrap(),
        initial_height: Height(1),
        consensus_params: ConsensusParams::default(),
        validators: vec![GenesisValidator { key, power: Power(1), name: String::new() }],
        app_hash: Vec::new(),
        app_state: String::new(),
    };
    State::from_genesis(&genesis).unwrap()
}

/// Heights pass the age limit, and more than those whose validators are remembered; then time.
#[test]
fn what_is_in_a_block_is_remembered_until_both_limits_have_passed() {
    let mut state = state();
    let mut pool = Evidences::default();
    let (hash, start) = ([7; 32], state.last_block_time);
    pool.know_done(vec![(hash, Height(5))], start);
    let limit = state.consensus_params.evidence_max_age_num_blocks;
    let span = u64::try_from(state.consensus_params.evidence_max_age_duration_ns).unwrap();

    state.last_block_height = Height(5 + u64::try_from(limit).unwrap() + 1);
    assert!(pool.forget_old(&state).is_empty());
    assert_eq!(pool.done.len(), 1, "there is no context, and it is still remembered");

    state.last_block_time = start.checked_add(Duration::from_nanos(span + 1)).unwrap();
    let records = pool.forget_old(&state);
    let [Record::EvidenceDone { hash: of, height: Height(5), committed: false }] = &records[..]
    else {
        panic!("{records:?}")
    };
    assert_eq!(*of, hash);
    assert!(pool.done.is_empty());
}
