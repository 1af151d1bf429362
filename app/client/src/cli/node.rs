//! `guts node status | trust`.

use clap::Subcommand;
use serde_json::json;
use tendermint::Time;

use super::Context;
use crate::Error;
use crate::chain::trust::{Pinned, span};
use crate::home::genesis_hash;

#[derive(Debug, Subcommand)]
pub enum Node {
    /// Who the node is, how far, and whether its newest header holds
    Status,
    /// Pin a newer header when the one believed last is too old to prove anything from
    ///
    /// Headers are proved from the genesis on, each by those before it, but only for a time: who
    /// signed earlier may have taken their stake out and could sign another history without losing
    /// anything. How long that is, the chain's parameter light_trust_s says and 'guts node status'
    /// shows. If this machine saw nothing of the chain for longer, only somebody you trust can
    /// say which history is the one. Ask a friend, or two validators, for a height and its hash;
    /// 'guts node status' shows both. The node you are asking now does not count: it is the one
    /// that is being checked.
    Trust {
        /// Height of the header
        #[arg(long, value_name = "H")]
        height: u64,
        /// Its hash, in hexadecimal, as others told you
        #[arg(long, value_name = "HASH")]
        hash: String,
    },
}

pub async fn run(context: &Context, command: Node) -> Result<(), Error> {
    match command {
        Node::Status => status(context).await,
        Node::Trust { height, hash } => trust(context, height, &hash).await,
    }
}

async fn status(context: &Context) -> Result<(), Error> {
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
    out.line(&format!("hash     {}", header.hash()));
    out.line(&format!("peers    {peers}"));
    let trust_s = chain.trust_period().as_secs();
    out.line(&format!("trust    a header proves later ones for {}", span(trust_s)));
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
        "light_trust_s": trust_s,
        "catching_up": status.sync_info.catching_up,
        "voting_power": power,
        "proved_height": header.height.value(),
    }));
    Ok(())
}

async fn trust(context: &Context, height: u64, hash: &str) -> Result<(), Error> {
    if hash.len() != 64 || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Error::Usage(format!("{hash} is no hash: 64 hexadecimal digits")));
    }
    let mut chain = context.chain().await?;
    let pinned = chain.trust(height, hash).await?;
    let (header, how) = match &pinned {
        Pinned::Proved(header) => (header, "proved"),
        Pinned::Trusted(header) => (header, "trusted"),
    };
    let (hash, time) = (header.hash(), header.time.to_rfc3339());
    context.out.fact(&match &pinned {
        Pinned::Proved(_) => format!(
            "header {height} {hash} follows from what was believed: nobody's word was needed"
        ),
        Pinned::Trusted(_) => format!(
            "header {height} {hash} of {time} pinned, on your word: what comes is proved from it"
        ),
    });
    context.out.result(&json!({
        "height": height,
        "header_hash": hash.to_string(),
        "header_time": time,
        "how": how,
    }));
    Ok(())
}
