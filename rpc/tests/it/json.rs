//! The recorded JSON of types and answers: read and printed again byte for byte, and made from
//! the protobuf where the recording has it.

use guts_abci::proto::{Message as _, abci, types as pb};
use guts_rpc::{json, types};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::requests::vector;

fn again<T: Serialize + DeserializeOwned>(text: &str) -> String {
    let read: T = serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"));
    json::to_string(&read).unwrap()
}

/// The text printed again by the type the case is about; none for types that are not here.
fn printed(name: &str, text: &str) -> Option<String> {
    let name = name.strip_prefix("rpc/").unwrap_or(name);
    let kind = name.split('/').next()?;
    Some(match kind {
        "block" => again::<types::BlockResult>(text),
        "header" => again::<types::HeaderResult>(text),
        "commit" => again::<types::CommitResult>(text),
        "blockchain" => again::<types::BlockchainResult>(text),
        "block-results" => again::<types::BlockResults>(text),
        "validators" => again::<types::ValidatorsResult>(text),
        "consensus-params" => again::<types::ConsensusParamsResult>(text),
        "broadcast-tx" => again::<types::BroadcastTx>(text),
        "broadcast-tx-commit" => again::<types::BroadcastTxCommit>(text),
        "tx" => again::<types::TxResponse>(text),
        "num-unconfirmed-txs" | "unconfirmed-txs" => again::<types::UnconfirmedTxs>(text),
        "abci-info" => again::<types::AbciInfoResult>(text),
        "abci-query" => again::<types::AbciQueryResult>(text),
        "health" => again::<types::Health>(text),
        "genesis" => again::<types::GenesisResult>(text),
        "status" => again::<types::StatusResult>(text),
        "net-info" => again::<types::NetInfo>(text),
        _ => return None,
    })
}

fn cases() -> Vec<Value> {
    let mut vectors = vector("data/17-json.json");
    match vectors["cases"].take() {
        Value::Array(cases) => cases,
        other => panic!("cases are a list: {other}"),
    }
}

fn text<'a>(case: &'a Value, field: &str) -> &'a str {
    case[field].as_str().unwrap_or_else(|| panic!("{} has {field}", case["name"]))
}

#[test]
fn answers_are_printed_byte_for_byte() {
    let mut count = 0;
    for case in cases().iter().filter(|case| case["kind"] == "rpc_result") {
        let wanted = text(case, "json");
        if let Some(got) = printed(text(case, "name"), wanted) {
            assert_eq!(got, wanted, "{}", case["name"]);
            count += 1;
        }
    }
    assert_eq!(count, RESULTS);
}

const RESULTS: usize = 26;

fn proto<M: guts_abci::proto::Message + Default>(case: &Value, field: &str) -> M {
    M::decode(&hex::decode(text(case, field)).unwrap()[..]).unwrap()
}

#[test]
fn answers_are_made_from_protobuf() {
    let cases = cases();
    let case = |name: &str| cases.iter().find(|case| case["name"] == name).unwrap();

    let wanted = case("rpc/header");
    let header = Some(proto::<pb::Header>(wanted, "header_proto").into());
    let made = types::HeaderResult { header };
    assert_eq!(json::to_string(&made).unwrap(), text(wanted, "json"));

    let wanted = case("rpc/block");
    let block: types::Block = proto::<pb::Block>(wanted, "block_proto").into();
    let answer: Value = serde_json::from_str(text(wanted, "json")).unwrap();
    assert_eq!(serde_json::to_value(&block).unwrap(), answer["block"]);

    let wanted = case("rpc/commit");
    let signed: types::SignedHeader =
        proto::<pb::SignedHeader>(wanted, "signed_header_proto").into();
    let answer: Value = serde_json::from_str(text(wanted, "json")).unwrap();
    assert_eq!(serde_json::to_value(&signed).unwrap(), answer["signed_header"]);
    let back = pb::SignedHeader::from(signed).encode_to_vec();
    assert_eq!(hex::encode(back), text(wanted, "signed_header_proto"));

    let wanted = case("rpc/block-results");
    let response = proto::<abci::ResponseFinalizeBlock>(wanted, "finalize_response_proto");
    let made = types::BlockResults::new(5, response);
    assert_eq!(json::to_string(&made).unwrap(), text(wanted, "json"));

    let wanted = case("rpc/tx");
    let result: types::TxResult = proto::<abci::ExecTxResult>(wanted, "tx_result_proto").into();
    let answer: Value = serde_json::from_str(text(wanted, "json")).unwrap();
    assert_eq!(serde_json::to_value(&result).unwrap(), answer["tx_result"]);
}
