//! Who may act on accounts. That an actor signed is checked without state; that the key it signed
//! with is valid for it, here.

use guts_schema::tx::Signer;
use guts_schema::{AccountId, Action, Tx};

use super::{error, state};
use crate::fault::Fault;
use crate::run::Run;

/// True when the transaction makes this account with this key.
pub(crate) fn creates(tx: &Tx, signer: &Signer) -> bool {
    tx.actions.iter().any(|action| match action {
        Action::CreateAccount { actor, key } => *actor == signer.account && *key == signer.key,
        _ => false,
    })
}

/// Every signer's key is valid for its account at this height, or makes it in this transaction.
pub(crate) fn check_signers(run: &Run<'_>, tx: &Tx) -> Result<(), Fault> {
    for signer in &tx.auth {
        let owner = state::key_owner(&run.state, &signer.key, run.block.height)?;
        if owner == Some(signer.account) {
            continue;
        }
        if owner.is_none() && creates(tx, signer) {
            continue;
        }
        if state::get(&run.state, &signer.account)?.is_none() {
            return Err(error::unknown(&signer.account));
        }
        return Err(error::key_invalid(&signer.key, &signer.account));
    }
    Ok(())
}

/// Refuses an actor that may not act.
pub(super) fn check(run: &Run<'_>, action: &Action) -> Result<(), Fault> {
    match action {
        // The holder of a key may make the account of that key.
        Action::CreateAccount { .. } => Ok(()),
        // Any account may commit to a handle.
        Action::CommitHandle { actor, .. } => check_exists(run, actor),
        // The account that committed may claim; the commitment binds it.
        Action::ClaimHandle { actor, .. } => check_exists(run, actor),
        // An account may give away its own balance.
        Action::Transfer { actor, .. } => check_exists(run, actor),
        // Other modules' actions are theirs to authorise.
        Action::CreateRepo { .. } | Action::EditRepo { .. } | Action::PushRefs(_) => Ok(()),
    }
}

fn check_exists(run: &Run<'_>, actor: &AccountId) -> Result<(), Fault> {
    match state::get(&run.state, actor)? {
        Some(_) => Ok(()),
        None => Err(error::unknown(actor)),
    }
}
