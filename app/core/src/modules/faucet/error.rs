//! Refusals of this module; codes 350 to 399.

use guts_schema::{AccountId, Code};

use crate::fault::Fault;

pub(super) fn work() -> Fault {
    Fault::refuse(Code::FaucetWork, &[])
}

pub(super) fn drawn(account: &AccountId, after_s: u64) -> Fault {
    Fault::refuse(Code::FaucetDrawn, &[account, &after_s])
}

pub(super) fn empty(left: u64, wanted: u64, after_s: u64) -> Fault {
    Fault::refuse(Code::FaucetEmpty, &[&left, &wanted, &after_s])
}

pub(super) fn shut() -> Fault {
    Fault::refuse(Code::FaucetShut, &[])
}
