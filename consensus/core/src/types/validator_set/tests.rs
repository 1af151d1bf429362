//! Tests of validator sets that need no vectors.
use guts_genesis::PrivateKey;

use super::*;

fn validator(name: &str, power: u64) -> Validator {
    Validator::new(PrivateKey::from_secret(name.as_bytes()).public_key(), Power(power))
}

#[test]
fn everyone_proposes_as_often_as_their_power_says() {
    let members = [validator("a", 1), validator("b", 2), validator("c", 3), validator("d", 4)];
    let mut set = ValidatorSet::new(&members).unwrap();
    let mut turns = vec![0; members.len()];
    for _ in 0..1000 {
        let address = set.proposer().unwrap().address;
        let index = members.iter().position(|member| member.address == address).unwrap();
        turns[index] += 1;
        set.turn(1);
    }
    assert_eq!(turns, [100, 200, 300, 400]);
}

#[test]
fn a_refused_update_changes_nothing() {
    let mut set = ValidatorSet::new(&[validator("a", 5), validator("b", 6)]).unwrap();
    let before = set.clone();
    let refused = [
        (vec![validator("a", 0), validator("b", 0)], Invalid::EmptySet),
        (vec![validator("c", 0)], Invalid::RemoveUnknownValidator),
        (vec![validator("c", 1), validator("c", 2)], Invalid::DuplicateValidator),
        (vec![validator("c", Power::MAX_TOTAL.0)], Invalid::TotalPowerTooLarge),
        (vec![validator("c", Power::MAX_TOTAL.0 + 1)], Invalid::PowerTooLarge),
    ];
    for (changes, reason) in refused {
        assert_eq!(set.update(&changes), Err(reason));
        assert_eq!(set, before);
    }
}

#[test]
fn an_empty_set_has_no_proposer_and_does_not_turn() {
    let mut set = ValidatorSet::new(&[]).unwrap();
    set.turn(3);
    assert!(set.proposer().is_none());
    assert_eq!(set.hash(), Hash::of(&[]));
}

#[test]
fn priorities_are_rescaled_as_recorded() {
    let seen = crate::vectors::each("06-validator-set.json", &["rescale"], |case| {
        let listed = |name: &str| -> Vec<i64> {
            case[name].as_array().unwrap().iter().map(crate::vectors::int).collect()
        };
        let members = listed("priorities").into_iter().enumerate().map(|(i, priority)| {
            let member = validator(&format!("{i}"), 1);
            Validator { priority, ..member }
        });
        let mut set = ValidatorSet::from_parts(members.collect(), None).unwrap();
        set.rescale(crate::vectors::int(&case["diff_max"]));
        let after: Vec<i64> = set.validators().iter().map(|v| v.priority).collect();
        assert_eq!(after, listed("after"), "{}", case["name"]);
    });
    assert_eq!(seen, 9);
}
