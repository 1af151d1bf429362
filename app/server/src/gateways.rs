//! Whom to ask for packs and for objects missed: the gateways of the validators in the set, as the
//! newest state has them, and before those the ones that this node's settings add.

use std::sync::Arc;

use guts_schema::AccountId;

use crate::chain::Chain;

/// The gateways of others. Cheap to clone.
#[derive(Clone)]
pub struct Gateways {
    chain: Chain,
    own: AccountId,
    added: Arc<[String]>,
}

impl Gateways {
    /// Those that `chain` says, but for the one of the validator that `own` operates, and `added`.
    pub fn new(chain: Chain, own: AccountId, added: &[String]) -> Self {
        Self { chain, own, added: added.into() }
    }

    /// The URLs to ask now, in this order. The gateway of `first`'s validator comes before those of
    /// others: nobody but the one that took a push can make its packs late by not answering.
    pub fn urls(&self, first: Option<&AccountId>) -> Vec<String> {
        let mut said = self.chain.newest().gateways().unwrap_or_else(|error| {
            tracing::error!(%error, "the gateways cannot be read");
            Vec::new()
        });
        said.retain(|(operator, _)| *operator != self.own);
        said.sort_by_key(|(operator, _)| Some(operator) != first);
        let mut urls = self.added.to_vec();
        for (_, url) in said {
            if !urls.contains(&url) {
                urls.push(url);
            }
        }
        urls
    }
}
