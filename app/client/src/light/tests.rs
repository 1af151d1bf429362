//! Headers checked as CometBFT's light client checks them (vectors of v0.38.25).
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::*;

fn vectors() -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/data/14-light.json");
    let text = std::fs::read_to_string(path).expect("the vectors are there");
    let mut file: Value = serde_json::from_str(&text).expect("JSON");
    serde_json::from_value(file["cases"].take()).expect("a list")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn base64(value: &Value) -> Value {
    match hex::decode(text(value)) {
        Ok(bytes) if !bytes.is_empty() => json!(STANDARD.encode(bytes)),
        _ => Value::Null,
    }
}

fn block_id(value: &Value) -> Value {
    let parts = json!({ "total": value["total"], "hash": value["parts_hash"] });
    json!({ "hash": value["hash"], "parts": parts })
}

/// A header as RPC has it.
fn header(value: &Value) -> Option<Header> {
    let mut header = value.clone();
    let version = json!({ "block": value["version_block"], "app": value["version_app"] });
    header["version"] = version;
    header["time"] = value["time"]["rfc3339"].clone();
    header["last_block_id"] = block_id(&value["last_block_id"]);
    serde_json::from_value(header).ok()
}

fn signed_header(value: &Value) -> Option<SignedHeader> {
    let mut commit = value["commit"].clone();
    commit["block_id"] = block_id(&commit["block_id"]);
    for signature in commit["signatures"].as_array_mut()? {
        signature["block_id_flag"] = signature["flag"].clone();
        signature["timestamp"] = signature["timestamp"]["rfc3339"].clone();
        signature["signature"] = base64(&signature["signature"]);
        if signature["validator_address"].is_null() {
            signature["validator_address"] = json!("");
        }
    }
    let commit = serde_json::from_value(commit).ok()?;
    SignedHeader::new(header(&value["header"])?, commit).ok()
}

fn validators(value: &Value) -> Vec<Info> {
    let one = |v: &Value| {
        let key = hex::decode(text(&v["pub_key"])).ok()?;
        info(&PublicKey::ed25519(&key).ok()?, text(&v["power"]).parse().ok()?)
    };
    let list = value["validators"].as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().map(|v| one(v).expect("an ed25519 key")).collect()
}

fn nanos(value: &Value) -> Duration {
    Duration::from_nanos(text(value).parse().expect("a number"))
}

/// Whether the case is believed; `None` when what it is about is not this client's way.
fn is_believed(case: &Value) -> Option<bool> {
    let trusted_header = header(&case["trusted"]["header"])?;
    let next = validators(&case["trusted_validators"]);
    let set = Set::without_proposer(next.clone());
    if set.hash() != trusted_header.next_validators_hash {
        // Remembered validators are always those of the remembered header.
        return None;
    }
    let Some(signed_header) = signed_header(&case["untrusted"]) else { return Some(false) };
    let own = Set::without_proposer(validators(&case["untrusted_validators"]));
    let named = signed_header.header.next_validators_hash;
    let next_validators = [set, own.clone()].into_iter().find(|set| set.hash() == named);
    let block = Block { signed_header, validators: own, next_validators: next_validators? };
    let trusted = Trusted {
        chain_id: trusted_header.chain_id.clone(),
        height: trusted_header.height.value(),
        time: trusted_header.time,
        next_validators: next,
        header: Some(trusted_header),
        light_trust_s: RULES.trust_period.as_secs(),
    };
    let rules = Rules {
        trust_period: nanos(&case["trusting_period_ns"]),
        clock_drift: nanos(&case["max_clock_drift_ns"]),
    };
    let now = Time::parse_from_rfc3339(text(&case["now"]["rfc3339"])).expect("a time");
    let outcome = trusted.check(&block, &rules, now);
    if text(&case["result"]["error_kind"]) == "cannot-be-trusted" {
        assert_eq!(outcome, Outcome::TooFar, "{}", case["name"]);
    }
    Some(matches!(outcome, Outcome::Trusted(_)))
}

#[test]
fn headers_are_believed_as_cometbft_believes_them() {
    let mut seen = 0;
    for case in vectors() {
        let other_level = case["trust_level"] != json!({ "numerator": "1", "denominator": "3" });
        // CometBFT has two functions, of which each refuses what the other is for.
        let error = text(&case["result"]["error_kind"]);
        if case["kind"] != "light_verify"
            || other_level
            || ["adjacent", "not-adjacent"].contains(&error)
        {
            continue;
        }
        let Some(believed) = is_believed(&case) else { continue };
        assert_eq!(json!(believed), case["result"]["ok"], "{}", case["name"]);
        seen += 1;
    }
    assert!(seen > 50, "only {seen} cases apply");
}

#[test]
fn headers_are_linked_backwards_as_in_cometbft() {
    let mut seen = 0;
    for case in vectors() {
        // CometBFT leaves it to its caller that heights are adjacent.
        if case["kind"] != "light_verify_backwards" || text(&case["name"]).contains("not-adjacent")
        {
            continue;
        }
        let headers = (header(&case["untrusted_header"]), header(&case["trusted_header"]));
        let linked = matches!(&headers, (Some(e), Some(l)) if is_linked(e, l));
        assert_eq!(json!(linked), case["result"]["ok"], "{}", case["name"]);
        seen += 1;
    }
    assert_eq!(seen, 6);
}

#[test]
fn what_is_remembered_reads_back() {
    let trusted = remembered(&vectors()[0]);
    let text = serde_json::to_string(&trusted).expect("JSON");
    assert_eq!(serde_json::from_str::<Trusted>(&text).expect("JSON"), trusted);
}

/// A trusted header of the vectors, as this client remembers it.
fn remembered(case: &Value) -> Trusted {
    let header = header(&case["trusted"]["header"]).expect("good");
    Trusted {
        chain_id: header.chain_id.clone(),
        height: header.height.value(),
        time: header.time,
        next_validators: validators(&case["trusted_validators"]),
        header: Some(header),
        light_trust_s: RULES.trust_period.as_secs(),
    }
}

/// The header of a case that is to be believed, where it can be read.
fn block(case: &Value) -> Option<Block> {
    let signed_header = signed_header(&case["untrusted"])?;
    let own = Set::without_proposer(validators(&case["untrusted_validators"]));
    Some(Block { signed_header, validators: own.clone(), next_validators: own })
}

#[test]
fn what_is_older_than_the_trust_period_proves_nothing() {
    let case = &vectors()[0];
    let (trusted, block) = (remembered(case), block(case).expect("a header"));
    let end = trusted.time.checked_add(RULES.trust_period).expect("a time");
    let before = end.checked_sub(Duration::from_nanos(1)).expect("a time");
    assert_eq!(trusted.check(&block, &RULES, end), Outcome::Expired);
    assert!(!trusted.is_expired(&RULES, before));
    assert_ne!(trusted.check(&block, &RULES, before), Outcome::Expired);
}

#[test]
fn a_chain_may_trust_for_less_time_than_this_client_and_not_for_more() {
    let mut trusted = remembered(&vectors()[0]);
    trusted.light_trust_s = 3600;
    assert_eq!(trusted.rules().trust_period, Duration::from_secs(3600));
    trusted.light_trust_s = u64::MAX;
    assert_eq!(trusted.rules(), RULES);
}

#[test]
fn a_header_on_its_own_needs_two_thirds_of_the_validators_it_names() {
    let mut seen = 0;
    for case in vectors() {
        let good = case["kind"] == "light_verify" && case["result"]["ok"] == json!(true);
        let Some(mut block) = good.then(|| block(&case)).flatten() else { continue };
        if block.signed_header.header.next_validators_hash != block.validators.hash() {
            continue;
        }
        seen += 1;
        assert_eq!(block.check_alone(), Ok(()), "{}", case["name"]);
        // Others than those it names did not sign it.
        let mut fewer = block.validators.validators().clone();
        fewer.pop();
        block.validators = Set::without_proposer(fewer);
        assert!(block.check_alone().is_err(), "{}", case["name"]);
        // Nor is it signed when the signatures are under another header.
        block.validators = block.next_validators.clone();
        block.signed_header.header.app_hash = vec![7; 32].try_into().expect("a hash");
        assert!(block.check_alone().is_err(), "{}", case["name"]);
    }
    assert!(seen > 3, "only {seen} cases apply");
}

#[test]
fn the_trust_period_of_a_genesis_is_that_of_its_chain() {
    let params = proto::Params { light_trust_s: 1234, ..Default::default() };
    let (key, value) = (hex::encode(keys::params()), hex::encode(values::encode(&params)));
    let other = serde_json::json!({ "key": hex::encode(keys::supply()), "value": "" });
    let exported = serde_json::json!({
        "entries": [other, { "key": key, "value": value }],
        // As one that was exported with parts of which it makes no use.
        "params": { "light_trust_s": 99 },
    });
    assert_eq!(light_trust_of(&exported.to_string()), Some(1234));
    assert_eq!(light_trust_of("{\"params\": {\"light_trust_s\": 99}}"), Some(99));
    for nothing in ["", "{}", "{\"entries\": []}"] {
        assert_eq!(light_trust_of(nothing), None);
    }
}
