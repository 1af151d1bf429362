//! 02-keys and 02b-ed25519-zip215: keys, key files, the last-sign guard, strange signatures.
use guts_abci::proto::{Message, crypto};
use guts_genesis::key_file::{
    node_id, parse_node_key, parse_validator_key, print_node_key, print_validator_key,
};
use guts_genesis::{
    Height, KeyError, LastSign, PrivateKey, PublicKey, Round, Signature, SignatureScheme,
    SignedBytes, Zip215,
};
use serde_json::Value;

use crate::support::*;

fn key_of_seed(case: &Value) -> PrivateKey {
    PrivateKey::from_seed(bytes(&case["seed"]).try_into().unwrap())
}

#[test]
fn keys_and_key_files_are_those_recorded() {
    each_case("02-keys.json", 71, |kind, case| match kind {
        "ed25519" => check_ed25519(case),
        "ed25519_from_secret" => {
            let key = PrivateKey::from_secret(&bytes(&case["secret"]));
            assert_eq!(key.to_bytes().as_slice(), bytes(&case["priv_key"]), "{}", name(case));
            assert_eq!(key.public_key().address().as_bytes(), bytes(&case["address"]));
        }
        "secp256k1" => {
            let key = PublicKey::secp256k1(&bytes(&case["pub_key"])).unwrap();
            assert_eq!(key.address().as_bytes(), bytes(&case["address"]), "{}", name(case));
            assert_eq!(key.to_proto().encode_to_vec(), bytes(&case["pub_key_proto"]));
            check_secp256k1(case, &key);
        }
        "pub_key_decode" => check_decode(case),
        "key_files" => {
            if case["seed"].is_null() {
                return;
            }
            let key = key_of_seed(case);
            let file = text(&case["priv_validator_key_file"]);
            assert_eq!(print_validator_key(&key), file);
            assert_eq!(parse_validator_key(file).unwrap().seed(), key.seed());
            let file = text(&case["node_key_file"]);
            assert_eq!(print_node_key(&key), file);
            assert_eq!(parse_node_key(file).unwrap().seed(), key.seed());
            assert_eq!(node_id(&key.public_key()), text(&case["node_id"]));
            let state = text(&case["priv_validator_state_file"]);
            assert_eq!(LastSign::default().print(), state);
        }
        "key_file_load" => {
            let key = parse_validator_key(text(&case["priv_validator_key_file"])).unwrap();
            assert_eq!(key.public_key().as_bytes(), bytes(&case["loaded_pub_key"]));
        }
        "check_hrs" => check_guard(case),
        "signer_proposal" | "signer_vote" => {
            // What a signer leaves behind reads back as it was written.
            let state = text(&case["state_file_after"]);
            assert_eq!(LastSign::parse(state).unwrap().print(), state, "{}", name(case));
        }
        other => panic!("unknown kind {other}"),
    });
}

fn check_ed25519(case: &Value) {
    let key = key_of_seed(case);
    let public = key.public_key();
    assert_eq!(key.to_bytes().as_slice(), bytes(&case["priv_key"]), "{}", name(case));
    assert_eq!(public.as_bytes(), bytes(&case["pub_key"]));
    assert_eq!(public.address().as_bytes(), bytes(&case["address"]));
    assert_eq!(public.type_name(), text(&case["type"]));
    assert_eq!(node_id(&public), text(&case["node_id"]));
    assert_eq!(public.to_proto().encode_to_vec(), bytes(&case["pub_key_proto"]));
    let file = print_node_key(&key);
    assert_eq!(file, format!("{{\"priv_key\":{}}}", text(&case["priv_key_json"])));
    for signed in case["signatures"].as_array().unwrap() {
        let message = bytes(&signed["message"]);
        let signature = key.sign(&message);
        assert_eq!(signature.as_bytes(), bytes(&signed["signature"]), "{}", name(case));
        assert_eq!(Some(public.verify(&message, &signature)), signed["accepted"].as_bool());
    }
}

fn check_secp256k1(case: &Value, key: &PublicKey) {
    let (message, good) = (bytes(&case["message"]), bytes(&case["signature"]));
    let accepts = |bytes: &[u8]| key.verify(&message, &Signature::from_slice(bytes).unwrap());
    assert_eq!(Some(accepts(&good)), case["accepted"].as_bool(), "{}", name(case));
    let high = bytes(&case["signature_high_s"]);
    assert_eq!(Some(accepts(&high)), case["high_s_accepted"].as_bool(), "{}", name(case));
    let short = case["short_signature_accepted"].as_bool();
    assert_eq!(Some(accepts(&good[..63])), short, "{}", name(case));
    let mut wrong = good.clone();
    wrong[40] ^= 1;
    assert!(!accepts(&wrong) && !accepts(&[0; 64]) && !accepts(&[0xff; 64]) && !accepts(&[]));
    let signature = Signature::from_slice(&good).unwrap();
    let item = SignedBytes { key, message: &message, signature: &signature };
    assert!(Zip215.verify_batch(&[item, item]), "{}", name(case));
    let other = SignedBytes { message: b"other", ..item };
    assert!(!Zip215.verify_batch(&[item, other]), "{}", name(case));
}

/// CometBFT refuses to take these into a batch; here a batch with one of them is bad. A secp256k1
/// key with a signature that is not its own is bad, too.
fn check_batch_add(case: &Value) {
    let kind = text(&case["pub_key_type"]);
    let Ok(key) = PublicKey::from_type_name(kind, &bytes(&case["pub_key"])) else {
        assert_eq!(error_kind(&case["result"]), Some("key-size"), "{}", name(case));
        return;
    };
    let (message, signature) = (bytes(&case["message"]), bytes(&case["signature"]));
    let signature = Signature::from_slice(&signature).unwrap();
    let item = SignedBytes { key: &key, message: &message, signature: &signature };
    assert_eq!(Some(Zip215.verify_batch(&[item])), case["result"]["ok"].as_bool());
}

fn check_decode(case: &Value) {
    let wire = crypto::PublicKey::decode(bytes(&case["proto"]).as_slice()).unwrap();
    let kind = PublicKey::from_proto(Some(&wire)).map_err(|error| match error {
        KeyError::Missing | KeyError::Type(_) => "key-type-unsupported",
        KeyError::Size { .. } => "key-size",
        KeyError::SignatureTooBig(_) => "signature-size",
    });
    // An empty key of a type is written as no key at all.
    let expected = error_kind(&case["result"]);
    let expected = if text(&case["proto"]).is_empty() && expected.is_some() {
        Some("key-type-unsupported")
    } else {
        expected
    };
    assert_eq!(kind.err(), expected, "{}", name(case));
}

fn check_guard(case: &Value) {
    let last = &case["last"];
    let has_bytes = last["has_sign_bytes"] == true;
    let signed = PrivateKey::from_secret(b"guard").sign(b"anything");
    let missing = error_kind(&case["result"]) == Some("signature-missing");
    let state = LastSign {
        height: Height(uint(&last["height"])),
        round: Round(uint(&last["round"]) as u32),
        step: int(&last["step"]) as i8,
        sign_bytes: if has_bytes { b"anything".to_vec() } else { Vec::new() },
        signature: if missing || !has_bytes { Signature::NONE } else { signed },
    };
    let (height, round) = (Height(uint(&case["height"])), Round(uint(&case["round"]) as u32));
    match state.check(height, round, int(&case["step"]) as i8) {
        Ok(same) => {
            assert_eq!(error_kind(&case["result"]), None, "{}", name(case));
            assert_eq!(Some(same), case["same_hrs"].as_bool(), "{}", name(case));
        }
        Err(refusal) => {
            assert_eq!(Some(refusal.kind()), error_kind(&case["result"]), "{}", name(case));
        }
    }
}

#[test]
fn strange_signatures_are_judged_as_recorded_singly_and_in_batches() {
    each_case("02b-ed25519-zip215.json", 272, |kind, case| match kind {
        "verify" => {
            let Ok(signature) = Signature::from_slice(&bytes(&case["signature"])) else {
                assert_eq!(case["accepted"], false, "{}", name(case));
                return;
            };
            let Ok(key) = PublicKey::ed25519(&bytes(&case["pub_key"])) else {
                assert_eq!(case["accepted"], false, "{}", name(case));
                return;
            };
            let message = bytes(&case["message"]);
            let good = key.verify(&message, &signature);
            assert_eq!(Some(good), case["accepted"].as_bool(), "{}", name(case));
            let item = SignedBytes { key: &key, message: &message, signature: &signature };
            assert_eq!(Zip215.verify_batch(&[item]), good, "{}", name(case));
        }
        "batch" => {
            let entries = case["entries"].as_array().unwrap().iter();
            let read = |entry: &Value| {
                let key = PublicKey::ed25519(&bytes(&entry["pub_key"])).unwrap();
                let signature = Signature::from_slice(&bytes(&entry["signature"])).unwrap();
                (key, bytes(&entry["message"]), signature)
            };
            let entries: Vec<_> = entries.map(read).collect();
            let item = |(key, message, signature): &'_ (PublicKey, Vec<u8>, Signature)| {
                Zip215.verify(key, message, signature)
            };
            let batch: Vec<SignedBytes<'_>> = entries
                .iter()
                .map(|(key, message, signature)| SignedBytes { key, message, signature })
                .collect();
            let good = Zip215.verify_batch(&batch);
            assert_eq!(Some(good), case["accepted"].as_bool(), "{}", name(case));
            assert_eq!(good, !entries.is_empty() && entries.iter().all(item));
        }
        // Which points are written in the shortest way: what "verify" is about.
        "encoding" => {
            let key = PublicKey::ed25519(&bytes(&case["bytes"])).unwrap();
            assert_eq!(key.as_bytes(), bytes(&case["bytes"]), "{}: kept as it is", name(case));
        }
        "batch_add" => check_batch_add(case),
        other => panic!("unknown kind {other}"),
    });
}
