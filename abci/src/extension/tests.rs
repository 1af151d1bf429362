//! Extension sign bytes, against those recorded from CometBFT.

use serde_json::Value;

use super::*;

const VECTORS: &str = include_str!("../../../tests/vectors/data/01-sign-bytes.json");

#[test]
fn sign_bytes_equal_the_recorded_ones() {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let cases = vectors["cases"].as_array().unwrap();
    let extensions = cases.iter().filter(|case| case["kind"] == "vote_extension");
    let mut seen = 0;
    for case in extensions {
        let height = case["height"].as_str().unwrap().parse().unwrap();
        let round = i32::try_from(case["round"].as_i64().unwrap()).unwrap();
        let extension = hex::decode(case["extension"].as_str().unwrap()).unwrap();
        let chain_id = case["chain_id"].as_str().unwrap();
        let bytes = extension_sign_bytes(chain_id, height, round, &extension);
        assert_eq!(hex::encode(bytes), case["sign_bytes"].as_str().unwrap(), "{}", case["name"]);
        seen += 1;
    }
    assert!(seen > 3, "the file has extension cases");
}
