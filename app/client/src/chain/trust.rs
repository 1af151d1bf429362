//! When what was believed is too old: a newer header, pinned because somebody trusted says so.

use guts_schema::{keys, proto};
use tendermint::Time;
use tendermint::block::Header;

use super::Chain;
use crate::light::Trusted;
use crate::{Error, State};

/// What became of pinning a header.
#[derive(Clone, Debug, PartialEq)]
pub enum Pinned {
    /// It follows from what was believed: nobody's word was needed.
    Proved(Header),
    /// It is believed from now on because the caller says so.
    Trusted(Header),
}

impl Chain {
    /// Whether what is believed is too old to be the base of believing more.
    pub fn is_expired(&self) -> bool {
        self.trusted.is_expired(&self.trusted.rules(), Time::now())
    }

    /// The error that says so, and the way on.
    pub(super) fn expired(&self) -> Error {
        let Trusted { height, time, header, .. } = &self.trusted;
        Error::TrustExpired {
            what: match header {
                Some(_) => format!("header {height}, the newest one believed here,"),
                None => "the genesis, of which nothing newer is believed here,".to_owned(),
            },
            time: time.to_rfc3339(),
            period: span(self.trust_period().as_secs()),
        }
    }

    /// Keeps what a proved state says of how long its headers may be trusted.
    pub(super) async fn learn_trust_period(&mut self, state: &State) -> Result<(), Error> {
        let params: Option<proto::Params> = state.get(&keys::params()).await?;
        let light_trust_s = params.map_or(self.trusted.light_trust_s, |all| all.light_trust_s);
        if light_trust_s == self.trusted.light_trust_s {
            return Ok(());
        }
        self.trusted.light_trust_s = light_trust_s;
        self.remember()
    }

    /// Believes the header at `height` whose hash the caller knows from elsewhere. While the trust
    /// period runs it must follow from what is believed already, as every header.
    ///
    /// # Errors
    /// If the node's header has another hash, is not signed by more than two thirds of the
    /// validators it names, is of another chain, not newer than what is believed, or itself older
    /// than the trust period.
    pub async fn trust(&mut self, height: u64, hash: &str) -> Result<Pinned, Error> {
        let is_it = |header: &Header| match header.hash().to_string().eq_ignore_ascii_case(hash) {
            true => Ok(()),
            false => Err(Error::Proof(format!(
                "header {height} of this node has the hash {}, not {hash}",
                header.hash()
            ))),
        };
        if !self.is_expired() {
            let header = self.header(height).await?;
            is_it(&header)?;
            return Ok(Pinned::Proved(header));
        }
        let signed = self.signed_header(Some(height)).await?;
        is_it(&signed.header)?;
        self.believe_unproved(signed).await.map(Pinned::Trusted)
    }

    /// Believes the node's newest header on its word alone: no more than it was trusted with when
    /// its genesis was pinned unasked.
    ///
    /// # Errors
    /// As [`Chain::trust`].
    pub async fn trust_newest(&mut self) -> Result<Header, Error> {
        let signed = self.signed_header(None).await?;
        self.believe_unproved(signed).await
    }

    async fn believe_unproved(
        &mut self,
        signed: tendermint::block::signed_header::SignedHeader,
    ) -> Result<Header, Error> {
        let block = self.block(signed).await?;
        let (height, header) = (block.height(), &block.signed_header.header);
        if header.chain_id != self.trusted.chain_id {
            return Err(Error::Proof(format!(
                "header {height} is of chain {}, pinned is {}",
                header.chain_id, self.trusted.chain_id
            )));
        }
        if height <= self.trusted.height {
            return Err(Error::Usage(format!(
                "header {height} is not newer than {}, which is believed already",
                self.trusted.height
            )));
        }
        block.check_alone().map_err(|why| Error::Proof(format!("header {height}: {why}")))?;
        let trusted = block.trusted(self.trusted.light_trust_s);
        if trusted.is_expired(&trusted.rules(), Time::now()) {
            return Err(Error::Usage(format!(
                "header {height} is of {} and itself too old: take a newer one",
                trusted.time.to_rfc3339()
            )));
        }
        self.trusted = trusted;
        self.remember()?;
        Ok(block.signed_header.header)
    }
}

/// Seconds in words.
pub(crate) fn span(seconds: u64) -> String {
    let units = [(24 * 3600, "days"), (3600, "hours"), (60, "minutes")];
    match units.into_iter().find(|(unit, _)| seconds >= 2 * unit && seconds.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{} {name}", seconds / unit),
        None => format!("{seconds} seconds"),
    }
}

#[cfg(test)]
mod tests;
