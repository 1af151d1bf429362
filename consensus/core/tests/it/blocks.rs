//! 05-header-block: headers, block ids, commits and blocks.
use bytes::Bytes;
use guts_abci::proto::{Message, types};
use guts_consensus::types::{
    Block, BlockId, Commit, Evidence, Header, LightBlock, SignedHeader, Txs, encode_evidence_list,
    evidence_hash,
};
use serde_json::Value;

use crate::support::*;

#[test]
fn headers_commits_and_blocks_are_those_recorded() {
    each_case("05-header-block.json", 113, |kind, case| match kind {
        "header" => {
            let wire = header(&case["header"]);
            assert_eq!(wire.encode_to_vec(), bytes(&case["proto"]), "{}", name(case));
            let read = Header::from_proto(wire.clone());
            if let Some(read) = expect(read, &case["validate_basic"], name(case)) {
                assert_eq!(read.hash().as_bytes(), bytes(&case["hash"]), "{}", name(case));
                assert_eq!(read.to_proto(), wire, "{}", name(case));
            }
        }
        "block_id" => {
            let wire = block_id(&case["block_id"]);
            assert_eq!(wire.encode_to_vec(), bytes(&case["proto"]), "{}", name(case));
            let read = BlockId::from_proto(Some(&wire));
            if let Some(read) = expect(read, &case["validate_basic"], name(case)) {
                assert_eq!(Some(read.is_nil()), case["is_zero"].as_bool());
                assert_eq!(Some(read.is_complete()), case["is_complete"].as_bool());
                assert_eq!(read.key(), bytes(&case["key"]), "{}", name(case));
                assert_eq!(read.to_proto(), wire);
            }
        }
        "commit" => {
            let wire = commit(&case["commit"]);
            assert_eq!(wire.encode_to_vec(), bytes(&case["proto"]), "{}", name(case));
            let read = Commit::from_proto(wire.clone());
            if let Some(read) = expect(read, &case["validate_basic"], name(case)) {
                assert_eq!(read.hash().as_bytes(), bytes(&case["hash"]), "{}", name(case));
                assert_eq!(read.to_proto(), wire, "{}", name(case));
            }
        }
        "commit_sign_bytes" => {
            let read = Commit::from_proto(commit(&case["commit"])).unwrap();
            let index = uint(&case["index"]) as usize;
            if let Some(signed) = read.sign_bytes(text(&case["chain_id"]), index) {
                assert_eq!(signed, bytes(&case["sign_bytes"]), "{}", name(case));
                let vote = read.vote(index).unwrap();
                assert_eq!(vote.sign_bytes(text(&case["chain_id"])), signed);
            }
        }
        "block" => check_block(case),
        "evidence_data" => {
            let list = evidence_list(&case["evidence_protos"]);
            assert_eq!(evidence_hash(&list).as_bytes(), bytes(&case["hash"]));
            assert_eq!(encode_evidence_list(&list), bytes(&case["list_proto"]));
        }
        "block_meta" => {
            let block = Block::decode(bytes(&case["block_proto"]).into()).unwrap();
            let expected = BlockId::from_proto(Some(&block_id(&case["meta"]["block_id"])));
            assert_eq!(block.id(&block.part_set()), expected.unwrap());
        }
        "light_block" => check_light_block(case),
        "light_block_check" => {
            let wire = bytes(&case["light_block_proto"]);
            let wire = types::LightBlock::decode(wire.as_slice()).unwrap();
            let checked =
                LightBlock::from_proto(wire).and_then(|block| block.check(text(&case["chain_id"])));
            expect(checked, &case["result"], name(case));
        }
        "data" => {
            let txs = case["txs"].as_array().unwrap().iter().map(|tx| bytes(tx).into());
            let hash = Txs::new(txs.collect()).hash();
            assert_eq!(hash.as_bytes(), bytes(&case["hash"]), "{}", name(case));
        }
        // A missing commit does not exist here.
        "nil_commit_hash" => {}
        other => panic!("unknown kind {other}"),
    });
}

fn check_light_block(case: &Value) {
    let wire = bytes(&case["light_block_proto"]);
    let wire = types::LightBlock::decode(wire.as_slice()).unwrap();
    let read = LightBlock::from_proto(wire.clone()).unwrap();
    assert_eq!(read.check(text(&case["chain_id"])), Ok(()));
    assert_eq!(read.to_proto(), wire);
    let wire = bytes(&case["signed_header_proto"]);
    let wire = types::SignedHeader::decode(wire.as_slice()).unwrap();
    assert_eq!(SignedHeader::from_proto(wire).unwrap(), read.signed_header);
}

fn evidence_list(value: &Value) -> Vec<Evidence> {
    let read = |value: &Value| {
        let wire = types::Evidence::decode(bytes(value).as_slice()).unwrap();
        Evidence::from_proto(wire).unwrap()
    };
    value.as_array().unwrap().iter().map(read).collect()
}

fn check_block(case: &Value) {
    let encoded = Bytes::from(bytes(&case["proto"]));
    assert_eq!(encoded.len() as i64, int(&case["size"]));
    let read = Block::decode(encoded.clone());
    let wire = types::Block::decode(encoded.clone()).unwrap();
    assert_eq!(Block::from_proto(wire), read, "{}", name(case));
    let Some(block) = expect(read, &case["decode_and_validate"], name(case)) else { return };
    assert_eq!(block.hash().as_bytes(), bytes(&case["hash"]), "{}", name(case));
    assert_eq!(block.encode(), encoded, "{}", name(case));
    assert_eq!(block.to_proto().encode_to_vec(), encoded, "{}", name(case));
    let contents = (block.txs().clone(), block.evidence().to_vec(), block.last_commit().clone());
    let again = Block::new(block.header().clone(), contents.0, contents.1, contents.2);
    assert_eq!(again, block);
}

#[test]
fn any_cut_or_flipped_byte_of_a_block_is_refused_or_changes_the_block() {
    each_case("05-header-block.json", 113, |kind, case| {
        if kind != "block" || case["decode_and_validate"]["ok"] != true {
            return;
        }
        let encoded = bytes(&case["proto"]);
        let block = Block::decode(encoded.clone().into()).unwrap();
        for at in 0..encoded.len() {
            let _ = Block::decode(encoded[..at].to_vec().into());
            let mut flipped = encoded.clone();
            flipped[at] ^= 0x41;
            if let Ok(other) = Block::decode(flipped.into()) {
                assert!(other != block || other.encode() == block.encode(), "byte {at}");
            }
        }
    });
}
