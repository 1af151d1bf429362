//! `guts node status`.

use clap::Subcommand;
use serde_json::json;
use tendermint::Time;

use super::Context;
use crate::Error;
use crate::home::genesis_hash;

#[derive(Debug, Subcommand)]
pub enum Node {
    /// Who the node is, how far, and whether its newest header holds
    Status,
}

pub async fn run(context: &Context, Node::Status: Node) -> Result<(), Error> {
    let mut chain = context.chain().await?;
    let status = chain.client().status().await.map_err(|error| chain.node_error(error))?;
    let peers = chain.client().net_info().await.map_err(|error| chain.node_error(error))?.n_peers;
    let header = chain.latest().await?;
    let age_s = Time::now().duration_since(header.time).map_or(0, |age| age.as_secs());
    let out = &context.out;
    let info = &status.node_info;
    out.line(&format!("node     {} ({}) at {}", info.moniker, info.id, chain.address()));
    out.line(&format!("chain    {}", chain.chain_id()));
    out.line(&format!("genesis  {}", genesis_hash(chain.genesis())));
    out.line(&format!("height   {} of {age_s} s ago", header.height));
    out.line(&format!("peers    {peers}"));
    if status.sync_info.catching_up {
        out.line("syncing  it lags behind the others");
    }
    let power = status.validator_info.voting_power;
    if power > 0 {
        out.line(&format!("validator of power {power}"));
    }
    out.fact(&format!(
        "header {} is signed by more than two thirds, from the pinned genesis on",
        header.height
    ));
    out.result(&json!({
        "id": info.id,
        "moniker": info.moniker,
        "version": info.version,
        "chain": chain.chain_id(),
        "genesis_hash": genesis_hash(chain.genesis()),
        "height": header.height.value(),
        "header_hash": header.hash().to_string(),
        "header_time": header.time.to_rfc3339(),
        "age_s": age_s,
        "peers": peers,
        "catching_up": status.sync_info.catching_up,
        "voting_power": power,
        "proved_height": header.height.value(),
    }));
    Ok(())
}
