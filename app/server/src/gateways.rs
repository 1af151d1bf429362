//! Whom to ask for packs and for objects missed: the gateways of the validators in the set, as the
//! newest state has them, and before those the ones that this node's settings add.

use std::sync::Arc;

use guts_git::{Peer, Scope};
use guts_schema::AccountId;

use crate::chain::Chain;
use crate::config::Config;

/// The gateways of others. Cheap to clone.
#[derive(Clone)]
pub struct Gateways {
    chain: Chain,
    own: AccountId,
    added: Arc<[String]>,
    /// Where those may be that the state says.
    scope: Scope,
}

impl Gateways {
    /// Those that `chain` says, but for the one of the validator that `own` operates, and those
    /// that the settings add.
    pub fn new(chain: Chain, own: AccountId, config: &Config) -> Self {
        let scope = if config.allow_private_gateways { Scope::Any } else { Scope::Public };
        Self { chain, own, added: config.gateways.clone().into(), scope }
    }

    /// Those to ask now, in this order. The gateway of `first`'s validator comes before those of
    /// others: nobody but the one that took a push can make its packs late by not answering.
    pub fn peers(&self, first: Option<&AccountId>) -> Vec<Peer> {
        let mut said = self.chain.newest().gateways().unwrap_or_else(|error| {
            tracing::error!(%error, "the gateways cannot be read");
            Vec::new()
        });
        said.retain(|(operator, _)| *operator != self.own);
        said.sort_by_key(|(operator, _)| Some(operator) != first);
        // Whoever runs this node knows where the gateways are that the settings add.
        let own = |url: &String| Peer { url: url.clone(), scope: Scope::Any };
        let mut peers: Vec<_> = self.added.iter().map(own).collect();
        for (_, url) in said {
            if !peers.iter().any(|peer| peer.url == url) {
                peers.push(Peer { url, scope: self.scope });
            }
        }
        peers
    }
}

#[cfg(test)]
mod tests;
