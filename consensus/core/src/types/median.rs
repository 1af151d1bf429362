//! Block time: the median of the last commit's times, weighted by power.
use guts_genesis::{Power, Time};

use super::{Commit, Invalid, ValidatorSet};

/// The time of the block that carries `commit`, whose signers are `validators`. Votes for nil
/// count (the v0.38 rule); a validator named twice counts twice. The zero time if all are absent.
pub fn median_time(commit: &Commit, validators: &ValidatorSet) -> Result<Time, Invalid> {
    let mut entries = Vec::with_capacity(commit.signatures.len());
    let mut total = Power::ZERO;
    for vote in commit.signatures.iter().filter_map(|sig| sig.vote()) {
        let (_, validator) = validators.by_address(&vote.address).ok_or(Invalid::NotAValidator)?;
        total = total.saturating_add(validator.power);
        entries.push((vote.time, validator.power));
    }
    Ok(weighted_median(entries, total))
}

/// The first time at which half of `total` (rounded down) is reached.
pub fn weighted_median(mut entries: Vec<(Time, Power)>, total: Power) -> Time {
    entries.sort_by_key(|(time, _)| *time);
    let mut left = total.0 / 2;
    for (time, power) in entries {
        if left <= power.0 {
            return time;
        }
        left -= power.0;
    }
    Time::ZERO
}
