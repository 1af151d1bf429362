//! Work is found, bound to what it is for, and priced.
use super::*;

fn puzzle(nonce: u64) -> Puzzle {
    Puzzle::new("guts-test", &AccountId::new([1; 20]), nonce, &Hash::new([2; 32]))
}

#[test]
fn a_solution_is_found_and_is_good_for_nothing_else() {
    let solution = puzzle(0).search(0, 100_000, 10).expect("1000 attempts do on average");
    assert!(puzzle(0).bits(solution) >= 10);
    assert!(puzzle(1).bits(solution) < 10);
    let other = Puzzle::new("other", &AccountId::new([1; 20]), 0, &Hash::new([2; 32]));
    assert!(other.bits(solution) < 10);
    assert_eq!(puzzle(0).search(0, solution, 10), None, "the first is the one found");
}

#[test]
fn the_digest_is_fixed() {
    assert_eq!(puzzle(7).search(0, 1 << 20, 12), Some(3275));
}

#[test]
fn bits_cover_the_price() {
    let cases = [(0, 0), (1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (1 << 20, 20), (u64::MAX, 64)];
    for (hashes, bits) in cases {
        assert_eq!(bits_for(hashes), bits, "{hashes}");
    }
}
