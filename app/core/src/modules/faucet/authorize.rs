//! Who may draw from the faucet.

use guts_schema::{AccountId, Payment, Tx};

use super::error;
use crate::fault::Fault;
use crate::modules::account;
use crate::run::Run;

/// Refuses an actor that may not act.
pub(super) fn check(run: &Run<'_>, tx: &Tx, actor: &AccountId) -> Result<(), Fault> {
    // Any account may draw, in a transaction that is paid by proof of work.
    account::check_exists(run, actor)?;
    match tx.payment {
        Payment::Work { .. } => Ok(()),
        Payment::None | Payment::Fee(_) | Payment::Stake => Err(error::work()),
    }
}
