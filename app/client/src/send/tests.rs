//! Work is found on all cores.
use super::*;

struct Silent;

impl Progress for Silent {
    fn work(&self, _tried: u64, _expected: u64) {}
}

#[test]
fn a_solution_is_found() {
    let puzzle = Puzzle::new("c", &AccountId::new([1; 20]), 0, &Hash::new([2; 32]));
    for bits in [0, 1, 12] {
        let solution = solve(&puzzle, bits, &Silent);
        assert!(puzzle.bits(solution) >= bits, "{bits}");
    }
}
