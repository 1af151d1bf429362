//! Refusals of this module; codes 300 to 399.

use guts_schema::ids::ValidatorAddress;
use guts_schema::{AccountId, Code};

use crate::fault::Fault;

pub(super) fn unknown(validator: &ValidatorAddress) -> Fault {
    Fault::refuse(Code::ValidatorUnknown, &[validator])
}

pub(super) fn exists(validator: &ValidatorAddress) -> Fault {
    Fault::refuse(Code::ValidatorExists, &[validator])
}

pub(super) fn operator_busy(account: &AccountId, validator: &ValidatorAddress) -> Fault {
    Fault::refuse(Code::OperatorBusy, &[account, validator])
}

pub(super) fn small(amount: u64, least: u64) -> Fault {
    Fault::refuse(Code::StakeSmall, &[&amount, &least])
}

pub(super) fn empty(validator: &ValidatorAddress) -> Fault {
    Fault::refuse(Code::ValidatorEmpty, &[validator])
}

pub(super) fn low(
    account: &AccountId,
    held: u64,
    validator: &ValidatorAddress,
    want: u64,
) -> Fault {
    Fault::refuse(Code::StakeLow, &[account, &held, validator, &want])
}

pub(super) fn commission_step(most: u64, found: u64) -> Fault {
    Fault::refuse(Code::CommissionStep, &[&most, &found])
}

pub(super) fn commission_early(from_s: u64, now_s: u64) -> Fault {
    Fault::refuse(Code::CommissionEarly, &[&from_s, &now_s])
}

pub(super) fn not_operator(account: &AccountId) -> Fault {
    Fault::refuse(Code::NotOperator, &[account])
}

pub(super) fn not_jailed(validator: &ValidatorAddress) -> Fault {
    Fault::refuse(Code::NotJailed, &[validator])
}

pub(super) fn jailed_until(validator: &ValidatorAddress, until_s: u64, now_s: u64) -> Fault {
    Fault::refuse(Code::JailedUntil, &[validator, &until_s, &now_s])
}

pub(super) fn tombstoned(validator: &ValidatorAddress) -> Fault {
    Fault::refuse(Code::Tombstoned, &[validator])
}

pub(super) fn candidates_many(count: usize, enough: Option<u64>) -> Fault {
    let way_out = match enough {
        Some(enough) => format!("{enough} or more takes the place of one"),
        None => "wait until one leaves".into(),
    };
    Fault::refuse(Code::CandidatesMany, &[&count, &way_out])
}

pub(super) fn locked(validator: &ValidatorAddress, until_s: u64) -> Fault {
    Fault::refuse(Code::StakeLocked, &[validator, &until_s])
}

pub(super) fn unbondings_all(count: u64, least: u64) -> Fault {
    Fault::refuse(Code::UnbondingsAll, &[&count, &least])
}

pub(super) fn unbondings_many(account: &AccountId, count: u64) -> Fault {
    Fault::refuse(Code::UnbondingsMany, &[account, &count])
}

pub(super) fn delegations_many(account: &AccountId, count: usize) -> Fault {
    Fault::refuse(Code::DelegationsMany, &[account, &count])
}

pub(super) fn rewards_none(account: &AccountId, validator: &ValidatorAddress) -> Fault {
    Fault::refuse(Code::RewardsNone, &[account, validator])
}
