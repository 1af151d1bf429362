//! Whom to ask for packs and for objects missed: the gateways of the validators in the set, as the
//! newest state has them, in turns, and before those the ones that this node's settings add. Who
//! failed comes after who did not, whoever named it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use guts_git::{Peer, Scope};
use guts_schema::AccountId;

use crate::chain::Chain;
use crate::config::Config;

/// Failures in a row that count: beyond, one is as bad as the other.
const FAILURES_MAX: u8 = 8;

/// The gateways of others. Cheap to clone.
#[derive(Clone)]
pub struct Gateways {
    chain: Chain,
    own: AccountId,
    own_url: Arc<str>,
    added: Arc<[String]>,
    /// Where those may be that the state says.
    scope: Scope,
    past: Arc<Past>,
}

/// What came of asking.
#[derive(Default)]
struct Past {
    asked: AtomicUsize,
    /// Failures in a row.
    failures: Mutex<BTreeMap<String, u8>>,
}

impl Gateways {
    /// Those that `chain` says, but for this node's: of the validator that `own` operates, or at
    /// its public URL; and those that the settings add.
    pub fn new(chain: Chain, own: AccountId, config: &Config) -> Self {
        let scope = if config.allow_private_gateways { Scope::Any } else { Scope::Public };
        let own_url = config.public_url.trim_end_matches('/').into();
        let added = config.gateways.clone().into();
        Self { chain, own, own_url, added, scope, past: Arc::default() }
    }

    fn said(&self) -> Vec<(AccountId, String)> {
        self.chain.newest().gateways().unwrap_or_else(|error| {
            tracing::error!(%error, "the gateways cannot be read");
            Vec::new()
        })
    }

    fn is_own(&self, url: &str) -> bool {
        url.trim_end_matches('/') == &*self.own_url
    }

    /// Who operates the validator that says its gateway is this one, if that is not this gateway's
    /// own account: others find what was pushed here by that.
    pub fn operator(&self) -> Option<AccountId> {
        let said = self.said();
        if said.iter().any(|(operator, _)| *operator == self.own) {
            return None;
        }
        said.into_iter().find(|(_, url)| self.is_own(url)).map(|(operator, _)| operator)
    }

    fn failures(&self) -> MutexGuard<'_, BTreeMap<String, u8>> {
        self.past.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a gateway gave what was asked of it.
    pub fn judge(&self, url: &str, is_good: bool) {
        let mut failures = self.failures();
        if is_good {
            failures.remove(url);
            return;
        }
        let count = failures.entry(url.to_owned()).or_default();
        *count = count.saturating_add(1).min(FAILURES_MAX);
    }

    /// Those to ask now, in this order. The gateway of `first`'s validator comes before those of
    /// others: nobody but the one that took a push can make its packs late by not answering.
    pub fn peers(&self, first: Option<&AccountId>) -> Vec<Peer> {
        let mut said = self.said();
        said.retain(|(operator, url)| *operator != self.own && !self.is_own(url));
        let asked = self.past.asked.fetch_add(1, Ordering::Relaxed);
        let mut failures = self.failures();
        failures.retain(|url, _| {
            self.added.contains(url) || said.iter().any(|(_, gateway)| gateway == url)
        });
        let added = self.added.iter().map(String::as_str);
        let failed = |url: &str| failures.get(url).copied().unwrap_or_default();
        let urls = ordered(added, &said, first, asked, failed).into_iter();
        // Whoever runs this node knows where the gateways are that the settings add.
        let scope = |url: &String| if self.added.contains(url) { Scope::Any } else { self.scope };
        urls.map(|url| Peer { scope: scope(&url), url }).collect()
    }
}

/// The order: `added`, then `first`'s, then the others, each time beginning with another. Who
/// failed comes after them, but for the one that is sure to have what is wanted: `first`'s.
fn ordered<'a>(
    added: impl Iterator<Item = &'a str>,
    said: &'a [(AccountId, String)],
    first: Option<&AccountId>,
    asked: usize,
    failures: impl Fn(&str) -> u8,
) -> Vec<String> {
    let (its, others): (Vec<_>, Vec<_>) =
        said.iter().partition(|(operator, _)| Some(operator) == first);
    let mut others: Vec<&str> = others.into_iter().map(|(_, url)| url.as_str()).collect();
    let begin = asked.checked_rem(others.len()).unwrap_or_default();
    others.rotate_left(begin);
    let (added, failed): (Vec<_>, Vec<_>) = added.partition(|url| failures(url) == 0);
    let mut rest = [failed, others].concat();
    rest.sort_by_key(|url| failures(url));
    let its = its.into_iter().map(|(_, url)| url.as_str());
    let mut urls: Vec<String> = Vec::new();
    for url in added.into_iter().chain(its).chain(rest) {
        if !urls.iter().any(|known| known == url) {
            urls.push(url.to_owned());
        }
    }
    urls
}

#[cfg(test)]
mod tests;
