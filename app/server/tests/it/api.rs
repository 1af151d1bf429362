//! `/rpc`: typed reads, each checked against the root its proof speaks of.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use guts_state::{Snapshot, verify_absent, verify_present};
use serde_json::{Value, json};

use crate::world::World;

const NOBODY: &str = "00000000000000000000000000000000000000ff";

/// The answer to a call over GET: its result, or its error.
fn get(world: &World, call: &str) -> Result<Value, Value> {
    let (_, answer) = world.get(0, &format!("/rpc/{}", call.replace('"', "%22")));
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    let mut answer: Value = serde_json::from_str(body).expect(body);
    match answer["error"].take() {
        Value::Null => Ok(answer["result"].take()),
        error => Err(error),
    }
}

fn bytes(value: &Value) -> Vec<u8> {
    STANDARD.decode(value.as_str().unwrap()).unwrap()
}

/// Checks the proof of an answer against the state this node has at its height.
fn check(world: &World, answer: &Value) {
    let height: u64 = answer["height"].as_str().unwrap().parse().unwrap();
    assert_eq!(answer["header_height"], (height + 1).to_string());
    let newest = world.chains[0].newest();
    let state = Snapshot::at(newest.snapshot.store().clone(), height).unwrap();
    let (root, key) = (state.root().unwrap().hash, bytes(&answer["key"]));
    let proof = bytes(&answer["proof"]);
    match &answer["value"] {
        Value::Null => assert!(verify_absent(&proof, &root, &key), "{answer}"),
        value => assert!(verify_present(&proof, &root, &key, &bytes(value)), "{answer}"),
    }
}

#[test]
fn values_come_with_their_message_and_their_proof() {
    let world = World::new();
    let handle = get(&world, "guts_handle?handle=\"alice\"").unwrap();
    check(&world, &handle);
    let account = hex::encode(bytes(&handle["decoded"]["account"]));
    let found = get(&world, &format!("guts_account?account=\"{account}\"")).unwrap();
    check(&world, &found);
    assert_eq!(found["decoded"]["handle"], "alice");
    assert_eq!(found["decoded"]["balance"], "1000000");
    let repo = get(&world, "guts_repo?repo=\"1\"").unwrap();
    check(&world, &repo);
    assert_eq!(repo["decoded"]["name"], "hello");
    assert_eq!(repo["decoded"]["archived"], false, "fields that are not set are there too");
    let validators = get(&world, "guts_validators").unwrap();
    check(&world, &validators);
    assert_eq!(validators["decoded"]["validators"].as_array().unwrap().len(), 4);
}

#[test]
fn what_is_not_there_is_proved_to_be_absent() {
    let world = World::new();
    let none = get(&world, &format!("guts_account?account=\"{NOBODY}\"")).unwrap();
    check(&world, &none);
    assert_eq!((&none["value"], &none["decoded"]), (&Value::Null, &Value::Null));
}

#[test]
fn wrong_parameters_are_refused_with_the_rule() {
    let world = World::new();
    for (call, rule) in [
        ("guts_account", "parameter account is missing: id of an account"),
        ("guts_account?account=\"xyz\"", "20 bytes in hexadecimal"),
        ("guts_repo?repo=\"0\"", "a repository id is a number from 1 on"),
        ("guts_repo?repo=\"-1\"", "a number from 0 on"),
        ("guts_handle?handle=\"A_B\"", "handle"),
        ("guts_ref?repo=\"1\"&ref=\"main\"", "ref"),
        ("guts_params?height=\"1000000\"", "1000000"),
        ("guts_params?height=\"-5\"", "parameter height: "),
    ] {
        let error = get(&world, call).unwrap_err();
        assert_eq!(error["code"], -32602, "{call}: {error}");
        assert!(error["data"].as_str().unwrap().contains(rule), "{call}: {error}");
    }
    assert_eq!(world.get(0, "/rpc/guts_nothing").0, 404);
}

#[test]
fn the_node_describes_itself() {
    let world = World::new();
    let described = get(&world, "rpc.discover").unwrap();
    assert_eq!(described["openrpc"], "1.3.2");
    let (status, page) = world.get(0, "/openrpc.json");
    assert_eq!(status, 200);
    assert!(page.contains("\"name\": \"guts_account\""), "{page}");
    let status = get(&world, "guts_status").unwrap();
    assert_eq!(status["chain_id"], json!("guts-test"));
}

/// What the node says of its methods.
fn described(world: &World) -> Value {
    get(world, "rpc.discover").unwrap()
}

/// A value that a parameter takes.
fn good(param: &Value) -> Value {
    let pattern = param["schema"]["pattern"].as_str().unwrap_or_default();
    if let Some(digits) = pattern.strip_prefix("^[0-9a-f]{") {
        let count: usize = digits.trim_end_matches("}$").parse().unwrap();
        return json!("0".repeat(count));
    }
    match (pattern, param["name"].as_str().unwrap()) {
        (_, "height") => json!("0"),
        ("^[0-9]+$", _) => json!("1"),
        ("", "ref") => json!("refs/heads/main"),
        ("", _) => json!("hello"),
        other => panic!("a parameter of a new form: {other:?}"),
    }
}

/// Values of another form than the parameter's.
fn wrong(param: &Value) -> Vec<Value> {
    let mut all = vec![json!(true), json!(7), json!(["1"]), json!({"a": "1"})];
    match param["schema"]["pattern"].as_str() {
        Some("^[0-9]+$") => {
            all.extend(["x", "1.5", "0x1", "99999999999999999999", ""].map(|text| json!(text)));
            all.extend((param["name"] == "repo").then(|| json!("0")));
        }
        Some(_) => all.extend([json!("00"), json!("zz".repeat(20)), json!("0".repeat(100_000))]),
        None => all.push(json!("x".repeat(100_000))),
    }
    all
}

/// The answer to a call over POST, parameters by name.
fn post(world: &World, method: &str, params: &Value) -> Result<Value, Value> {
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    let (_, body) = world.post(0, "/rpc", &call.to_string());
    let mut answer: Value = serde_json::from_str(&body).expect(&body);
    match answer["error"].take() {
        Value::Null => Ok(answer["result"].take()),
        error => Err(error),
    }
}

fn assert_names(error: &Value, name: &str, what: &str) {
    assert_eq!(error["code"], -32602, "{what}: {error}");
    let said = error["data"].as_str().unwrap_or_default();
    let is_named =
        [":", " is missing:"].iter().any(|end| said.contains(&format!("parameter {name}{end}")));
    assert!(is_named, "{what}: {error} does not name {name}");
}

#[test]
fn every_method_refuses_parameters_that_are_missing_or_of_another_form() {
    let world = World::new();
    let document = described(&world);
    let mut refused = 0;
    for method in document["methods"].as_array().unwrap() {
        let name = method["name"].as_str().unwrap();
        let params = method["params"].as_array().unwrap();
        let key = |param: &Value| param["name"].as_str().unwrap().to_owned();
        let all: serde_json::Map<_, _> =
            params.iter().map(|param| (key(param), good(param))).collect();
        for param in params {
            let what = format!("{name}, {}", key(param));
            let mut without = all.clone();
            without.remove(&key(param));
            let query: Vec<_> = without.iter().map(|(name, it)| format!("{name}={it}")).collect();
            let by_post = post(&world, name, &Value::Object(without.clone()));
            let by_get = get(&world, &format!("{name}?{}", query.join("&")));
            if param["required"] == true {
                assert_names(&by_post.unwrap_err(), &key(param), &what);
                assert_names(&by_get.unwrap_err(), &key(param), &what);
            } else {
                assert_eq!(by_post.unwrap()["key"], by_get.unwrap()["key"], "{what}");
            }
            for value in wrong(param) {
                let mut with = all.clone();
                with.insert(key(param), value.clone());
                let error = post(&world, name, &Value::Object(with)).expect_err(&what);
                assert_names(&error, &key(param), &what);
                refused += 1;
            }
            if param["schema"]["pattern"].is_string() {
                let query: Vec<_> =
                    without.iter().map(|(name, it)| format!("{name}={it}")).collect();
                let query = format!("{name}?{}&{}=\"-x\"", query.join("&"), key(param));
                assert_names(&get(&world, &query).unwrap_err(), &key(param), &query);
            }
        }
    }
    assert!(refused > 400, "{refused}");
}

/// Whether a value is what a schema of the description says; else where it is not.
fn fits(value: &Value, schema: &Value, document: &Value) -> Result<(), String> {
    let wrong = || Err(format!("{value} is not {schema}"));
    if let Some(place) = schema["$ref"].as_str() {
        let found = document.pointer(place.strip_prefix('#').unwrap()).expect(place);
        return fits(value, found, document);
    }
    if let Some(any) = schema["oneOf"].as_array() {
        let fitting = any.iter().filter(|one| fits(value, one, document).is_ok()).count();
        return if fitting == 1 { Ok(()) } else { wrong() };
    }
    if let Some(allowed) = schema["enum"].as_array() {
        return if allowed.contains(value) { Ok(()) } else { wrong() };
    }
    match schema["type"].as_str().expect("a type") {
        "null" if value.is_null() => Ok(()),
        "boolean" if value.is_boolean() => Ok(()),
        "integer" if value.is_i64() || value.is_u64() => Ok(()),
        "number" if value.is_number() => Ok(()),
        "string" if value.is_string() => {
            let text = value.as_str().unwrap();
            let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            let is_good = match schema["pattern"].as_str() {
                None => true,
                Some("^[0-9]+$") => digits(text),
                Some("^-?[0-9]+$") => digits(text.strip_prefix('-').unwrap_or(text)),
                Some(other) => panic!("a pattern that this does not know: {other}"),
            };
            let is_base64 = schema["contentEncoding"] == "base64";
            if is_good && (!is_base64 || STANDARD.decode(text).is_ok()) { Ok(()) } else { wrong() }
        }
        "array" if value.is_array() => {
            let mut items = value.as_array().unwrap().iter();
            items.try_for_each(|item| fits(item, &schema["items"], document))
        }
        "object" if value.is_object() => {
            let required = schema["required"].as_array().cloned().unwrap_or_default();
            let is_there = |name: &Value| value.get(name.as_str().unwrap()).is_some();
            if !required.iter().all(is_there) {
                return wrong();
            }
            value.as_object().unwrap().iter().try_for_each(|(name, member)| {
                let described = schema["properties"].get(name);
                let described = described.ok_or(format!("{name} is not described in {schema}"))?;
                // A message that a message does not have.
                if member.is_null() && described["$ref"].is_string() {
                    return Ok(());
                }
                fits(member, described, document)
            })
        }
        _ => wrong(),
    }
}

#[test]
fn every_answer_is_what_the_description_says() {
    let world = World::new();
    let document = described(&world);
    let alice = get(&world, "guts_handle?handle=\"alice\"").unwrap();
    let alice = hex::encode(bytes(&alice["decoded"]["account"]));
    let mut found = 0;
    for method in document["methods"].as_array().unwrap() {
        let name = method["name"].as_str().unwrap();
        let params = method["params"].as_array().unwrap().iter();
        let all: serde_json::Map<_, _> = params
            .map(|param| match param["name"].as_str().unwrap() {
                "account" => ("account".to_owned(), json!(alice)),
                "handle" => ("handle".to_owned(), json!("alice")),
                name => (name.to_owned(), good(param)),
            })
            .collect();
        let answer = post(&world, name, &Value::Object(all)).expect(name);
        fits(&answer, &method["result"]["schema"], &document)
            .unwrap_or_else(|why| panic!("{name}: {why}\n{answer:#}"));
        found += usize::from(answer["decoded"].is_object());
    }
    assert!(found > 10, "answers with a value: {found}");
    let schema = &document["methods"][0]["result"]["schema"];
    assert!(fits(&json!({"height": 1}), schema, &document).is_err(), "this can say no");
}
