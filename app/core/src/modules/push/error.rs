//! Refusals of this module; codes 500 to 599.

use guts_schema::{Code, Key};

use crate::fault::Fault;

pub(super) fn replayed() -> Fault {
    Fault::refuse(Code::PushReplayed, &[])
}

pub(super) fn stale(signed_s: u64, now_s: u64) -> Fault {
    Fault::refuse(Code::PushStale, &[&signed_s, &now_s])
}

pub(super) fn key_unknown(key: &Key) -> Fault {
    Fault::refuse(Code::PushKeyUnknown, &[key])
}

pub(super) fn not_allowed(who: &str, path: &str) -> Fault {
    Fault::refuse(Code::PushNotAllowed, &[&who, &path])
}

pub(super) fn format(path: &str, format: &str) -> Fault {
    Fault::refuse(Code::PushFormat, &[&path, &format])
}

pub(super) fn many(count: u64, whose: &str) -> Fault {
    Fault::refuse(Code::PushesMany, &[&count, &whose])
}

pub(super) fn bytes_many(bytes: u64) -> Fault {
    Fault::refuse(Code::PushBytesMany, &[&bytes])
}

pub(super) fn pack_oversize(bytes: u64, max: u64) -> Fault {
    Fault::refuse(Code::PackOversize, &[&bytes, &max])
}

pub(super) fn ref_moved(name: &str, now: &[u8], expected: &[u8]) -> Fault {
    let text = |oid: &[u8]| if oid.is_empty() { "absent".to_owned() } else { hex::encode(oid) };
    Fault::refuse(Code::RefMoved, &[&name, &text(now), &text(expected)])
}

pub(super) fn in_the_way(name: &str, other: &str) -> Fault {
    Fault::refuse(Code::RefInTheWay, &[&name, &other])
}

pub(super) fn refs_many(path: &str, max: u64) -> Fault {
    Fault::refuse(Code::RefsMany, &[&path, &max])
}

pub(super) fn rejected(reason: &str) -> Fault {
    Fault::refuse(Code::PushRejected, &[&reason])
}

pub(super) fn deadline(seconds: u64) -> Fault {
    Fault::refuse(Code::PushDeadline, &[&seconds])
}

pub(super) fn protected(name: &str, who: &str) -> Fault {
    Fault::refuse(Code::PushProtected, &[&name, &who])
}

pub(super) fn delete_protected(name: &str) -> Fault {
    Fault::refuse(Code::DeleteProtected, &[&name])
}

pub(super) fn forced(name: &str) -> Fault {
    Fault::refuse(Code::PushForced, &[&name])
}

pub(super) fn default_branch(name: &str) -> Fault {
    Fault::refuse(Code::DefaultBranchDelete, &[&name])
}
