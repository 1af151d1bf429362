//! Tests of trees and proofs that need no vectors.
use super::*;

#[test]
fn every_proof_of_every_small_tree_holds_and_no_other_item_does() {
    for count in 1..40_usize {
        let items: Vec<Vec<u8>> = (0..count).map(|i| format!("item-{i}").into_bytes()).collect();
        let (tree_root, all) = proofs(&items);
        assert_eq!(tree_root, root(&items));
        for step in 1..4 {
            let some: Vec<Proof> = all.iter().step_by(step).cloned().collect();
            let at = (0..count + 3).step_by(step);
            assert_eq!(proofs_at(&items, at), (tree_root, some), "each {step} of {count}");
        }
        for (i, proof) in all.iter().enumerate() {
            assert_eq!(proof.verify(&tree_root, &items[i]), Ok(()));
            assert_eq!(proof.verify(&tree_root, b"other"), Err(Invalid::LeafHashMismatch));
            let mut moved = proof.clone();
            moved.index = proof.total;
            assert_eq!(moved.verify(&tree_root, &items[i]), Err(Invalid::RootComputation));
        }
    }
}

#[test]
fn huge_totals_do_not_overflow() {
    let proof = Proof {
        total: u64::MAX,
        index: u64::MAX - 1,
        leaf_hash: [0; 32],
        aunts: vec![[0; 32]; 64],
    };
    assert!(proof.root().is_some() || proof.root().is_none());
    assert_eq!(proof.verify(&Hash::EMPTY, b"x"), Err(Invalid::LeafHashMismatch));
}
