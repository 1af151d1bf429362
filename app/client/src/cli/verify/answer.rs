//! An answer that somebody saved: a key of the state, its value and a proof, as a gateway's `/rpc`
//! gives them, or a node's `abci_query` with `prove=true`.

use std::io::Read;

use guts_rpc::types::{AbciQuery, Base64, ProofOp, ProofOps};
use guts_schema::query::PROOF_TYPE;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::Context;
use crate::{Error, proof};

/// The longest answer that is read, in bytes: many times what the largest value of the state takes.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// What a gateway's `/rpc` answers.
#[derive(Deserialize)]
struct Proved {
    height: String,
    key: Base64,
    value: Option<Base64>,
    proof: Base64,
    decoded: Option<Value>,
}

/// What is to be proved.
struct Answer {
    /// Height of the block that left the state.
    height: u64,
    key: Vec<u8>,
    /// `None`: it is absent.
    value: Option<Vec<u8>>,
    ops: Option<ProofOps>,
    /// Somebody says what the value's bytes mean.
    is_decoded: bool,
}

impl Answer {
    fn parse(text: &str) -> Result<Self, String> {
        let mut whole: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if !whole["error"].is_null() {
            return Err("that is an error, and no answer".into());
        }
        let result = match whole.get_mut("result") {
            Some(result) => result.take(),
            None => whole,
        };
        match result.get("response") {
            Some(response) => Self::of_query(response.clone()),
            None => Self::of_gateway(result),
        }
    }

    fn of_gateway(result: Value) -> Result<Self, String> {
        let found: Proved = serde_json::from_value(result).map_err(|error| error.to_string())?;
        let op = ProofOp { kind: PROOF_TYPE.into(), key: found.key.clone(), data: found.proof };
        Ok(Self {
            height: found.height.parse().map_err(|_| "its height is no number".to_owned())?,
            key: found.key.0,
            value: found.value.map(|value| value.0),
            ops: Some(ProofOps { ops: vec![op] }),
            is_decoded: found.decoded.is_some(),
        })
    }

    fn of_query(response: Value) -> Result<Self, String> {
        let found: AbciQuery =
            serde_json::from_value(response).map_err(|error| error.to_string())?;
        if found.code != 0 {
            return Err(format!("that is a refusal, and no answer: {}", found.log));
        }
        Ok(Self {
            height: u64::try_from(found.height).map_err(|_| "its height is negative".to_owned())?,
            key: found.key.0,
            value: Some(found.value.0).filter(|value| !value.is_empty()),
            ops: found.proof_ops,
            is_decoded: false,
        })
    }
}

/// A key as people read it: its tag, then text as it is, or hex.
fn named(key: &[u8]) -> String {
    let tag = key.iter().position(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
    let (tag, rest) = key.split_at(tag);
    let tag = String::from_utf8_lossy(tag);
    match rest.split_last() {
        Some((0, text)) if !text.is_empty() && text.iter().all(u8::is_ascii_graphic) => {
            format!("{tag}{}", String::from_utf8_lossy(text))
        }
        _ => format!("{tag}{}", hex::encode(rest)),
    }
}

fn read(what: &str) -> Result<String, Error> {
    let wrong = |error: std::io::Error| Error::Usage(format!("{what}: {error}"));
    let mut text = String::new();
    let from: Box<dyn Read> = match what {
        "-" => Box::new(std::io::stdin()),
        path => Box::new(std::fs::File::open(path).map_err(wrong)?),
    };
    from.take(ANSWER_BYTES_MAX).read_to_string(&mut text).map_err(wrong)?;
    Ok(text)
}

/// Checks an answer.
pub(super) async fn verify(context: &Context, what: &str) -> Result<(), Error> {
    let answer = Answer::parse(&read(what)?);
    let answer = answer.map_err(|why| Error::Usage(format!("{what} holds no answer: {why}")))?;
    let Answer { height, key, value, ops, is_decoded } = answer;
    let mut chain = context.chain().await?;
    let newest = chain.latest().await?.height.value();
    if height > newest {
        return Err(Error::Missing(format!(
            "{what} is of height {height}, and this node has no block after {newest}"
        )));
    }
    if height == newest {
        // The header that proves it is on its way.
        chain.state_of(height).await?;
    }
    let header = chain.header(height.saturating_add(1)).await?;
    let held = proof::check_state(ops.as_ref(), header.app_hash.as_bytes(), &key, value.as_deref());
    // Not this node: whoever gave the answer was wrong or lied.
    held.map_err(|error| match error {
        Error::Proof(why) => Error::Differs(format!("{what} is not proved: {why}")),
        error => error,
    })?;
    let out = &context.out;
    out.line(&format!("key    {}", named(&key)));
    match &value {
        Some(value) => out.line(&format!("value  {}", hex::encode(value))),
        None => out.line("value  none: there is no such key"),
    }
    if is_decoded {
        out.line("The key and these bytes are proved; what 'decoded' makes of them is not.");
    }
    out.fact(&format!("proved at height {height}"));
    out.result(&json!({
        "key": hex::encode(&key),
        "value": value.map(hex::encode),
        "proved_height": height,
    }));
    Ok(())
}

#[cfg(test)]
mod tests;
