//! Vote extensions and pseudo-transaction 0: what validators say about pushes, in and out.

use std::collections::{BTreeMap, BTreeSet};

use guts_abci::extension_sign_bytes;
use guts_abci::proto::abci::ExtendedCommitInfo;
use guts_abci::proto::types::BlockIdFlag;
use guts_schema::attest::{Attested, AttestedVote, Verdict, encode_extension};
use guts_schema::ids::ValidatorAddress;
use guts_schema::limits::{PSEUDO_TX_BYTES_MAX, VALIDATORS_MAX};
use guts_schema::sign::{Anew, Claim, check_all};
use guts_schema::{PushId, proto};
use guts_state::Read;

use crate::fault::Broken;
use crate::modules::{push, staking};

/// How often this validator has said its verdict on each pending push. It does not know which of
/// its verdicts are on the chain: a commit may lack its vote.
#[derive(Clone, Debug, Default)]
pub struct Said(BTreeMap<PushId, u64>);

impl Said {
    /// This validator's extension: its verdicts on the `pending` pushes, first those that it has
    /// said least often, of these the oldest. So what does not get on goes round, and does not keep
    /// what is new from being said.
    pub fn extension(
        &mut self,
        pending: &[PushId],
        verdicts: &BTreeMap<PushId, Verdict>,
    ) -> Vec<u8> {
        self.0.retain(|id, _| pending.contains(id));
        let mut found: Vec<(PushId, Verdict)> =
            pending.iter().filter_map(|id| Some((*id, *verdicts.get(id)?))).collect();
        found.sort_by_key(|(id, _)| self.0.get(id).copied().unwrap_or_default());
        let (extension, said) = encode_extension(found);
        for id in said {
            let times = self.0.entry(id).or_default();
            *times = times.saturating_add(1);
        }
        extension
    }
}

fn has_verdict(push: &proto::Push, validator: &ValidatorAddress) -> bool {
    push.verdicts.iter().any(|verdict| verdict.validator == validator.as_bytes())
}

/// Why pseudo-transaction 0 is not good; nothing when it is. `height` is the block's.
pub fn check(
    view: &dyn Read,
    chain_id: &str,
    height: u64,
    attested: &Attested,
) -> Result<Option<&'static str>, Broken> {
    if attested.height.checked_add(1) != Some(height) {
        return Ok(Some("its votes are not those of the block before"));
    }
    let Some(set) = staking::at(view, attested.height)? else {
        return Ok(Some("no validators signed then"));
    };
    let mut claims = Vec::with_capacity(attested.votes.len());
    for vote in &attested.votes {
        let Some(claim) = claim(chain_id, attested.height, attested.round, vote, &set) else {
            return Ok(Some("a vote in it is by no validator"));
        };
        claims.push(claim);
    }
    let good = check_all(&claims, &Anew).into_iter().all(|valid| valid);
    Ok(if good { None } else { Some("a signature in it is wrong") })
}

fn claim(
    chain_id: &str,
    height: u64,
    round: u32,
    vote: &AttestedVote,
    set: &staking::Set,
) -> Option<Claim> {
    let key = set.key(&vote.validator)?;
    let (height, round) = (i64::try_from(height).ok()?, i32::try_from(round).ok()?);
    let message = extension_sign_bytes(chain_id, height, round, &vote.extension);
    Some(Claim { key, message, signature: vote.signature })
}

/// Pseudo-transaction 0 for the block of `height`: the votes of the last commit that say something
/// new about a pending push, as many as `bytes_max` takes. Nothing when there is none.
pub fn collect(
    view: &dyn Read,
    chain_id: &str,
    height: u64,
    commit: &ExtendedCommitInfo,
    bytes_max: usize,
) -> Result<Option<Vec<u8>>, Broken> {
    let (Some(before), Ok(round)) = (height.checked_sub(1), u32::try_from(commit.round)) else {
        return Ok(None);
    };
    let pending: BTreeMap<Vec<u8>, proto::Push> =
        push::pending_pushes(view)?.into_iter().map(|push| (push.id.clone(), push)).collect();
    let Some(set) = staking::at(view, before)? else { return Ok(None) };
    if pending.is_empty() {
        return Ok(None);
    }
    let mut attested = Attested { height: before, round, votes: Vec::new() };
    let mut seen = BTreeSet::new();
    for vote in &commit.votes {
        let address = vote.validator.as_ref().map(|v| &v.address[..]).unwrap_or_default();
        let signed = vote.block_id_flag == i32::from(BlockIdFlag::Commit);
        let vote = AttestedVote::new(address, &vote.vote_extension, &vote.extension_signature);
        let Ok(vote) = vote else { continue };
        let news = |id: &PushId| {
            pending.get(&id.to_vec()).is_some_and(|push| !has_verdict(push, &vote.validator))
        };
        if signed && vote.verdicts.keys().any(news) && seen.insert(vote.validator) {
            attested.votes.push(vote);
        }
    }
    attested.votes.truncate(VALIDATORS_MAX);
    // The engine checked these signatures; one that is wrong all the same must not cost the block.
    let claims: Vec<_> =
        attested.votes.iter().map(|vote| claim(chain_id, before, round, vote, &set)).collect();
    let known: Vec<Claim> = claims.iter().flatten().cloned().collect();
    let mut answers = check_all(&known, &Anew).into_iter();
    let mut valid = claims.iter().map(|c| c.is_some() && answers.next() == Some(true));
    attested.votes.retain(|_| valid.next() == Some(true));
    let bytes_max = bytes_max.min(PSEUDO_TX_BYTES_MAX);
    while !attested.votes.is_empty() {
        let bytes = attested.encode();
        if bytes.len() <= bytes_max {
            return Ok(Some(bytes));
        }
        attested.votes.pop();
    }
    Ok(None)
}
