//! Refusals of this module; codes 100 to 299.

use guts_schema::{AccountId, Code, Key, RepoId};

use crate::fault::Fault;

pub(crate) fn nonce_low(nonce: u64, account: &AccountId, next: u64) -> Fault {
    Fault::refuse(Code::NonceLow, &[&nonce, account, &next])
}

pub(crate) fn nonce_high(nonce: u64, account: &AccountId, next: u64) -> Fault {
    Fault::refuse(Code::NonceHigh, &[&nonce, account, &next])
}

pub(crate) fn expired(until_s: u64, now_s: u64) -> Fault {
    Fault::refuse(Code::Expired, &[&until_s, &now_s])
}

pub(crate) fn payment_missing(what: &str) -> Fault {
    Fault::refuse(Code::PaymentMissing, &[&what])
}

pub(crate) fn work_low(found: u32, needed: u32) -> Fault {
    Fault::refuse(Code::WorkLow, &[&found, &needed])
}

pub(crate) fn fee_low(found: u64, needed: u64) -> Fault {
    Fault::refuse(Code::FeeLow, &[&found, &needed])
}

pub(crate) fn stake_missing(account: &AccountId) -> Fault {
    Fault::refuse(Code::StakeMissing, &[account])
}

pub(crate) fn balance_low(account: &AccountId, found: u64, needed: u64) -> Fault {
    Fault::refuse(Code::BalanceLow, &[account, &found, &needed])
}

pub(crate) fn waiting_many(account: &AccountId, count: usize) -> Fault {
    Fault::refuse(Code::WaitingMany, &[account, &count])
}

pub(crate) fn unknown(account: &AccountId) -> Fault {
    Fault::refuse(Code::AccountUnknown, &[account])
}

pub(crate) fn exists(account: &AccountId) -> Fault {
    Fault::refuse(Code::AccountExists, &[account])
}

pub(crate) fn key_used(key: &Key) -> Fault {
    Fault::refuse(Code::KeyUsed, &[key])
}

pub(crate) fn key_invalid(key: &Key, account: &AccountId) -> Fault {
    Fault::refuse(Code::KeyInvalid, &[key, account])
}

pub(crate) fn commit_unknown(account: &AccountId) -> Fault {
    Fault::refuse(Code::CommitUnknown, &[account])
}

pub(crate) fn handle_taken(handle: &str) -> Fault {
    Fault::refuse(Code::HandleTaken, &[&handle])
}

pub(crate) fn handle_held(account: &AccountId, handle: &str) -> Fault {
    Fault::refuse(Code::HandleHeld, &[account, &handle])
}

pub(crate) fn key_scoped(key: &Key, repo: RepoId) -> Fault {
    Fault::refuse(Code::KeyScoped, &[key, &repo])
}

pub(super) fn key_last(key: &Key, account: &AccountId) -> Fault {
    Fault::refuse(Code::KeyLast, &[key, account])
}

pub(super) fn keys_many(account: &AccountId, count: usize) -> Fault {
    Fault::refuse(Code::KeysMany, &[account, &count])
}

pub(super) fn key_past(until_s: u64, now_s: u64) -> Fault {
    Fault::refuse(Code::KeyPast, &[&until_s, &now_s])
}

pub(super) fn handle_none(account: &AccountId) -> Fault {
    Fault::refuse(Code::HandleNone, &[account])
}

pub(super) fn handle_in_use(repos: u64, handle: &str) -> Fault {
    Fault::refuse(Code::HandleInUse, &[&repos, &handle])
}

pub(super) fn guardian_unknown(guardian: &AccountId, account: &AccountId) -> Fault {
    Fault::refuse(Code::GuardianUnknown, &[guardian, account])
}

pub(super) fn recovery_delay(least_s: u64, found_s: u64) -> Fault {
    Fault::refuse(Code::RecoveryDelay, &[&least_s, &found_s])
}

pub(super) fn not_guardian(actor: &AccountId, account: &AccountId) -> Fault {
    Fault::refuse(Code::NotGuardian, &[actor, account])
}

pub(super) fn recovery_none(account: &AccountId) -> Fault {
    Fault::refuse(Code::RecoveryNone, &[account])
}

pub(super) fn recovery_early(account: &AccountId, due_s: u64, now_s: u64) -> Fault {
    Fault::refuse(Code::RecoveryEarly, &[account, &due_s, &now_s])
}

pub(super) fn recovery_open(account: &AccountId) -> Fault {
    Fault::refuse(Code::RecoveryOpen, &[account])
}

/// A refusal whose sentence has no particulars.
pub(crate) fn plain(code: Code) -> Fault {
    Fault::refuse(code, &[])
}
