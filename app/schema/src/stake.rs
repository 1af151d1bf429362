//! What shares of a validator are worth, and what they have earned: the arithmetic of stake, for
//! the chain and for whoever reads it.

use crate::ids::AccountId;
use crate::limits::{PPM, REWARD_INDEX_BITS};
use crate::proto;

/// So many millionths of an amount, at most all of it, rounded down.
pub fn ppm_of(amount: u64, ppm: u64) -> u64 {
    let part = u128::from(amount) * u128::from(ppm.min(PPM)) / u128::from(PPM);
    u64::try_from(part).unwrap_or(amount)
}

/// What a part of a whole is in millionths of it, rounded down; of nothing it is none.
pub fn ppm_in(part: u64, whole: u64) -> u64 {
    let ppm = (u128::from(part) * u128::from(PPM)).checked_div(u128::from(whole));
    u64::try_from(ppm.unwrap_or(0)).unwrap_or(u64::MAX)
}

/// What shares of a validator's stake are worth, rounded down.
pub fn worth(info: &proto::ValidatorInfo, shares: u64) -> u64 {
    if info.shares == 0 {
        return 0;
    }
    let worth = u128::from(shares) * u128::from(info.tokens) / u128::from(info.shares);
    // No more than all shares are worth, which is a u64.
    u64::try_from(worth).unwrap_or(info.tokens)
}

/// The shares that stake of so much buys, rounded down; none when those there are stand for
/// nothing, or when it buys not even one.
pub fn bought(info: &proto::ValidatorInfo, amount: u64) -> Option<u64> {
    if info.shares == 0 {
        return Some(amount);
    }
    let shares = u128::from(amount) * u128::from(info.shares);
    let shares = shares.checked_div(u128::from(info.tokens))?;
    let shares = u64::try_from(shares).ok().filter(|shares| *shares > 0)?;
    info.shares.checked_add(shares).map(|_| shares)
}

/// The shares that must go for stake of so much, rounded up.
pub fn sold(info: &proto::ValidatorInfo, amount: u64) -> u64 {
    let shares = u128::from(amount) * u128::from(info.shares);
    u64::try_from(shares.div_ceil(u128::from(info.tokens.max(1)))).unwrap_or(u64::MAX)
}

/// Reads a reward index: what a share has earned so far, in 2^-[`REWARD_INDEX_BITS`] of the
/// smallest unit. None written is 0; one of another length than 16 bytes is none.
fn index(bytes: &[u8]) -> Option<u128> {
    if bytes.is_empty() {
        return Some(0);
    }
    bytes.try_into().ok().map(u128::from_be_bytes)
}

/// A validator's reward index once so much was given to all of its shares alike, rounded down.
/// `None` where it has no shares, the index is malformed or counted out.
pub fn rewarded(info: &proto::ValidatorInfo, amount: u64) -> Option<Vec<u8>> {
    let each = (u128::from(amount) << REWARD_INDEX_BITS).checked_div(u128::from(info.shares))?;
    let index = index(&info.reward_index)?.checked_add(each)?;
    Some(index.to_be_bytes().to_vec())
}

/// What a delegation to a validator has earned since it was paid last, rounded down. `None` where
/// the two contradict each other: the index runs backwards, is malformed, or gives too much.
pub fn rewards(delegation: &proto::Delegation, info: &proto::ValidatorInfo) -> Option<u64> {
    let since = index(&info.reward_index)?.checked_sub(index(&delegation.reward_index)?)?;
    let due = u128::from(delegation.shares).checked_mul(since)?;
    u64::try_from(due >> REWARD_INDEX_BITS).ok()
}

/// What an account can claim from a validator with which it has that delegation: rewards, and the
/// commission if it operates the validator. `None` as of [`rewards`].
pub fn claimable(
    delegation: &proto::Delegation,
    info: &proto::ValidatorInfo,
    account: &AccountId,
) -> Option<u64> {
    let is_operator = info.operator == account.to_vec();
    let commission = if is_operator { info.commission_due } else { 0 };
    rewards(delegation, info)?.checked_add(commission)
}

#[cfg(test)]
mod tests;
