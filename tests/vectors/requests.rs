//! Recorded requests of an RPC, sent again byte by byte, and how the answers differ: what the tests
//! of the server and of a node need, included by each of them.
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long anything may take; nothing takes a hundredth of it.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// A file of vectors.
pub fn vector(path: &str) -> Value {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.ancestors().map(|dir| dir.join("tests/vectors")).find(|dir| dir.is_dir());
    let text = std::fs::read_to_string(root.unwrap().join(path)).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// Sends one request on a connection of its own and reads until the server closes it.
pub async fn send(
    address: &str,
    method: &str,
    path: &str,
    headers: &[(String, String)],
    body: Option<&[u8]>,
) -> Response {
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if let Some(body) = body {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    let exchange = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // A server that refuses early may close before it has read everything.
        let _ = stream.write_all(head.as_bytes()).await;
        let _ = stream.write_all(body.unwrap_or_default()).await;
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes).await;
        bytes
    };
    let bytes = tokio::time::timeout(DEADLINE, exchange).await.expect("an answer in time");
    parse(&bytes)
}

fn parse(bytes: &[u8]) -> Response {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head: {text:?}"));
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines
        .map(|line| line.split_once(": ").unwrap_or((line, "")))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    Response { status, headers, body: body.to_owned() }
}

/// The bytes of a request's body, written out where the recording describes them.
fn body(request: &Value, headers: &mut Vec<(String, String)>) -> Option<Vec<u8>> {
    if let Some(text) = request["body"].as_str() {
        return Some(text.as_bytes().to_vec());
    }
    let generated = &request["body_gen"];
    if let Some(hex) = generated.as_str().and_then(|text| text.strip_prefix("bytes ")) {
        return Some(hex::decode(hex).unwrap());
    }
    let count = generated["count"].as_u64()? as usize;
    let fill = generated["fill"].as_str().unwrap().repeat(count);
    if let Some(name) = generated["header"].as_str() {
        headers.push((name.to_owned(), fill));
        return None;
    }
    let template = generated["template"].as_str().unwrap_or("%s");
    Some(template.replacen("%s", &fill, 1).into_bytes())
}

/// The part of an error's words that is CometBFT's: what Go's own libraries said is cut off.
pub fn own_words(data: &str) -> &str {
    let go = ["json: ", "json-rpc ID", "invalid character", "unexpected", "illegal base64", "EOF"];
    for prefix in [
        "error converting json params to arguments: ",
        "error converting http params to arguments: ",
        "error unmarshaling request: ",
    ] {
        if let Some(rest) = data.strip_prefix(prefix) {
            if let Some(why) = rest.strip_prefix("unknown type for JSON params") {
                return &data[..data.len() - why.len()];
            }
            if go.iter().any(|words| rest.starts_with(words)) {
                return prefix;
            }
        }
    }
    data
}

/// Removes what no server has to repeat: Go's words, and what changed between two recordings.
fn normalized(text: &str, wanted_data: &str, volatile: &[&str]) -> Value {
    let Ok(mut value) = serde_json::from_str::<Value>(text) else { return Value::from(text) };
    if let Some(data) = value.pointer_mut("/error/data") {
        let own = own_words(wanted_data);
        let is_cut = own.len() < wanted_data.len();
        if is_cut && data.as_str().is_some_and(|data| data.starts_with(own)) {
            *data = Value::from(own);
        }
    }
    for pointer in volatile {
        if let Some(place) = value.pointer_mut(pointer) {
            *place = Value::Null;
        }
    }
    value
}

/// Runs one case and says how the answer differs.
pub async fn differences(address: &str, file: &str, case: &Value) -> Vec<String> {
    differences_but(address, file, case, &[]).await
}

/// The same without what is at the JSON pointers `free`.
pub async fn differences_but(
    address: &str,
    file: &str,
    case: &Value,
    free: &[&str],
) -> Vec<String> {
    let request = &case["request"];
    let mut headers: Vec<(String, String)> = request["headers"]
        .as_object()
        .map(|headers| {
            headers.iter().map(|(k, v)| (k.clone(), v.as_str().unwrap().to_owned())).collect()
        })
        .unwrap_or_default();
    let body = body(request, &mut headers);
    let method = request["method"].as_str().unwrap();
    let path = request["path"].as_str().unwrap();
    let got = send(address, method, path, &headers, body.as_deref()).await;

    let wanted = &case["response"];
    let mut differences = Vec::new();
    let mut differ = |what: &str, got: String, wanted: String| {
        if got != wanted {
            differences.push(format!("{what}: got {got}, wanted {wanted}"));
        }
    };
    differ("status", got.status.to_string(), wanted["status"].to_string());
    for name in [
        "Content-Type",
        "Cache-Control",
        "Vary",
        "X-Content-Type-Options",
        "Access-Control-Allow-Origin",
        "Access-Control-Allow-Methods",
        "Access-Control-Allow-Headers",
    ] {
        let wanted = wanted["headers"][name].as_str();
        differ(name, format!("{:?}", got.header(name)), format!("{wanted:?}"));
    }
    let wanted_text = wanted["body"].as_str().unwrap_or_default();
    let wanted_json: Value = serde_json::from_str(wanted_text).unwrap_or_default();
    let data = wanted_json["error"]["data"].as_str().unwrap_or_default();
    // The chain is the recording's own, so all that follows from it is equal, times included.
    let volatile = case["volatile"].as_array().map_or(&[][..], Vec::as_slice);
    let volatile =
        if ["status", "net_info", "broadcast_evidence"].contains(&file) { volatile } else { &[] };
    let volatile: Vec<&str> =
        volatile.iter().filter_map(Value::as_str).chain(free.iter().copied()).collect();
    let (got, wanted) =
        (normalized(&got.body, data, &volatile), normalized(wanted_text, data, &volatile));
    differ("body", got.to_string(), wanted.to_string());
    differences
}

/// Whether CometBFT answered that a member `params` is missing, by a panic in Go's reflection. Here
/// it may be left out, as JSON-RPC 2.0 has it.
pub fn leaves_out_params(case: &Value) -> bool {
    case["response"]["body"].as_str().is_some_and(|body| body.contains("reflect: Call"))
}
