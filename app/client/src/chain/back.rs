//! Headers before the newest believed: each is the one that its successor names, so they are walked
//! to from there, many at a time, and none is asked for twice.

use serde::{Deserialize, Serialize};
use tendermint::block::Header;

use super::Chain;
use crate::{Error, light};

/// Headers walked backwards at most, and about how many are kept.
const BACKWARDS_MAX: u64 = 5_000;
/// Headers that a node gives at a time.
const AT_A_TIME: u64 = 20;

#[derive(Serialize)]
struct Range {
    #[serde(rename = "minHeight")]
    min: String,
    #[serde(rename = "maxHeight")]
    max: String,
}

#[derive(Deserialize)]
struct RangeAnswer {
    block_metas: Vec<Meta>,
}

#[derive(Deserialize)]
struct Meta {
    header: Header,
}

impl Chain {
    /// A header before the newest believed: linked to it by hashes.
    pub(super) async fn header_before(&mut self, height: u64) -> Result<Header, Error> {
        if let Some(known) = self.behind.get(&height) {
            return Ok(known.clone());
        }
        let missing = || Error::Proof(format!("header {height} lies before all that is believed"));
        let newest = self.trusted.header.clone().ok_or_else(missing)?;
        if newest.height.value().saturating_sub(height) > BACKWARDS_MAX {
            return Err(Error::Proof(format!(
                "header {height} lies more than {BACKWARDS_MAX} before the newest one believed"
            )));
        }
        if self.behind.len() as u64 > BACKWARDS_MAX {
            self.behind.clear();
        }
        let above = self.behind.range(height..).next();
        let mut later = above.map_or(newest, |(_, header)| header.clone());
        while later.height.value() > height {
            for earlier in self.headers_below(height, later.height.value()).await? {
                if !light::is_linked(&earlier, &later) {
                    let (found, after) = (earlier.height, later.height);
                    return Err(Error::Proof(format!(
                        "header {found} of the node is not the one before {after}"
                    )));
                }
                self.behind.insert(earlier.height.value(), earlier.clone());
                later = earlier;
            }
        }
        Ok(later)
    }

    /// Some of the headers from `low` on that lie below `high`, the last first; at least one, and
    /// none below `low`. What the node says they are.
    async fn headers_below(&self, low: u64, high: u64) -> Result<Vec<Header>, Error> {
        let max = high.saturating_sub(1);
        let min = low.max(high.saturating_sub(AT_A_TIME));
        let range = Range { min: min.to_string(), max: max.to_string() };
        let answer: RangeAnswer = self.call("blockchain", range).await?;
        let headers: Vec<_> = answer.block_metas.into_iter().map(|meta| meta.header).collect();
        if headers.is_empty() {
            return Err(Error::Missing(format!("the node does not have header {max} any more")));
        }
        // Linked as they may be, the walk would end below what was asked for.
        if let Some(below) = headers.iter().find(|header| header.height.value() < min) {
            let found = below.height;
            return Err(Error::Proof(format!(
                "asked for headers from {min} on, the node gave {found}"
            )));
        }
        Ok(headers)
    }
}

#[cfg(test)]
mod tests;
