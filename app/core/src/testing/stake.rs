//! What tests of stake say and ask.

use guts_schema::Action;
use guts_schema::sign::ProofOf;
use guts_schema::stake::worth;
use guts_schema::tx::StakingAction;

use super::{Person, World, address};
use crate::modules::staking::{delegation, info};

/// Stake of a genesis validator.
pub const TEN: u64 = 10_000_000;

pub fn act(who: &Person, change: StakingAction) -> Action {
    Action::Staking { actor: who.id, change }
}

/// `key` becomes a validator's, which asks a tenth of the rewards.
pub fn bond(who: &Person, key: &Person, amount: u64) -> Action {
    let change = StakingAction::Bond {
        consensus_key: key.secret.public(),
        proof: key.proof(ProofOf::Bond, &who.id),
        peer_id: vec![1; 38],
        name: "new".into(),
        commission_ppm: 100_000,
        gateway: "https://new.example".into(),
        amount,
    };
    act(who, change)
}

pub fn delegate(who: &Person, to: &Person, amount: u64) -> Action {
    act(who, StakingAction::Delegate { validator: address(to), amount })
}

pub fn unbond(who: &Person, from: &Person, amount: u64) -> Action {
    act(who, StakingAction::Unbond { validator: address(from), amount })
}

pub fn redelegate(who: &Person, from: &Person, to: &Person, amount: u64) -> Action {
    let (from, to) = (address(from), address(to));
    act(who, StakingAction::Redelegate { from, to, amount })
}

/// What somebody has with a validator.
pub fn stake(world: &World, who: &Person, with: &Person) -> u64 {
    let state = world.state();
    let held = delegation(&state, &address(with), &who.id).unwrap().unwrap_or_default();
    worth(&info(&state, &address(with)).unwrap().unwrap(), held.shares)
}
