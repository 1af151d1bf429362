//! How many may be candidates, and in the set.

use super::super::{block, state};
use super::*;
use crate::modules::params;
use crate::modules::staking::candidates;

/// Writes validators with ten times the stake of those of genesis.
fn put_rich(run: &mut Run<'_>, seeds: std::ops::Range<u8>) {
    for seed in seeds {
        let key = Person::new(seed);
        let info = proto::ValidatorInfo {
            consensus_key: key.secret.public().to_vec(),
            operator: key.id.to_vec(),
            tokens: 10 * TEN,
            shares: 10 * TEN,
            ..Default::default()
        };
        state::put_info(run, &address(&key), &info).unwrap();
    }
}

#[test]
fn newcomers_wait_for_places_that_are_not_free_yet() {
    let world = World::with(|state| state.params.validators_max = 4);
    let (view, block) = (world.state(), world.node.app.head().unwrap().next_block());
    let mut run = Run::new(&block, &view);
    put_rich(&mut run, 80..84);
    let params = params::get(&run.state).unwrap();
    let mut set = newest(&run.state).unwrap();
    // A quarter of the power leaves, then a third of what the old have left at most.
    for old in [3, 3, 2] {
        let before = set;
        set = block::elect(&run, &params, &before).unwrap();
        assert_eq!(set.len(), 4, "no more than validators_max");
        let is_old = |one: &&proto::Validator| one.power == 10;
        assert!(set.iter().filter(is_old).count() <= old);
        assert!(set.windows(2).all(|pair| pair[0].address < pair[1].address));
    }
}

#[test]
fn a_set_that_is_to_shrink_takes_in_nobody() {
    let world = World::new();
    let (view, block) = (world.state(), world.node.app.head().unwrap().next_block());
    let mut run = Run::new(&block, &view);
    put_rich(&mut run, 80..84);
    let params = proto::Params { validators_max: 2, ..params::get(&run.state).unwrap() };
    let before = newest(&run.state).unwrap();
    let set = block::elect(&run, &params, &before).unwrap();
    assert_eq!(set.len(), 3);
    assert!(set.iter().all(|one| before.iter().any(|old| old.address == one.address)));
}

#[test]
fn there_are_so_many_candidates_and_no_more() {
    let world = World::with(|state| {
        (state.params.validators_max, state.params.candidates_max) = (4, 6);
    });
    let (view, block) = (world.state(), world.node.app.head().unwrap().next_block());
    let mut run = Run::new(&block, &view);
    put_rich(&mut run, 80..90);
    assert_eq!(candidates(&run.state).unwrap().len(), 6);
    // When one has left, another gets in as soon as it is written again.
    let first = Person::new(80);
    let gone = proto::ValidatorInfo::default();
    state::put_info(&mut run, &address(&first), &gone).unwrap();
    put_rich(&mut run, 89..90);
    assert!(candidates(&run.state).unwrap().contains(&address(&Person::new(89))));
}
