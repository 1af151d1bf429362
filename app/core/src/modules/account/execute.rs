//! The actions on accounts: all checks, then all writes.

use guts_schema::keys::Queue;
use guts_schema::limits::SALT_BYTES;
use guts_schema::{AccountId, Action, Code, Hash, Key, Tx, events, names, proto};

use super::{authorize, error, state};
use crate::fault::Fault;
use crate::modules::params;
use crate::run::Run;

/// Executes one action of this module.
pub fn execute(run: &mut Run<'_>, tx: &Tx, action: &Action) -> Result<(), Fault> {
    authorize::check(run, action)?;
    match action {
        Action::CreateAccount { actor, key } => create_account(run, tx, actor, key),
        Action::CommitHandle { actor, commitment } => commit_handle(run, actor, commitment),
        Action::ClaimHandle { actor, handle, salt } => claim_handle(run, actor, handle, salt),
        Action::Transfer { actor, to, amount } => transfer(run, actor, to, *amount),
        Action::CreateRepo { .. } | Action::EditRepo { .. } | Action::PushRefs(_) => Ok(()),
    }
}

fn create_account(run: &mut Run<'_>, tx: &Tx, id: &AccountId, key: &Key) -> Result<(), Fault> {
    if let Some(account) = state::get(&run.state, id)? {
        // Admission made the payer's account, when this is its first transaction.
        let by_admission = *id == tx.payer && tx.nonce == 0 && account.nonce == 1;
        let only = account.created_height == run.block.height;
        return if by_admission && only { Ok(()) } else { Err(error::exists(id)) };
    }
    let account = new_account(run, id, key)?;
    state::put(run, id, &account)?;
    announce(run, id, &account);
    Ok(())
}

/// A new account's value; records its key. The caller writes the account.
pub(crate) fn new_account(
    run: &mut Run<'_>,
    id: &AccountId,
    key: &Key,
) -> Result<proto::Account, Fault> {
    if state::key_record(&run.state, key)?.is_some() {
        return Err(error::key_used(key));
    }
    let from_height = run.block.height;
    let record = proto::KeyRecord { account: id.to_vec(), from_height, until_height: 0 };
    state::put_key(run, key, &record)?;
    Ok(proto::Account {
        keys: vec![key.to_vec()],
        created_height: run.block.height,
        created_time_s: run.block.time_s,
        ..Default::default()
    })
}

pub(crate) fn announce(run: &mut Run<'_>, id: &AccountId, account: &proto::Account) {
    let key = account.keys.first().map(hex::encode).unwrap_or_default();
    run.emit(events::ACCOUNT_CREATED, &[("account", id), ("key", &key)]);
}

fn commit_handle(run: &mut Run<'_>, actor: &AccountId, commitment: &Hash) -> Result<(), Fault> {
    if state::commit(&run.state, commitment)?.is_some() {
        return Err(error::plain(Code::CommitExists));
    }
    let (height, time_s) = (run.block.height, run.block.time_s);
    let commit = proto::HandleCommit { account: actor.to_vec(), height, time_s };
    state::put_commit(run, commitment, &commit)?;
    let due_s = time_s.saturating_add(params::get(&run.state)?.handle_commit_s);
    state::queue_push(run, Queue::HandleCommits, due_s, commitment.as_bytes())?;
    run.emit(events::HANDLE_COMMITTED, &[("account", actor)]);
    Ok(())
}

fn claim_handle(
    run: &mut Run<'_>,
    actor: &AccountId,
    handle: &str,
    salt: &[u8; SALT_BYTES],
) -> Result<(), Fault> {
    let commitment = names::handle_commitment(&run.block.chain_id, actor, handle, salt);
    let commit = state::commit(&run.state, &commitment)?;
    let commit = commit.filter(|commit| commit.account == actor.to_vec());
    let commit = commit.ok_or_else(|| error::commit_unknown(actor))?;
    if commit.height >= run.block.height {
        return Err(error::plain(Code::CommitFresh));
    }
    let lasts_s = params::get(&run.state)?.handle_commit_s;
    if run.block.time_s.saturating_sub(commit.time_s) > lasts_s {
        return Err(error::commit_unknown(actor));
    }
    if state::handle_owner(&run.state, handle)?.is_some() {
        return Err(error::handle_taken(handle));
    }
    let account = state::get(&run.state, actor)?;
    let mut account = account.ok_or_else(|| error::unknown(actor))?;
    if !account.handle.is_empty() {
        return Err(error::handle_held(actor, &account.handle));
    }
    account.handle = handle.to_owned();
    state::put(run, actor, &account)?;
    state::put_handle(run, handle, actor)?;
    state::drop_commit(run, &commitment);
    run.emit(events::HANDLE_CLAIMED, &[("account", actor), ("handle", &handle)]);
    Ok(())
}

fn transfer(
    run: &mut Run<'_>,
    actor: &AccountId,
    to: &AccountId,
    amount: u64,
) -> Result<(), Fault> {
    let from = state::get(&run.state, actor)?.ok_or_else(|| error::unknown(actor))?;
    if from.balance < amount {
        return Err(error::balance_low(actor, from.balance, amount));
    }
    if state::get(&run.state, to)?.is_none() {
        return Err(error::unknown(to));
    }
    state::balance_change(run, actor, |balance| balance.checked_sub(amount))?;
    state::balance_change(run, to, |balance| balance.checked_add(amount))?;
    run.emit(events::TRANSFERRED, &[("from", actor), ("to", to), ("amount", &amount)]);
    Ok(())
}
