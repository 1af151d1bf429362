//! Reading recorded cases in tests beside the code, for what is not public.
use serde_json::Value;

/// Runs `check` on every case of one of `kinds` and gives back how many there were.
pub(crate) fn each(file: &str, kinds: &[&str], mut check: impl FnMut(&Value)) -> usize {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/data/");
    let text = std::fs::read_to_string(format!("{path}{file}")).expect("the vectors are there");
    let all: Value = serde_json::from_str(&text).expect("vectors are JSON");
    let cases = all["cases"].as_array().expect("vectors have cases").iter();
    let of_kind = cases.filter(|case| case["kind"].as_str().is_some_and(|k| kinds.contains(&k)));
    of_kind.map(&mut check).count()
}

/// A number, plain or as text.
pub(crate) fn int(value: &Value) -> i64 {
    let text = || value.as_str().and_then(|text| text.parse().ok());
    value.as_i64().or_else(text).expect("a number")
}

/// Bytes in hexadecimal.
pub(crate) fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap_or("")).expect("hexadecimal")
}
