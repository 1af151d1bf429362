//! Refusals of this module; codes 400 to 499.

use std::fmt::Display;

use guts_schema::{AccountId, Code};

use crate::fault::Fault;

pub(crate) fn unknown(what: &dyn Display) -> Fault {
    Fault::refuse(Code::RepoUnknown, &[what])
}

pub(crate) fn archived(path: &str) -> Fault {
    Fault::refuse(Code::RepoArchived, &[&path])
}

pub(super) fn exists(path: &str) -> Fault {
    Fault::refuse(Code::RepoExists, &[&path])
}

pub(super) fn not_yours(does: &str, path: &str, actor: &str) -> Fault {
    Fault::refuse(Code::RepoNotYours, &[&does, &path, &actor])
}

pub(super) fn offer(path: &str, actor: &str) -> Fault {
    Fault::refuse(Code::RepoOffer, &[&path, &actor])
}

pub(super) fn rules_many(path: &str, count: usize) -> Fault {
    Fault::refuse(Code::RepoRulesMany, &[&path, &count])
}

pub(super) fn role_same(who: &str, path: &str) -> Fault {
    Fault::refuse(Code::RoleSame, &[&who, &path])
}

pub(super) fn star_same(who: &str, path: &str) -> Fault {
    Fault::refuse(Code::StarSame, &[&who, &path])
}

pub(super) fn protection_none(pattern: &str, path: &str) -> Fault {
    Fault::refuse(Code::ProtectionNone, &[&pattern, &path])
}

pub(super) fn handle_missing(account: &AccountId) -> Fault {
    Fault::refuse(Code::HandleMissing, &[account])
}

pub(super) fn many(account: &AccountId, count: u64) -> Fault {
    Fault::refuse(Code::ReposMany, &[account, &count])
}
