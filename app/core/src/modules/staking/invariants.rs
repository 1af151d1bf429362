//! Audits of the validators.

use guts_schema::ids::ValidatorAddress;
use guts_schema::{Key, keys, proto};

use crate::fault::Broken;
use crate::whole::Whole;

pub(super) fn audit(whole: &Whole) -> Result<(), Broken> {
    let wrong = |text: &str| Err(Broken::Contradiction(text.to_owned()));
    let set: proto::Validators = whole.get(&keys::validators())?.unwrap_or_default();
    let changes: proto::ValidatorsChanges =
        whole.get(&keys::validators_changes())?.unwrap_or_default();
    if set.validators.iter().all(|validator| validator.power == 0) {
        return wrong("no validator has power");
    }
    if set.validators.windows(2).any(|pair| pair[0].address >= pair[1].address) {
        return wrong("validators are not sorted by address");
    }
    for validator in &set.validators {
        let key = Key::from_slice(&validator.consensus_key);
        let address = key.map(|key| ValidatorAddress::of_key(&key));
        if !address.is_ok_and(|address| address.as_bytes()[..] == validator.address[..]) {
            return wrong("a validator under another's address");
        }
    }
    if changes.heights.windows(2).any(|pair| pair[0] >= pair[1]) {
        return wrong("the heights of validator changes do not rise");
    }
    let last = changes.heights.last().map(|height| keys::validators_at(*height));
    let last: Option<proto::Validators> =
        last.map(|key| whole.get(&key)).transpose()?.unwrap_or_default();
    if last != Some(set) {
        return wrong("the validators in force are not the last recorded");
    }
    Ok(())
}
