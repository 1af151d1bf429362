//! Reading vector files: what the tests of several crates need, included by each of them.
use std::path::Path;

use serde_json::Value;

/// Runs `check` on every case of a file and makes sure that there are `count`.
pub fn each_case(file: &str, count: usize, mut check: impl FnMut(&str, &Value)) {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = here.ancestors().map(|dir| dir.join("tests/vectors/data")).find(|dir| dir.is_dir());
    let path = path.expect("the vectors are in the workspace");
    let text = std::fs::read_to_string(path.join(file)).unwrap();
    let all: Value = serde_json::from_str(&text).unwrap();
    let cases = all["cases"].as_array().unwrap();
    assert_eq!(cases.len(), count, "{file}");
    for case in cases {
        check(case["kind"].as_str().unwrap(), case);
    }
}

pub fn name(case: &Value) -> &str {
    case["name"].as_str().unwrap()
}

pub fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

pub fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap_or("")).unwrap()
}

/// A number, plain or as text.
pub fn int(value: &Value) -> i64 {
    value.as_i64().unwrap_or_else(|| value.as_str().unwrap().parse().unwrap())
}

pub fn uint(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| value.as_str().unwrap().parse().unwrap())
}
