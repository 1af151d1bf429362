//! Proofs made by hand from the rules of the tree, and transaction proofs of CometBFT.
use guts_rpc::types::ProofOp;
use ics23::commitment_proof::Proof;
use ics23::{ExistenceProof, InnerOp, NonExistenceProof};
use serde_json::Value;

use super::*;

fn sha(parts: &[&[u8]]) -> [u8; 32] {
    parts.iter().fold(Sha256::new(), |hasher, part| hasher.chain_update(part)).finalize().into()
}

fn leaf_hash(key: &[u8], value: &[u8]) -> [u8; 32] {
    sha(&[b"JMT::LeafNode", &sha(&[key]), &sha(&[value])])
}

/// A tree of a few leaves, and the proof of each.
pub(crate) struct Tree {
    pub(crate) root: [u8; 32],
    proofs: Vec<ExistenceProof>,
}

impl Tree {
    pub(crate) fn of(entries: &[(&[u8], &[u8])]) -> Tree {
        let proof = |(key, value): &(&[u8], &[u8])| ExistenceProof {
            key: key.to_vec(),
            value: value.to_vec(),
            leaf: spec().leaf_spec,
            path: Vec::new(),
        };
        let mut proofs: Vec<_> = entries.iter().map(proof).collect();
        proofs.sort_by_key(|proof| sha(&[&proof.key]));
        let root = Self::grow(&mut proofs, 0);
        Tree { root, proofs }
    }

    /// The root of the leaves whose paths are the same up to bit `depth`; adds it to their proofs.
    fn grow(proofs: &mut [ExistenceProof], depth: usize) -> [u8; 32] {
        match proofs {
            [] => *b"SPARSE_MERKLE_PLACEHOLDER_HASH__",
            [one] => leaf_hash(&one.key, &one.value),
            _ => {
                let bit = |key: &[u8]| sha(&[key])[depth / 8] >> (7 - depth % 8) & 1;
                let half = proofs.partition_point(|proof| bit(&proof.key) == 0);
                let (left, right) = proofs.split_at_mut(half);
                let (l, r) = (Self::grow(left, depth + 1), Self::grow(right, depth + 1));
                let tag = b"JMT::IntrnalNode";
                let hash = HashOp::Sha256.into();
                let up = InnerOp { hash, prefix: tag.to_vec(), suffix: r.to_vec() };
                left.iter_mut().for_each(|proof| proof.path.push(up.clone()));
                let up = InnerOp { hash, prefix: [&tag[..], &l].concat(), suffix: Vec::new() };
                right.iter_mut().for_each(|proof| proof.path.push(up.clone()));
                sha(&[tag, &l, &r])
            }
        }
    }

    /// Value and proof of a key that is there.
    pub(crate) fn get(&self, key: &[u8]) -> Option<(Vec<u8>, ProofOps)> {
        let proof = self.proofs.iter().find(|proof| proof.key == key)?.clone();
        Some((proof.value.clone(), ops(PROOF_TYPE, Proof::Exist(proof))))
    }
}

/// A tree of two leaves whose paths part at the first bit: its root, and the proof of each.
struct Two {
    root: [u8; 32],
    leaves: [(&'static [u8], ExistenceProof); 2],
}

fn two() -> Two {
    let keys: Vec<&'static [u8]> = vec![b"a", b"b", b"c", b"d", b"e", b"f"];
    let side = |key: &&&[u8]| sha(&[**key])[0] >> 7;
    let left = *keys.iter().find(|key| side(key) == 0).expect("one of six");
    let right = *keys.iter().find(|key| side(key) == 1).expect("one of six");
    let Tree { root, proofs } = Tree::of(&[(right, b"right"), (left, b"left")]);
    let [l, r]: [_; 2] = proofs.try_into().expect("two");
    Two { root, leaves: [(left, l), (right, r)] }
}

fn ops(kind: &str, proof: Proof) -> ProofOps {
    let data = CommitmentProof { proof: Some(proof) }.encode_to_vec();
    ProofOps { ops: vec![ProofOp { kind: kind.into(), data: data.into(), ..Default::default() }] }
}

#[test]
fn values_of_a_tree_are_proved() {
    let keys: Vec<String> = (0..20).map(|number| format!("key {number}")).collect();
    let entries: Vec<_> = keys.iter().map(|key| (key.as_bytes(), &b"value"[..])).collect();
    let tree = Tree::of(&entries);
    for (key, value) in entries {
        let (found, ops) = tree.get(key).expect("it is there");
        assert_eq!(found, value);
        assert!(check_state(Some(&ops), &tree.root, key, Some(value)).is_ok(), "{key:?}");
    }
}

#[test]
fn a_value_is_proved_and_no_other() {
    let Two { root, leaves: [(key, proof), (other, _)] } = two();
    let ops = ops(PROOF_TYPE, Proof::Exist(proof));
    assert!(check_state(Some(&ops), &root, key, Some(b"left")).is_ok());
    assert!(check_state(Some(&ops), &root, key, Some(b"lefu")).is_err(), "another value");
    assert!(check_state(Some(&ops), &root, other, Some(b"left")).is_err(), "another key");
    assert!(check_state(Some(&ops), &[7; 32], key, Some(b"left")).is_err(), "another state");
    assert!(check_state(Some(&ops), &root, key, None).is_err(), "absence");
    assert!(check_state(None, &root, key, Some(b"left")).is_err(), "no proof");
}

#[test]
fn absence_is_proved_by_neighbours() {
    let Two { root, leaves: [(left, l), (right, r)] } = two();
    let between = |key: &&String| {
        let at = sha(&[key.as_bytes()]);
        sha(&[left]) < at && at < sha(&[right])
    };
    let keys: Vec<String> = (0..999).map(|n| n.to_string()).collect();
    let key = keys.iter().find(between).expect("one of a thousand").as_bytes();
    let absent = NonExistenceProof { key: key.to_vec(), left: Some(l), right: Some(r) };
    let absent = ops(PROOF_TYPE, Proof::Nonexist(absent));
    assert!(check_state(Some(&absent), &root, key, None).is_ok());
    assert!(check_state(Some(&absent), &root, left, None).is_err(), "a key that is there");
    assert!(check_state(Some(&absent), &root, key, Some(b"x")).is_err());
}

#[test]
fn proofs_of_another_kind_or_shape_are_refused() {
    let Two { root, leaves: [(key, proof), _] } = two();
    let other = ops("ics23:iavl", Proof::Exist(proof.clone()));
    assert!(check_state(Some(&other), &root, key, Some(b"left")).is_err());
    let mut two = ops(PROOF_TYPE, Proof::Exist(proof));
    two.ops.push(two.ops[0].clone());
    assert!(check_state(Some(&two), &root, key, Some(b"left")).is_err());
    two.ops.pop();
    two.ops[0].data.0.truncate(9);
    assert!(check_state(Some(&two), &root, key, Some(b"left")).is_err());
}

fn tx_proof(value: &Value) -> MerkleProof {
    let number = |name: &str| value[name].as_str().and_then(|text| text.parse().ok());
    let bytes = |value: &Value| hex::decode(value.as_str().expect("hex")).expect("hex").into();
    let aunts = value["aunts"].as_array().map(Vec::as_slice).unwrap_or_default();
    MerkleProof {
        total: number("total").expect("a number"),
        index: number("index").expect("a number"),
        leaf_hash: bytes(&value["leaf_hash"]),
        aunts: aunts.iter().map(bytes).collect(),
    }
}

#[test]
fn transactions_are_proved_as_cometbft_proves_them() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/data/16-tx.json");
    let text = std::fs::read_to_string(path).expect("the vectors are there");
    let file: Value = serde_json::from_str(&text).expect("JSON");
    let mut seen = 0;
    for case in file["cases"].as_array().expect("a list") {
        if case["kind"] != "txs" {
            continue;
        }
        let root = hex::decode(case["hash"].as_str().expect("hex")).expect("hex");
        let txs = case["txs"].as_array().expect("a list");
        for entry in txs {
            let tx = hex::decode(entry["tx"].as_str().expect("hex")).expect("hex");
            let proof = tx_proof(&entry["proof"]["proof"]);
            let index = u32::try_from(proof.index).expect("small");
            assert!(check_tx(&proof, &root, &tx, index).is_ok(), "{}", case["name"]);
            assert!(check_tx(&proof, &root, b"other", index).is_err());
            assert!(check_tx(&proof, &root, &tx, index + 1).is_err());
            seen += 1;
        }
    }
    assert!(seen > 5, "only {seen} proofs");
}

#[test]
fn results_are_digested_as_cometbft_digests_them() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/data/09-results.json");
    let text = std::fs::read_to_string(path).expect("the vectors are there");
    let file: Value = serde_json::from_str(&text).expect("JSON");
    let mut seen = 0;
    for case in file["cases"].as_array().expect("a list") {
        let result = |value: &Value| {
            let text = |name: &str| value[name].as_str().expect("a text");
            TxResult {
                code: value["code"].as_u64().and_then(|code| code.try_into().ok()).expect("small"),
                data: hex::decode(text("data")).expect("hex").into(),
                log: text("log").into(),
                gas_wanted: text("gas_wanted").parse().expect("a number"),
                gas_used: text("gas_used").parse().expect("a number"),
                ..Default::default()
            }
        };
        let results: Vec<_> =
            case["results"].as_array().expect("a list").iter().map(result).collect();
        assert_eq!(hex::encode(results_hash(&results)), case["hash"], "{}", case["name"]);
        seen += results.len();
    }
    assert!(seen > 5, "only {seen} results");
}

/// The tree as RFC 6962 words it: split at the largest power of two below the number of leaves.
fn split_root(leaves: &[[u8; 32]]) -> [u8; 32] {
    match leaves {
        [] => Sha256::digest([]).into(),
        [one] => *one,
        _ => {
            let half = leaves.len().next_power_of_two() / 2;
            let (left, right) = leaves.split_at(half);
            let inner = Sha256::new().chain_update([1]).chain_update(split_root(left));
            inner.chain_update(split_root(right)).finalize().into()
        }
    }
}

/// The proof that transaction `index` is in a block with these.
pub(crate) fn proof_of(txs: &[Vec<u8>], index: usize) -> MerkleProof {
    let leaf = |tx: &Vec<u8>| sha(&[&[0], &sha(&[tx])]);
    let leaves: Vec<_> = txs.iter().map(leaf).collect();
    let (mut from, mut to, mut aunts) = (0, leaves.len(), Vec::new());
    while to - from > 1 {
        let half = from + (to - from).next_power_of_two() / 2;
        let other = if index < half { half..to } else { from..half };
        (from, to) = if index < half { (from, half) } else { (half, to) };
        aunts.push(split_root(&leaves[other]).to_vec().into());
    }
    aunts.reverse();
    let number = |number: usize| i64::try_from(number).expect("small");
    let (total, index, leaf_hash) = (number(txs.len()), number(index), Default::default());
    MerkleProof { total, index, leaf_hash, aunts }
}

#[test]
fn every_transaction_of_a_block_is_proved_to_be_in_it() {
    for count in 1..20_u8 {
        let txs: Vec<Vec<u8>> = (0..count).map(|number| vec![number; 3]).collect();
        for (index, tx) in txs.iter().enumerate() {
            let (proof, at) = (proof_of(&txs, index), u32::try_from(index).expect("small"));
            assert!(check_tx(&proof, &data_hash(&txs), tx, at).is_ok(), "{index} of {count}");
        }
    }
}

#[test]
fn the_data_hash_is_that_of_the_split_tree() {
    for count in 0..20_u8 {
        let txs: Vec<Vec<u8>> = (0..count).map(|number| vec![number; 3]).collect();
        let leaf = |tx: &Vec<u8>| {
            Sha256::new().chain_update([0]).chain_update(Sha256::digest(tx)).finalize().into()
        };
        let leaves: Vec<[u8; 32]> = txs.iter().map(leaf).collect();
        assert_eq!(data_hash(&txs), split_root(&leaves), "{count} transactions");
    }
}
