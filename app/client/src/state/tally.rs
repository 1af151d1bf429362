//! What the votes on a proposal come to while they are taken: counted here, as the chain counts
//! them when they end, from values that are proved one by one and asked for many at a time.

use guts_schema::ids::ValidatorAddress;
use guts_schema::proto::VoteOption;
use guts_schema::tally::{Bars, Count, Tally};
use guts_schema::{AccountId, keys, proto};

use super::{State, account_id, validator_address};
use crate::Error;

/// Votes that are held at a time while they are counted.
const AT_A_TIME: usize = 1000;

impl State {
    /// The votes on that proposal, in the order in which they were cast.
    ///
    /// # Errors
    /// If the node cannot be asked, or proves something else.
    pub async fn votes(
        &self,
        number: u64,
        proposal: &proto::Proposal,
    ) -> Result<Vec<(AccountId, VoteOption)>, Error> {
        let places: Vec<_> = (0..proposal.votes).map(|index| keys::vote(number, index)).collect();
        let votes: Vec<proto::VoteCast> = self.list("a vote", &places).await?;
        votes.iter().map(|vote| Ok((account_id(&vote.account)?, vote.option()))).collect()
    }

    /// What these votes, all there are on that proposal, come to in this state, and what they are
    /// held against. Asks the node for what each voter has with each validator of the set.
    ///
    /// # Errors
    /// As [`State::votes`].
    pub async fn tally(
        &self,
        votes: &[(AccountId, VoteOption)],
        proposal: &proto::Proposal,
    ) -> Result<(Tally, Bars), Error> {
        let set: Option<proto::Validators> = self.get(&keys::validators()).await?;
        let set = set.unwrap_or_default().validators;
        let set = set.iter().map(|one| validator_address(&one.address));
        let set = set.collect::<Result<Vec<_>, _>>()?;
        let infos: Vec<_> = set.iter().map(keys::validator).collect();
        let infos = self.all::<proto::ValidatorInfo>(&infos).await?;
        let members = set.into_iter().zip(infos);
        let mut count = Count::new(members.filter_map(|(address, info)| Some((address, info?))));
        for votes in votes.chunks(AT_A_TIME) {
            let held = self.held(votes, &count).await?;
            for ((account, option), held) in votes.iter().zip(held) {
                count.add(account, *option, &held);
            }
        }
        let params: Option<proto::Params> = self.get(&keys::params()).await?;
        let content = proposal.what.as_ref().and_then(|what| what.content.as_ref());
        Ok((count.end(), Bars::of(&params.unwrap_or_default(), content)))
    }

    /// The shares that each of the voters has with validators of the set.
    async fn held(
        &self,
        votes: &[(AccountId, VoteOption)],
        count: &Count,
    ) -> Result<Vec<Vec<(ValidatorAddress, u64)>>, Error> {
        let lists: Vec<_> =
            votes.iter().map(|(account, _)| keys::delegations_of(account)).collect();
        let lists = self.all::<proto::DelegationsOf>(&lists).await?;
        let mut places = Vec::new();
        for (voter, list) in lists.into_iter().enumerate() {
            for validator in list.unwrap_or_default().validators {
                let validator = validator_address(&validator)?;
                if count.has(&validator) {
                    places.push((voter, validator));
                }
            }
        }
        let keys: Vec<_> = places
            .iter()
            .map(|(voter, validator)| keys::delegation(validator, &votes[*voter].0))
            .collect();
        let mut held = vec![Vec::new(); votes.len()];
        let found = self.all::<proto::Delegation>(&keys).await?;
        for ((voter, validator), delegation) in places.into_iter().zip(found) {
            held[voter].push((validator, delegation.unwrap_or_default().shares));
        }
        Ok(held)
    }
}
