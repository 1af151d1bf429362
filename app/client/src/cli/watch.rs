//! `guts watch`: blocks as they come, their transactions and events.
//!
//! Headers and transactions are proved. What came of the transactions is in no header until the
//! next one, and only as a digest: codes and events are what the node says.

use std::time::Duration;

use guts_rpc::types::{BlockResults, Event};
use guts_schema::attest::is_pseudo_tx;
use guts_schema::{ChainRules, Hash, validate};
use serde_json::json;

use super::Context;
use super::out::counted;
use super::tx::events_json;
use crate::error::code_name;
use crate::{Chain, Error, proof};

/// How often a node is asked for the next block.
const LOOK: Duration = Duration::from_millis(200);

#[derive(Debug, clap::Args)]
pub struct Watch {
    /// First height shown [default: the newest]
    #[arg(long, value_name = "HEIGHT")]
    from: Option<u64>,
    /// End after that many blocks [default: go on until Ctrl-C]
    #[arg(long, value_name = "N")]
    blocks: Option<u64>,
    /// Only blocks with an event of that type, such as repo_created, or one that says something,
    /// such as mentioned.account=ID
    #[arg(long, value_name = "TYPE[.KEY=VALUE]", value_parser = wanted)]
    event: Option<Wanted>,
}

/// Which events are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wanted {
    kind: String,
    /// What it must say.
    attribute: Option<(String, String)>,
}

fn wanted(text: &str) -> Result<Wanted, String> {
    let Some((kind, attribute)) = text.split_once('.') else {
        return Ok(Wanted { kind: text.to_owned(), attribute: None });
    };
    let wrong = || format!("{text} is no TYPE.KEY=VALUE, such as mentioned.account=ID");
    let (key, value) = attribute.split_once('=').ok_or_else(wrong)?;
    Ok(Wanted { kind: kind.to_owned(), attribute: Some((key.to_owned(), value.to_owned())) })
}

impl Wanted {
    fn is(&self, event: &Event) -> bool {
        let says = |(key, value): &(String, String)| {
            event.attributes.iter().any(|one| one.key == *key && one.value == *value)
        };
        event.kind == self.kind && self.attribute.as_ref().is_none_or(says)
    }
}

/// Shows blocks, one JSON object a line with `--output json`.
pub async fn run(context: &Context, args: Watch) -> Result<(), Error> {
    let mut chain = context.chain().await?;
    let newest = chain.latest().await?.height.value();
    let mut height = args.from.unwrap_or(newest);
    let mut left = args.blocks.unwrap_or(u64::MAX);
    while left > 0 {
        wait_for(&mut chain, height).await?;
        let block = Block::read(&mut chain, height).await?;
        if args.event.as_ref().is_none_or(|wanted| block.events().any(|event| wanted.is(event))) {
            block.show(context);
            left -= 1;
        }
        height = height.saturating_add(1);
    }
    Ok(())
}

/// Waits until there is a block of that height, however long that takes.
async fn wait_for(chain: &mut Chain, height: u64) -> Result<(), Error> {
    while chain.trusted_height() < height && chain.latest().await?.height.value() < height {
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

struct Block {
    height: u64,
    time: String,
    hash: String,
    txs: Vec<Vec<u8>>,
    actions: Vec<Vec<&'static str>>,
    results: BlockResults,
}

impl Block {
    async fn read(chain: &mut Chain, height: u64) -> Result<Self, Error> {
        let header = chain.header(height).await?;
        let found = chain.client().block(Some(height)).await;
        let found = found.map_err(|error| chain.node_error(error))?;
        let block = found.block.ok_or_else(|| Error::Missing(format!("no block {height}")))?;
        let txs: Vec<Vec<u8>> = block.data.txs.into_iter().map(|tx| tx.0).collect();
        let data_hash = header.data_hash.unwrap_or_default();
        if proof::data_hash(&txs)[..] != *data_hash.as_bytes() {
            return Err(Error::Proof(format!("block {height} has other transactions")));
        }
        let results = chain.client().block_results(Some(height)).await;
        let results = results.map_err(|error| chain.node_error(error))?;
        if results.txs_results.len() != txs.len() {
            return Err(Error::Proof(format!("block {height} lacks results")));
        }
        let rules = ChainRules::new(chain.chain_id());
        let actions = txs.iter().map(|tx| actions_of(tx, &rules)).collect();
        let (time, hash) = (header.time.to_rfc3339(), header.hash().to_string());
        Ok(Self { height, time, hash, txs, actions, results })
    }

    fn events(&self) -> impl Iterator<Item = &Event> {
        let of_txs = self.results.txs_results.iter().flat_map(|result| &result.events);
        of_txs.chain(&self.results.finalize_block_events)
    }

    fn show(&self, context: &Context) {
        let out = &context.out;
        let count = counted(self.txs.len() as u64, "transaction");
        out.line(&format!("block {}  {}  {count}", self.height, self.time));
        let mut listed = Vec::new();
        for ((tx, actions), result) in
            self.txs.iter().zip(&self.actions).zip(&self.results.txs_results)
        {
            let hash = Hash::of(tx);
            let outcome = match result.code {
                0 => String::new(),
                code => format!("  refused ({}): {}", code_name(code), result.log),
            };
            out.line(&format!("  tx {hash}  {}{outcome}", actions.join(", ")));
            result.events.iter().for_each(|event| out.line(&event_line(event)));
            listed.push(json!({
                "hash": hash.to_string(),
                "actions": actions,
                "code": result.code,
                "log": result.log,
                "events": events_json(&result.events),
            }));
        }
        let own = &self.results.finalize_block_events;
        own.iter().for_each(|event| out.line(&event_line(event)));
        out.result(&json!({
            "height": self.height,
            "time": self.time,
            "hash": self.hash,
            "txs": listed,
            "events": events_json(own),
        }));
    }
}

/// Names of what a transaction does.
fn actions_of(tx: &[u8], rules: &ChainRules) -> Vec<&'static str> {
    if is_pseudo_tx(tx) {
        return vec!["attestations"];
    }
    let tx = validate(tx, rules).ok();
    tx.iter().flat_map(|tx| &tx.actions).map(|action| action.kind().name()).collect()
}

fn event_line(event: &Event) -> String {
    let pair = |a: &guts_rpc::types::EventAttribute| format!("  {} {}", a.key, a.value);
    let attributes: String = event.attributes.iter().map(pair).collect();
    format!("    {}{attributes}", event.kind)
}

#[cfg(test)]
mod tests;
