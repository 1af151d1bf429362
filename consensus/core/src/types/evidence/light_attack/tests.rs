//! The hash by which an attack is known.
use super::*;
use crate::vectors::{bytes, each, int};

#[test]
fn attacks_are_known_by_the_hashes_recorded() {
    let seen = each("10-evidence.json", &["light_attack_hash"], |case| {
        let block = Hash::from_slice(&bytes(&case["conflicting_block_hash"])).unwrap();
        let height = Height::from_wire(int(&case["common_height"])).unwrap();
        assert_eq!(
            attack_hash(&block, height).as_bytes(),
            bytes(&case["hash"]),
            "{}",
            case["name"]
        );
    });
    assert_eq!(seen, 7);
}
