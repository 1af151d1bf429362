//! 07-params and 08-genesis: parameters and documents.
use guts_abci::proto::{Message, types};
use guts_genesis::{Compactor, ConsensusParams, GenesisDoc, GenesisError, Height};
use serde_json::Value;

use crate::support::*;

fn params(value: &Value) -> ConsensusParams {
    let types = value["validator_pub_key_types"].as_array().unwrap();
    ConsensusParams {
        block_max_bytes: int(&value["block_max_bytes"]),
        block_max_gas: int(&value["block_max_gas"]),
        evidence_max_age_num_blocks: int(&value["evidence_max_age_num_blocks"]),
        evidence_max_age_duration_ns: int(&value["evidence_max_age_duration_ns"]),
        evidence_max_bytes: int(&value["evidence_max_bytes"]),
        validator_pub_key_types: types.iter().map(|name| text(name).to_owned()).collect(),
        version_app: uint(&value["version_app"]),
        vote_extensions_enable_height: int(&value["vote_extensions_enable_height"]),
    }
}

fn update(value: &Value) -> Option<types::ConsensusParams> {
    value.as_str()?;
    Some(types::ConsensusParams::decode(bytes(value).as_slice()).unwrap())
}

#[test]
fn parameters_are_hashed_checked_and_changed_as_recorded() {
    each_case("07-params.json", 111, |kind, case| match kind {
        "params" => {
            let ours = params(&case["params"]);
            assert_eq!(ours.hash().as_slice(), bytes(&case["hash"]), "{}", name(case));
            let kind = ours.check().err().map(|error| error.kind());
            assert_eq!(kind, error_kind(&case["validate"]), "{}", name(case));
            // No key types and an empty list of them differ in JSON, but not here.
            if name(case) != "params/empty-key-types" {
                assert_eq!(ours.to_json(), text(&case["json"]), "{}", name(case));
            }
            assert_eq!(ConsensusParams::from_json(text(&case["json"])).unwrap(), ours);
            assert_eq!(ConsensusParams::from_proto(&ours.to_proto()), Ok(ours.clone()));
            if case["proto"].is_string() {
                assert_eq!(ours.to_proto().encode_to_vec(), bytes(&case["proto"]));
            }
        }
        "update" => {
            let after = params(&case["before"]).updated(update(&case["update_proto"]).as_ref());
            assert_eq!(after, params(&case["after"]), "{}", name(case));
            let expected = case["validate_after_ok"].as_bool();
            assert_eq!(Some(after.check().is_ok()), expected, "{}", name(case));
        }
        "validate_update" => {
            let old = ConsensusParams {
                vote_extensions_enable_height: int(&case["old_enable_height"]),
                ..ConsensusParams::default()
            };
            let height = Height(uint(&case["height"]));
            let checked = old.check_update(update(&case["update_proto"]).as_ref(), height);
            let kind = checked.err().map(|error| error.kind());
            assert_eq!(kind, error_kind(&case["result"]), "{}", name(case));
        }
        "extensions_enabled" => {
            if let Some(enabled) = case["enabled"].as_bool() {
                let params = ConsensusParams {
                    vote_extensions_enable_height: int(&case["enable_height"]),
                    ..ConsensusParams::default()
                };
                let height = Height(uint(&case["height"]));
                assert_eq!(params.has_extensions_at(height), enabled, "{}", name(case));
            }
        }
        "from_proto" => {
            let wire = types::ConsensusParams::decode(bytes(&case["proto"]).as_slice()).unwrap();
            let read = ConsensusParams::from_proto(&wire);
            let kind = read.as_ref().err().map(|error| error.kind());
            assert_eq!(kind, error_kind(&case["result"]), "{}", name(case));
            if let Ok(read) = read {
                assert_eq!(read, params(&case["params"]), "{}", name(case));
            }
        }
        other => panic!("unknown kind {other}"),
    });
}

#[test]
fn documents_are_read_written_and_refused_as_recorded() {
    let (mut completed, mut timeless) = (0, 0);
    each_case("08-genesis.json", 68, |kind, case| {
        let document = if kind == "genesis" { &case["saved"] } else { &case["text"] };
        let expected = error_kind(&case["result"]);
        // What CometBFT finds only when it makes the first state is refused when it is read.
        let expected = expected.map(|kind| kind.trim_end_matches("-when-state-is-made"));
        let read = match GenesisDoc::parse(text(document)) {
            // CometBFT takes the moment of reading, on which nodes would not agree.
            Err(error @ GenesisError::TimeMissing) => {
                assert_eq!(expected, None, "{}: {error}", name(case));
                assert!(case["completed_json"].is_null(), "{}", name(case));
                timeless += 1;
                return;
            }
            Err(error) => {
                assert_eq!(Some(error.kind()), expected, "{}: {error}", name(case));
                return;
            }
            Ok(read) => read,
        };
        assert_eq!(expected, None, "{}", name(case));
        let ours = read.to_compact_json();
        if let Some(json) = case["completed_json"].as_str() {
            assert_eq!(ours, json, "{}", name(case));
            completed += 1;
        }
        if case["app_state_bytes"].is_string() {
            let bytes = bytes(&case["app_state_bytes"]);
            assert_eq!(read.app_state.as_bytes(), bytes, "{}", name(case));
        }
        let again = GenesisDoc::parse(&read.to_json()).unwrap();
        assert_eq!(again.to_compact_json(), ours, "{}", name(case));
    });
    assert!(completed > 30, "only {completed} documents were compared");
    assert!(timeless > 0, "a document without a time must be among them");
}

#[test]
fn a_saved_document_is_written_as_it_was_read() {
    let mut same = 0;
    each_case("08-genesis.json", 68, |kind, case| {
        if kind != "genesis" {
            return;
        }
        let saved = text(&case["saved"]);
        if let Ok(read) = GenesisDoc::parse(saved) {
            // Documents are saved before they are completed; those that were complete agree.
            let is_complete = case["completed_json"].as_str().is_some_and(|completed| {
                saved.split_whitespace().collect::<String>()
                    == completed.split_whitespace().collect::<String>()
            });
            if is_complete {
                assert_eq!(read.to_json(), saved, "{}", name(case));
                same += 1;
            }
        }
    });
    assert!(same >= 2, "only {same} documents were compared");
}

#[test]
fn the_hash_covers_the_bytes_of_app_state() {
    let text = |state: &str| {
        format!(
            "{{\"genesis_time\":\"2024-01-02T03:04:05Z\",\"chain_id\":\"c\",\"app_state\":{state}}}"
        )
    };
    let hash = |state: &str| GenesisDoc::parse(&text(state)).unwrap().hash();
    assert_ne!(hash("{\"a\":1}"), hash("{ \"a\": 1 }"));
    assert_eq!(hash("{\"a\":1}"), hash("{\"a\":1}"));
}

#[test]
fn pieces_of_any_size_become_compact_as_the_whole_does() {
    let state =
        "{ \"a\" : [ 1,\t\"<b> \\\" & \u{2028}\u{2029}\u{2030}\u{20ac}\u{e9} \",\r\n {} ] }";
    let expected = "{\"a\":[1,\"\\u003cb\\u003e \\\" \\u0026 \\u2028\\u2029\
                    \u{2030}\u{20ac}\u{e9} \",{}]}";
    let rest = "\"genesis_time\":\"2024-01-02T03:04:05Z\",\"chain_id\":\"c\"";
    let text = format!("{{\"app_state\":{state},{rest}}}");
    let (doc, apart) = GenesisDoc::parse_apart(&text).unwrap();
    assert_eq!((apart, doc.app_state.as_str()), (state, ""));
    let whole = GenesisDoc::parse(&text).unwrap();
    assert_eq!(doc.hash_with(apart), whole.hash());
    let (before, after) = doc.around(true);
    for size in 1..=state.len() {
        let (mut compactor, mut out) = (Compactor::default(), Vec::new());
        state.as_bytes().chunks(size).for_each(|piece| compactor.push(piece, &mut out));
        compactor.end(&mut out);
        let out = String::from_utf8(out).unwrap();
        assert_eq!(out, expected, "in pieces of {size}");
        assert_eq!(whole.to_compact_json(), [before.as_str(), &out, after].concat());
    }
}
