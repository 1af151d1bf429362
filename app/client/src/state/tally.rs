//! What the votes on a proposal come to while they are taken: counted here, as the chain counts
//! them when they end, from values that are proved one by one.

use guts_schema::ids::ValidatorAddress;
use guts_schema::tally::{Bars, Count, Tally};
use guts_schema::{keys, proto};

use super::{State, account_id, damaged};
use crate::Error;

fn address(bytes: &[u8]) -> Result<ValidatorAddress, Error> {
    ValidatorAddress::from_slice(bytes).map_err(|_| damaged())
}

impl State {
    /// What the votes on that proposal come to in this state, and what they are held against. Asks
    /// the node for every vote, and for what each voter has with each validator of the set.
    ///
    /// # Errors
    /// If the node cannot be asked, or proves something else.
    pub async fn tally(
        &self,
        number: u64,
        proposal: &proto::Proposal,
    ) -> Result<(Tally, Bars), Error> {
        let set: Option<proto::Validators> = self.get(&keys::validators()).await?;
        let mut members = Vec::new();
        for one in set.unwrap_or_default().validators {
            let address = address(&one.address)?;
            let info: Option<proto::ValidatorInfo> = self.get(&keys::validator(&address)).await?;
            members.extend(info.map(|info| (address, info)));
        }
        let mut count = Count::new(members);
        for index in 0..proposal.votes {
            let vote: Option<proto::VoteCast> = self.get(&keys::vote(number, index)).await?;
            let vote = vote.ok_or_else(|| Error::Proof("a vote is missing".into()))?;
            let account = account_id(&vote.account)?;
            let of: Option<proto::DelegationsOf> =
                self.get(&keys::delegations_of(&account)).await?;
            let mut held = Vec::new();
            for validator in of.unwrap_or_default().validators {
                let validator = address(&validator)?;
                if count.has(&validator) {
                    let key = keys::delegation(&validator, &account);
                    let delegation: Option<proto::Delegation> = self.get(&key).await?;
                    held.push((validator, delegation.unwrap_or_default().shares));
                }
            }
            count.add(&account, vote.option(), &held);
        }
        let params: Option<proto::Params> = self.get(&keys::params()).await?;
        let content = proposal.what.as_ref().and_then(|what| what.content.as_ref());
        Ok((count.end(), Bars::of(&params.unwrap_or_default(), content)))
    }
}
