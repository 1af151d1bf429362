//! Stake: who validates, with how much power, who answers for it, and what they get.
//!
//! | state | value |
//! |---|---|
//! | `validators` | `proto::Validators`: the newest set |
//! | `validators_at/HEIGHT` | `proto::Validators` whose signatures count from that height on |
//! | `validators_changes` | `proto::ValidatorsChanges`: the heights of the above, rising |
//! | `validator/ADDRESS` | `proto::ValidatorInfo`: whoever bonded once |
//! | `candidates` | `proto::Candidates`: those with enough stake, sorted |
//! | `operator/ACCOUNT` | `proto::OperatorOf` |
//! | `delegation/ADDRESS ACCOUNT` | `proto::Delegation` |
//! | `delegations_of/ACCOUNT` | `proto::DelegationsOf` |
//! | `unbonding/N`, `queue_*/Unbondings` | `proto::Unbonding`: stake that left, by age |
//! | `missed/ADDRESS` | `proto::Missed`: counted blocks it did not sign, sparse |
//! | `epoch` | `proto::Epoch` |
//!
//! | action | who may |
//! |---|---|
//! | `Bond` | an account that operates no validator, with a key whose holder agrees |
//! | `EditValidator`, `Unjail` | the operator |
//! | `Delegate`, `Unbond`, `Redelegate` | an account, with what is its own |
//! | `ClaimRewards` | whoever something is due to |
//!
//! The set changes at the end of an epoch and holds from two blocks later on. Two signatures at one
//! height cost stake and the place for ever; missing too many of the last blocks costs a little and
//! the place for a while. Stake answers for a validator until `unbonding_s` after it left.
//!
//! Only so many may be candidates (`candidates_max`). One more with more stake takes the place of
//! the one that has least and is not in the set; one with no more is refused.
//!
//! Invariants: the newest set is not empty and is the last of the recorded ones; its addresses are
//! those of its keys and are sorted; shares add up to each validator's, stake to what is bonded
//! and unbonding, rewards to no more than was given out; lists and counts are those of the
//! entries; candidates are some of those with stake, and no more than there may ever be; a gateway
//! that is said can be asked.
//! Calls: params, account.

mod authorize;
mod block;
mod error;
mod execute;
mod genesis;
mod invariants;
mod state;

pub use execute::execute;
pub use genesis::{Genesis, Operator};
pub(crate) use state::is_set_of;
pub use state::{
    Set, at, candidates, delegation, delegations_of, epoch, epoch_ended, held, held_by, in_force,
    info, newest, operated, operates, updates,
};

use crate::modules::Module;

/// This module's part in the walks.
pub const MODULE: Module = Module {
    begin: Some(block::begin),
    end: Some(block::end),
    audit: Some(invariants::audit),
    ..Module::of_genesis("staking", genesis::init, genesis::export)
};

#[cfg(test)]
pub(crate) mod tests;
