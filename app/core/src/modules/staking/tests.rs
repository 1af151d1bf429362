//! Genesis validators: what is refused, and who counts as an operator.

use guts_schema::ids::ValidatorAddress;

use super::{at, in_force, operates};
use crate::modules::staking::Operator;
use crate::testing::{Person, World};

fn refused(validators: u8, change: impl FnOnce(&mut Vec<Operator>)) -> String {
    let mut state = World::genesis();
    change(&mut state.staking.operators);
    World::try_genesis(validators, &state).err().expect("refused").to_string()
}

#[test]
fn operators_are_accounts_and_validators_of_genesis() {
    assert!(refused(4, |list| list[0].account = Person::new(9).id).contains("no account"));
    let stranger = Person::new(9).secret.public();
    assert!(refused(4, |list| list[0].consensus_key = stranger).contains("no validator"));
    assert!(refused(4, |list| list.push(list[0].clone())).contains("two operators"));
    assert!(refused(0, |_| {}).contains("no validators"));
}

#[test]
fn the_set_of_genesis_signs_from_the_first_height_on() {
    let world = World::new();
    let state = world.state();
    let set = in_force(&state).unwrap();
    assert_eq!(set.total(), 40);
    let first = ValidatorAddress::of_key(&Person::new(1).secret.public());
    assert_eq!((set.power(&first), set.key(&first)), (10, Some(Person::new(1).secret.public())));
    let stranger = ValidatorAddress::of_key(&Person::new(9).secret.public());
    assert_eq!((set.power(&stranger), set.key(&stranger)), (0, None));
    assert_eq!(at(&state, 0).unwrap(), None);
    assert_eq!(at(&state, 1).unwrap(), Some(set.clone()));
    assert_eq!(at(&state, 900).unwrap(), Some(set));
    assert!(operates(&state, &world.gateway.id).unwrap());
    assert!(!operates(&state, &world.alice.id).unwrap());
}
