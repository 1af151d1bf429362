//! Who may act on accounts. That an actor signed is checked without state; that the key it signed
//! with is valid for it, here.

use guts_schema::tx::{AccountAction, Signer};
use guts_schema::{AccountId, Action, Key, Tx};

use super::{error, state};
use crate::fault::Fault;
use crate::run::Run;

/// True when the transaction makes this account with this key.
fn creates(tx: &Tx, signer: &Signer) -> bool {
    tx.actions.iter().any(|action| match action {
        Action::CreateAccount { actor, key } => *actor == signer.account && *key == signer.key,
        _ => false,
    })
}

/// The key with which a transaction makes the account of its own payer.
pub(crate) fn made_by(tx: &Tx) -> Option<Key> {
    let signer = tx.auth.iter().find(|signer| signer.account == tx.payer)?;
    creates(tx, signer).then_some(signer.key)
}

/// Every signer's key is valid for its account at this height, or makes it in this transaction.
pub(crate) fn check_signers(run: &Run<'_>, tx: &Tx) -> Result<(), Fault> {
    for signer in &tx.auth {
        let valid = state::valid_key(&run.state, &signer.key, run.block)?;
        match valid {
            Some(valid) if valid.account == signer.account => match valid.repo {
                None => continue,
                // A key for one repository signs pushes to it, and no transactions.
                Some(repo) => return Err(error::key_scoped(&signer.key, repo)),
            },
            _ => {}
        }
        // An account that exists is not made again: its founding key may be revoked by now.
        if state::exists(&run.state, &signer.account)? {
            return Err(error::key_invalid(&signer.key, &signer.account));
        }
        if valid.is_none() && creates(tx, signer) {
            continue;
        }
        return Err(error::unknown(&signer.account));
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
        Action::Account { actor, change } => check_change(run, actor, change),
        // Other modules' actions are theirs to authorise.
        Action::Staking { .. }
        | Action::Org { .. }
        | Action::Governance { .. }
        | Action::DrawFaucet { .. }
        | Action::Thread { .. }
        | Action::Issue { .. }
        | Action::Repo { .. }
        | Action::CreateRepo { .. }
        | Action::EditRepo { .. }
        | Action::PushRefs(_) => Ok(()),
    }
}

fn check_change(run: &Run<'_>, actor: &AccountId, change: &AccountAction) -> Result<(), Fault> {
    match change {
        // An account may add keys of its own; that their holders agree is proved.
        AccountAction::AddKey { .. } => check_exists(run, actor),
        // An account may revoke its own keys.
        AccountAction::RevokeKey { .. } => check_exists(run, actor),
        // An account may give its handle to one that signs too.
        AccountAction::TransferHandle { .. } => check_exists(run, actor),
        // An account may give up its handle.
        AccountAction::ReleaseHandle => check_exists(run, actor),
        // An account chooses who may recover it.
        AccountAction::SetGuardians { .. } => check_exists(run, actor),
        // The guardians of an account may agree on a new key for it.
        AccountAction::ApproveRecovery { account, .. } => {
            let guardians = state::guardians(&run.state, account)?;
            let listed = guardians.accounts.iter().any(|id| id[..] == actor.as_bytes()[..]);
            if listed { Ok(()) } else { Err(error::not_guardian(actor, account)) }
        }
        // The owner of an account may stop its recovery.
        AccountAction::CancelRecovery => check_exists(run, actor),
        // Anybody may finish a recovery that is due: what happens was agreed on before.
        AccountAction::FinishRecovery { .. } => check_exists(run, actor),
    }
}

/// Refuses an account that there is not.
pub(crate) fn check_exists(run: &Run<'_>, id: &AccountId) -> Result<(), Fault> {
    if state::exists(&run.state, id)? { Ok(()) } else { Err(error::unknown(id)) }
}
