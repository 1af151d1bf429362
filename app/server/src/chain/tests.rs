//! Who operates a validator, while the set changes.

use guts_state::{MemoryStore, Overlay};

use super::*;

fn account(number: u8) -> AccountId {
    AccountId::from_slice(&[number; AccountId::LEN]).unwrap()
}

fn set(operators: &[(u8, u64)]) -> Vec<u8> {
    let validator = |(number, power): &(u8, u64)| proto::Validator {
        address: vec![*number; 20],
        consensus_key: vec![*number; 32],
        power: *power,
        account: account(*number).to_vec(),
    };
    values::encode(&proto::Validators { validators: operators.iter().map(validator).collect() })
}

/// The state that the block of `height` left: 1 signs from height 1 on, 2 and not 1 from 12 on.
fn left_by(height: u64) -> Committed {
    let empty = Snapshot::at(Arc::new(MemoryStore::new()), 0).unwrap();
    let mut overlay = Overlay::new(&empty);
    let changes = proto::ValidatorsChanges { heights: vec![1, 12] };
    let mut put = |key, value| overlay.put(key, value).unwrap();
    put(keys::validators_changes(), values::encode(&changes));
    put(keys::validators_at(1), set(&[(1, 10), (3, 0)]));
    put(keys::validators_at(12), set(&[(2, 10)]));
    put(keys::validators(), set(&[(2, 10)]));
    let mut store = MemoryStore::new();
    store.write(&empty.commit(&overlay.into_changes(), height).unwrap().unwrap());
    let chain_id = "guts-test".to_owned();
    let head = Head { chain_id, initial_height: 1, height, time_s: 0 };
    Committed::new(Some(head), Snapshot::at(Arc::new(store), height).unwrap())
}

#[test]
fn who_was_elected_operates_from_the_block_on_that_it_signs() {
    let operates = |height, number| left_by(height).is_operator(&account(number)).unwrap();
    for height in [9, 10] {
        assert!(operates(height, 1), "its signature counts in the next block");
        assert!(!operates(height, 2), "it is elected, and does not sign the next block");
    }
    assert!(operates(11, 2) && !operates(11, 1));
    assert!(!operates(10, 3), "no power");
    assert!(!operates(10, 4), "nobody");
}
