//! `guts tx show`.

use clap::Subcommand;
use guts_rpc::client::ClientError;
use guts_schema::{ChainRules, Hash, sshsig, validate};
use serde_json::{Value, json};

use super::Context;
use crate::Error;
use crate::error::code_name;

#[derive(Debug, Subcommand)]
pub enum Tx {
    /// A transaction and what came of it
    Show {
        /// Its hash
        hash: String,
    },
}

pub async fn run(context: &Context, command: Tx) -> Result<(), Error> {
    let Tx::Show { hash } = command;
    let hash: Hash =
        hash.to_lowercase().parse().map_err(|_| Error::Usage(format!("{hash} is no hash")))?;
    show(context, hash).await
}

/// Shows a transaction, which is proved to be in its block, and what came of it, which is proved
/// unless it is too new or too old for this node.
pub async fn show(context: &Context, hash: Hash) -> Result<(), Error> {
    let mut chain = context.chain().await?;
    let found = match chain.client().tx(hash.as_bytes(), true).await {
        Ok(found) => found,
        Err(ClientError::Rpc(_)) => {
            return Err(Error::Missing(format!("transaction {hash} is in no block this node has")));
        }
        Err(error) => return Err(chain.node_error(error)),
    };
    let place = chain.place(&found, hash).await?;
    let outcome = chain.outcome(place).await?;
    let (height, is_proved) = (place.height, outcome.is_some());
    let result = outcome.unwrap_or(found.tx_result);
    let out = &context.out;
    let tx = validate(&found.tx.0, &ChainRules::new(chain.chain_id())).ok();
    let actions: Vec<&str> =
        tx.iter().flat_map(|tx| &tx.actions).map(|action| action.kind().name()).collect();
    out.line(&format!("transaction  {hash}"));
    if let Some(tx) = &tx {
        out.line(&format!("payer        {} nonce {}", tx.payer, tx.nonce));
        out.line(&format!("actions      {}", actions.join(", ")));
        for signer in &tx.auth {
            let key = sshsig::fingerprint(&signer.key);
            out.line(&format!("signed by    {} with {key}", signer.account));
        }
    }
    let refused = code_name(result.code);
    match result.code {
        0 => out.line("outcome      done"),
        _ => out.line(&format!("outcome      refused ({refused}): {}", result.log)),
    }
    out.fact(&match (is_proved, result.code) {
        (true, 0) => format!("proved to be in block {height}, and to have been done there"),
        (true, _) => format!(
            "proved to be in block {height}, and to have been refused there ({refused}); the \
             sentence is what the node says"
        ),
        (false, _) => format!("proved to be in block {height}; the outcome is what the node says"),
    });
    out.result(&json!({
        "hash": hash.to_string(),
        "height": height,
        "index": found.index,
        "payer": tx.as_ref().map(|tx| tx.payer.to_string()),
        "nonce": tx.as_ref().map(|tx| tx.nonce),
        "actions": actions,
        "code": result.code,
        "log": result.log,
        "events": events_json(&result.events),
        "proved_height": height,
        "outcome_proved": is_proved,
    }));
    Ok(())
}

/// Events, for programs.
pub fn events_json(events: &[guts_rpc::types::Event]) -> Value {
    let event = |event: &guts_rpc::types::Event| {
        let pair = |a: &guts_rpc::types::EventAttribute| (a.key.clone(), json!(a.value));
        let attributes = Value::Object(event.attributes.iter().map(pair).collect());
        json!({ "type": event.kind, "attributes": attributes })
    };
    Value::Array(events.iter().map(event).collect())
}
