//! Validator sets: who votes with what power, and who proposes when.
//!
//! Proposers rotate by priority: each turn adds everyone's power to their priority, and the
//! highest proposes and pays the total power. Arithmetic is CometBFT's to the bit, clipping and
//! wrapping included, because priorities are part of what nodes must agree on.
use guts_abci::proto;
use guts_genesis::{Address, Power, PublicKey};

use super::{Hash, Invalid, Validator, merkle};

#[cfg(test)]
mod tests;

/// Priorities are kept within this many times the total power.
const PRIORITY_WINDOW_FACTOR: i64 = 2;

/// A validator set: power falling, then address rising.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ValidatorSet {
    validators: Vec<Validator>,
    proposer: Option<Validator>,
    total: Power,
    /// Places of the validators by address, rising.
    places: Vec<(Address, u32)>,
    hash: Hash,
}

impl ValidatorSet {
    /// A new set, turned once so that it has a proposer. Powers must be positive.
    pub fn new(validators: &[Validator]) -> Result<ValidatorSet, Invalid> {
        let mut set = ValidatorSet::default();
        set.reindex();
        set.change(validators, false)?;
        if !validators.is_empty() {
            set.turn(1);
        }
        Ok(set)
    }

    /// The validators in order.
    pub fn validators(&self) -> &[Validator] {
        &self.validators
    }

    /// Number of validators.
    pub fn len(&self) -> usize {
        self.validators.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.validators.is_empty()
    }

    /// Sum of the powers.
    pub fn total_power(&self) -> Power {
        self.total
    }

    /// Merkle root over keys and powers in order; priorities do not count.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// The validator at `index`.
    pub fn at(&self, index: u32) -> Option<&Validator> {
        self.validators.get(usize::try_from(index).ok()?)
    }

    /// The validator with `address` and its place.
    pub fn by_address(&self, address: &Address) -> Option<(u32, &Validator)> {
        let found = self.places.binary_search_by(|(other, _)| other.cmp(address)).ok()?;
        let (_, index) = self.places[found];
        Some((index, self.at(index)?))
    }

    /// The validator with `key` and its place.
    pub fn by_key(&self, key: &PublicKey) -> Option<(u32, &Validator)> {
        self.by_address(&key.address()).filter(|(_, validator)| validator.key == *key)
    }

    /// Whether all keys are of one type.
    pub fn has_one_key_type(&self) -> bool {
        self.validators.windows(2).all(|pair| pair[0].key.type_name() == pair[1].key.type_name())
    }

    /// Who proposes now; none if the set is empty. After an update this is still the proposer
    /// from before it, until the next turn.
    pub fn proposer(&self) -> Option<&Validator> {
        self.proposer.as_ref().or_else(|| self.most_urgent())
    }

    fn most_urgent(&self) -> Option<&Validator> {
        self.validators.iter().max_by(|a, b| a.order_to_propose(b))
    }

    /// The set `times` turns (positive) later: as it is in a later round or height.
    #[must_use]
    pub fn turned(&self, times: u32) -> ValidatorSet {
        let mut set = self.clone();
        set.turn(times);
        set
    }

    /// Lets `times` (positive) proposers pass. Priorities are rescaled and centred once before.
    /// An empty set stays empty.
    pub fn turn(&mut self, times: u32) {
        if self.validators.is_empty() {
            return;
        }
        self.rescale(PRIORITY_WINDOW_FACTOR * self.total.wire());
        self.centre();
        for _ in 0..times {
            self.proposer = self.turn_once();
        }
    }

    fn turn_once(&mut self) -> Option<Validator> {
        for validator in &mut self.validators {
            validator.priority = validator.priority.saturating_add(validator.power.wire());
        }
        let total = self.total.wire();
        let proposer = self.validators.iter_mut().max_by(|a, b| a.order_to_propose(b))?;
        proposer.priority = proposer.priority.saturating_sub(total);
        Some(*proposer)
    }

    /// Divides priorities so that they differ by at most `diff_max`.
    pub(crate) fn rescale(&mut self, diff_max: i64) {
        let priorities = || self.validators.iter().map(|validator| validator.priority);
        let (Some(max), Some(min)) = (priorities().max(), priorities().min()) else { return };
        // Wraps where the original does, at priorities no chain reaches.
        let diff = max.wrapping_sub(min).wrapping_abs();
        if diff_max <= 0 || diff <= diff_max {
            return;
        }
        let ratio = diff.wrapping_add(diff_max - 1) / diff_max;
        if ratio == 0 {
            return;
        }
        for validator in &mut self.validators {
            validator.priority = validator.priority.wrapping_div(ratio);
        }
    }

    /// Shifts priorities so that their mean is zero (floored).
    fn centre(&mut self) {
        let sum: i128 = self.validators.iter().map(|v| i128::from(v.priority)).sum();
        let Some(count) = i128::try_from(self.validators.len()).ok().filter(|n| *n > 0) else {
            return;
        };
        let mean = i64::try_from(sum.div_euclid(count)).expect("a mean of 64-bit numbers fits");
        for validator in &mut self.validators {
            validator.priority = validator.priority.saturating_sub(mean);
        }
    }

    /// Applies changes: a new key joins, a known one gets its new power, power zero leaves. On an
    /// error nothing is changed. The proposer stays until the next turn.
    pub fn update(&mut self, changes: &[Validator]) -> Result<(), Invalid> {
        self.change(changes, true)
    }

    fn change(&mut self, changes: &[Validator], may_remove: bool) -> Result<(), Invalid> {
        if changes.is_empty() {
            return Ok(());
        }
        let (mut updates, removals) = sorted_changes(changes)?;
        if !may_remove && !removals.is_empty() {
            return Err(Invalid::ZeroPowerNotAllowed);
        }
        let joins = updates.iter().any(|update| self.by_address(&update.address).is_none());
        if !joins && self.validators.len() == removals.len() {
            return Err(Invalid::EmptySet);
        }
        let removed = self.power_of(&removals)?;
        let before_removals = self.total_after(&updates, removed)?;
        for update in &mut updates {
            update.priority = match self.by_address(&update.address) {
                Some((_, known)) => known.priority,
                // Newcomers wait, lest leaving and joining again be of use.
                None => -(before_removals + (before_removals >> 3)),
            };
        }
        let changed = |v: &Validator| {
            let by_address = |other: &Validator| other.address.cmp(&v.address);
            updates.binary_search_by(by_address).is_ok()
                || removals.binary_search_by(by_address).is_ok()
        };
        // The remembered proposer moves with its place in the set, unless that is changed.
        let follows = self.proposer.is_some_and(|p| !changed(&p) && self.validators.contains(&p));
        self.validators.retain(|validator| !changed(validator));
        self.validators.append(&mut updates);
        self.total = Power(self.validators.iter().map(|validator| validator.power.0).sum());
        self.rescale(PRIORITY_WINDOW_FACTOR * self.total.wire());
        self.centre();
        self.validators.sort_by(Validator::order_in_set);
        self.reindex();
        if let (true, Some(proposer)) = (follows, self.proposer) {
            self.proposer = self.by_address(&proposer.address).map(|(_, member)| *member);
        }
        Ok(())
    }

    /// The power of validators that leave.
    fn power_of(&self, removals: &[Validator]) -> Result<i64, Invalid> {
        let power = |removal: &Validator| {
            let known = self.by_address(&removal.address);
            known.map(|(_, v)| v.power.wire()).ok_or(Invalid::RemoveUnknownValidator)
        };
        removals.iter().map(power).sum()
    }

    /// Total power after `updates`, before removals; refused if it ends above the limit.
    fn total_after(&self, updates: &[Validator], removed: i64) -> Result<i64, Invalid> {
        let delta = |update: &Validator| {
            let known = self.by_address(&update.address);
            update.power.wire() - known.map_or(0, |(_, v)| v.power.wire())
        };
        // In 128 bits no order of additions overflows, so only the end needs checking.
        let change: i128 = updates.iter().map(|update| i128::from(delta(update))).sum();
        let after = i128::from(self.total.wire()) - i128::from(removed) + change;
        if after > i128::from(Power::MAX_TOTAL.0) {
            return Err(Invalid::TotalPowerTooLarge);
        }
        let before_removals = after + i128::from(removed);
        i64::try_from(before_removals).map_err(|_| Invalid::TotalPowerTooLarge)
    }

    fn reindex(&mut self) {
        self.places = self.validators.iter().zip(0..).map(|(v, i)| (v.address, i)).collect();
        self.places.sort_unstable();
        let leaves: Vec<Vec<u8>> = self.validators.iter().map(Validator::leaf).collect();
        self.hash = merkle::root(&leaves);
    }

    /// A set of these validators exactly as they are: order, priorities and proposer kept.
    pub fn from_parts(
        validators: Vec<Validator>,
        proposer: Option<Validator>,
    ) -> Result<ValidatorSet, Invalid> {
        let mut total = 0_u64;
        for validator in &validators {
            total = total.saturating_add(validator.power.0);
            if total > Power::MAX_TOTAL.0 {
                return Err(Invalid::TotalPowerTooLarge);
            }
        }
        let total = Power(total);
        let mut set = ValidatorSet { validators, proposer, total, ..ValidatorSet::default() };
        set.reindex();
        Ok(set)
    }

    /// Reads and checks the wire form. The order is kept as sent.
    pub fn from_proto(set: &proto::types::ValidatorSet) -> Result<ValidatorSet, Invalid> {
        let read = set.validators.iter().map(Validator::from_proto);
        let validators = read.collect::<Result<Vec<_>, _>>()?;
        let proposer = set.proposer.as_ref().ok_or(Invalid::ProposerMissing)?;
        let proposer = Validator::from_proto(proposer)?;
        if validators.is_empty() {
            return Err(Invalid::EmptySet);
        }
        let set = ValidatorSet::from_parts(validators, Some(proposer))?;
        if set.by_address(&proposer.address).is_none() {
            return Err(Invalid::ProposerNotInSet);
        }
        Ok(set)
    }

    /// The wire form.
    pub fn to_proto(&self) -> proto::types::ValidatorSet {
        proto::types::ValidatorSet {
            validators: self.validators.iter().map(Validator::to_proto).collect(),
            proposer: self.proposer.as_ref().map(Validator::to_proto),
            total_voting_power: 0,
        }
    }
}

/// Changes in address order, split into updates and removals.
fn sorted_changes(changes: &[Validator]) -> Result<(Vec<Validator>, Vec<Validator>), Invalid> {
    let mut changes = changes.to_vec();
    changes.sort_by_key(|change| change.address);
    let mut previous = None;
    for change in &changes {
        if previous.replace(change.address) == Some(change.address) {
            return Err(Invalid::DuplicateValidator);
        }
        if change.power > Power::MAX_TOTAL {
            return Err(Invalid::PowerTooLarge);
        }
    }
    Ok(changes.into_iter().partition(|change| change.power > Power::ZERO))
}
