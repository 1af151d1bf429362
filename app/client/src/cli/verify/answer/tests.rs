//! Both forms of an answer, and what is none.
use guts_schema::{AccountId, keys};

use super::*;

const GATEWAY: &str = r#"{"height": "7", "header_height": "8", "key": "cGFyYW1zLw==",
    "value": "AQI=", "decoded": {}, "proof": "Aw=="}"#;

#[test]
fn answers_are_read_with_and_without_what_is_around_them() {
    let whole = format!(r#"{{"jsonrpc": "2.0", "id": -1, "result": {GATEWAY}}}"#);
    for text in [GATEWAY, &whole] {
        let answer = Answer::parse(text).expect("an answer");
        assert_eq!((answer.height, answer.key), (7, b"params/".to_vec()));
        assert_eq!((answer.value, answer.is_decoded), (Some(vec![1, 2]), true));
        let op = answer.ops.expect("a proof").ops.remove(0);
        assert_eq!((op.kind.as_str(), op.data.0), (PROOF_TYPE, vec![3]));
    }
    let absent = GATEWAY.replace("\"AQI=\"", "null").replace("{}", "null");
    let answer = Answer::parse(&absent).expect("an answer");
    assert_eq!((answer.value, answer.is_decoded), (None, false));
    let query = r#"{"result": {"response": {"code": 0, "log": "", "info": "", "index": "0",
        "key": "cGFyYW1zLw==", "value": "", "proofOps": null, "height": "9", "codespace": ""}}}"#;
    let answer = Answer::parse(query).expect("an answer");
    assert_eq!((answer.height, answer.value, answer.ops), (9, None, None));
}

#[test]
fn what_is_no_answer_is_told_apart() {
    let refused = |text: &str| Answer::parse(text).err().expect("no answer");
    assert!(refused("no").contains("expected"));
    assert!(refused(r#"{"error": {"code": 1}}"#).contains("an error"));
    assert!(refused("{}").contains("missing field"));
    assert!(refused(&GATEWAY.replace("\"7\"", "\"x\"")).contains("no number"));
    assert!(!refused(&GATEWAY.replace("Aw==", "%")).is_empty(), "that is no base64");
}

#[test]
fn keys_are_text_where_they_can_be() {
    assert_eq!(named(&keys::handle("ada")), "handle/ada");
    assert_eq!(named(&keys::params()), "params/");
    let account = keys::account(&AccountId::new([0xab; 20]));
    assert_eq!(named(&account), format!("account/{}", "ab".repeat(20)));
    assert_eq!(named(b"other/\x01"), "other/01");
}
