//! The reference application's rules. Its answers are compared with CometBFT's in `tests/it`.

use super::*;
use crate::proto::abci::Validator;
use crate::proto::crypto::{PublicKey, public_key::Sum};

const KEY: &str = "QUoZA+MQod0K3YGPld+eic8knTYM1mmJ+qEv5jUHrnY=";

fn app() -> (KvStore, KvReader, Arc<dyn Store>) {
    let store: Arc<dyn Store> = Arc::new(Memory::new());
    (KvStore::new(Arc::clone(&store)), KvReader { store: Arc::clone(&store) }, store)
}

fn finalize(height: i64, txs: &[&str]) -> RequestFinalizeBlock {
    let txs = txs.iter().map(|tx| Bytes::copy_from_slice(tx.as_bytes())).collect();
    RequestFinalizeBlock { txs, height, ..Default::default() }
}

fn query(reader: &KvReader, path: &str, data: &[u8]) -> ResponseQuery {
    let data = Bytes::copy_from_slice(data);
    reader.query(RequestQuery { data, path: path.to_owned(), ..Default::default() }).unwrap()
}

#[test]
fn transactions_have_one_separator_inside() {
    for tx in ["a=b", "a:b", "key=a longer value"] {
        assert_eq!(Transaction::parse(tx.as_bytes()), Ok(Transaction::Pair), "{tx}");
    }
    for tx in ["", "=", "a", "=b", "a=", ":b", "a:", "a=b=c", "a:b:c", "a=b:c"] {
        assert_eq!(Transaction::parse(tx.as_bytes()), Err(FormatError::Pair), "{tx}");
    }
}

#[test]
fn validator_transactions_name_the_rule_they_break() {
    for (rest, error) in [
        ("", FormatError::Parts),
        ("ed25519!x", FormatError::Parts),
        ("ed25519!x!1!2", FormatError::Parts),
        (&format!("sr25519!{KEY}!1"), FormatError::KeyType),
        ("ed25519!AAAA!1", FormatError::Key),
        ("ed25519!***!1", FormatError::Key),
        (&format!("ed25519!{KEY}!-1"), FormatError::Power),
        (&format!("ed25519!{KEY}!9223372036854775808"), FormatError::Power),
    ] {
        assert_eq!(Transaction::parse(format!("val={rest}").as_bytes()), Err(error), "{rest}");
    }
    let wrong_bytes = [&b"val="[..], &[0xff, 0xfe]].concat();
    assert_eq!(Transaction::parse(&wrong_bytes), Err(FormatError::Parts));
}

#[test]
fn a_proposer_writes_equals_signs_and_drops_what_is_wrong() {
    let (mut app, _, _) = app();
    let txs = ["a:1", "wrong", "b=2"].map(|tx| Bytes::from_static(tx.as_bytes())).to_vec();
    let request = RequestPrepareProposal { txs, max_tx_bytes: 100, ..Default::default() };
    let prepared = app.prepare_proposal(request.clone()).unwrap().txs;
    assert_eq!(prepared, [&b"a=1"[..], b"b=2"]);

    let short = RequestPrepareProposal { max_tx_bytes: 5, ..request.clone() };
    assert_eq!(app.prepare_proposal(short).unwrap().txs, [&b"a=1"[..]]);
    let all = RequestPrepareProposal { max_tx_bytes: -1, ..request };
    assert_eq!(app.prepare_proposal(all).unwrap().txs.len(), 2);
}

#[test]
fn a_block_counts_once_however_often_it_is_finalized() {
    let (mut app, reader, _) = app();
    for _ in 0..3 {
        let response = app.finalize_block(finalize(1, &["a=1", "b=2"])).unwrap();
        assert_eq!(response.app_hash, app_hash(2));
        assert_eq!(query(&reader, "", b"a").log, "does not exist");
    }
    app.commit(RequestCommit {}).unwrap();
    let info = reader.info(RequestInfo::default()).unwrap();
    assert_eq!((info.last_block_height, info.last_block_app_hash), (1, app_hash(2)));
    assert_eq!(query(&reader, "", b"a").value, &b"1"[..]);
    assert!(app.commit(RequestCommit {}).is_err(), "committed already");
}

#[test]
fn a_process_that_dies_before_its_commit_loses_the_block_only() {
    let (mut app, reader, store) = app();
    app.finalize_block(finalize(1, &["a=1"])).unwrap();
    app.commit(RequestCommit {}).unwrap();
    app.finalize_block(finalize(2, &["b=2"])).unwrap();
    drop(app);

    let mut again = KvStore::new(store);
    assert_eq!(reader.info(RequestInfo::default()).unwrap().last_block_height, 1);
    let response = again.finalize_block(finalize(2, &["b=2"])).unwrap();
    assert_eq!(response.app_hash, app_hash(2));
}

#[test]
fn validators_come_go_and_are_punished() {
    let (mut app, reader, store) = app();
    let update = app.finalize_block(finalize(1, &[&format!("val=ed25519!{KEY}!15")])).unwrap();
    app.commit(RequestCommit {}).unwrap();
    assert_eq!(update.validator_updates.len(), 1);
    let Some(PublicKey { sum: Some(Sum::Ed25519(key)) }) = &update.validator_updates[0].pub_key
    else {
        panic!("another key type")
    };
    let stored = query(&reader, "/val", key).value;
    let decoded: ValidatorUpdate = prost::Message::decode_length_delimited(stored).unwrap();
    assert_eq!(decoded.power, 15);

    let address = Bytes::copy_from_slice(&address_of(key));
    let evidence = |address: Bytes| Misbehavior {
        r#type: MisbehaviorType::DuplicateVote.into(),
        validator: Some(Validator { address, power: 11 }),
        ..Default::default()
    };
    let mut block = finalize(2, &[]);
    block.misbehavior = vec![evidence(address)];
    let punished = app.finalize_block(block.clone()).unwrap();
    assert_eq!(punished.validator_updates[0].power, 10, "of the power it had at its offence");
    block.misbehavior = vec![evidence(Bytes::from_static(&[7; 20]))];
    let Exception(text) = app.finalize_block(block).unwrap_err();
    assert!(text.contains("which is no validator"), "{text}");

    app.finalize_block(finalize(2, &[&format!("val=ed25519!{KEY}!0")])).unwrap();
    app.commit(RequestCommit {}).unwrap();
    assert_eq!(store.validator_by_key(key), None);
    assert_eq!(query(&reader, "/val", key).value, Bytes::new());
}

#[test]
fn the_app_hash_is_a_signed_varint() {
    assert_eq!(app_hash(0)[..], [0; 8]);
    assert_eq!(app_hash(1)[..], [2, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(app_hash(64)[..], [0x80, 1, 0, 0, 0, 0, 0, 0]);
}
