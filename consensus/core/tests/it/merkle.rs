//! 03-merkle, 04-part-set, 09-results, 16-tx and the bit arrays of 15: trees and what they cover.
use bytes::Bytes;
use guts_abci::proto::{Message, abci, libs::bits, types};
use guts_consensus::types::merkle::{self, Proof};
use guts_consensus::types::{
    BLOCK_SIZE_MAX, BitArray, Hash, Invalid, PART_SIZE, PARTS_MAX, Part, PartSet, PartSetHeader,
    Txs, data_bytes_max, results_hash, tx_hash,
};
use serde_json::Value;

use crate::support::*;

fn list(value: &Value) -> Vec<Vec<u8>> {
    value.as_array().unwrap().iter().map(bytes).collect()
}

#[test]
fn trees_and_proofs_are_those_recorded() {
    each_case("03-merkle.json", 102, |kind, case| match kind {
        "tree" => {
            let items = list(&case["items"]);
            let (root, proofs) = merkle::proofs(&items);
            assert_eq!(root.as_bytes(), bytes(&case["root"]), "{}", name(case));
            assert_eq!(root, merkle::root(&items));
            let expected = case["proofs"].as_array().unwrap();
            assert_eq!(proofs.len(), expected.len());
            for (ours, theirs) in proofs.iter().zip(expected) {
                assert_eq!(ours.to_proto(), proof(theirs), "{}", name(case));
            }
        }
        "root_of_numbered_items" => {
            let count = int(&case["count"]);
            let items: Vec<String> = (0..count).map(|i| format!("item-{i}")).collect();
            assert_eq!(merkle::root(&items).as_bytes(), bytes(&case["root"]));
        }
        "proof_check" => {
            let read = Proof::from_proto(proof(&case["proof"]));
            let Some(read) = expect(read, &case["validate_basic"], name(case)) else { return };
            // There is no nil here: a missing root is an empty one.
            if case["root_is_nil"].as_bool() == Some(true) {
                assert!(read.verify(&Hash::EMPTY, &bytes(&case["leaf"])).is_err());
                return;
            }
            let root = Hash::from_slice(&bytes(&case["root"]));
            let result = root
                .map_err(|_| Invalid::RootMismatch)
                .and_then(|root| read.verify(&root, &bytes(&case["leaf"])));
            expect(result, &case["verify"], name(case));
        }
        "value_tree" => {
            for (pairs, root) in [("inner_pairs", "inner_root"), ("outer_pairs", "outer_root")] {
                let pairs = case[pairs].as_array().unwrap().iter();
                let items: Vec<Vec<u8>> = pairs.map(|pair| bytes(&pair["tree_item"])).collect();
                assert_eq!(merkle::root(&items).as_bytes(), bytes(&case[root]), "{}", name(case));
            }
        }
        // An engine passes proof operators on as they are; their key paths are a client's, and
        // ours checks ICS-23 proofs against the app hash instead.
        "verify_value" | "key_path_parse" | "key_path_format" => {}
        other => panic!("unknown kind {other}"),
    });
}

/// The test data of a label: SHA-256(label || counter) one after the other.
fn labelled(label: &str, len: usize) -> Bytes {
    let mut out = Vec::with_capacity(len + 32);
    for counter in 0_u32.. {
        if out.len() >= len {
            break;
        }
        let input = [label.as_bytes(), &counter.to_be_bytes()].concat();
        out.extend_from_slice(Hash::of(&input).as_bytes());
    }
    out.truncate(len);
    out.into()
}

fn check_parts(case: &Value, parts: &PartSet) {
    assert_eq!(i64::from(parts.header().total), int(&case["total"]), "{}", name(case));
    assert_eq!(parts.hash().as_bytes(), bytes(&case["hash"]), "{}", name(case));
    assert!(parts.is_complete());
    let mut collected = PartSet::awaiting(parts.header()).unwrap();
    for expected in case["parts"].as_array().unwrap() {
        let part = parts.part(u32::try_from(int(&expected["index"])).unwrap()).unwrap();
        assert_eq!(part.bytes.len() as i64, int(&expected["len"]));
        assert_eq!(Hash::of(&part.bytes).as_bytes(), bytes(&expected["bytes_sha256"]));
        assert_eq!(part.proof.to_proto(), proof(&expected["proof"]), "{}", name(case));
    }
    for part in parts.parts() {
        assert_eq!(collected.add(part.clone()), Ok(true));
    }
    assert_eq!(collected.assemble(), parts.assemble());
}

#[test]
fn part_sets_are_those_recorded() {
    let set = std::cell::RefCell::new(None);
    each_case("04-part-set.json", 39, |kind, case| match kind {
        "part_set" => {
            let data = labelled(text(&case["label"]), uint(&case["data_len"]) as usize);
            assert_eq!(Hash::of(&data).as_bytes(), bytes(&case["data_sha256"]));
            let parts =
                PartSet::of_bytes_in_pieces(data.clone(), uint(&case["part_size"]) as usize);
            assert_eq!(parts.byte_size() as i64, int(&case["byte_size"]));
            check_parts(case, &parts);
            assert_eq!(parts.assemble(), Some(data));
        }
        "block_part_set" => {
            if case["block_proto"].is_string() {
                check_parts(case, &PartSet::of_bytes(bytes(&case["block_proto"]).into()));
            }
        }
        "add_part_sequence" => {
            let total = u32::try_from(int(&case["set_total"])).unwrap();
            let hash = Hash::from_slice(&bytes(&case["set_hash"])).unwrap();
            let mut set = set.borrow_mut();
            let set = set
                .get_or_insert_with(|| PartSet::awaiting(PartSetHeader { total, hash }).unwrap());
            let part = Part {
                index: u32::try_from(int(&case["part"]["index"])).unwrap(),
                bytes: bytes(&case["part"]["bytes"]).into(),
                proof: Proof::from_proto(proof(&case["part"]["proof"])).unwrap(),
            };
            let added = expect(set.add(part), &case["result"], name(case)).unwrap_or(false);
            assert_eq!(Some(added), case["added"].as_bool(), "{}", name(case));
            assert_eq!(i64::from(set.count()), int(&case["count_after"]));
            assert_eq!(set.byte_size() as i64, int(&case["byte_size_after"]));
            assert_eq!(format!("{:?}", set.bits()), text(&case["bit_array_after"]));
            assert_eq!(Some(set.is_complete()), case["complete_after"].as_bool());
        }
        "part_validate_basic" => {
            let part = Part::from_proto(types::Part {
                index: u32::try_from(int(&case["index"])).unwrap(),
                bytes: vec![0; uint(&case["bytes_len"]) as usize],
                proof: Some(proof(&case["proof"])),
            });
            expect(part, &case["result"], name(case));
        }
        other => panic!("unknown kind {other}"),
    });
}

#[test]
fn result_hashes_are_those_recorded() {
    each_case("09-results.json", 14, |_, case| {
        let result = |value: &Value| {
            abci::ExecTxResult::decode(bytes(&value["proto"]).as_slice()).unwrap_or_default()
        };
        let listed = case["results"].as_array().unwrap();
        let results: Vec<abci::ExecTxResult> = listed.iter().map(result).collect();
        assert_eq!(results_hash(&results).as_bytes(), bytes(&case["hash"]), "{}", name(case));
    });
}

#[test]
fn transactions_are_hashed_and_measured_as_recorded() {
    each_case("16-tx.json", 67, |kind, case| match kind {
        "txs" => {
            let listed = case["txs"].as_array().unwrap();
            let txs: Vec<Bytes> = listed.iter().map(|tx| bytes(&tx["tx"]).into()).collect();
            for (tx, expected) in txs.iter().zip(listed) {
                assert_eq!(tx_hash(tx).as_bytes(), bytes(&expected["hash"]), "{}", name(case));
            }
            let txs = Txs::new(txs);
            assert_eq!(txs.hash().as_bytes(), bytes(&case["hash"]), "{}", name(case));
            assert_eq!(txs.encoded_len() as i64, int(&case["proto_size"]));
            for (index, tx) in txs.as_slice().iter().enumerate() {
                let (root, proof) = txs.proof(index).unwrap();
                assert_eq!(root, txs.hash());
                assert_eq!(proof.verify(&root, tx_hash(tx).as_bytes()), Ok(()));
            }
        }
        "proto_size_one" => check_size(case, 1),
        "proto_size_many" => check_size(case, uint(&case["tx_count"]) as usize),
        "txs_validate" => {
            let lens = case["tx_lens"].as_array().unwrap().iter();
            let txs = Txs::new(lens.map(|len| vec![1; uint(len) as usize].into()).collect());
            expect(txs.check_size(int(&case["max_size_bytes"])), &case["result"], name(case));
        }
        "max_data_bytes" => {
            let (max, validators) = (int(&case["max_bytes"]), uint(&case["validators"]));
            let room = data_bytes_max(max, int(&case["evidence_bytes"]), validators);
            let room = expect(room, &case["max_data_bytes_result"], name(case));
            if let Some(room) = room {
                assert_eq!(room, int(&case["max_data_bytes"]), "{}", name(case));
            }
        }
        "max_commit_bytes" => {
            let room = data_bytes_max(BLOCK_SIZE_MAX, 0, uint(&case["validators"])).unwrap();
            let commit = int(&case["max_commit_bytes"]);
            assert_eq!(BLOCK_SIZE_MAX - room - 626 - 11, commit, "{}", name(case));
        }
        "constants" => {
            assert_eq!(int(&case["max_block_size_bytes"]), BLOCK_SIZE_MAX);
            assert_eq!(int(&case["block_part_size_bytes"]), PART_SIZE as i64);
            assert_eq!(int(&case["max_block_parts_count"]), i64::from(PARTS_MAX));
        }
        "tx_proof_check" => {
            let wire = types::TxProof::decode(bytes(&case["proof_proto"]).as_slice()).unwrap();
            let result = check_tx_proof(wire, &bytes(&case["data_hash"]));
            assert_eq!(result.is_ok(), case["result"]["ok"] == true, "{}", name(case));
        }
        other => panic!("unknown kind {other}"),
    });
}

fn check_size(case: &Value, count: usize) {
    let tx = Bytes::from(vec![7; uint(&case["tx_len"]) as usize]);
    assert_eq!(Txs::new(vec![tx; count]).encoded_len() as i64, int(&case["proto_size"]));
}

fn check_tx_proof(wire: types::TxProof, data_hash: &[u8]) -> Result<(), Invalid> {
    if wire.root_hash != data_hash {
        return Err(Invalid::RootMismatch);
    }
    let proof = Proof::from_proto(wire.proof.unwrap_or_default())?;
    let root = Hash::from_slice(&wire.root_hash)?;
    proof.verify(&root, tx_hash(&wire.data).as_bytes())
}

fn bit_array(text: &str) -> BitArray {
    let mut bits = BitArray::new(text.len());
    text.bytes().enumerate().for_each(|(i, byte)| {
        bits.set(i, byte == b'x');
    });
    bits
}

#[test]
fn bit_arrays_are_those_recorded() {
    each_case("15-p2p-messages.json", 194, |kind, case| match kind {
        "bit_array" => {
            let bits = bit_array(text(&case["bits_text"]));
            assert_eq!(bits.count_ones() == 0, case["is_empty"] == true, "{}", name(case));
            // CometBFT calls an array without bits neither full nor anything.
            if !bits.is_empty() {
                assert_eq!(bits.is_full(), case["is_full"] == true, "{}", name(case));
                assert_eq!(bits.to_proto().encode_to_vec(), bytes(&case["proto"]));
                assert_eq!(BitArray::from_proto(bits.to_proto()), Ok(bits));
            }
        }
        "bit_array_op" => {
            let (a, b) = (bit_array(text(&case["a"])), bit_array(text(&case["b"])));
            if a.is_empty() || b.is_empty() {
                return;
            }
            // CometBFT drops what lies beyond the last word of the shorter one; such arrays are
            // never joined, being of equal length.
            if a.len().div_ceil(64) != b.len().div_ceil(64) {
                return;
            }
            let expected = text(&case["or"]).trim_matches('"');
            assert_eq!(a.or(&b).to_string(), expected, "{}", name(case));
        }
        "bit_array_decode" => {
            let wire = bits::BitArray::decode(bytes(&case["proto"]).as_slice()).unwrap();
            let read = BitArray::from_proto(wire);
            // CometBFT takes a negative number of bits as long as there are no words.
            if case["name"] == "bit-array-decode/6" {
                assert_eq!(read, Err(Invalid::ElementCount));
            } else {
                expect(read, &case["validate_basic"], name(case));
            }
        }
        _ => {}
    });
}
