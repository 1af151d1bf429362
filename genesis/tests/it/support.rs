//! Reading vector files.
use std::path::PathBuf;

use serde_json::Value;

/// Runs `check` on every case of a file and makes sure that there are `count`.
pub fn each_case(file: &str, count: usize, mut check: impl FnMut(&str, &Value)) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors/data");
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

/// The kind of error that is expected, if any.
pub fn error_kind(expected: &Value) -> Option<&str> {
    expected["error_kind"].as_str()
}
