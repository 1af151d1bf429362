//! Refusals of this module; codes 700 to 719.

use guts_schema::Code;

use crate::fault::Fault;

pub(crate) fn unknown(path: &str, number: u64) -> Fault {
    Fault::refuse(Code::ThreadUnknown, &[&path, &number])
}

pub(super) fn locked(number: u64, path: &str) -> Fault {
    Fault::refuse(Code::ThreadLocked, &[&number, &path])
}

pub(super) fn comment_unknown(number: u64, comment: u64) -> Fault {
    Fault::refuse(Code::CommentUnknown, &[&number, &comment])
}

pub(super) fn not_yours(actor: &str) -> Fault {
    Fault::refuse(Code::CommentNotYours, &[&actor])
}

pub(crate) fn same() -> Fault {
    Fault::refuse(Code::SameAlready, &[])
}

pub(crate) fn role(actor: &str, path: &str) -> Fault {
    Fault::refuse(Code::ThreadRole, &[&actor, &path])
}
